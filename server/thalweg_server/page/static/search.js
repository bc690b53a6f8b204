// The search box: a combobox that opens a model, by keyboard or by pointer.

import { byId, make, modelAddress } from "./dom.js";

const PAUSE_MS = 120;

/** Makes the search box work; `tell` says things aloud. */
export function searchBox(tell) {
  const input = byId("query"), list = byId("found");
  let names = [], chosen = -1, timer = 0, asked = 0;

  async function look() {
    const mine = ++asked, text = input.value.trim();
    let found = [];
    try {
      const answer = await fetch(`/api/models?search=${encodeURIComponent(text)}`);
      found = answer.ok ? (await answer.json()).names : [];
    } catch { /* the page says that there is no connection */ }
    if (mine !== asked || document.activeElement !== input) return;
    names = found;
    choose(text && names.length ? 0 : -1);
    tell(names.length ? `${names.length} found` : "No model found");
  }

  function choose(place) {
    chosen = place;
    const options = names.map((name, i) => make("li", { role: "option", id: `found-${i}`, "aria-selected": String(i === chosen) }, name));
    list.replaceChildren(...(options.length ? options : [make("li", { class: "none", role: "option", "aria-disabled": "true" }, "No model found")]));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    if (chosen < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `found-${chosen}`);
    options[chosen]?.scrollIntoView({ block: "nearest" });
  }

  function shut() {
    asked++;
    clearTimeout(timer);
    list.hidden = true;
    list.replaceChildren();
    names = [];
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function open(name) {
    input.value = "";
    shut();
    location.hash = modelAddress(name);
  }

  const keys = {
    ArrowDown: () => (list.hidden ? look() : choose((chosen + 1) % Math.max(names.length, 1))),
    ArrowUp: () => (list.hidden ? look() : choose((chosen + names.length - 1 + (chosen < 0)) % Math.max(names.length, 1))),
    Escape: () => { if (list.hidden) input.value = ""; shut(); },
    Enter: () => { if (chosen >= 0 && names.length) open(names[chosen]); },
  };

  input.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(keys, event.key) || event.isComposing) return;
    event.preventDefault();
    keys[event.key]();
  });
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  input.addEventListener("blur", shut);
  list.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the box keeps the focus, and with it the list
    const place = [...list.children].indexOf(event.target.closest("[role=option]"));
    if (names[place] !== undefined) open(names[place]);
  });
  byId("search").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, [contenteditable]")) return;
    event.preventDefault();
    input.focus();
  });
}
