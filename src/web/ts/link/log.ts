// A session's log as this side knows it: numbered lines, each shown once.

import type { Entry } from "./messages.ts";

/**
 * Takes lines in whatever order and however often they come. Returns the whole log and the lines
 * that are new.
 *
 * An appliance that died may have shown lines it never recorded, and gives their numbers to others
 * once it is back: from such a line on, only what comes now stands.
 */
export function merge(known: readonly Entry[], incoming: readonly Entry[]): { all: Entry[]; fresh: Entry[] } {
  const byNumber = new Map(known.map((entry) => [entry.number, JSON.stringify(entry)]));
  const fresh = incoming.filter((entry) => byNumber.get(entry.number) !== JSON.stringify(entry));
  const others = fresh.map(({ number }) => number).filter((number) => byNumber.has(number));
  const first = Math.min(Infinity, ...others);
  const kept = known.filter(({ number }) => number < first);
  const added = incoming.filter((entry) => entry.number >= first || fresh.includes(entry));
  return { all: [...kept, ...added].sort((a, b) => a.number - b.number), fresh };
}
