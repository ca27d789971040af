// The appliance runs another version than this page is of: it loads itself again, once nobody is in
// the middle of something. Sessions stay where they are; what was typed is kept by its boxes.

import { signal } from "@preact/signals";

/** Nobody touched anything for this long. */
const QUIET_MS = 3_000;
/** The version for which the page was last loaded again: never twice for one. */
const LOADED_FOR = "console loaded for";

const own = document.documentElement.dataset["version"] ?? "";

export class Renewal {
  /** A newer page is there. */
  readonly due = signal(false);
  #version = "";
  #touched = 0;
  #waiting = false;

  constructor() {
    for (const type of ["keydown", "pointerdown"]) {
      document.addEventListener(type, () => (this.#touched = Date.now()), { capture: true, passive: true });
    }
  }

  /** The appliance says which version it is. */
  found(version: string | undefined): void {
    if (!version || !own || version === own || sessionStorage.getItem(LOADED_FOR) === version) return;
    this.#version = version;
    this.due.value = true;
  }

  /** Loads the page again now. */
  load(): void {
    sessionStorage.setItem(LOADED_FOR, this.#version);
    location.reload();
  }

  /** The same once nothing is lost by it and nobody is typing. */
  async whenQuiet(losesNothing: () => boolean): Promise<void> {
    if (!this.due.peek() || this.#waiting) return;
    this.#waiting = true;
    while (Date.now() - this.#touched < QUIET_MS || !losesNothing()) {
      await new Promise((done) => setTimeout(done, 500));
    }
    this.load();
  }
}
