// What the page is made of, put together: the stream, the view that is open, the state.

import { drawCurves } from "./curves.js";
import { byId, make, say } from "./dom.js";
import { follow } from "./feed.js";
import { clock, duration } from "./format.js";
import { drawEvents } from "./happenings.js";
import { modelView } from "./model.js";
import { searchBox } from "./search.js";
import { Series } from "./series.js";
import { drawSurvey } from "./survey.js";
import { tiles } from "./tiles.js";

const series = new Series();
const drawTiles = tiles();
const model = modelView(tell);
const latest = { about: null, sample: null, survey: { models: 0 } };

function tell(text) {
  say(byId("told"), text);
}

// --- State ------------------------------------------------------------------------------------

function drawState(sample) {
  const { versions, begun } = latest.about;
  byId("state").dataset.state = sample.state;
  say(byId("state"), sample.state);
  const flavor = sample.flavor === undefined ? "" : ` · ${sample.flavor ?? "no flavor yet"}`;
  say(byId("facts"), `${flavor} · up ${duration(Math.max(0, sample.at - begun))}`);
  say(byId("versions"), Object.entries(versions).map(([name, version]) => (name === "version" ? `thalweg ${version}` : `${name} ${version}`)).join(" · "));
  drawHint(sample);
}

function hintFor(sample) {
  if (sample.state === "starting") return [["The server is starting: it brings its models back from its log. The figures come when it is ready."]];
  if (sample.state === "draining") return [["The server is draining: it takes no new calls, and ends when streams have had their last acknowledgement."]];
  if (sample.flavor === null) {
    return [["The server does not know yet what its models predict."], ["Call Init, or start it with ", "thalweg serve --flavor regression", "."]];
  }
  if (!sample.models) {
    return [
      [sample.templates ? "There are templates and no models yet: stream rows, and models are cloned for their names." : "There are no models yet: upload one, or a template that models are cloned from."],
      ["To see the page at work on real sales: ", "thalweg demo", "."],
    ];
  }
  return [];
}

function drawHint(sample) {
  const lines = hintFor(sample), hint = byId("hint"), wanted = lines.flat().join("");
  hint.hidden = !lines.length;
  if (hint.textContent === wanted) return;
  // In a line of several parts the second one is a command.
  hint.replaceChildren(...lines.map((parts) => make("p", {}, parts.map((part, i) => (i === 1 ? make("code", {}, part) : part)))));
}

// --- Views ------------------------------------------------------------------------------------

const opened = () => (location.hash.startsWith("#model=") ? decode(location.hash.slice(7)) : null);

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that somebody typed
  }
}

function route() {
  const hash = location.hash;
  if (hash && !hash.startsWith("#model=")) return; // a place within the page
  const name = opened();
  byId("overview").hidden = name !== null;
  byId("model").hidden = name === null;
  document.title = name === null ? "Thalweg" : `${name} · Thalweg`;
  if (name === null) {
    model.close();
    draw();
  } else {
    model.open(name);
    scrollTo(0, 0);
  }
}

function draw() {
  if (!series.last || opened() !== null) return;
  drawTiles(series);
  drawCurves(series);
}

function redraw() {
  draw();
  model.redraw();
  if (series.last && opened() === null) drawSurvey(latest.survey, series.last.flavor);
}

// --- The stream -------------------------------------------------------------------------------

function take(sample) {
  latest.sample = sample;
  series.add(sample);
  drawState(sample);
  draw();
}

follow({
  about: (about) => { latest.about = about; },
  pulses: (samples) => {
    series.reset(samples.slice(0, -1));
    if (samples.length) take(samples.at(-1));
    redraw();
  },
  pulse: take,
  survey: (survey) => {
    latest.survey = survey;
    drawSurvey(survey, latest.sample?.flavor);
  },
  recent: drawEvents,
}, {
  live() {
    document.body.classList.remove("stale");
    if (!byId("notice").hidden) tell("Connected again");
    byId("notice").hidden = true;
  },
  lost(why) {
    document.body.classList.add("stale");
    byId("state").dataset.state = "lost";
    say(byId("state"), "no connection");
    const when = latest.sample ? `; figures are of ${clock(latest.sample.at)}` : "";
    byId("notice").hidden = false;
    say(byId("notice"), `${why[0].toUpperCase()}${why.slice(1)}${when}. Trying again …`);
  },
});

searchBox(tell);
addEventListener("hashchange", route);
addEventListener("resize", redraw);
route();
