// Play, position, speed; by mouse and by keyboard.

import { words } from "../words/en.ts";
import { stopwatch } from "../words/time.ts";
import type { Playback } from "./playback.ts";

const SPEEDS = [0.5, 1, 2, 4, 8];
const STEP_SECONDS = 5;

export class Controls {
  readonly element = make("div", "player-controls");
  #playback: Playback;
  #play = make("button", "button small");
  #range = make("input", "player-range");
  #time = make("span", "player-time mono");

  constructor(playback: Playback) {
    this.#playback = playback;
    playback.onChange = () => this.#draw();

    this.#play.type = "button";
    this.#play.addEventListener("click", () => playback.toggle());

    this.#range.type = "range";
    this.#range.min = "0";
    this.#range.step = "0.1";
    this.#range.setAttribute("aria-label", words.player.position);
    this.#range.addEventListener("input", () => void playback.seek(Number(this.#range.value)));

    const speed = make("select", "player-speed");
    speed.setAttribute("aria-label", words.player.speed);
    for (const factor of SPEEDS) speed.add(new Option(`${factor}×`, String(factor), factor === 1, factor === 1));
    speed.addEventListener("change", () => (playback.speed = Number(speed.value)));

    const skip = make("label", "player-skip");
    const box = make("input", "");
    box.type = "checkbox";
    box.addEventListener("change", () => playback.shorten(box.checked));
    skip.append(box, words.player.skip);

    const hint = make("p", "muted small player-hint");
    hint.textContent = words.player.keys;
    this.element.append(this.#play, this.#range, this.#time, speed, skip, hint);
    this.#draw();
  }

  key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target as Element;
    const inSelect = target.closest("select") !== null;
    const playback = this.#playback;
    const act = {
      " ": () => playback.toggle(),
      k: () => playback.toggle(),
      ArrowLeft: () => void playback.seek(playback.position - STEP_SECONDS),
      ArrowRight: () => void playback.seek(playback.position + STEP_SECONDS),
      Home: () => void playback.seek(0),
      End: () => void playback.seek(playback.seconds),
    }[event.key];
    // A button or a box that has the focus takes the space bar itself.
    const taken = event.key === " " && target.closest("button, input[type=checkbox]") !== null;
    if (!act || inSelect || taken) return;
    event.preventDefault();
    act();
  }

  #draw(): void {
    const { playing, atEnd, position, seconds } = this.#playback;
    this.#play.textContent = playing ? words.player.pause : atEnd && seconds > 0 ? words.player.again : words.player.play;
    this.#play.disabled = seconds === 0;
    this.#range.max = String(seconds);
    this.#range.value = String(position);
    const text = words.player.at(stopwatch(position * 1_000), stopwatch(seconds * 1_000));
    this.#time.textContent = text;
    this.#range.setAttribute("aria-valuetext", text);
  }
}

function make<K extends keyof HTMLElementTagNameMap>(name: K, className: string): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  element.className = className;
  return element;
}
