// Credit: how much may be under way on a channel.
//
// Positions are absolute: bytes since the tool began, in one direction. They go on counting when
// the tool moves to a new channel after a lost connection, so both ends agree on what is missing.

import { LinkError } from "./frame.ts";
import { CREDIT_STEP_BYTES, WINDOW_BYTES } from "./limits.ts";

export class Channel {
  sent: number;
  received: number;
  /** Bytes the other side has surely consumed, as far as this channel knows. */
  acknowledged = 0;
  #sendLimit: number;
  #receiveLimit: number;
  /** What was granted on this channel; 0 makes the first credit due at once. */
  #granted = 0;

  /** Opens at these positions, with a window each way. */
  constructor(sendFrom: number, receiveFrom: number) {
    this.sent = sendFrom;
    this.received = receiveFrom;
    this.#sendLimit = sendFrom + WINDOW_BYTES;
    this.#receiveLimit = receiveFrom + WINDOW_BYTES;
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

  /**
   * Takes the other side's credit. It may be lower than what this channel opened with: the other
   * side has not consumed all that came on the channel before. That lowers nothing, but says what
   * need not be kept any more.
   */
  raiseSendLimit(granted: number): void {
    const highest = this.sent + WINDOW_BYTES;
    if (granted > highest) throw new LinkError(`granted credit up to ${granted}, sensible is up to ${highest}`);
    this.acknowledged = Math.max(this.acknowledged, granted - WINDOW_BYTES);
    this.#sendLimit = Math.max(this.#sendLimit, granted);
  }

  /**
   * The credit to give now that everything before `consumed` was taken in; undefined while less
   * than a step is due, so that a flood costs one credit for every 32 KiB and not one for each
   * piece. The first one is due at once: what was given on the channel before may be lost.
   */
  creditDue(consumed: number): number | undefined {
    // Never beyond what came on this channel: the other side may be repeating what we have.
    const granted = Math.min(consumed, this.received) + WINDOW_BYTES;
    if (granted - this.#granted < CREDIT_STEP_BYTES) return undefined;
    this.#granted = granted;
    this.#receiveLimit = Math.max(this.#receiveLimit, granted);
    return granted;
  }
}
