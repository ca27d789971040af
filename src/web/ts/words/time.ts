// Times, durations, counts and sizes as people read them.

const locale = globalThis.document?.documentElement.lang || "en";

const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" });
const minutes = new Intl.NumberFormat(locale, { style: "unit", unit: "minute", unitDisplay: "short" });
const list = new Intl.ListFormat(locale, { type: "conjunction" });
const whole = new Intl.NumberFormat(locale);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "now", "3 min", then the time of day, then the date too. */
export function ago(at: number, now: number, justNow: string): string {
  const age = now - at;
  if (age < MINUTE) return justNow;
  if (age < HOUR) return minutes.format(Math.floor(age / MINUTE));
  return age < DAY ? clock.format(at) : dayAndClock.format(at);
}

/** The day and the time of day, for a table of facts. */
export function dayAndTime(at: number): string {
  return dayAndClock.format(at);
}

/** The whole truth with its zone, for a tooltip. */
export function exactly(at: number): string {
  return exact.format(at);
}

/** "0:07", "12:30", "1:02:03". */
export function stopwatch(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** The same as an HTML duration, for `<time datetime>`. */
export function isoDuration(ms: number): string {
  return `PT${Math.max(0, Math.floor(ms / 1_000))}S`;
}

/** "10 minutes", "1 hour", "24 hours". */
export function longDuration(seconds: number): string {
  const unit = (value: number, name: "minute" | "hour") =>
    new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "long" }).format(value);
  const [h, m] = [Math.floor(seconds / 3_600), Math.round((seconds % 3_600) / 60)];
  const parts = [...(h ? [unit(h, "hour")] : []), ...(m || !h ? [unit(m, "minute")] : [])];
  return list.format(parts);
}

export function count(n: number): string {
  return whole.format(n);
}

/** Binary units with one decimal: "12.3 MiB". */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = n < 1 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), units.length - 1);
  const digits = step === 0 ? 0 : 1;
  const value = new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${value.format(n / 1_024 ** step)} ${units[step]}`;
}
