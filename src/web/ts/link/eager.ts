// Asking somebody who is away and comes back at any moment.

import { DIAL_BESIDE_MS, DIALS_AT_ONCE_MAX, REDIAL_IN_RESTART_MS } from "./limits.ts";

/**
 * Tries again and again, a new one beside those that hang, until one gives something, or until
 * `over`: then nothing. The oldest is never given up for a newer one, for whoever is far away.
 */
export function eagerly<T>(attempt: (givenUp: AbortSignal) => Promise<T | null>, over: AbortSignal): Promise<T | null> {
  return new Promise((resolve) => {
    const running: AbortController[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const finish = (value: T | null) => {
      clearTimeout(timer);
      over.removeEventListener("abort", cancel);
      for (const one of running.splice(0)) one.abort();
      resolve(value);
    };
    const cancel = () => finish(null);
    const next = (ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(begin, ms);
    };
    const begin = () => {
      const own = new AbortController();
      if (running.length >= DIALS_AT_ONCE_MAX) running.splice(1, 1)[0]?.abort();
      running.push(own);
      next(DIAL_BESIDE_MS);
      const done = (value: T | null) => {
        const at = running.indexOf(own);
        if (at < 0) return;
        running.splice(at, 1);
        if (value !== null) finish(value);
        else next((REDIAL_IN_RESTART_MS / 2) * (1 + Math.random()));
      };
      attempt(own.signal).then(done, () => done(null));
    };
    over.addEventListener("abort", cancel);
    if (over.aborted) cancel();
    else begin();
  });
}
