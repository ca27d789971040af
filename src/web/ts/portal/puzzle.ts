// The puzzle a guessed-at site asks of browsers: find a number whose SHA-256, written after the
// challenge, begins with so many zero bits (src/domain/turned.rs).

import { leadingZeros, sha256 } from "./sha256.ts";

/** Hashes between two breaths, about 10 ms. */
const CHUNK = 2_000;

/** The first answer. Leaves the page responsive by pausing between chunks. */
export async function solve(challenge: string, bits: number): Promise<number> {
  for (let answer = 0; ; answer += 1) {
    if (leadingZeros(sha256(challenge + answer)) >= bits) return answer;
    if (answer % CHUNK === CHUNK - 1) await new Promise((resolve) => setTimeout(resolve));
  }
}
