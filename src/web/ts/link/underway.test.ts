import assert from "node:assert/strict";
import { test } from "node:test";

import { cleanChat, fitsChat } from "./chattext.ts";
import type { Entry } from "./messages.ts";
import { adrift, settle, takeBack, type Underway } from "./underway.ts";

const said = (number: number, text: string): Entry => ({
  number,
  at: 0,
  by: { role: "customer", name: "Ada" },
  what: "chat",
  text,
});
const sent = (text: string, after: number): Underway => ({ text, after, adrift: false });

test("the same words said twice settle one at a time", () => {
  const both = [sent("yes", 4), sent("yes", 4)];
  assert.equal(settle(both, said(5, "yes")).length, 1);
  assert.equal(settle(both, said(4, "yes")).length, 2);
  assert.equal(settle(both, said(5, "no")).length, 2);
});

test("what was lost with a link goes back into the box, before what was typed since", () => {
  const underway = [...adrift([sent("one", 1), sent("two", 1)]), sent("three", 1)];
  assert.deepEqual(takeBack(underway, "four"), { underway: [sent("three", 1)], draft: "one\ntwo\nfour" });
  assert.equal(takeBack([sent("three", 1)], "four"), null);
});

test("chat is cleaned as the relay cleans it", () => {
  assert.equal(cleanChat("  a\u0007b\r\n\tc\u001b[2J  "), "ab\n\tc[2J");
  assert.equal(cleanChat(" \n "), "");
  assert.ok(fitsChat("ž".repeat(2_000)));
  assert.ok(!fitsChat("ž".repeat(2_001)));
});
