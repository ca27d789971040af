// The desk: everything the console knows, and the only place that speaks with the relay.
//
//   relay ─> message ─> signals ─> what is drawn
//   click or key ─> a method here ─> relay

import { batch, computed, effect, signal } from "@preact/signals";

import { cleanChat, fitsChat } from "../link/chattext.ts";
import { Dial, type Ticket } from "../link/dial.ts";
import * as link from "../link/messages.ts";
import type { EndReason, Entry, FromConsole, Overview, SessionId, ShellId } from "../link/messages.ts";
import { adrift } from "../link/underway.ts";
import { now, setClock } from "../ui/now.ts";
import { words } from "../words/en.ts";
import { ending, showTools, signingOut } from "./layout.ts";
import { Renewal } from "./renewal.ts";
import { Session } from "./session.ts";
import { Shell, type ShellPorts } from "./shell.ts";

export type KeyState =
  | { at: "choosing" }
  | { at: "asking"; request: number }
  | { at: "ready"; digits: string; url: string; expires: number }
  | { at: "failed"; why: string };

/** Why the whole page is closed. */
export type Closed = "replaced" | "signed_out" | "version" | "full";

/** Time for the log to be sent again after a lost link, before a message counts as undelivered. */
const SETTLE_MS = 2_500;

/** As served: it names the site. */
const pageTitle = document.title || words.product;

/** The tab that is shown, for when the page is loaded again. */
const SHOWN = "console shown";

const csrf = document.documentElement.dataset["csrf"] ?? "";
export class Desk {
  readonly me = signal<{ name: string; keySecondsMax: number } | null>(null);
  readonly sessions = signal<ReadonlyMap<SessionId, Session>>(new Map());
  readonly shown = signal<SessionId | "queue">("queue");
  readonly key = signal<KeyState | null>(null);
  readonly announced = signal<readonly SessionId[]>([]);
  readonly closed = signal<Closed | null>(null);
  /** A sentence that belongs to no session. */
  readonly notice = signal("");

  readonly all = computed(() => [...this.sessions.value.values()]);
  readonly queue = computed(() => this.all.value.filter((session) => session.over.value === null));
  readonly waiting = computed(() => this.all.value.filter((session) => session.isWaiting.value));
  readonly tabs = computed(() => this.all.value.filter((session) => session.hasTab.value));
  readonly current = computed(() => {
    const shown = this.shown.value;
    const session = shown === "queue" ? undefined : this.sessions.value.get(shown);
    return session?.hasTab.value ? session : undefined;
  });

  readonly dial: Dial;
  /** Newer pages than this one. */
  readonly renewal = new Renewal();
  #channels = new Map<number, Shell>();
  #requests = 0;
  #deskSeen = false;
  /** Accepted here just now: show it as soon as it is ours. */
  #accepting = new Set<SessionId>();
  #ports: ShellPorts;
  #size = { columns: 80, rows: 24 };
  /** Shown before the page was loaded again: to be shown once it is there. */
  #wanted = sessionStorage.getItem(SHOWN);

