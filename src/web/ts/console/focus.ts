// Where the keyboard goes.

import { paneOpen } from "./layout.ts";
import type { Session } from "./session.ts";

/** After the page was drawn again. */
function soon(act: () => void): void {
  requestAnimationFrame(() => requestAnimationFrame(act));
}

export function focusChat(): void {
  paneOpen.value = true;
  soon(() => document.getElementById("message")?.focus());
}

export function focusShell(session: Session): void {
  soon(() => session.shell.peek()?.terminal.focus());
}

export function focusMain(): void {
  soon(() => document.getElementById("main")?.focus({ preventScroll: true }));
}

/** Somebody is writing and must not be interrupted. */
export function isWriting(): boolean {
  const active = document.activeElement;
  return (active instanceof HTMLTextAreaElement || active instanceof HTMLInputElement) && active.value !== "";
}
