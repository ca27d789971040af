// The window's time of the day in the administrator's own zone.

/** "07:30" for "02:00" UTC in `zone` on that day; nothing if it is the same, or no time. */
export function localTime(time: string, zone: string, now: Date): string {
  const [hour, minute] = time.split(":").map(Number);
  if (hour === undefined || minute === undefined || Number.isNaN(hour + minute)) return "";
  const at = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), hour, minute);
  const options = { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  const local = new Intl.DateTimeFormat("en-GB", options).format(at);
  return local === time.slice(0, 5) ? "" : local;
}
