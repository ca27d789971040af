// Keeps one link up: asks for a ticket, opens the WebSocket, says hello, and does it again with
// jittered back-off whenever the connection is gone. A fresh ticket each time: they work once.

import { signal } from "@preact/signals";

import { backoffMs } from "./backoff.ts";
import { Connection, type Handler } from "./connection.ts";
import { eagerly } from "./eager.ts";
import { DIAL_MS_MAX, REDIAL_IN_RESTART_MS } from "./limits.ts";
import type { Hello } from "./messages.ts";

export type LinkState =
  | { at: "dialling"; first: boolean; since: number }
  | { at: "up" }
  /** `since` the connection was lost; the next try is at `until`. */
  | { at: "waiting"; since: number; until: number }
  /** Closed for good; only {@link Dial.start} brings it back. */
  | { at: "closed" };

/** What a ticket request came to. */
export type Ticket = { ticket: string; version?: string } | { refused: string } | { later: true };

export interface Plan {
  ticket(givenUp: AbortSignal): Promise<Ticket>;
  hello(): Hello;
  /** The hello was sent; the answer comes as a message. */
  message(json: unknown): void;
  data: Handler["data"];
  credit: Handler["credit"];
  /** The link is gone; channels with it. */
  lost(): void;
  /** No ticket, and trying again would not change that. */
  refused(why: string): void;
}

export class Dial {
  readonly state = signal<LinkState>({ at: "dialling", first: true, since: Date.now() });
  /** When the appliance restarts, or did, as it said; by this browser's clock. */
  readonly restart = signal<number | null>(null);
  #plan: Plan;
  #asking: AbortController | null = null;
  #socket: WebSocket | null = null;
  #connection: Connection | null = null;
  #tries = 0;
  #lostAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #keepAliveMs = 60_000;
  #first = true;
  /** Counts attempts, so that a late answer to an earlier one is told apart. */
  #attempt = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    setInterval(() => this.#tick(), 5_000);
    window.addEventListener("online", () => this.#suspect());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#suspect();
    });
  }

  /** The link to speak through, or null while there is none. */
  get connection(): Connection | null {
    return this.state.peek().at === "up" ? this.#connection : null;
  }

  /** Dials now: at first, from the "Try now" button, and after {@link close}. */
  start(): void {
    clearTimeout(this.#timer);
    this.#drop();
    void this.#dial();
  }

  /** Closes for good. */
  close(): void {
    clearTimeout(this.#timer);
    this.#attempt += 1;
    this.#drop();
    this.state.value = { at: "closed" };
  }

  /** The relay let us in; call it from the welcome. */
  welcomed(keepAliveSeconds: number): void {
    this.#keepAliveMs = keepAliveSeconds * 1_000;
    this.#tries = 0;
    this.#lostAt = 0;
    this.#first = false;
    // What still holds is said again.
    this.restart.value = null;
    clearTimeout(this.#timer);
    this.state.value = { at: "up" };
  }

  /** The appliance restarts in so many seconds, or not after all. */
  expectRestart(seconds: number | null): void {
    this.restart.value = seconds === null ? null : Date.now() + seconds * 1_000;
  }

  async #ticket(attempt: number): Promise<Ticket> {
    const asking = new AbortController();
    this.#asking = asking;
    const ask = (givenUp: AbortSignal) => this.#plan.ticket(givenUp).catch((): Ticket => ({ later: true }));
    if (this.restart.peek() === null) return ask(asking.signal);
    // It comes back at any moment: nothing that hangs meanwhile is waited for.
    clearTimeout(this.#timer);
    const given = await eagerly(async (givenUp) => {
      const answer = await ask(givenUp);
      return "later" in answer ? null : answer;
    }, asking.signal);
    if (attempt === this.#attempt) this.#timer = setTimeout(() => this.#lost(attempt), DIAL_MS_MAX);
    return given ?? { later: true };
  }

  async #dial(): Promise<void> {
    const attempt = ++this.#attempt;
    this.state.value = { at: "dialling", first: this.#first, since: this.#lostAt || Date.now() };
    // Whatever hangs, the ticket or the handshake, is given up together.
    this.#timer = setTimeout(() => this.#lost(attempt), DIAL_MS_MAX);
    const answer = await this.#ticket(attempt);
    if (attempt !== this.#attempt) return;
    if ("later" in answer) return this.#lost(attempt);
    if ("refused" in answer) {
      this.close();
      return this.#plan.refused(answer.refused);
    }
    const socket = new WebSocket(linkUrl(answer.ticket));
    socket.binaryType = "arraybuffer";
    const send = (bytes: Uint8Array<ArrayBuffer>) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    };
    const connection = new Connection(performance.now(), send);
    const handler: Handler = {
      message: (json) => this.#plan.message(json),
      data: (channel, offset, bytes) => this.#plan.data(channel, offset, bytes),
      credit: (channel, position) => this.#plan.credit(channel, position),
    };
    this.#socket = socket;
    this.#connection = connection;
    socket.onopen = () => connection.say(this.#plan.hello());
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      try {
        connection.accept(new Uint8Array(event.data), performance.now(), handler);
      } catch (error) {
        console.error("link closed:", error);
        this.#lost(attempt);
      }
    };
    socket.onclose = () => this.#lost(attempt);
  }

  #lost(attempt: number): void {
    if (attempt !== this.#attempt) return;
    clearTimeout(this.#timer);
    this.#attempt += 1;
    this.#drop();
    this.#lostAt ||= Date.now();
    const random = Math.random();
    const restarts = this.restart.peek() !== null;
    const wait = restarts ? (REDIAL_IN_RESTART_MS / 2) * (1 + random) : backoffMs(this.#tries++, random);
    this.state.value = { at: "waiting", since: this.#lostAt, until: Date.now() + wait };
    this.#timer = setTimeout(() => void this.#dial(), wait);
    this.#plan.lost();
  }

  #drop(): void {
    const socket = this.#socket;
    this.#asking?.abort();
    this.#asking = null;
    this.#socket = null;
    this.#connection = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #tick(): void {
    const alive = this.connection?.tick(performance.now(), this.#keepAliveMs) ?? "alive";
    if (alive === "dead") this.#lost(this.#attempt);
  }

  /** The network or the machine came back: find out soon whether the link survived. */
  #suspect(): void {
    const state = this.state.peek();
    if (state.at === "waiting") return this.start();
    const connection = this.connection;
    if (!connection) return;
    const attempt = this.#attempt;
    const asked = performance.now();
    connection.ping();
    setTimeout(() => {
      if (connection === this.#connection && connection.heard < asked) this.#lost(attempt);
    }, 5_000);
  }
}

function linkUrl(ticket: string): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}/link?ticket=${encodeURIComponent(ticket)}`;
}
