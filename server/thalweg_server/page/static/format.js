// Figures as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const four = new Intl.NumberFormat("en", { minimumSignificantDigits: 4, maximumSignificantDigits: 4 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const tiny = new Intl.NumberFormat("en", { notation: "scientific", maximumSignificantDigits: 3 });
const share = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

export const NONE = "–";

export const count = (value) => whole.format(value);

export const rate = (value) => (value === null ? NONE : value < 10 ? tenths.format(value) : whole.format(value));

export const percent = (value) => share.format(value);

const figure = (value, format) => {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e7)) return tiny.format(value);
  return size >= 1e4 ? whole.format(value) : format.format(value);
};

/** Four digits each, for figures that stand in a column. */
export const score = (value) => figure(value, value === 0 ? whole : four);

/** As short as it can be said, for axes. */
export const brief = (value) => figure(value, short);

export function duration(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
