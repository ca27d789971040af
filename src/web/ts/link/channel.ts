// Credit: how much may be under way on a channel.
//
// Positions are absolute: bytes since the tool began, in one direction. They go on counting when
// the tool moves to a new channel after a lost connection, so both ends agree on what is missing.

import { LinkError } from "./frame.ts";
import { CREDIT_STEP_BYTES, WINDOW_BYTES } from "./limits.ts";

export class Channel {
  sent: number;
  received: number;
  #sendLimit: number;
  #receiveLimit: number;

  /** Opens at these positions, with a window each way. */
  constructor(sendFrom: number, receiveFrom: number) {
    this.sent = sendFrom;
    this.received = receiveFrom;
    this.#sendLimit = sendFrom + WINDOW_BYTES;
    this.#receiveLimit = receiveFrom + WINDOW_BYTES;
  }

  /** Bytes the other side has surely consumed. */
  get acknowledged(): number {
    return this.#sendLimit - WINDOW_BYTES;
  }

  /** Bytes that may be sent now. */
  get room(): number {
    return this.#sendLimit - this.sent;
  }

  /** Counts received bytes and returns the position of the first. */
  countReceived(bytes: number): number {
    const offset = this.received;
    if (offset + bytes > this.#receiveLimit) {
      throw new LinkError(`received up to byte ${offset + bytes}, credit ends at ${this.#receiveLimit}`);
    }
    this.received += bytes;
    return offset;
  }

  /** Takes the other side's credit. */
  raiseSendLimit(granted: number): void {
    const highest = this.sent + WINDOW_BYTES;
    if (granted < this.#sendLimit || granted > highest) {
      throw new LinkError(`granted credit up to ${granted}, sensible is ${this.#sendLimit} to ${highest}`);
    }
    this.#sendLimit = granted;
  }

  /**
   * The credit to give now that everything before `consumed` was taken in; undefined while less
   * than a step is due, so that a flood costs one credit for every 32 KiB and not one for each
   * piece.
   */
  creditDue(consumed: number): number | undefined {
    const granted = consumed + WINDOW_BYTES;
    if (granted - this.#receiveLimit < CREDIT_STEP_BYTES) return undefined;
    this.#receiveLimit = granted;
    return granted;
  }
}
