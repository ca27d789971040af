// Every action of the console, once: its words, its key, when it makes sense. The keyboard, the
// list of keys, the palette and the tooltips all read this.

import { words } from "../words/en.ts";
import { canOpenShell, type Desk } from "./desk.ts";
import { focusChat, focusMain, focusShell } from "./focus.ts";
import {
  drawerOpen,
  ending,
  keysOpen,
  paletteOpen,
  paneOpen,
  sidebarOpen,
  signingOut,
} from "./layout.ts";

export type Group = "everywhere" | "queue" | "session";

export interface Command {
  label: string;
  group: Group;
  /** One letter: alone outside text, with Alt+Shift everywhere. */
  letter?: string;
  /**
   * Takes something away from the customer or the representative: never by the letter alone, which
   * may have been meant for a shell that is still opening.
   */
  deliberate?: true;
  enabled(): boolean;
  run(): void;
}

const always = () => true;

/** What to press, key by key. */
export function keysOf({ letter, deliberate }: Command): string[] {
  if (!letter) return [];
  return deliberate ? ["Alt", "Shift", letter] : [letter];
}

export function commandsOf(desk: Desk): Command[] {
  const inSession = () => desk.current.value !== undefined;
  const alive = () => inSession() && desk.current.value?.over.value === null;
  const move = (step: number) => {
    const all = ["queue", ...desk.tabs.peek().map((session) => session.id)];
    const at = Math.max(0, all.indexOf(desk.shown.peek()));
    goTo(desk, (at + step + all.length) % all.length);
  };
  const openMore = () => {
    const session = desk.current.peek();
    if (session) desk.openShell(session);
  };
  return [
    {
      label: words.key.start,
      group: "everywhere",
      letter: "N",
      enabled: always,
      run: () => (desk.key.value = { at: "choosing" }),
    },
    { label: words.tabs.home, group: "everywhere", letter: "Q", enabled: always, run: () => goTo(desk, 0) },
    { label: words.keys.next, group: "everywhere", letter: "X", enabled: () => true, run: () => move(1) },
    { label: words.keys.previous, group: "everywhere", letter: "Z", enabled: always, run: () => move(-1) },
    {
      label: `${words.queue.hide} / ${words.queue.show}`,
      group: "everywhere",
      letter: "B",
      enabled: always,
      run: () => (sidebarOpen.value = !sidebarOpen.value),
    },
    {
      label: words.keys.palette,
      group: "everywhere",
      letter: "K",
      enabled: always,
      run: () => (paletteOpen.value = true),
    },
    { label: words.session.shell, group: "session", letter: "S", enabled: () => canOpenCurrent(desk), run: openMore },
    { label: words.keys.toChat, group: "session", letter: "C", enabled: inSession, run: focusChat },
    {
      label: words.keys.toShell,
      group: "session",
      letter: "T",
      enabled: () => desk.current.value?.shell.value !== undefined,
      run: () => desk.current.peek() && focusShell(desk.current.peek()!),
    },
    {
      label: words.keys.nextShell,
      group: "session",
      letter: "G",
      enabled: () => (desk.current.value?.shells.value.length ?? 0) > 1,
      run: () => nextShell(desk),
    },
    {
      label: words.keys.closeShell,
      group: "session",
      letter: "W",
      deliberate: true,
      enabled: () => desk.current.value?.shell.value !== undefined,
      run: () => {
        const session = desk.current.peek();
        const shell = session?.shell.peek();
        if (session && shell) desk.closeShell(session, shell);
      },
    },
    {
      label: words.session.chat,
      group: "session",
      letter: "L",
      enabled: inSession,
      run: () => (paneOpen.value = !paneOpen.value),
    },
    {
      label: words.session.details,
      group: "session",
      letter: "D",
      enabled: inSession,
      run: () => (drawerOpen.value = !drawerOpen.value),
    },
    {
      label: words.session.hold,
      group: "session",
      letter: "H",
      deliberate: true,
      enabled: alive,
      run: () => desk.current.peek() && desk.hold(desk.current.peek()!),
    },
    {
      label: words.session.end,
      group: "session",
      letter: "E",
      deliberate: true,
      enabled: alive,
      run: () => (ending.value = desk.current.peek() ?? null),
    },
    {
      label: words.tabs.closeEnded,
      group: "session",
      letter: "Y",
      enabled: () => inSession() && !alive(),
      run: () => desk.current.peek() && desk.closeTab(desk.current.peek()!),
    },
    { label: words.keys.help, group: "everywhere", enabled: always, run: () => (keysOpen.value = true) },
    {
      label: words.me.signOut,
      group: "everywhere",
      enabled: always,
      run: () => requestSignOut(desk),
    },
  ];
}

/** Asks first if sessions are open. */
export function requestSignOut(desk: Desk): void {
  if (desk.tabs.peek().some((session) => session.over.peek() === null)) signingOut.value = true;
  else void desk.signOut();
}

/** 0 is the queue, then the tabs. */
export function goTo(desk: Desk, number: number): void {
  const session = number === 0 ? undefined : desk.tabs.peek()[number - 1];
  if (number > 0 && !session) return;
  desk.show(session?.id ?? "queue");
  if (session?.shell.peek()) focusShell(session);
  else focusMain();
}

function canOpenCurrent(desk: Desk): boolean {
  const session = desk.current.value;
  return session !== undefined && canOpenShell(session);
}

function nextShell(desk: Desk): void {
  const session = desk.current.peek();
  const shells = session?.shells.peek() ?? [];
  const shell = session?.shell.peek();
  if (!session || !shell) return;
  session.shownShell.value = shells[(shells.indexOf(shell) + 1) % shells.length]?.id ?? null;
  focusShell(session);
}
