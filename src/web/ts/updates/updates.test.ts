import assert from "node:assert/strict";
import { test } from "node:test";

import { beginning, HEADER_BYTES, METADATA_BYTES_MAX } from "./beginning.ts";
import { figures, timeLeft } from "./figures.ts";
import { localTime } from "./window.ts";

const MIB = 1 << 20;

function update(length: number, after: number): Blob {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(new TextEncoder().encode("JUMPGATE UPDATE1"));
  new DataView(header.buffer).setUint32(16, length);
  return new Blob([header, new Uint8Array(after).fill(7)]);
}

test("of an update file only what comes before the payload is looked at", async () => {
  assert.equal((await beginning(update(1_000, 5 * MIB))).size, HEADER_BYTES + 1_000);
  assert.equal((await beginning(update(0, 5))).size, HEADER_BYTES);
  assert.equal((await beginning(update(METADATA_BYTES_MAX, 5 * MIB))).size, HEADER_BYTES + METADATA_BYTES_MAX);
});

test("of another file no more is sent than tells that it is another one", async () => {
  assert.equal((await beginning(update(METADATA_BYTES_MAX + 1, 9 * MIB))).size, HEADER_BYTES);
  assert.equal((await beginning(new Blob(["PK"]))).size, 2);
  assert.equal((await beginning(new Blob([]))).size, 0);
  // Cut off within its metadata: everything there is.
  assert.equal((await beginning(update(1_000, 10))).size, HEADER_BYTES + 10);
});

test("time left is said in its two largest units, rounded up", () => {
  for (const [seconds, words] of [
    [-1, "0 s"],
    [0, "0 s"],
    [0.2, "1 s"],
    [59.5, "1 min 0 s"],
    [185, "3 min 5 s"],
    [7_800, "2 h 10 min"],
    [442_800, "5 d 3 h"],
  ] as const) {
    assert.equal(timeLeft(seconds), words);
  }
});

test("speed and time left are said once they mean something", () => {
  assert.equal(figures(0, 48 * MIB, 0), "0 B of 48.0 MiB");
  assert.equal(figures(MIB, 48 * MIB, 900), "1.0 MiB of 48.0 MiB");
  assert.equal(figures(16 * MIB, 48 * MIB, 2_000), "16.0 MiB of 48.0 MiB, 8.0 MiB/s, 4 s left");
  assert.equal(figures(48 * MIB, 48 * MIB, 6_000), "48.0 MiB of 48.0 MiB, 8.0 MiB/s, 0 s left");
});

test("the window's time is also said as the clock on the wall shows it", () => {
  const winter = new Date("2026-11-23T12:00:00Z");
  assert.equal(localTime("02:00", "Asia/Kolkata", winter), "07:30");
  assert.equal(localTime("02:00", "UTC", winter), "");
  assert.equal(localTime("", "Asia/Kolkata", winter), "");
});
