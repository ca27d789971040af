import assert from "node:assert/strict";
import { test } from "node:test";

import { parseCast, shortenPauses } from "./cast.ts";

const header = '{"version": 2, "width": 100, "height": 30}';

test("output and sizes are read in order", () => {
  const cast = parseCast(`${header}\n[0.5, "o", "a\\r\\n"]\n[1.25, "i", "x"]\n[2, "r", "120x40"]\n`);
  assert.deepEqual(cast, {
    columns: 100,
    rows: 30,
    events: [
      { at: 0.5, kind: "output", text: "a\r\n" },
      { at: 2, kind: "size", columns: 120, rows: 40 },
    ],
    broken: false,
  });
});

test("a recording cut off by a power loss shows what came before", () => {
  const cast = parseCast(`${header}\n[0.5, "o", "a"]\n[0.7, "o", "b`);
  assert.equal(cast?.events.length, 1);
  assert.equal(cast?.broken, true);
});

test("anything else is no recording", () => {
  for (const text of ["", "x", "[]", "null", '{"version": 1}']) assert.equal(parseCast(text), null, text);
});

test("long pauses are cut and short ones kept", () => {
  const events = [1, 2, 62, 63].map((at) => ({ at, kind: "output" as const, text: "" }));
  assert.deepEqual(shortenPauses(events, 2).map(({ at }) => at), [1, 2, 4, 5]);
});
