// The row of figures at the top: what is going on this second.

import { spark } from "./charts.js";
import { byId, make, say } from "./dom.js";
import { count, plural, rate } from "./format.js";

const learned = (sample) => sample.rows.learned;
const asked = (sample) => sample.predictions;

const TILES = [
  { title: "Rows learned", counter: learned, about: (s) => `${count(s.rows.learned)} in all` },
  { title: "Predict calls", counter: asked, about: (s) => `${count(s.predictions)} since the start` },
  {
    title: "Models", figure: (s) => count(s.models),
    about: (s) => `${plural(s.templates, "template")}, ${count(s.pending)} pending`,
  },
  {
    title: "Streams open", figure: (s) => count(s.streams),
    about: (s) => (s.waiting ? `${plural(s.waiting, "call")} waiting` : "no call waits"),
  },
  {
    title: "Rows rejected", figure: (s) => count(s.rows.rejected),
    about: (s) => `${count(s.rows.failed)} failed, ${count(s.rows.duplicate)} duplicate`,
  },
];

/** Makes the tiles; returns what shows a series in them. */
export function tiles() {
  const parts = TILES.map((tile) => {
    const figure = make("span"), about = make("dd", { class: "about" });
    const box = tile.counter ? make("dd", { class: "spark" }) : null;
    const value = make("dd", { class: "figure" }, figure, tile.counter ? make("small", {}, " / s") : null);
    byId("tiles").append(make("div", {}, make("dt", {}, tile.title), value, box, about));
    return { ...tile, show: figure, aboutIt: about, box };
  });
  return (series) => {
    for (const part of parts) {
      const sample = series.last;
      say(part.aboutIt, part.about(sample));
      say(part.show, part.counter ? rate(series.now(part.counter)) : part.figure(sample));
      if (part.box) spark(part.box, series.rates(part.counter));
    }
  };
}
