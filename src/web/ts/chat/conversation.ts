// The conversation as the customer's browser knows it, through reloads and lost connections.

import { batch, signal } from "@preact/signals";

import { cleanChat, fitsChat } from "../link/chattext.ts";
import { Dial, type Ticket } from "../link/dial.ts";
import { merge } from "../link/log.ts";
import * as link from "../link/messages.ts";
import { cleanName } from "../link/name.ts";
import type { EndReason, Entry, PuzzleAnswer } from "../link/messages.ts";
import { adrift, settle, takeBack, type Underway } from "../link/underway.ts";
import { solve } from "../portal/puzzle.ts";
import { setClock } from "../ui/now.ts";
import { words } from "../words/en.ts";
import { platform } from "./platform.ts";

/** Why it could not begin. */
export type Stopped = { why: "key" | "full" | "unavailable" } | { why: "slow_down"; seconds: number };

/** What brings this browser back, for as long as its tab lives. */
interface Kept {
  ak: string | null;
  session: string;
  token: string;
  representative: string;
  /** It ended; loading the page again says so again. */
  over?: EndReason;
}

const STORE = "chat";
const DRAFT = "chat draft";
const NAME = "chat name";
const SETTLE_MS = 2_500;

export class Conversation {
  readonly representative = signal("");
  readonly customer = signal("");
  readonly accepted = signal(false);
  /** Let in at least once. */
  readonly begun = signal(false);
  readonly entries = signal<readonly Entry[]>([]);
  readonly underway = signal<readonly Underway[]>([]);
  readonly draft = signal(sessionStorage.getItem(DRAFT) ?? "");
  readonly over = signal<EndReason | null>(null);
  readonly stopped = signal<Stopped | null>(null);
  /** Before it starts: who is it? */
  readonly asking = signal(false);
  /** As typed; may stay empty. */
  readonly name = signal(sessionStorage.getItem(NAME) ?? "");
  readonly puzzling = signal(false);

  readonly dial: Dial;
  #ak: string | null;
  #kept: Kept | null;
  #puzzle: PuzzleAnswer | undefined;
  readonly #title = document.title;
  #unseen = 0;
  #named = false;

