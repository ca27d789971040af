// From keys to commands.

import { type Command, goTo } from "./commands.ts";
import type { Desk } from "./desk.ts";
import { focusMain } from "./focus.ts";
import { drawerOpen, keysOpen, paletteOpen } from "./layout.ts";

/** Listens for the life of the page. */
export function listen(desk: Desk, commands: readonly Command[]): void {
  const take = (event: KeyboardEvent, run: () => void) => {
    // Before the shell or a text box sees it.
    event.preventDefault();
    event.stopImmediatePropagation();
    run();
  };
  const byLetter = (letter: string) =>
    commands.find((command) => command.letter === letter && command.enabled());

  const onKey = (event: KeyboardEvent) => {
    if (event.isComposing || document.querySelector("dialog[open]") || desk.closed.peek()) return;
    const target = event.target instanceof Element ? event.target : document.body;
    const inShell = target.closest(".xterm") !== null;
    const inText = target.closest("input, textarea, select") !== null;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;

    if (event.altKey && event.shiftKey && !event.ctrlKey && !event.metaKey) {
      // `code`, because these keys type other characters on many keyboards.
      const digit = /^Digit(\d)$/.exec(event.code)?.[1];
      if (digit) return take(event, () => goTo(desk, Number(digit)));
      if (event.code === "Slash") return take(event, () => (keysOpen.value = true));
      const command = byLetter(event.code.replace(/^Key/, ""));
      return command && take(event, () => command.run());
    }
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key === "k" && !inShell) {
      return take(event, () => (paletteOpen.value = true));
    }
    if (event.key === "Escape" && !inShell) {
      if (target.closest(".key-panel")) return take(event, () => (desk.key.value = null));
      if (inText) return take(event, () => focusMain());
      if (drawerOpen.peek()) return take(event, () => (drawerOpen.value = false));
      if (desk.key.peek()) return take(event, () => (desk.key.value = null));
      if (desk.announced.peek().length > 0) return take(event, () => (desk.announced.value = []));
    }
    if (!plain || inText || inShell) return;
    if (event.key === "?") return take(event, () => (keysOpen.value = true));
    if (/^\d$/.test(event.key)) return take(event, () => goTo(desk, Number(event.key)));
    const command = event.shiftKey ? undefined : byLetter(event.key.toUpperCase());
    return command && !command.deliberate && take(event, () => command.run());
  };
  window.addEventListener("keydown", onKey, { capture: true });
}
