import assert from "node:assert/strict";
import { test } from "node:test";

import { decodePosition, encodeFrame, encodePosition, framesOf, Kind, LinkError } from "./frame.ts";
import { PAYLOAD_BYTES_MAX } from "./limits.ts";

const golden = Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 2, 0x68, 0x69);

test("a frame is the bytes the relay expects", () => {
  assert.deepEqual(encodeFrame(Kind.Control, 0, new TextEncoder().encode("hi")), golden);
  const credit = encodeFrame(Kind.Credit, 0x0102, encodePosition(0x1_0203_0405));
  assert.deepEqual([...credit], [0, 3, 1, 2, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5]);
});

test("one message gives all its frames in order", () => {
  const both = new Uint8Array([...golden, ...encodeFrame(Kind.Data, 7, Uint8Array.of(9))]);
  const frames = [...framesOf(both)].map((f) => [f.kind, f.channel, [...f.payload]]);
  assert.deepEqual(frames, [
    [Kind.Control, 0, [0x68, 0x69]],
    [Kind.Data, 7, [9]],
  ]);
});

test("every proper prefix of a frame is refused", () => {
  for (let end = 1; end < golden.length; end += 1) {
    assert.throws(() => [...framesOf(golden.subarray(0, end))], LinkError, `prefix of ${end}`);
  }
});

test("a hostile header is refused", () => {
  const hostile = [
    [0, 2, 0, 1, 0xff, 0xff, 0xff, 0xff],
    [0, 9, 0, 0, 0, 0, 0, 0],
    [0, 1, 0, 7, 0, 0, 0, 1, 0],
    [0, 3, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0],
    [0, 2, 0, 0, 0, 0, 0, 1, 0],
    [0, 1, 0, 0, 0, 0, 0, 0],
  ];
  for (const bytes of hostile) {
    assert.throws(() => [...framesOf(Uint8Array.from(bytes))], LinkError, String(bytes));
  }
});

test("positions survive beyond 32 bits and are refused beyond 53", () => {
  for (const position of [0, 131_072, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER]) {
    assert.equal(decodePosition(encodePosition(position)), position);
  }
  assert.throws(() => decodePosition(new Uint8Array(8).fill(0xff)), LinkError);
});

test("a payload that does not fit a frame is refused", () => {
  assert.throws(() => encodeFrame(Kind.Data, 1, new Uint8Array(PAYLOAD_BYTES_MAX + 1)), LinkError);
});