  constructor(ak: string | null) {
    this.#ak = ak;
    const kept = readKept();
    // Another key in the address is another conversation.
    this.#kept = kept && (ak === null || kept.ak === ak) ? kept : null;
    this.representative.value = this.#kept?.representative ?? "";
    this.over.value = this.#kept?.over ?? null;
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      this.#unseen = 0;
      document.title = this.#title;
    });
    this.dial = new Dial({
      ticket: (givenUp) =>
        this.#kept ? requestTicket({}, true, givenUp) : requestTicket({ ak: this.#ak }, false, givenUp),
      hello: () => this.#hello(),
      message: (json) => batch(() => this.#message(json as link.ToCustomer)),
      data: () => undefined,
      credit: () => undefined,
      lost: () => (this.underway.value = adrift(this.underway.peek())),
      refused: (why) => this.#refused(why),
    });
  }

  start(): void {
    this.stopped.value = null;
    if (this.over.value) return;
    if (!this.#kept && !this.#ak) this.stopped.value = { why: "key" };
    else if (!this.#kept && !this.#named) this.asking.value = true;
    else this.dial.start();
  }

  /** The name was given, or left out. */
  begin(): void {
    this.#named = true;
    this.asking.value = false;
    this.start();
  }

  called(name: string): void {
    this.name.value = name;
    sessionStorage.setItem(NAME, name);
  }

  write(text: string): void {
    this.draft.value = text;
    sessionStorage.setItem(DRAFT, text);
  }

  send(): void {
    const text = cleanChat(this.draft.peek());
    const connection = this.dial.connection;
    if (!text || !connection || !this.begun.peek() || !fitsChat(text)) return;
    connection.say({ type: "chat", text } satisfies link.FromCustomer);
    this.underway.value = [...this.underway.peek(), { text, after: this.#lastNumber, adrift: false }];
    this.write("");
  }

  leave(): void {
    this.dial.connection?.say({ type: "leave" } satisfies link.FromCustomer);
    this.#end("customer");
  }

  get #lastNumber(): number {
    return this.entries.peek().at(-1)?.number ?? 0;
  }

  #hello(): link.Hello {
    const kept = this.#kept;
    if (kept) {
      const { session, token } = kept;
      return link.hello("Chat", { purpose: "resume", session, token, entries: this.#lastNumber, shells: [] });
    }
    const customer = cleanName(this.name.peek());
    const facts = { customer, computer: "", platform: platform(navigator.userAgent), private_address: "" };
    const puzzle = this.#puzzle;
    return link.hello("Chat", { purpose: "start", facts, ...(puzzle ? { puzzle } : {}) });
  }

  #message(message: link.ToCustomer): void {
    switch (message.type) {
      case "welcome":
        setClock(message.at);
        return this.dial.welcomed(message.keep_alive_seconds);
      case "turned":
        return this.#turned(message);
      case "session": {
        const token = message.token ?? this.#kept?.token;
        if (token) this.#keep({ ak: this.#ak, session: message.session, token, representative: message.representative });
        this.customer.value = message.customer;
        this.representative.value = message.representative;
        this.accepted.value = message.accepted;
        this.begun.value = true;
        setTimeout(() => this.#takeBackUnderway(), SETTLE_MS);
        return;
      }
      case "representative":
        this.representative.value = message.name;
        this.accepted.value = message.accepted;
        return;
      case "entry": {
        const { type: _, ...entry } = message;
        return this.#add(entry);
      }
      case "restart":
        return this.dial.expectRestart(message.seconds);
      case "ended":
        return this.#end(message.reason);
      case "recorded":
      case "ask":
      case "ask_over":
        // A browser has no tools to allow, and shows what it sent at once.
        return;
    }
  }

  #add(entry: Entry): void {
    const { all, fresh } = merge(this.entries.peek(), [entry]);
    if (fresh.length === 0) return;
    this.entries.value = all;
    this.#announce(entry);
    if (entry.by.role === "customer") this.underway.value = settle(this.underway.peek(), entry);
  }

  /** Counts what was said while another tab is in front, in this tab's title. */
  #announce(entry: Entry): void {
    if (entry.what !== "chat" || entry.by.role !== "representative" || document.visibilityState === "visible") return;
    this.#unseen += 1;
    document.title = words.queue.titleCount(this.#unseen, this.#title);
  }

  /** What was sent into a connection that was lost, and never arrived, goes back into the box. */
  #takeBackUnderway(): void {
    const back = this.dial.connection && takeBack(this.underway.peek(), this.draft.peek());
    if (!back) return;
    this.underway.value = back.underway;
    this.write(back.draft);
  }

  #turned(message: link.Turned): void {
    switch (message.reason) {
      case "puzzle":
        return void this.#solve(message.challenge, message.bits);
      case "session":
        // It ended while this browser was away.
        return this.#end("customer_lost");
      case "key":
        return this.#stop({ why: "key" });
      case "slow_down":
        return this.#stop({ why: "slow_down", seconds: message.retry_after_seconds });
      case "full":
        return this.#stop({ why: "full" });
      case "version":
        return location.reload();
      case "ticket":
        // The next dial brings a fresh one.
        return;
    }
  }

  async #solve(challenge: string, bits: number): Promise<void> {
    this.dial.close();
    this.puzzling.value = true;
    this.#puzzle = { challenge, answer: await solve(challenge, bits) };
    this.puzzling.value = false;
    this.dial.start();
  }

  #refused(why: string): void {
    if (why === "session") this.#end("customer_lost");
    else if (this.#kept) this.#end("customer_lost");
    else if (why === "slow_down") this.#stop({ why, seconds: 60 });
    else this.#stop({ why: why === "full" || why === "unavailable" ? why : "key" });
  }

  #stop(stopped: Stopped): void {
    this.dial.close();
    this.stopped.value = stopped;
  }

  #end(reason: EndReason): void {
    this.dial.close();
    // The token opens nothing any more.
    if (this.#kept) this.#keep({ ...this.#kept, token: "", over: reason });
    sessionStorage.removeItem(DRAFT);
    this.over.value = reason;
  }

  #keep(kept: Kept): void {
    this.#kept = kept;
    sessionStorage.setItem(STORE, JSON.stringify(kept));
  }
}

function readKept(): Kept | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORE) ?? "null") as Kept | null;
    return kept?.session ? kept : null;
  } catch {
    return null;
  }
}

/** Somebody who comes back is never sent away for what passes. */
async function requestTicket(body: object, comingBack: boolean, signal: AbortSignal): Promise<Ticket> {
  const response = await fetch("/chat/ticket", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": document.documentElement.dataset["csrf"] ?? "" },
    body: JSON.stringify(body),
    signal,
  });
  if (response.ok) return (await response.json()) as { ticket: string };
  const { error } = (await response.json().catch(() => ({}))) as { error?: string };
  if (response.status >= 500 && !error) return { later: true };
  const passes = error === "unavailable" || error === "slow_down" || error === "full";
  return comingBack && passes ? { later: true } : { refused: error ?? "key" };
}
