// An xterm.js terminal as we use it: our colours, no reach outside its box.

import { FitAddon } from "@xterm/addon-fit";
import { type ITerminalInitOnlyOptions, type ITerminalOptions, type ITheme, Terminal } from "@xterm/xterm";

/** Dark in both of the page's modes: programs choose their colours for a dark ground. */
const theme: ITheme = {
  background: "#10181a",
  foreground: "#dfe7e6",
  cursor: "#6cc9c1",
  cursorAccent: "#10181a",
  selectionBackground: "#2f5f5c",
  selectionInactiveBackground: "#2b3f40",
  scrollbarSliderBackground: "#ffffff33",
  scrollbarSliderHoverBackground: "#ffffff55",
  scrollbarSliderActiveBackground: "#ffffff77",
  black: "#1c2628",
  red: "#ff8d85",
  green: "#86d393",
  yellow: "#e9c46a",
  blue: "#8ab8ff",
  magenta: "#d7a6f0",
  cyan: "#6fd0c8",
  white: "#d5dedd",
  brightBlack: "#7f9190",
  brightRed: "#ffb0aa",
  brightGreen: "#a9e6b3",
  brightYellow: "#f4dc9a",
  brightBlue: "#b3d1ff",
  brightMagenta: "#e8c8f8",
  brightCyan: "#9ee5df",
  brightWhite: "#ffffff",
};

/** A terminal that is not on the page yet. */
export function newTerminal(options: ITerminalOptions & ITerminalInitOnlyOptions): Terminal {
  return new Terminal({
    theme,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    fontSize: 14,
    lineHeight: 1.15,
    scrollback: 10_000,
    minimumContrastRatio: 4.5,
    cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    // Whoever writes to the terminal is not trusted: a click on a link it drew does nothing.
    linkHandler: { activate: () => undefined },
    ...options,
  });
}

export interface Fitting {
  fit(): void;
}

/** Lets a terminal follow its box's size. */
export function fitting(terminal: Terminal): Fitting {
  const addon = new FitAddon();
  terminal.loadAddon(addon);
  return {
    fit() {
      const size = addon.proposeDimensions();
      if (!size || !Number.isFinite(size.cols) || !Number.isFinite(size.rows)) return;
      const columns = Math.min(Math.max(size.cols, 20), 1_000);
      const rows = Math.min(Math.max(size.rows, 4), 1_000);
      if (columns !== terminal.cols || rows !== terminal.rows) terminal.resize(columns, rows);
    },
  };
}
