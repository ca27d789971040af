import assert from "node:assert/strict";
import { test } from "node:test";

import { WINDOW_BYTES } from "./limits.ts";
import { Retained } from "./retained.ts";

/** A small generator with a seed, so that a failure can be played again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("rewinding loses and repeats nothing", () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const next = random(seed);
    const sender = new Retained();
    const produced: number[] = [];
    const arrived: number[] = [];
    for (let step = 0; step < 60; step += 1) {
      const fresh = Uint8Array.from({ length: Math.floor(next() * 300) }, (_, i) => (produced.length + i) % 251);
      produced.push(...fresh.subarray(0, sender.push(fresh)));
      const piece = sender.unsent().slice(0, Math.floor(next() * 300));
      sender.sent(piece.length);
      if (next() < 0.3) {
        assert.ok(sender.rewind(arrived.length), `seed ${seed}`);
      } else {
        arrived.push(...piece);
        sender.consumed(arrived.length);
      }
    }
    const rest = sender.unsent();
    arrived.push(...rest);
    sender.sent(rest.length);
    sender.consumed(arrived.length);
    assert.ok(sender.isEmpty, `seed ${seed}`);
    assert.deepEqual(arrived, produced, `seed ${seed}`);
  }
});

test("what was consumed cannot be asked for again", () => {
  const sender = new Retained();
  sender.push(Uint8Array.of(97, 98, 99));
  sender.sent(3);
  sender.consumed(2);
  assert.equal(sender.rewind(1), false);
  assert.equal(sender.rewind(4), false);
  assert.equal(sender.rewind(2), true);
  assert.deepEqual([...sender.unsent()], [99]);
});

test("never more than a window is kept", () => {
  const sender = new Retained(1_000);
  assert.equal(sender.push(new Uint8Array(WINDOW_BYTES + 5)), WINDOW_BYTES);
  assert.equal(sender.push(Uint8Array.of(1)), 0);
  sender.sent(10);
  sender.consumed(1_010);
  assert.equal(sender.room, 10);
});
