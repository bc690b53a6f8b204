// Charts as SVG, drawn anew with every sample: a few hundred points need no library.

import { make } from "./dom.js";

const EDGE = { top: 8, right: 8, bottom: 20, left: 44 };
const OUTLIER = 3;
export const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4", "12 4", "1 4", "6 2 1 2"];

/** Round numbers, about so many of them, within the range. */
export function ticks(low, high, about = 4) {
  const rough = (high - low) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.75);
  const result = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) result.push(i * step || 0); // no -0
  return result;
}

/** The largest figure that a chart has to reach: one that is far off must not flatten the others. */
export function ceiling(values) {
  const sorted = [...values].sort((a, b) => a - b), most = sorted.at(-1) ?? 0;
  return Math.min(most, OUTLIER * sorted[Math.floor(sorted.length * 0.9)] || most);
}

/** What is drawn on: scales from figures to pixels, and axes with their labels. */
export class Plane {
  constructor(box, { x, y, height = 180, edge = {} }) {
    this.box = box;
    this.edge = { ...EDGE, ...edge };
    this.width = Math.max(box.clientWidth, 120);
    this.height = height;
    this.marks = [];
    const { top, right, bottom, left } = this.edge;
    const [x0, x1] = x, [y0, y1] = y;
    this.x = (value) => left + ((value - x0) / (x1 - x0 || 1)) * (this.width - left - right);
    this.y = (value) => this.height - bottom - ((value - y0) / (y1 - y0 || 1)) * (this.height - top - bottom);
    this.floor = this.height - bottom;
    this.ceiling = top;
  }

  rules(values, label) {
    for (const value of values) {
      const y = this.y(value);
      this.marks.push(
        make("line", { class: "rule", x1: this.edge.left, x2: this.width - this.edge.right, y1: y, y2: y }),
        make("text", { x: this.edge.left - 6, y: y + 4, "text-anchor": "end" }, label(value)));
    }
  }

  below(values, label) {
    for (const value of values) {
      this.marks.push(make("text", { x: this.x(value), y: this.height - 4, "text-anchor": "middle" }, label(value)));
    }
  }

  /** A line through points; a point without a figure breaks it. */
  line(points, attributes) {
    this.marks.push(make("path", { d: this.#path(points), ...attributes }));
  }

  area(points, attributes) {
    if (!points.length) return;
    const floor = this.floor.toFixed(1);
    const d = `${this.#path(points)}L${this.x(points.at(-1)[0]).toFixed(1)} ${floor}L${this.x(points[0][0]).toFixed(1)} ${floor}Z`;
    this.marks.push(make("path", { d, ...attributes }));
  }

  rect(from, to, low, high, attributes) {
    this.marks.push(make("rect", {
      x: this.x(from), width: Math.max(0, this.x(to) - this.x(from)), y: high, height: Math.max(0, low - high), ...attributes,
    }));
  }

  dot([x, y], attributes) {
    this.marks.push(make("circle", { cx: this.x(x).toFixed(1), cy: this.#height(y), r: 2.2, ...attributes }));
  }

  show(label) {
    this.box.replaceChildren(make("svg", {
      role: "img", "aria-label": label, viewBox: `0 0 ${this.width} ${this.height}`, height: this.height,
    }, this.marks));
  }

  #height = (value) => Math.max(this.ceiling, Math.min(this.floor, this.y(value))).toFixed(1);

  #path(points) {
    let pen = "M";
    const steps = [];
    for (const [x, y] of points) {
      if (y === null) {
        pen = "M";
        continue;
      }
      steps.push(`${pen}${this.x(x).toFixed(1)} ${this.#height(y)}`);
      pen = "L";
    }
    // A point between two gaps would be invisible: a line of no length has a round end.
    return steps.join("").replace(/M([\d. -]+)(?=M|$)/g, "M$1l0 0");
  }
}

/** A small curve without axes, which its figure stands beside. */
export function spark(box, points) {
  const end = points.at(-1)?.[0] ?? 1;
  const plane = new Plane(box, {
    x: [points[0]?.[0] ?? 0, end], y: [0, ceiling(points.map(([, y]) => y)) || 1], height: 32,
    edge: { top: 2, right: 1, bottom: 1, left: 1 },
  });
  plane.area(points, { class: "area f0" });
  plane.line(points, { class: "curve s0", "stroke-width": 1.5 });
  plane.show("");
  box.firstChild.setAttribute("aria-hidden", "true");
}

/** The sample of a curve beside its name. */
export function key(number, extra = {}) {
  return make("svg", { class: "key", viewBox: "0 0 24 10", "aria-hidden": "true" },
    make("path", { d: "M1 5H23", class: `curve s${number}`, "stroke-dasharray": DASHES[number] || null, ...extra }));
}
