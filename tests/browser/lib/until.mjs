// Waiting is for a condition with a deadline.

/** Calls `look` until it gives something; `what` names the condition if it never does. */
export async function until(what, milliseconds, look) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
