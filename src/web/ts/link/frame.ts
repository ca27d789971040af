// Frames: what a link's bytes are made of.
//
// An 8-byte header (kind: u16, channel: u16, length: u32, all big-endian), then `length` payload
// bytes; see "Link protocol" in README.md. On a WebSocket each binary message holds one or more
// whole frames, so nothing is ever joined here.

import { FRAME_HEADER_BYTES, PAYLOAD_BYTES_MAX } from "./limits.ts";

export const Kind = {
  /** A JSON message; channel 0. */
  Control: 1,
  /** Bytes of a tool; its channel. */
  Data: 2,
  /** 8 bytes: the receiver takes this channel's data up to this byte. */
  Credit: 3,
  /** 8 bytes to send back; channel 0. */
  Ping: 4,
  /** The 8 bytes of a ping; channel 0. */
  Pong: 5,
} as const;

export type Kind = (typeof Kind)[keyof typeof Kind];

export interface Frame {
  kind: Kind;
  channel: number;
  /** Borrows the message it came in. */
  payload: Uint8Array;
}

/** Why a link is closed. Always the peer's doing. */
export class LinkError extends Error {
  override name = "LinkError";
}

/**
 * Every frame of one WebSocket message, in order.
 *
 * @throws LinkError at the first frame that is cut short or not a frame.
 */
export function* framesOf(message: Uint8Array): Generator<Frame> {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = 0;
  while (at < message.byteLength) {
    if (message.byteLength - at < FRAME_HEADER_BYTES) {
      throw new LinkError("message ends inside a frame's header");
    }
    const kind = view.getUint16(at);
    const channel = view.getUint16(at + 2);
    const length = view.getUint32(at + 4);
    check(kind, channel, length);
    const start = at + FRAME_HEADER_BYTES;
    if (message.byteLength - start < length) {
      throw new LinkError("message ends inside a frame");
    }
    at = start + length;
    yield { kind: kind as Kind, channel, payload: message.subarray(start, at) };
  }
}

/** One frame as bytes. The caller has split the payload to fit. */
export function encodeFrame(kind: Kind, channel: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  check(kind, channel, payload.byteLength);
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, kind);
  view.setUint16(2, channel);
  view.setUint32(4, payload.byteLength);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** An absolute byte position as the 8 bytes of a credit. */
export function encodePosition(position: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(position));
  return bytes;
}

/** The position in a credit. Exact up to 2^53 bytes, which no shell outlives. */
export function decodePosition(payload: Uint8Array): number {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const position = view.getBigUint64(0);
  if (position > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new LinkError(`position ${position} is beyond 2^53`);
  }
  return Number(position);
}

function check(kind: number, channel: number, length: number): void {
  if (length > PAYLOAD_BYTES_MAX) {
    throw new LinkError(`frame announces ${length} payload bytes`);
  }
  const onZero = kind === Kind.Control || kind === Kind.Ping || kind === Kind.Pong;
  const carriesAny = kind === Kind.Control || kind === Kind.Data;
  if (!onZero && !carriesAny && kind !== Kind.Credit) {
    throw new LinkError(`frame kind ${kind} is unknown`);
  }
  if (onZero !== (channel === 0)) {
    throw new LinkError(`frame kind ${kind} on channel ${channel}`);
  }
  if (carriesAny ? length === 0 : length !== 8) {
    throw new LinkError(`frame kind ${kind} with ${length} payload bytes`);
  }
}
