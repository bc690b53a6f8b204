// Samples of counters, and what they say about the time between two of them.

const SECONDS = 600;
const POINTS = 60; // more of them show noise

export class Series {
  #samples = [];

  reset(samples) {
    this.#samples = samples.filter((sample) => sample.rows);
  }

  add(sample) {
    if (!sample.rows) return;
    this.#samples.push(sample);
    const oldest = sample.at - SECONDS;
    while (this.#samples[0].at < oldest) this.#samples.shift();
  }

  get last() {
    return this.#samples.at(-1);
  }

  /** From when to when there is something to show, in seconds since 1970; a minute at least. */
  get span() {
    const end = this.last?.at ?? 0;
    return [Math.min(this.#samples[0]?.at ?? 0, end - 60), end];
  }

  /** Per second, [when, rate]; `counter` takes a sample. */
  rates(counter) {
    return this.#intervals().map(([from, to]) => [to.at, per(counter(to) - counter(from), to.at - from.at)]);
  }

  /** Per second, over the last seconds; null before there are two samples. */
  now(counter, seconds = 5) {
    const pair = this.#lately(seconds);
    return pair && per(counter(pair[1]) - counter(pair[0]), pair[1].at - pair[0].at);
  }

  /** What was scored between two samples, [when, mean]: null where nothing was. */
  means(candidate) {
    return this.#intervals().map(([from, to]) => [to.at, mean(from, to, candidate)]);
  }

  /** The same, over the last seconds. */
  meanNow(candidate, seconds = 60) {
    const pair = this.#lately(seconds);
    return pair && mean(pair[0], pair[1], candidate);
  }

  #lately(seconds) {
    const to = this.last;
    const from = this.#samples.find((sample) => to.at - sample.at <= seconds + 0.5);
    return from && from !== to ? [from, to] : null;
  }

  /** Pairs of samples, of which there are no more than a chart can show. */
  #intervals() {
    const [begin, end] = this.span;
    const step = Math.max(2, Math.ceil((end - begin) / POINTS));
    const kept = this.#samples.filter((sample, i, all) =>
      i === 0 || i === all.length - 1 || Math.floor(sample.at / step) !== Math.floor(all[i + 1].at / step));
    return kept.slice(1).map((sample, i) => [kept[i], sample]);
  }
}

const per = (amount, seconds) => (amount < 0 || seconds <= 0 ? 0 : amount / seconds);

const sums = (sample, candidate) => sample.candidates.find(([name]) => name === candidate) ?? [candidate, 0, 0, 0];

function mean(from, to, candidate) {
  const before = sums(from, candidate), after = sums(to, candidate);
  const scored = after[2] - before[2], sum = after[1] - before[1];
  return scored > 0 && sum >= 0 ? sum / scored : null;
}
