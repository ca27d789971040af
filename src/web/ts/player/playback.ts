// Where a recording stands, and what of it is on the screen.

import type { Terminal } from "@xterm/xterm";

import { type Cast, type CastEvent, shortenPauses } from "./cast.ts";

const PAUSE_SECONDS_MAX = 2;
/** Characters given to the terminal before it may draw. */
const CHARACTERS_PER_STEP = 64 * 1024;

export class Playback {
  playing = false;
  speed = 1;
  onChange: () => void = () => undefined;
  onSize: () => void = () => undefined;

  #cast: Cast;
  #terminal: Terminal;
  #events: CastEvent[];
  #next = 0;
  #position = 0;
  #before = 0;
  /** Counts seeks, so that an earlier one stops. */
  #seek = 0;
  #busy = false;

  constructor(cast: Cast, terminal: Terminal) {
    this.#cast = cast;
    this.#terminal = terminal;
    this.#events = cast.events;
  }

  get seconds(): number {
    return this.#events.at(-1)?.at ?? 0;
  }

  get position(): number {
    return this.#position;
  }

  get atEnd(): boolean {
    return this.#position >= this.seconds;
  }

  toggle(): void {
    if (this.playing) this.playing = false;
    else this.#play();
    this.onChange();
  }

  async seek(to: number): Promise<void> {
    const target = Math.min(Math.max(to, 0), this.seconds);
    const turn = ++this.#seek;
    if (target < this.#position) {
      this.#terminal.reset();
      this.#terminal.resize(this.#cast.columns, this.#cast.rows);
      this.#next = 0;
    }
    this.#position = target;
    this.onChange();
    this.#busy = true;
    await this.#showUntil(target, () => turn === this.#seek);
    if (turn === this.#seek) this.#busy = false;
  }

  /** Long pauses become short, or are as they were. Stays at the same moment. */
  shorten(on: boolean): void {
    const index = Math.max(0, this.#next - 1);
    this.#events = on ? shortenPauses(this.#cast.events, PAUSE_SECONDS_MAX) : this.#cast.events;
    this.#position = this.#next === 0 ? 0 : (this.#events[index]?.at ?? 0);
    this.onChange();
  }

  #play(): void {
    if (this.atEnd) void this.seek(0);
    this.playing = true;
    this.#before = performance.now();
    requestAnimationFrame(() => this.#frame());
  }

  #frame(): void {
    if (!this.playing) return;
    const now = performance.now();
    if (!this.#busy) {
      this.#position = Math.min(this.#position + ((now - this.#before) / 1_000) * this.speed, this.seconds);
      this.#busy = true;
      void this.#showUntil(this.#position, () => true).then(() => (this.#busy = false));
      if (this.atEnd) this.playing = false;
      this.onChange();
    }
    this.#before = now;
    if (this.playing) requestAnimationFrame(() => this.#frame());
  }

  async #showUntil(position: number, goOn: () => boolean): Promise<void> {
    while (goOn()) {
      let text = "";
      let size: CastEvent | undefined;
      for (let event = this.#events[this.#next]; event && event.at <= position; event = this.#events[this.#next]) {
        this.#next += 1;
        if (event.kind === "size") {
          size = event;
          break;
        }
        text += event.text;
        if (text.length >= CHARACTERS_PER_STEP) break;
      }
      if (text) await new Promise<void>((resolve) => this.#terminal.write(text, resolve));
      if (size?.kind === "size" && goOn()) {
        this.#terminal.resize(size.columns, size.rows);
        this.onSize();
      }
      if (!text && !size) return;
    }
  }
}
