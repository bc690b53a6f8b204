// One model: its candidates, its last targets beside what was predicted, its forecast.

import { Plane, key, ticks } from "./charts.js";
import { assign, colour } from "./colours.js";
import { byId, make, table } from "./dom.js";
import { NONE, brief, count, percent, plural, score } from "./format.js";

const AGAIN_MS = 5000;

/** Shows models in their place; `tell` says things aloud. */
export function modelView(tell) {
  const box = byId("model");
  let name = null, timer = 0, drawn = null, parts = null;

  async function load() {
    clearTimeout(timer);
    const asked = name;
    try {
      const answer = await fetch(`/api/models/${encodeURIComponent(asked)}`);
      const found = await answer.json();
      if (asked !== name) return; // somebody has gone on meanwhile
      if (answer.ok) show(found);
      else problem(found.problem);
    } catch {
      if (asked === name && !drawn) problem("no connection to the server");
    }
    if (asked === name) timer = setTimeout(load, AGAIN_MS);
  }

  function begin() {
    drawn = null;
    parts = { title: make("h2", { id: "model-title", tabindex: "-1" }, name), about: make("p", { class: "dim", id: "model-about" }, "loading …"), rest: make("div", { class: "parts" }) };
    box.replaceChildren(make("div", {}, make("a", { href: "#" }, "← All models")), make("div", {}, parts.title, parts.about), parts.rest);
    parts.title.focus();
  }

  function problem(text) {
    drawn = null;
    parts.about.textContent = text;
    parts.rest.replaceChildren();
    tell(text);
  }

  function show(model) {
    const text = JSON.stringify(model);
    if (text === drawn) return;
    if (!drawn) tell(`Model ${model.name} is open`);
    drawn = text;
    const through = model.learned_through ? `, the last of ${model.learned_through}` : "";
    const champion = model.candidates.find((each) => each.champion).name;
    parts.about.textContent = `${plural(model.learned, "observation")} learned${through} · champion ${champion}`;
    assign(model.candidates.map((each) => each.name));
    const regression = model.flavor === "regression";
    parts.rest.replaceChildren(...(regression ? [pastCard(model)] : []), candidateCard(model, regression));
    if (regression) drawPast(model);
    parts.redraw = () => regression && drawPast(model);
  }

  return {
    open(next) {
      if (next === name) return;
      name = next;
      begin();
      load();
    },
    close() {
      name = drawn = parts = null;
      clearTimeout(timer);
      box.replaceChildren();
    },
    redraw: () => parts?.redraw?.(),
  };
}

function candidateCard({ candidates }, regression) {
  const scores = regression
    ? [["MAE", "mae", score], ["MAE, last 28", "mae_recent", score], ["RMSE", "rmse", score]]
    : [["accuracy", "accuracy", (value) => (value === null ? NONE : percent(value))], ["log loss", "log_loss", score]];
  const columns = [["candidate", "name"], ...scores.map(([title]) => [title]), ["scored"], ["learned"], ["not finite"], ["runs in", "text"]];
  const rows = candidates.map((each) => [
    [key(colour(each.name)), each.name, each.champion ? make("span", { class: "mark" }, " ★\u00a0champion") : null],
    ...scores.map(([, field, show]) => show(each[field])),
    count(each.scored), count(each.learned), count(each.nonfinite), each.engine,
  ]);
  return make("section", { class: "card", "aria-labelledby": "candidates-title" },
    make("h2", { id: "candidates-title" }, "Candidates"),
    make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Candidates, a wide table" }, table("Candidates of this model", columns, rows)),
    make("dl", { class: "made" }, candidates.flatMap((each) => [make("dt", {}, each.name), make("dd", {}, estimator(each))])));
}

function estimator(each) {
  const notes = [each.estimator];
  if (each.engine_reason) notes.push(`in River: ${each.engine_reason}`);
  if (each.strikes) notes.push(`stopped ${plural(each.strikes, "time")}`);
  if (each.quarantined) notes.push(`in quarantine: ${each.quarantined}`);
  return notes.join(" · ");
}

