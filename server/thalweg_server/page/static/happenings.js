// Recent events of the server's log.

import { byId, make } from "./dom.js";

const KNOWN = new Set(["at", "event", "level", "request_id"]);

export function drawEvents(events) {
  const items = events.map((event) => {
    const fields = Object.entries(event).filter(([name]) => !KNOWN.has(name))
      .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    return make("li", {},
      make("time", { datetime: event.at, title: event.at }, new Date(event.at).toLocaleTimeString("en-GB")),
      make("span", { class: event.level }, event.level),
      make("span", {}, make("b", {}, event.event), " ", make("i", {}, fields.join(" "))));
  });
  byId("events").replaceChildren(...(items.length ? items : [make("li", { class: "dim" }, "Nothing yet.")]));
}
