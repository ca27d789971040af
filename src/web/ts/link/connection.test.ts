import assert from "node:assert/strict";
import { test } from "node:test";

import { backoffMs } from "./backoff.ts";
import { Connection, type Handler } from "./connection.ts";
import { encodeFrame, encodePosition, framesOf, Kind, LinkError } from "./frame.ts";
import { CREDIT_STEP_BYTES, PAYLOAD_BYTES_MAX, REDIAL_MS_MAX, WINDOW_BYTES } from "./limits.ts";

const ignore: Handler = { message() {}, data() {}, credit() {} };

function link(): { connection: Connection; out: Uint8Array[] } {
  const out: Uint8Array[] = [];
  return { connection: new Connection(0, (bytes) => out.push(bytes)), out };
}

const kinds = (out: Uint8Array[]) => out.flatMap((bytes) => [...framesOf(bytes)].map((f) => f.kind));

test("data stops at the credit and goes on with more", () => {
  const { connection, out } = link();
  connection.open(1, 0, 0);
  assert.equal(connection.send(1, new Uint8Array(WINDOW_BYTES + 1)), WINDOW_BYTES);
  assert.equal(out.length, Math.ceil(WINDOW_BYTES / PAYLOAD_BYTES_MAX));
  assert.equal(connection.send(1, Uint8Array.of(7)), 0);
  const acknowledged: number[] = [];
  const credit = encodeFrame(Kind.Credit, 1, encodePosition(WINDOW_BYTES + 1));
  connection.accept(credit, 1, { ...ignore, credit: (_, position) => acknowledged.push(position) });
  assert.deepEqual(acknowledged, [1]);
  assert.equal(connection.send(1, Uint8Array.of(7, 7)), 1);
});

test("credit is given at once, then a step at a time, and only for what was consumed", () => {
  const { connection, out } = link();
  const credit = (position: number) => encodeFrame(Kind.Credit, 1, encodePosition(position + WINDOW_BYTES));
  connection.open(1, 0, 500);
  // Bytes that came on an earlier channel still wait to be shown.
  connection.consumed(1, 400);
  assert.deepEqual(out, [credit(400)]);
  const piece = encodeFrame(Kind.Data, 1, new Uint8Array(8_192));
  for (let came = 0; came < CREDIT_STEP_BYTES; came += 8_192) connection.accept(piece, 1, ignore);
  connection.consumed(1, 400 + CREDIT_STEP_BYTES - 1);
  assert.equal(out.length, 1);
  connection.consumed(1, 400 + CREDIT_STEP_BYTES);
  assert.deepEqual(out[1], credit(400 + CREDIT_STEP_BYTES));
  connection.consumed(1, 400 + CREDIT_STEP_BYTES);
  assert.equal(out.length, 2);
});

test("no credit is given beyond what came on the channel", () => {
  const { connection, out } = link();
  connection.open(1, 0, 500);
  connection.consumed(1, 9_000);
  assert.deepEqual(out, [encodeFrame(Kind.Credit, 1, encodePosition(500 + WINDOW_BYTES))]);
});

test("data beyond the credit ends the link", () => {
  const { connection } = link();
  connection.open(1, 0, 0);
  const full = encodeFrame(Kind.Data, 1, new Uint8Array(8_192));
  for (let i = 0; i < WINDOW_BYTES / 8_192; i += 1) connection.accept(full, 1, ignore);
  assert.throws(() => connection.accept(encodeFrame(Kind.Data, 1, Uint8Array.of(1)), 1, ignore), LinkError);
});

test("late data on a closed channel is ignored and on an unknown one refused", () => {
  const { connection } = link();
  connection.open(1, 0, 0);
  connection.close(1);
  connection.accept(encodeFrame(Kind.Data, 1, Uint8Array.of(1)), 1, ignore);
  assert.throws(() => connection.accept(encodeFrame(Kind.Data, 2, Uint8Array.of(1)), 1, ignore), LinkError);
});

test("credit that outruns what was sent is refused", () => {
  const { connection } = link();
  connection.open(1, 0, 0);
  const bad = encodeFrame(Kind.Credit, 1, encodePosition(WINDOW_BYTES + 1));
  assert.throws(() => connection.accept(bad, 1, ignore), LinkError);
});

test("late credit for an earlier channel acknowledges and takes nothing away", () => {
  const { connection } = link();
  connection.open(1, 1_000, 0);
  const acknowledged: number[] = [];
  const handler: Handler = { ...ignore, credit: (_, position) => acknowledged.push(position) };
  connection.accept(encodeFrame(Kind.Credit, 1, encodePosition(600 + WINDOW_BYTES)), 1, handler);
  assert.deepEqual(acknowledged, [600]);
  assert.equal(connection.send(1, new Uint8Array(WINDOW_BYTES)), WINDOW_BYTES);
});

test("a moved shell goes on counting from where it was", () => {
  const { connection } = link();
  connection.open(2, 70_000, 1_234_567);
  const offsets: number[] = [];
  const handler: Handler = { ...ignore, data: (_, offset) => offsets.push(offset) };
  connection.accept(encodeFrame(Kind.Data, 2, new Uint8Array(3)), 1, handler);
  connection.accept(encodeFrame(Kind.Data, 2, new Uint8Array(3)), 1, handler);
  assert.deepEqual(offsets, [1_234_567, 1_234_570]);
});

test("a ping is answered with its own bytes", () => {
  const { connection, out } = link();
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  connection.accept(encodeFrame(Kind.Ping, 0, bytes), 1, ignore);
  assert.deepEqual(out, [encodeFrame(Kind.Pong, 0, bytes)]);
});

test("a silent peer is asked once and then given up", () => {
  const { connection, out } = link();
  assert.equal(connection.tick(59_999, 60_000), "alive");
  assert.equal(out.length, 0);
  assert.equal(connection.tick(60_000, 60_000), "alive");
  assert.equal(connection.tick(70_000, 60_000), "alive");
  assert.deepEqual(kinds(out), [Kind.Ping]);
  assert.equal(connection.tick(150_000, 60_000), "dead");
});

test("messages arrive as JSON, anything else ends the link", () => {
  const { connection } = link();
  const seen: unknown[] = [];
  const handler: Handler = { ...ignore, message: (json) => seen.push(json) };
  connection.accept(encodeFrame(Kind.Control, 0, new TextEncoder().encode('{"type":"replaced"}')), 1, handler);
  assert.deepEqual(seen, [{ type: "replaced" }]);
  assert.throws(() => connection.accept(encodeFrame(Kind.Control, 0, Uint8Array.of(0xff)), 1, handler), LinkError);
});

test("waits between dials grow, differ, and stay below the limit", () => {
  assert.ok(backoffMs(0, 0) < backoffMs(3, 0));
  assert.notEqual(backoffMs(3, 0.1), backoffMs(3, 0.9));
  for (let tries = 0; tries < 100; tries += 1) assert.ok(backoffMs(tries, 1) <= REDIAL_MS_MAX);
});