  constructor() {
    this.#ports = {
      connection: () => this.dial.connection,
      resized: (shell) => this.#resized(shell),
    };
    this.dial = new Dial({
      ticket: async (givenUp) => {
        const answer = await requestTicket(givenUp);
        if ("ticket" in answer) this.renewal.found(answer.version);
        return answer;
      },
      hello: () => link.hello("Console", { purpose: "console", shells: this.#positions() }),
      message: (json) => batch(() => this.#message(json as link.ToConsole)),
      data: (channel, offset, bytes) => this.#channels.get(channel)?.output(offset, bytes),
      credit: (channel, position) => this.#channels.get(channel)?.credit(position),
      lost: () => batch(() => this.#lost()),
      refused: () => (this.closed.value = "signed_out"),
    });
    effect(() => {
      const session = this.current.value;
      const title = session ? `${session.name.value} · ${pageTitle}` : pageTitle;
      const count = this.waiting.value.length;
      document.title = count > 0 ? words.queue.titleCount(count, title) : title;
    });
    effect(() => {
      const session = this.current.value;
      if (session) session.unread.value = 0;
    });
  }

  start(): void {
    this.closed.value = null;
    this.dial.start();
  }

  show(target: SessionId | "queue"): void {
    this.#wanted = null;
    sessionStorage.setItem(SHOWN, target);
    this.shown.value = target;
    this.announced.value = [];
  }

  // ---- what a person does ----

  createKey(seconds: number): void {
    const request = ++this.#requests;
    const sent = this.#say({ type: "create_key", request, seconds });
    this.key.value = sent ? { at: "asking", request } : { at: "failed", why: words.key.offline };
  }

  accept(session: Session): void {
    if (!session.isWaiting.peek()) return this.show(session.id);
    if (this.#say({ type: "accept", session: session.id })) this.#accepting.add(session.id);
  }

  /** False if it cannot be sent now: the text stays in the box. */
  chat(session: Session): boolean {
    const text = cleanChat(session.draft.peek());
    if (!text || session.over.peek() || !fitsChat(text)) return false;
    if (!this.#say({ type: "chat", session: session.id, text })) return false;
    session.underway.value = [...session.underway.peek(), { text, after: session.lastNumber, adrift: false }];
    session.notice.value = "";
    session.write("");
    return true;
  }

  openShell(session: Session): void {
    session.notice.value = "";
    if (!canOpenShell(session)) return;
    showTools();
    if (this.#say({ type: "open_shell", session: session.id, ...this.#size })) session.opening.value = true;
  }

  withdraw(session: Session): void {
    const asking = session.asking.peek();
    if (asking) this.#say({ type: "withdraw", session: session.id, prompt: asking.prompt });
  }

  /** Ends a shell that runs, or puts away one that is over. */
  closeShell(session: Session, shell: Shell): void {
    if (shell.state.peek() !== "over" && !session.over.peek()) {
      this.#say({ type: "close_shell", session: session.id, shell: shell.id });
      return;
    }
    const rest = session.shells.peek().filter((other) => other !== shell);
    session.shells.value = rest;
    if (session.shownShell.peek() === shell.id) session.shownShell.value = rest.at(-1)?.id ?? null;
    shell.dispose();
  }

  hold(session: Session): void {
    this.#say({ type: "hold", session: session.id });
  }

  end(session: Session): void {
    this.#say({ type: "end", session: session.id });
  }

  /** Puts away the tab of a session that is over. */
  closeTab(session: Session): void {
    const tabs = this.tabs.peek();
    const next = tabs[tabs.indexOf(session) + 1] ?? tabs[tabs.indexOf(session) - 1];
    if (this.shown.peek() === session.id) this.show(next?.id ?? "queue");
    this.#forget(session);
  }

  async signOut(): Promise<void> {
    this.dial.close();
    await post("/console/sign-out").catch(() => undefined);
    location.assign("/console/sign-in");
  }

  // ---- what the relay says ----

  #message(message: link.ToConsole): void {
    switch (message.type) {
      case "welcome":
        setClock(message.at);
        return this.dial.welcomed(message.keep_alive_seconds);
      case "turned":
        return this.#turned(message);
      case "desk":
        return this.#desk(message.name, message.key_seconds_max, message.sessions);
      case "session":
        return this.#overview(message);
      case "gone":
        return this.#gone(message.session, message.reason);
      case "key": {
        const asked = this.key.peek();
        if (asked?.at !== "asking" || asked.request !== message.request) return;
        const url = `${location.origin}/?ak=${message.ak}`;
        this.key.value = { at: "ready", digits: message.key, url, expires: message.expires };
        return;
      }
      case "failed":
        return this.#failed(message);
      case "restart":
        return this.dial.expectRestart(message.seconds);
      case "replaced":
        this.dial.close();
        this.#lost();
        this.closed.value = "replaced";
        return;
      case "signed_out":
        this.dial.close();
        this.#lost();
        this.closed.value = "signed_out";
        return;
      default: {
        const session = this.sessions.peek().get(message.session);
        if (session) this.#inSession(session, message);
      }
    }
  }

  #inSession(
    session: Session,
    message: Extract<
      link.ToConsole,
      { type: "log" | "entry" | "recorded" | "asking" | "ask_over" | "shell" | "shell_pause" | "shell_closed" }
    >,
  ): void {
    switch (message.type) {
      case "log":
        session.add(message.entries);
        return;
      case "entry":
        for (const entry of session.add([message.entry])) this.#count(session, entry);
        return;
      case "recorded":
        session.recorded.value = Math.max(session.recorded.peek(), message.number);
        return;
      case "asking":
        session.opening.value = false;
        session.asking.value = { prompt: message.prompt, until: now.peek() + message.seconds * 1_000 };
        return;
      case "ask_over":
        if (session.asking.peek()?.prompt === message.prompt) session.asking.value = null;
        return;
      case "shell":
        return this.#shell(session, message);
      case "shell_pause": {
        const shell = findShell(session, message.shell);
        if (shell) this.#unplug(shell);
        shell?.pause();
        return;
      }
      case "shell_closed": {
        const shell = findShell(session, message.shell);
        if (shell) this.#unplug(shell);
        shell?.over();
        return;
      }
    }
  }

  #desk(name: string, keySecondsMax: number, ids: readonly SessionId[]): void {
    this.me.value = { name, keySecondsMax };
    const known = this.sessions.peek();
    for (const session of known.values()) {
      if (ids.includes(session.id)) continue;
      // It went while we were away. What it shows stays until its tab is closed.
      if (session.hasTab.peek()) this.#close(session, session.over.peek() ?? "lost");
      else this.#forget(session);
    }
    // Sessions follow one by one; the order is the appliance's.
    const left = this.sessions.peek();
    const inOrder = ids.flatMap((id) => left.get(id) ?? []);
    const others = [...left.values()].filter((session) => !ids.includes(session.id));
    this.sessions.value = new Map([...others, ...inOrder].map((session) => [session.id, session]));
    this.#expected = new Set(this.#deskSeen ? [] : ids);
    this.#deskSeen = true;
    setTimeout(() => {
      for (const session of this.sessions.peek().values()) session.takeBackUnderway();
      void this.renewal.whenQuiet(() => this.#wouldLoseNothing());
    }, SETTLE_MS);
  }

  /** Of the first desk: no news, so not announced. */
  #expected = new Set<SessionId>();

  #overview(message: { type: "session" } & Overview): void {
    const { type: _, ...overview } = message;
    const known = this.sessions.peek().get(overview.session);
    const session = known ?? new Session(overview);
    const wasWaiting = !known || known.isWaiting.peek();
    session.overview.value = overview;
    session.over.value = null;
    if (overview.status !== "waiting") session.opened.value = true;
    if (!known) {
      this.sessions.value = new Map([...this.sessions.peek(), [session.id, session]]);
      if (session.isWaiting.peek() && !this.#expected.has(session.id)) {
        this.announced.value = [...this.announced.peek(), session.id];
      }
    }
    if (wasWaiting && overview.status !== "waiting") {
      this.announced.value = this.announced.peek().filter((id) => id !== session.id);
      if (this.#accepting.delete(session.id)) this.show(session.id);
    }
    if (!wasWaiting && overview.status === "waiting") this.#backToQueue(session);
    if (!known && session.id === this.#wanted && session.hasTab.peek()) this.show(session.id);
  }

  /** Whether the page can be loaded again: what is typed stays in its boxes, and sessions come back. */
  #wouldLoseNothing(): boolean {
    const underway = this.all.peek().some((session) => session.underway.peek().length > 0);
    const asked = this.key.peek() !== null || ending.peek() !== null || signingOut.peek();
    return !underway && !asked && this.dial.connection !== null;
  }

  #backToQueue(session: Session): void {
    for (const shell of session.shells.peek()) {
      this.#unplug(shell);
      shell.dispose();
    }
    session.shells.value = [];
    session.opened.value = false;
    session.asking.value = null;
    session.opening.value = false;
    if (this.shown.peek() === session.id) this.show("queue");
  }

  #gone(id: SessionId, reason: EndReason): void {
    this.announced.value = this.announced.peek().filter((other) => other !== id);
    this.#accepting.delete(id);
    const session = this.sessions.peek().get(id);
    if (!session) return;
    if (session.hasTab.peek()) this.#close(session, reason);
    else this.#forget(session);
  }

  #close(session: Session, reason: EndReason | "lost"): void {
    for (const shell of session.shells.peek()) {
      this.#unplug(shell);
      shell.over();
    }
    session.asking.value = null;
    session.opening.value = false;
    session.underway.value = adrift(session.underway.peek());
    session.takeBackUnderway();
    session.over.value = reason;
  }

  #forget(session: Session): void {
    session.dispose();
    const rest = new Map(this.sessions.peek());
    rest.delete(session.id);
    this.sessions.value = rest;
  }

