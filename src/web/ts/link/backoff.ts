// How long to wait before dialling again.

import { REDIAL_MS, REDIAL_MS_MAX } from "./limits.ts";

/**
 * The wait before try number `tries` (0 is the first after a loss): doubles up to a limit, and
 * lies anywhere in the upper half of it, so that a restarted appliance is not met by everybody in
 * the same instant. `random` is in 0..1.
 */
export function backoffMs(tries: number, random: number): number {
  const full = Math.min(REDIAL_MS * 2 ** Math.min(tries, 16), REDIAL_MS_MAX);
  return Math.round(full / 2 + (full / 2) * random);
}