function pastCard({ history, forecast, candidates }) {
  const hue = answering(candidates);
  const said = forecast.candidate, entry = (mark, text) => make("li", {}, mark, text);
  const legend = [entry(key(0, { class: "truth", "stroke-width": 2 }), "target"), entry(key(hue, { "stroke-dasharray": null }), "predicted before it was known")];
  if (said) legend.push(entry(key(hue, { "stroke-dasharray": "5 4" }), `forecast of ${said}`));
  return make("section", { class: "card", "aria-labelledby": "past-title" },
    make("h2", { id: "past-title" }, history.length ? `The last ${plural(history.length, "target")}, and what is to come` : "Targets and forecast"),
    make("ul", { class: "legend" }, legend),
    make("div", { class: "chart", id: "past" }),
    forecast.problem ? make("p", { class: "dim" }, `No forecast: ${forecast.problem}.`) : null,
    figures(history, forecast));
}

function drawPast({ history, forecast, candidates }) {
  const box = byId("past");
  if (!history.length && !forecast.values.length) {
    box.replaceChildren(make("p", { class: "dim" }, "No targets are kept of this model yet."));
    return;
  }
  const days = placed(history, forecast);
  const targets = history.map(([, target], i) => [days[i], target]);
  const predictions = history.map(([, , prediction], i) => [days[i], prediction]);
  const later = forecast.values.map((value, i) => [days[history.length + i], value]);
  const known = [...targets, ...predictions, ...later].map(([, y]) => y).filter((y) => y !== null);
  const low = Math.min(0, ...known), high = Math.max(...known, low + 1e-9);
  const plane = new Plane(box, { x: [days[0], days.at(-1)], y: [low, high + (high - low) * 0.06], height: 240 });
  if (later.length) {
    plane.rect(Math.max(days[0], later[0][0] - 0.5), days.at(-1), plane.floor, plane.ceiling, { class: "later" });
  }
  plane.rules(ticks(low, high), brief);
  plane.line(targets, { class: "truth" });
  const hue = answering(candidates);
  plane.line(predictions, { class: `curve s${hue}` });
  plane.line(later, { class: `curve s${hue}`, "stroke-dasharray": "5 4" });
  for (const point of targets) plane.dot(point, { class: "dot" });
  plane.below(ticks(days[0], days.at(-1), plane.width < 480 ? 3 : 7).filter(Number.isInteger), (at) => label(at, history, forecast));
  plane.show(spoken(history, forecast));
}

/** The colour of who answers for the model. */
const answering = (candidates) => colour(candidates.find((each) => each.champion).name);

/** Days since 1970 of all points, or their numbers where some have no date. */
function placed(history, forecast) {
  const dated = history.every(([day]) => day !== null);
  const past = history.map(([day], i) => (dated ? dayNumber(day) : i));
  const begin = forecast.begins && dated ? dayNumber(forecast.begins) : history.length;
  return [...past, ...forecast.values.map((_, i) => begin + i)];
}

const dayNumber = (text) => Date.parse(text) / 86400000;

function label(at, history, forecast) {
  const dated = history.every(([day]) => day !== null) && (history.length || forecast.begins);
  return dated ? new Date(at * 86400000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }) : `${at + 1}`;
}

function spoken(history, forecast) {
  const scored = history.filter(([, , prediction]) => prediction !== null);
  const parts = [`The last ${plural(history.length, "target")}`];
  if (scored.length) {
    const error = scored.reduce((sum, [, target, prediction]) => sum + Math.abs(target - prediction), 0) / scored.length;
    parts.push(`mean absolute error of the predictions made for them ${score(error)}`);
  }
  const values = forecast.values.filter((value) => value !== null);
  if (values.length) parts.push(`forecast of ${plural(values.length, "day")} from ${score(Math.min(...values))} to ${score(Math.max(...values))}`);
  return `${parts.join("; ")}. A table of all figures follows.`;
}

function figures(history, forecast) {
  const past = history.map(([day, target, prediction], i) => [day ?? `${i + 1}`, score(target), score(prediction)]);
  const later = forecast.values.map((value, i) => [
    new Date((dayNumber(forecast.begins) + i) * 86400000).toISOString().slice(0, 10), NONE, score(value),
  ]);
  return make("div", { class: "hidden" }, table("Targets and predictions, then the forecast", [["day"], ["target"], ["predicted"]], [...past, ...later]));
}