  #shell(session: Session, message: Extract<link.ToConsole, { type: "shell" }>): void {
    this.dial.connection?.open(message.channel, message.send_from, message.receive_from);
    let shell = findShell(session, message.shell);
    if (!shell) {
      shell = new Shell(session.id, message.shell, this.#ports);
      session.shells.value = [...session.shells.peek(), shell];
      session.shownShell.value = shell.id;
    }
    this.#unplug(shell);
    this.#channels.set(message.channel, shell);
    shell.moveTo(message.channel, message.send_from, message.receive_from);
    session.opening.value = false;
  }

  #failed(message: Extract<link.ToConsole, { type: "failed" }>): void {
    const why = words.failure[message.reason] ?? message.reason;
    const asked = this.key.peek();
    if (asked?.at === "asking" && asked.request === message.request) {
      this.key.value = { at: "failed", why };
      return;
    }
    const session = message.session ? this.sessions.peek().get(message.session) : undefined;
    if (session) {
      session.opening.value = false;
      this.#accepting.delete(session.id);
    }
    if (session?.hasTab.peek()) session.notice.value = why;
    else this.notice.value = why;
  }

  #turned(message: link.Turned): void {
    // A stale ticket or a hurried one: the next dial brings a fresh one.
    if (message.reason !== "version" && message.reason !== "full") return;
    this.dial.close();
    this.closed.value = message.reason;
  }

  #lost(): void {
    this.#channels.clear();
    for (const session of this.sessions.peek().values()) {
      session.asking.value = null;
      session.opening.value = false;
      session.underway.value = adrift(session.underway.peek());
      for (const shell of session.shells.peek()) shell.channel = null;
    }
    const asked = this.key.peek();
    if (asked?.at === "asking") this.key.value = { at: "failed", why: words.key.offline };
  }

  #count(session: Session, entry: Entry): void {
    if (this.current.peek() === session && document.visibilityState === "visible") return;
    const counts = entry.by.role === "customer" && ["chat", "allowed", "refused"].includes(entry.what);
    if (counts) session.unread.value += 1;
  }

  #unplug(shell: Shell): void {
    if (shell.channel === null) return;
    this.#channels.delete(shell.channel);
    this.dial.connection?.close(shell.channel);
  }

  #resized(shell: Shell): void {
    this.#size = { columns: shell.terminal.cols, rows: shell.terminal.rows };
    if (shell.channel === null) return;
    this.#say({ type: "resize_shell", session: shell.session, shell: shell.id, ...this.#size });
  }

  #positions(): link.SessionShellPosition[] {
    return this.all.peek().flatMap((session) =>
      session.shells
        .peek()
        .filter((shell) => shell.state.peek() !== "over")
        .map((shell) => ({ session: session.id, shell: shell.id, received: shell.received })),
    );
  }

  #say(message: FromConsole): boolean {
    const connection = this.dial.connection;
    connection?.say(message);
    return connection !== null;
  }
}

export function canOpenShell(session: Session): boolean {
  const { kind, status } = session.overview.value;
  const busy = session.asking.value !== null || session.opening.value;
  return kind === "client" && status === "in_progress" && !session.over.value && !busy;
}

function findShell(session: Session, id: ShellId): Shell | undefined {
  return session.shells.peek().find((shell) => shell.id === id);
}

async function post(path: string, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(path, { method: "POST", headers: { "X-CSRF-Token": csrf }, signal });
}

async function requestTicket(givenUp: AbortSignal): Promise<Ticket> {
  const response = await post("/console/ticket", givenUp);
  // 403: the page is older than the sign-in it belongs to.
  if (response.status === 401 || response.status === 403) return { refused: "signed_out" };
  if (!response.ok) return { later: true };
  return (await response.json()) as { ticket: string; version?: string };
}
