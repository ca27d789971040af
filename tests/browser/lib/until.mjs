// Waiting is for a condition with a deadline.

/** Calls `look` until it gives something; `what` (or what it gives) names the condition if not. */
export async function until(what, milliseconds, look) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) {
      const condition = typeof what === "function" ? what() : what;
      throw new Error(`not within ${milliseconds} ms: ${condition}`);
    };
    await new Promise((done) => setTimeout(done, 20));
  }
}
