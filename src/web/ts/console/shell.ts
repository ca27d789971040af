// One command shell: a terminal on this side, a channel to the other, and what was typed until it
// has surely arrived.

import { signal } from "@preact/signals";
import type { Terminal } from "@xterm/xterm";

import type { Connection } from "../link/connection.ts";
import { INPUT_BACKLOG_BYTES_MAX } from "../link/limits.ts";
import type { SessionId, ShellId } from "../link/messages.ts";
import { Retained } from "../link/retained.ts";
import { type Fitting, fitting, newTerminal } from "../terminal/terminal.ts";
import { copyText } from "../ui/copy.tsx";

/** What a shell needs from the desk. */
export interface ShellPorts {
  connection(): Connection | null;
  resized(shell: Shell): void;
}

const encoder = new TextEncoder();

export class Shell {
  readonly session: SessionId;
  readonly id: ShellId;
  readonly terminal: Terminal;
  /** Kept while another tab is shown, so that nothing has to be drawn again. */
  readonly host: HTMLDivElement;
  readonly state = signal<"open" | "paused" | "over">("open");
  /** Output before this console came is not on the screen. */
  readonly gap = signal(false);
  readonly inputFull = signal(false);
  /** What the program in it calls the window; from the other side, so only shown. */
  readonly title = signal("");
  channel: number | null = null;

  #ports: ShellPorts;
  #fitting: Fitting;
  #input = new Retained();
  /** Typed or pasted, but no room yet. */
  #backlog: Uint8Array[] = [];
  #backlogBytes = 0;
  /** Output handed to the terminal: it will be shown whatever happens to the link. */
  #received = 0;
  /** Output the terminal has worked through. */
  #shown = 0;

  constructor(session: SessionId, id: ShellId, ports: ShellPorts) {
    this.session = session;
    this.id = id;
    this.#ports = ports;
    this.terminal = newTerminal({ cols: 80, rows: 24 });
    this.#fitting = fitting(this.terminal);
    this.host = document.createElement("div");
    this.host.className = "terminal-host";
    this.terminal.onData((text) => this.#type(encoder.encode(text)));
    this.terminal.onBinary((text) => this.#type(Uint8Array.from(text, (char) => char.charCodeAt(0))));
    this.terminal.onResize(() => ports.resized(this));
    this.terminal.onTitleChange((title) => (this.title.value = title.slice(0, 80)));
    this.terminal.attachCustomKeyEventHandler((event) => this.#key(event));
  }

  /** Output that will be on the screen. */
  get received(): number {
    return this.#received;
  }

  /** Puts the terminal on the page. */
  attach(into: HTMLElement): void {
    into.append(this.host);
    if (!this.terminal.element) this.terminal.open(this.host);
    this.fit();
  }

  fit(): void {
    if (this.host.isConnected && this.host.clientWidth > 0) this.#fitting.fit();
  }

  /** The shell's bytes go here now. */
  moveTo(channel: number, sendFrom: number, receiveFrom: number): void {
    this.channel = channel;
    this.state.value = "open";
    this.terminal.options.disableStdin = false;
    if (!this.#input.rewind(sendFrom)) this.#input = new Retained(sendFrom);
    if (receiveFrom > this.#received) {
      this.terminal.reset();
      this.#received = receiveFrom;
      this.#shown = receiveFrom;
      this.gap.value = true;
    }
    this.#grant();
    this.#pump();
    this.#ports.resized(this);
  }

  /** The channel is gone for now. */
  pause(): void {
    this.channel = null;
    if (this.state.peek() === "open") this.state.value = "paused";
  }

  over(): void {
    this.channel = null;
    this.state.value = "over";
    this.terminal.options.disableStdin = true;
    this.terminal.options.cursorBlink = false;
  }

  /** Output arrived. Credit follows once the terminal has worked through it, not before. */
  output(offset: number, bytes: Uint8Array): void {
    // After a lost link the other side may begin a little earlier than what we have.
    const known = this.#received - offset;
    const fresh = known > 0 ? bytes.subarray(known) : bytes;
    if (fresh.byteLength === 0) return this.#grant();
    this.#received += fresh.byteLength;
    const position = this.#received;
    this.terminal.write(fresh, () => {
      this.#shown = Math.max(this.#shown, position);
      this.#grant();
    });
  }

  /** The other side has taken input up to here, and takes more. */
  credit(acknowledged: number): void {
    this.#input.consumed(acknowledged);
    this.#pump();
  }

  dispose(): void {
    this.terminal.dispose();
    this.host.remove();
  }

  #grant(): void {
    if (this.channel !== null) this.#ports.connection()?.consumed(this.channel, this.#shown);
  }

  #type(bytes: Uint8Array): void {
    if (this.state.peek() === "over") return;
    if (this.#backlogBytes + bytes.byteLength > INPUT_BACKLOG_BYTES_MAX) {
      this.inputFull.value = true;
      return;
    }
    this.#backlog.push(bytes);
    this.#backlogBytes += bytes.byteLength;
    this.#pump();
  }

  /** Moves typed bytes as far towards the other side as room and credit allow. */
  #pump(): void {
    for (let next = this.#backlog[0]; next; next = this.#backlog[0]) {
      const taken = this.#input.push(next);
      this.#backlogBytes -= taken;
      if (taken < next.byteLength) {
        this.#backlog[0] = next.subarray(taken);
        break;
      }
      this.#backlog.shift();
    }
    if (this.channel === null) return;
    const connection = this.#ports.connection();
    if (!connection) return;
    const unsent = this.#input.unsent();
    if (unsent.byteLength > 0) this.#input.sent(connection.send(this.channel, unsent));
  }

  /** False keeps a key from the shell. */
  #key(event: KeyboardEvent): boolean {
    if (event.type !== "keydown") return true;
    if (event.ctrlKey && event.shiftKey && event.code === "KeyC") {
      event.preventDefault();
      const selection = this.terminal.getSelection();
      if (selection) void copyText(selection).then(() => this.terminal.focus());
      return false;
    }
    // The browser's own paste follows, which needs no permission; xterm.js takes it from there.
    return !(event.ctrlKey && event.shiftKey && event.code === "KeyV");
  }
}
