// Making elements. Names come from strangers: text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "path", "line", "rect", "circle", "text", "clipPath", "defs"]);

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets an element's text, and touches nothing where it is that already. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A table: columns of [title, class], rows of cells; the first cell heads its row. */
export function table(caption, columns, rows) {
  const head = columns.map(([title, kind]) => make("th", { scope: "col", class: kind }, title));
  const body = rows.map((cells) => make("tr", {}, cells.map((cell, column) => {
    const kind = columns[column][1];
    return column ? make("td", { class: kind }, cell) : make("th", { scope: "row", class: kind }, cell);
  })));
  return make("table", {},
    make("caption", { class: "hidden" }, caption),
    make("thead", {}, make("tr", {}, head)),
    make("tbody", {}, body));
}

export const modelAddress = (name) => `#model=${encodeURIComponent(name)}`;

export const modelLink = (name) => make("a", { href: modelAddress(name) }, name);
