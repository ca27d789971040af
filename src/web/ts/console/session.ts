// One session as this console knows it.

import { computed, signal } from "@preact/signals";

import { ENTRIES_SHOWN_MAX } from "../link/limits.ts";
import { merge } from "../link/log.ts";
import type { EndReason, Entry, Overview, PromptId, SessionId, ShellId } from "../link/messages.ts";
import { settle, takeBack, type Underway } from "../link/underway.ts";
import { words } from "../words/en.ts";
import type { Shell } from "./shell.ts";

export class Session {
  readonly id: SessionId;
  readonly overview;
  readonly entries = signal<readonly Entry[]>([]);
  /** Every entry up to this number is on record. */
  readonly recorded = signal(0);
  /** The customer is being asked; `until` by the appliance's clock. */
  readonly asking = signal<{ prompt: PromptId; until: number } | null>(null);
  /** A shell was asked for and nothing came back yet. */
  readonly opening = signal(false);
  readonly shells = signal<readonly Shell[]>([]);
  readonly shownShell = signal<ShellId | null>(null);
  readonly unread = signal(0);
  readonly draft;
  readonly underway = signal<readonly Underway[]>([]);
  /** Something that did not work, shown until the next try. */
  readonly notice = signal("");
  /** Over for this console: why, or that it went while we were away. */
  readonly over = signal<EndReason | "lost" | null>(null);
  /** It was accepted here, so it has a tab. */
  readonly opened = signal(false);

  readonly name = computed(() => this.overview.value.facts.customer || words.unnamed);
  readonly isWaiting = computed(() => this.over.value === null && this.overview.value.status === "waiting");
  readonly hasTab = computed(() => this.opened.value && !this.isWaiting.value);
  readonly shell = computed(
    () => this.shells.value.find((shell) => shell.id === this.shownShell.value) ?? this.shells.value[0],
  );

  constructor(overview: Overview) {
    this.id = overview.session;
    this.overview = signal(overview);
    this.draft = signal(sessionStorage.getItem(draftKey(this.id)) ?? "");
  }

  /** Keeps what was typed, over a reload too. */
  write(text: string): void {
    this.draft.value = text;
    if (text) sessionStorage.setItem(draftKey(this.id), text);
    else sessionStorage.removeItem(draftKey(this.id));
  }

  /** Takes entries in whatever order and however often they come. Returns the new ones. */
  add(incoming: readonly Entry[]): Entry[] {
    const { all, fresh } = merge(this.entries.peek(), incoming);
    if (fresh.length === 0) return fresh;
    this.entries.value = all.slice(-ENTRIES_SHOWN_MAX);
    this.#settle(fresh);
    return fresh;
  }

  get lastNumber(): number {
    return this.entries.peek().at(-1)?.number ?? 0;
  }

  /** What was sent and never arrived goes back into the box. */
  takeBackUnderway(): void {
    const back = takeBack(this.underway.peek(), this.draft.peek());
    if (!back) return;
    this.underway.value = back.underway;
    this.write(back.draft);
    this.notice.value = words.chat.returned;
  }

  /** Leaves nothing behind. */
  dispose(): void {
    for (const shell of this.shells.peek()) shell.dispose();
    sessionStorage.removeItem(draftKey(this.id));
  }

  #settle(fresh: readonly Entry[]): void {
    let underway = this.underway.peek();
    for (const entry of fresh) {
      if (entry.by.role === "representative") underway = settle(underway, entry);
    }
    this.underway.value = underway;
  }
}

function draftKey(id: SessionId): string {
  return `draft ${id}`;
}
