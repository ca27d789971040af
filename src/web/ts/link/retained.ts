// What a sender keeps until it has surely arrived.
//
// A console keeps what was typed into a shell until the shell has taken it, at most one window.
// After a lost connection it goes back to the byte it is told: every key arrives once, in order.

import { WINDOW_BYTES } from "./limits.ts";

export class Retained {
  /** Position of the first byte kept. */
  #base: number;
  /** Position of the next byte to send. */
  #next: number;
  #kept = new Uint8Array(0);

  constructor(startsAt = 0) {
    this.#base = startsAt;
    this.#next = startsAt;
  }

  /** Bytes that may be added. */
  get room(): number {
    return WINDOW_BYTES - this.#kept.byteLength;
  }

  get isEmpty(): boolean {
    return this.#kept.byteLength === 0;
  }

  /** Adds as much of `bytes` as there is room for and returns how much that was. */
  push(bytes: Uint8Array): number {
    const taken = Math.min(bytes.byteLength, this.room);
    const joined = new Uint8Array(this.#kept.byteLength + taken);
    joined.set(this.#kept);
    joined.set(bytes.subarray(0, taken), this.#kept.byteLength);
    this.#kept = joined;
    return taken;
  }

  /** Bytes not sent yet, or again. */
  unsent(): Uint8Array {
    return this.#kept.subarray(this.#next - this.#base);
  }

  /** Counts bytes as sent. */
  sent(bytes: number): void {
    this.#next += bytes;
    if (this.#next > this.#end) throw new RangeError("sent bytes that do not exist");
  }

  /** The far end consumed everything before `position`. */
  consumed(position: number): void {
    const gone = Math.min(position, this.#next) - this.#base;
    if (gone <= 0) return;
    this.#kept = this.#kept.slice(gone);
    this.#base += gone;
  }

  /**
   * Goes back (or forward) to `position` after a lost connection. What lies before stays kept until
   * it is consumed: it may be under way on a connection that breaks next. False if that byte was
   * consumed before or never existed: the caller starts afresh there.
   */
  rewind(position: number): boolean {
    if (position < this.#base || position > this.#end) return false;
    this.#next = position;
    return true;
  }

  get #end(): number {
    return this.#base + this.#kept.byteLength;
  }
}
