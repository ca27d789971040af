import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { eagerly } from "./eager.ts";
import { DIAL_BESIDE_MS, DIALS_AT_ONCE_MAX, REDIAL_IN_RESTART_MS } from "./limits.ts";

/** Lets promises that are due settle. */
const settle = () => new Promise((done) => setImmediate(done));

test("what hangs while the appliance is down does not keep the next try waiting", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const begun: AbortSignal[] = [];
  let isBack = false;
  const attempt = (givenUp: AbortSignal) => {
    begun.push(givenUp);
    return isBack ? Promise.resolve("ticket") : new Promise<null>(() => {});
  };
  const got = eagerly(attempt, new AbortController().signal);
  for (let second = 0; second < 20; second += 1) mock.timers.tick(DIAL_BESIDE_MS);
  assert.equal(begun.length, 21);
  const waiting = begun.filter((signal) => !signal.aborted);
  assert.equal(waiting.length, DIALS_AT_ONCE_MAX);
  assert.equal(waiting[0], begun[0], "the oldest may be one that is only slow");
  isBack = true;
  mock.timers.tick(DIAL_BESIDE_MS);
  assert.equal(await got, "ticket");
  assert.ok(begun.every((signal, at) => signal.aborted || at === begun.length - 1));
  mock.timers.reset();
});

test("what is refused is tried again soon, until it is called off", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let tries = 0;
  const over = new AbortController();
  const got = eagerly(async () => (tries++, null), over.signal);
  for (let times = 0; times < 10; times += 1) {
    await settle();
    mock.timers.tick(REDIAL_IN_RESTART_MS);
  }
  assert.ok(tries >= 10, `${tries}`);
  over.abort();
  assert.equal(await got, null);
  await settle();
  const before = tries;
  mock.timers.tick(60_000);
  assert.equal(tries, before);
  mock.timers.reset();
});
