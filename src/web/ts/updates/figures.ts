// How far a version is: bytes, speed and time left.

import { bytes as size } from "../words/time.ts";
import { words } from "../words/en.ts";

/** What the first moment says about speed is mostly wrong. */
const MEANT_AFTER_MS = 1_000;

/** "12.3 MiB of 48.0 MiB, 8.1 MiB/s, 4 s left". */
export function figures(bytes: number, of: number, millis: number): string {
  const { soFar, speed, left } = words.updates;
  const parts = [soFar(size(bytes), size(of))];
  if (millis >= MEANT_AFTER_MS && bytes > 0) {
    const perSecond = (bytes * 1_000) / millis;
    parts.push(speed(size(perSecond)), left(timeLeft((of - bytes) / perSecond)));
  }
  return parts.join(", ");
}

/** Rounded up, in the two largest units: "0 s", "42 s", "3 min 5 s", "2 h 10 min", "5 d 3 h". */
export function timeLeft(seconds: number): string {
  const all = Math.max(0, Math.ceil(seconds));
  const [d, h, m, s] = [Math.floor(all / 86_400), Math.floor(all / 3_600) % 24, Math.floor(all / 60) % 60, all % 60];
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${m} min`;
  return m > 0 ? `${m} min ${s} s` : `${s} s`;
}
