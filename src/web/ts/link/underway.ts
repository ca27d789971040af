// Chat messages between leaving the box and coming back as entries of the log.

import type { Entry } from "./messages.ts";

export interface Underway {
  text: string;
  /** The last entry when it was sent: it can only come back with a higher number. */
  after: number;
  /** The link it was sent into is gone; the log will tell whether it arrived. */
  adrift: boolean;
}

/** Those that `entry` does not bring back. */
export function settle(underway: readonly Underway[], entry: Entry): readonly Underway[] {
  if (entry.what !== "chat" || underway.length === 0) return underway;
  const index = underway.findIndex(({ text, after }) => text === entry.text && entry.number > after);
  return index < 0 ? underway : underway.filter((_, other) => other !== index);
}

/** After the link is gone. */
export function adrift(underway: readonly Underway[]): readonly Underway[] {
  return underway.map((message) => ({ ...message, adrift: true }));
}

/** What has to go back into the box before `draft`, once the log was sent again. */
export function takeBack(
  underway: readonly Underway[],
  draft: string,
): { underway: readonly Underway[]; draft: string } | null {
  const lost = underway.filter((message) => message.adrift);
  if (lost.length === 0) return null;
  return {
    underway: underway.filter((message) => !message.adrift),
    draft: [...lost.map(({ text }) => text), draft].filter(Boolean).join("\n"),
  };
}
