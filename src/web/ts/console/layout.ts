// Which parts of the page are open. Remembered in this browser where a person would expect it.

import { effect, signal, type Signal } from "@preact/signals";

import type { Session } from "./session.ts";

const narrow = matchMedia("(max-width: 1199px)").matches;
const phone = matchMedia("(max-width: 759px)");

export const PANE_WIDTH_MIN = 260;
export const PANE_WIDTH_MAX = 640;

/** The queues at the left. */
export const sidebarOpen = phone.matches ? signal(false) : remembered<boolean>("sidebar", !narrow);
/** The personal queue's own list. */
export const personalOpen = remembered<boolean>("personal", true);
/** Chat and log at the right. */
export const paneOpen = phone.matches ? signal(false) : remembered<boolean>("pane", true);
export const paneWidth = remembered<number>("pane-width", 360);
export const drawerOpen = signal(false);
export const keysOpen = signal(false);
export const paletteOpen = signal(false);
export const ending = signal<Session | null>(null);
export const signingOut = signal(false);

/** A phone shows either the queues or the rest. */
export function hideSidebarOnPhone(): void {
  if (phone.matches) sidebarOpen.value = false;
}

/** A phone shows either the tools or the chat: makes room for the tools. */
export function showTools(): void {
  if (phone.matches) paneOpen.value = false;
}

function remembered<T extends boolean | number>(name: string, initial: T): Signal<T> {
  const key = `console ${name}`;
  let value = initial;
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
    if (typeof stored === typeof initial) value = stored as T;
  } catch {
    // Storage may be switched off, or hold anything; the page works without.
  }
  const kept = signal(value);
  effect(() => {
    const text = JSON.stringify(kept.value);
    try {
      localStorage.setItem(key, text);
    } catch {
      // As above.
    }
  });
  return kept;
}
