// One colour for a candidate, wherever it is seen.

const MOST = 8;
const numbers = new Map();

/** Gives colours to names that have none yet; the last one is for all that are too many. */
export function assign(names) {
  for (const name of [...names].sort()) {
    if (!numbers.has(name)) numbers.set(name, Math.min(numbers.size, MOST));
  }
}

export const colour = (name) => numbers.get(name) ?? MOST;
