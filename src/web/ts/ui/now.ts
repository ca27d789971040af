// The time of day as signals, so that only what shows it is drawn again.

import { signal } from "@preact/signals";

/** Appliance's clock minus ours, from its welcome. */
let skew = 0;

/** The appliance's clock, renewed every second. */
export const now = signal(Date.now());
/** The same, renewed every ten seconds: for "3 min" and the like. */
export const slowly = signal(now.value);

setInterval(() => {
  now.value = Date.now() + skew;
  if (now.value - slowly.value >= 10_000) slowly.value = now.value;
}, 1_000);

/** The appliance said what time it is. */
export function setClock(at: number): void {
  skew = at - Date.now();
  now.value = at;
  slowly.value = at;
}
