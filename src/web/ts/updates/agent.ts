// What the pages' addresses for this script answer (src/control/update.rs).

export type Phase =
  | { phase: "idle" | "checking" }
  | { phase: "writing" | "reading_back"; version: string; bytes: number; of: number; millis: number }
  | { phase: "ready"; version: string; slot: string; restart: number | null }
  | { phase: "proving"; version: string };

export type Status = { phase: Phase };

export type Verdict = {
  offer: {
    version: string;
    model: string;
    channel: "development" | "release";
    built: number;
    notes: string;
    bytes: number;
    failed_before: boolean;
  };
  needs: { older: boolean; expired: boolean };
  expired: { role: string; since: number }[];
  refused: string | null;
};

/** An answer, or a sentence that says why there is none. */
export type Told<T> = { value: T } | { error: string; signedOut?: boolean };

/** `fetch`, with everything that can go wrong turned into a sentence. */
export async function ask<T>(address: string, failed: string, init: RequestInit = {}): Promise<Told<T>> {
  try {
    const response = await fetch(address, { ...init, credentials: "same-origin", redirect: "error" });
    const answer = (await response.json()) as T & { error?: string; request?: string };
    if (response.status === 401) return { error: failed, signedOut: true };
    if (answer.error === undefined) return { value: answer };
    // A code for programs has the request's number beside it; words have not.
    return { error: answer.request === undefined ? answer.error : `${failed} (${answer.error}, ${answer.request})` };
  } catch {
    return { error: failed };
  }
}
