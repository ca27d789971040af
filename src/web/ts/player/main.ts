// Plays a recorded shell in the reports: <div id="player" data-src="….cast" data-title="Shell 1">.

import { newTerminal } from "../terminal/terminal.ts";
import { words } from "../words/en.ts";
import { bytes } from "../words/time.ts";
import { parseCast } from "./cast.ts";
import { Controls } from "./controls.ts";
import { Playback } from "./playback.ts";

const root = document.getElementById("player");
if (root) void start(root);

async function start(root: HTMLElement): Promise<void> {
  const said = document.createElement("p");
  said.className = "player-said";
  said.setAttribute("role", "status");
  root.append(said);
  const text = await load(root.dataset["src"] ?? "", (loaded) => {
    said.textContent = words.player.loading(bytes(loaded));
  }).catch(() => null);
  const cast = text === null ? null : parseCast(text);
  if (!cast) {
    said.textContent = words.player.failed;
    return;
  }
  said.textContent = cast.broken ? words.player.broken : cast.events.length === 0 ? words.player.empty : "";
  const terminal = newTerminal({
    cols: cast.columns,
    rows: cast.rows,
    disableStdin: true,
    cursorBlink: false,
    scrollback: 0,
  });
  const screen = document.createElement("div");
  screen.className = "player-screen";
  root.prepend(screen);
  terminal.open(screen);
  // Nothing can be typed into a recording.
  if (terminal.textarea) terminal.textarea.tabIndex = -1;
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", words.player.region(root.dataset["title"] ?? ""));

  const playback = new Playback(cast, terminal);
  const controls = new Controls(playback);
  screen.after(controls.element);
  root.addEventListener("keydown", (event) => controls.key(event));

  // The letters get smaller until the recorded width fits the page.
  const fit = () => {
    const width = terminal.element?.querySelector<HTMLElement>(".xterm-screen")?.offsetWidth ?? 0;
    const room = screen.clientWidth - 24;
    const size = terminal.options.fontSize ?? 14;
    if (width === 0 || room <= 0) return;
    const next = Math.max(6, Math.min(16, Math.floor((size * room) / width)));
    if (next !== size) terminal.options.fontSize = next;
  };
  playback.onSize = fit;
  new ResizeObserver(fit).observe(screen);
  fit();
}

/** The whole file as text, telling how far it came. */
async function load(source: string, tell: (loaded: number) => void): Promise<string> {
  const response = await fetch(source);
  if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  const parts: string[] = [];
  let loaded = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    loaded += piece.value.byteLength;
    parts.push(decoder.decode(piece.value, { stream: true }));
    tell(loaded);
  }
  return parts.join("") + decoder.decode();
}
