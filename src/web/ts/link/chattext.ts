// What may be said in chat, cut down as the relay cuts it (src/domain/text.rs), so that what comes
// back is recognised as what was sent.

import { CHAT_BYTES_MAX } from "./limits.ts";

const encoder = new TextEncoder();

/** Without the space around it, and without control characters but newline and tab. */
export function cleanChat(typed: string): string {
  return typed.trim().replace(/[^\P{Cc}\n\t]/gu, "");
}

/** Whether it fits one message. */
export function fitsChat(text: string): boolean {
  return encoder.encode(text).byteLength <= CHAT_BYTES_MAX;
}
