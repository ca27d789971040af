import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { bareKey, groupedKey, regroup } from "./key.ts";
import { solve } from "./puzzle.ts";
import { leadingZeros, sha256 } from "./sha256.ts";

const hex = (hash: Uint32Array) => [...hash].map((word) => word.toString(16).padStart(8, "0")).join("");

test("our SHA-256 is everybody's for every length a puzzle has", () => {
  for (let length = 0; length <= 55; length += 1) {
    const text = "0123456789abcdef".repeat(4).slice(0, length);
    assert.equal(hex(sha256(text)), createHash("sha256").update(text).digest("hex"), `${length}`);
  }
  assert.throws(() => sha256("x".repeat(56)), RangeError);
});

test("an answer has the zero bits that were asked for", async () => {
  const challenge = "00112233445566778899aabbccddeeff";
  const answer = await solve(challenge, 10);
  const digest = createHash("sha256").update(challenge + answer).digest();
  assert.equal(digest[0], 0);
  assert.ok((digest[1] as number) < 64);
  assert.equal(leadingZeros(Uint32Array.of(0, 1)), 63);
});

test("a key may be pasted with spaces and dashes", () => {
  assert.equal(bareKey(" 896-45 48\n"), "8964548");
  assert.equal(groupedKey("8964548"), "896 4548");
  assert.equal(groupedKey("123456789012"), "123 456 789 012");
  assert.equal(groupedKey(""), "");
});

test("the caret stays behind the digit that was typed", () => {
  assert.deepEqual(regroup("89645", 5), { text: "896 45", caret: 6 });
  // A 1 typed into the middle of 896 4548.
  assert.deepEqual(regroup("8916 4548", 3), { text: "891 645 48", caret: 3 });
  assert.deepEqual(regroup("", 0), { text: "", caret: 0 });
});
