// A recorded shell: asciicast v2, one JSON value a line, the first a header.

export type CastEvent =
  /** Output shown. */
  | { at: number; kind: "output"; text: string }
  /** The terminal's size changed. */
  | { at: number; kind: "size"; columns: number; rows: number };

export interface Cast {
  columns: number;
  rows: number;
  events: CastEvent[];
  /** The rest of the file could not be read. */
  broken: boolean;
}

/** Reads a recording as far as it makes sense. Null if not even its header does. */
export function parseCast(text: string): Cast | null {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const header = parse(lines[0] ?? "");
  if (!isRecord(header) || header["version"] !== 2) return null;
  const cast: Cast = {
    columns: size(header["width"], 80),
    rows: size(header["height"], 24),
    events: [],
    broken: false,
  };
  let latest = 0;
  for (const line of lines.slice(1)) {
    const event = parse(line);
    if (!Array.isArray(event) || typeof event[0] !== "number" || typeof event[2] !== "string") {
      // The appliance may have lost power while it wrote the last line.
      cast.broken = true;
      break;
    }
    latest = Math.max(latest, event[0]);
    if (event[1] === "o") cast.events.push({ at: latest, kind: "output", text: event[2] });
    const [columns, rows] = event[1] === "r" ? event[2].split("x").map(Number) : [];
    if (columns && rows) cast.events.push({ at: latest, kind: "size", columns: size(columns, 80), rows: size(rows, 24) });
  }
  return cast;
}

/** The same recording with every pause cut down to `most` seconds. */
export function shortenPauses(events: readonly CastEvent[], most: number): CastEvent[] {
  let cut = 0;
  let before = 0;
  return events.map((event) => {
    cut += Math.max(0, event.at - before - most);
    before = event.at;
    return { ...event, at: event.at - cut };
  });
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function size(value: unknown, fallback: number): number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 ? Math.min(value, 1_000) : fallback;
}
