// Live quality of each candidate: a curve of what was scored between two samples, and figures.

import { DASHES, Plane, ceiling, key, ticks } from "./charts.js";
import { assign, colour } from "./colours.js";
import { byId, make, say, table } from "./dom.js";
import { clock, count, duration, brief, percent, score } from "./format.js";

const words = (flavor) => (flavor === "regression"
  ? { title: "Live error", mean: "MAE", show: score, axis: brief, what: "Mean absolute error of what was predicted, over all models" }
  : { title: "Live accuracy", mean: "accuracy", show: percent, axis: percent, what: "Share of right answers, over all models" });

export function drawCurves(series) {
  const sample = series.last, word = words(sample.flavor);
  const names = sample.candidates.map(([name]) => name);
  assign(names);
  say(byId("curves-title"), word.title);
  say(byId("curves-about"), `${word.what}, in each interval of the last ${duration(Math.max(60, series.span[1] - series.span[0]))}`);
  const curves = names.map((name) => ({ name, points: series.means(name) }));
  draw(series, curves, word);
  byId("curves-figures").replaceChildren(figures(series, sample.candidates, word));
}

function draw(series, curves, word) {
  const values = curves.flatMap(({ points }) => points.map(([, y]) => y).filter((y) => y !== null));
  if (!values.length) {
    byId("curves").replaceChildren(make("p", { class: "dim" }, "Nothing was scored in this time."));
    return;
  }
  const high = ceiling(values) || 1;
  const low = Math.min(...values), margin = (high - low) * 0.12 || high * 0.1;
  const y = [Math.max(0, low - margin), high + margin];
  const [from, to] = series.span;
  const box = byId("curves"), plane = new Plane(box, { x: [from, to], y, height: box.clientWidth < 600 ? 200 : 280 });
  plane.rules(ticks(...y), word.axis);
  const most = plane.width < 480 ? 3 : 5;
  plane.below(ticks(from - to, 0, most).filter((t) => t > from - to).map((t) => to + t), (at) => (at === to ? "now" : ago(to - at)));
  for (const { name, points } of curves) {
    plane.line(points, { class: `curve s${colour(name)}`, "stroke-dasharray": DASHES[colour(name)] || null });
  }
  const said = curves.map(({ name }) => `${name} ${word.show(series.meanNow(name))}`).join(", ");
  plane.show(`Curves of ${word.mean} per candidate until ${clock(to)}; over the last minute: ${said}`);
}

const ago = (seconds) => (seconds % 60 ? `−${Math.round(seconds)} s` : `−${Math.round(seconds / 60)} min`);

function figures(series, candidates, word) {
  const columns = [["candidate", "name"], [`${word.mean}, last minute`], [`${word.mean}, all time`], ["scored"], ["not finite"]];
  const rows = candidates.map(([name, sum, scored, unusable]) => [
    [key(colour(name)), name], word.show(series.meanNow(name)), scored ? word.show(sum / scored) : "–",
    count(scored), count(unusable),
  ]);
  return table(`Candidates and their ${word.mean}`, columns, rows);
}
