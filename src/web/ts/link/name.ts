// A name as the link carries it (src/domain/text.rs, Label).

import { NAME_BYTES_MAX } from "./limits.ts";

const encoder = new TextEncoder();

/** Without the space around it and control characters, cut at a whole character. */
export function cleanName(typed: string): string {
  let kept = "";
  let bytes = 0;
  for (const char of typed.replace(/\p{Cc}/gu, "").trim()) {
    bytes += encoder.encode(char).byteLength;
    if (bytes > NAME_BYTES_MAX) break;
    kept += char;
  }
  return kept;
}
