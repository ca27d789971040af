import assert from "node:assert/strict";
import { test } from "node:test";

import { merge } from "./log.ts";
import type { Entry } from "./messages.ts";

const line = (number: number, text: string): Entry =>
  ({ number, at: 0, by: { role: "appliance" }, what: "chat", text }) as Entry;
const texts = (entries: readonly Entry[]) => entries.map((entry) => (entry.what === "chat" ? entry.text : ""));

test("lines are shown once and in order, however they come", () => {
  const first = merge([], [line(2, "b"), line(1, "a")]);
  assert.deepEqual(texts(first.all), ["a", "b"]);
  const again = merge(first.all, [line(1, "a"), line(3, "c")]);
  assert.deepEqual(texts(again.all), ["a", "b", "c"]);
  assert.deepEqual(texts(again.fresh), ["c"]);
});

test("another line by a number that was shown takes its place, and what followed is gone", () => {
  const known = [line(1, "a"), line(2, "never recorded"), line(3, "nor this")];
  const { all, fresh } = merge(known, [line(1, "a"), line(2, "restarted")]);
  assert.deepEqual(texts(all), ["a", "restarted"]);
  assert.deepEqual(texts(fresh), ["restarted"]);
});
