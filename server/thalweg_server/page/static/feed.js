// The stream of events: opened while somebody looks, opened again where it broke.

const SILENCE_MS = 5000; // a sample comes every second
const AGAIN_MS = 4000;

/** Calls `handlers[kind](data)` for what comes; `live()` and `lost(why)` say how the stream is. */
export function follow(handlers, { live, lost }) {
  let source = null, heard = 0, again = 0, fine = false;

  const tell = (ok, why) => {
    if (ok && !fine) live();
    if (!ok) lost(why);
    fine = ok;
  };

  function open() {
    close();
    heard = performance.now();
    source = new EventSource("/events");
    for (const [kind, handle] of Object.entries(handlers)) {
      source.addEventListener(kind, (event) => {
        heard = performance.now();
        tell(true);
        handle(JSON.parse(event.data));
      });
    }
    source.addEventListener("error", () => {
      tell(false, "no connection to the server");
      if (source?.readyState === EventSource.CLOSED) refused(); // it does not try again by itself
    });
  }

  function close() {
    clearTimeout(again);
    source?.close();
    source = null;
  }

  async function refused() {
    close();
    again = setTimeout(open, AGAIN_MS);
    try {
      const stop = new AbortController();
      const answer = await fetch("/events", { signal: stop.signal });
      if (!answer.ok) tell(false, (await answer.json()).problem);
      stop.abort();
    } catch { /* it has been said */ }
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  setInterval(() => {
    if (source && performance.now() - heard > SILENCE_MS) tell(false, "the server is silent");
  }, 1000);
  if (!document.hidden) open();
}
