// All models at a glance: distribution, champions, worst and best.

import { Plane, ticks } from "./charts.js";
import { assign, colour } from "./colours.js";
import { byId, make, modelLink, say, table } from "./dom.js";
import { brief, count, percent, plural, score } from "./format.js";

const regression = (flavor) => flavor !== "binary" && flavor !== "multiclass";

export function drawSurvey(survey, flavor) {
  drawChampions(survey);
  drawSpread(survey, flavor);
  for (const end of ["worst", "best"]) drawRanking(byId(end), survey[end] ?? [], end, flavor);
  const from = survey.ranked_from ?? 1;
  for (const about of document.querySelectorAll(".ranked")) {
    say(about, survey.scored ? `Of ${plural(survey.ranked, "model")} scored at least ${from === 1 ? "once" : `${from} times`}` : "Nothing was scored yet");
  }
}

function drawChampions({ champions = [], names = 0, models }) {
  assign(champions.map(([name]) => name));
  const items = champions.map(([name, number]) => {
    const part = number / models;
    return make("li", {},
      make("div", {}, make("span", { class: "name" }, name), make("span", {}, `${count(number)} · ${percent(part)}`)),
      make("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
        make("rect", { class: `f${colour(name)}`, width: 100 * part, height: 6 })));
  });
  if (names > champions.length) items.push(make("li", { class: "dim" }, `and ${plural(names - champions.length, "more name")}`));
  const none = make("p", { class: "dim" }, "No models yet.");
  byId("champions").replaceChildren(items.length ? make("ul", { class: "shares" }, items) : none);
}

function drawSpread({ bars, median, scored, exact }, flavor) {
  const box = byId("spread"), errors = regression(flavor);
  const show = errors ? brief : percent, what = errors ? "MAE" : "accuracy";
  const always = exact ? `; ${count(exact)} without any error are not shown` : "";
  say(byId("spread-about"), scored ? `Models by their champion's ${what}; median ${show(median)}${always}` : `Models by their champion's ${what}`);
  if (!bars) {
    box.replaceChildren(make("p", { class: "dim" }, scored ? "No model has erred yet." : "Nothing was scored yet."));
    return;
  }
  const { edges, counts } = bars, place = errors ? Math.log10 : (value) => value;
  const x = [place(edges[0]), place(edges.at(-1))], most = Math.max(...counts);
  const plane = new Plane(box, { x, y: [0, most], height: 210 });
  plane.rules(ticks(0, most, 3).filter(Number.isInteger), count);
  counts.forEach((number, i) => {
    if (!number) return;
    const y = Math.min(plane.y(number), plane.floor - 1), gap = (x[1] - x[0]) / counts.length * 0.06;
    plane.rect(place(edges[i]) + gap, place(edges[i + 1]) - gap, plane.floor, y, { class: "bar", rx: 1.5 });
  });
  const labels = errors ? decades(x, plane.width) : ticks(...x, 5);
  plane.below(labels.map(place), (at) => show(errors ? 10 ** at : at));
  const fullest = counts.indexOf(most);
  plane.show(`Distribution of ${what} over ${plural(scored, "model")}: median ${show(median)}, from ${show(edges[0])} to `
    + `${show(edges.at(-1))}, most, ${count(most)}, between ${show(edges[fullest])} and ${show(edges[fullest + 1])}`);
}

/** 1, 2 and 5 times powers of ten within the range of logarithms; fewer where there is no room. */
function decades([low, high], width) {
  const room = width / 50;
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = Math.floor(low); power <= high; power++) {
      found.push(...factors.map((factor) => factor * 10 ** power));
    }
    const within = found.filter((value) => Math.log10(value) >= low - 1e-6 && Math.log10(value) <= high + 1e-6);
    if (within.length <= room) return within;
  }
  return [10 ** Math.ceil(low), 10 ** Math.floor(high)];
}

function drawRanking(box, entries, end, flavor) {
  const errors = regression(flavor), losses = !errors && entries.some((entry) => entry.log_loss !== null);
  const columns = [["model", "name"], [errors ? "MAE" : "accuracy"], ...(losses ? [["log loss"]] : []), ["learned"], ["champion", "text"]];
  const rows = entries.map((entry) => [
    modelLink(entry.name), (errors ? score : percent)(entry.quality), ...(losses ? [score(entry.log_loss)] : []),
    count(entry.learned), entry.champion,
  ]);
  // A link that has the focus keeps it: the list is drawn anew every few seconds.
  const focused = box.contains(document.activeElement) ? document.activeElement.textContent : null;
  box.replaceChildren(entries.length ? table(`The ${end} models`, columns, rows) : "");
  if (focused !== null) [...box.querySelectorAll("a")].find((link) => link.textContent === focused)?.focus();
}
