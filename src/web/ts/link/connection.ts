// One link: frames in order, credit kept, signs of life asked for. Owns no socket, reads no clock.
//
//   message received ─> accept ─> Handler
//   say, send, consumed ─> output callback ─> bytes for the socket

import { Channel } from "./channel.ts";
import { decodePosition, encodeFrame, encodePosition, framesOf, Kind, LinkError } from "./frame.ts";
import { CHANNELS_PER_LINK_MAX, PAYLOAD_BYTES_MAX, SILENCE_MS_MAX } from "./limits.ts";

export interface Handler {
  message(json: unknown): void;
  data(channel: number, offset: number, bytes: Uint8Array): void;
  /** The peer has consumed everything before this byte, and takes more. */
  credit(channel: number, acknowledged: number): void;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

export class Connection {
  /** null once closed; numbers are never used twice. */
  #channels = new Map<number, Channel | null>();
  #heard: number;
  #pinged = false;
  #output: (bytes: Uint8Array<ArrayBuffer>) => void;

  constructor(now: number, output: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#heard = now;
    this.#output = output;
  }

  /**
   * Takes one WebSocket message apart and hands out what it says. Answers pings by itself.
   *
   * @throws LinkError if it is not well formed: the socket has to be closed.
   */
  accept(message: Uint8Array, now: number, handler: Handler): void {
    this.#heard = now;
    this.#pinged = false;
    for (const { kind, channel, payload } of framesOf(message)) {
      switch (kind) {
        case Kind.Control:
          handler.message(parse(payload));
          break;
        case Kind.Ping:
          this.#output(encodeFrame(Kind.Pong, 0, payload));
          break;
        case Kind.Pong:
          break;
        case Kind.Data: {
          const open = this.#known(channel);
          if (open) handler.data(channel, open.countReceived(payload.byteLength), payload);
          break;
        }
        case Kind.Credit: {
          const open = this.#known(channel);
          if (!open) break;
          open.raiseSendLimit(decodePosition(payload));
          handler.credit(channel, open.acknowledged);
          break;
        }
      }
    }
  }

  /** Sends a message. */
  say(message: object): void {
    this.#output(encodeFrame(Kind.Control, 0, encoder.encode(JSON.stringify(message))));
  }

  /** Opens a channel at these positions. The relay chooses the number and tells us. */
  open(channel: number, sendFrom: number, receiveFrom: number): void {
    if (channel < 1 || channel > CHANNELS_PER_LINK_MAX) {
      throw new LinkError(`channel ${channel} cannot be opened`);
    }
    this.#channels.set(channel, new Channel(sendFrom, receiveFrom));
  }

  /** Closes a channel. What still comes on it is ignored. */
  close(channel: number): void {
    if (this.#channels.has(channel)) this.#channels.set(channel, null);
  }

  /** Sends as much of `bytes` as credit allows and returns how much that was. */
  send(channel: number, bytes: Uint8Array): number {
    const open = this.#channels.get(channel);
    if (!open) return 0;
    const taken = Math.min(bytes.byteLength, open.room);
    for (let at = 0; at < taken; at += PAYLOAD_BYTES_MAX) {
      const piece = bytes.subarray(at, Math.min(at + PAYLOAD_BYTES_MAX, taken));
      this.#output(encodeFrame(Kind.Data, channel, piece));
    }
    open.sent += taken;
    return taken;
  }

  /** Everything before this byte has been taken in; gives credit when enough has come together. */
  consumed(channel: number, position: number): void {
    const due = this.#channels.get(channel)?.creditDue(position);
    if (due !== undefined) this.#output(encodeFrame(Kind.Credit, channel, encodePosition(due)));
  }

  /** Asks for a sign of life. */
  ping(): void {
    this.#pinged = true;
    this.#output(encodeFrame(Kind.Ping, 0, new Uint8Array(8)));
  }

  /** Pings a peer that has been silent, gives up one that stays so. Call it now and then. */
  tick(now: number, keepAliveMs: number): "alive" | "dead" {
    const silent = now - this.#heard;
    if (silent >= SILENCE_MS_MAX) return "dead";
    if (silent >= keepAliveMs && !this.#pinged) this.ping();
    return "alive";
  }

  /** When something was last heard. */
  get heard(): number {
    return this.#heard;
  }

  #known(channel: number): Channel | null {
    const open = this.#channels.get(channel);
    if (open === undefined) throw new LinkError(`channel ${channel} was never opened`);
    return open;
  }
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(payload));
  } catch {
    throw new LinkError("message is not JSON");
  }
}
