// The real customer client in a real terminal: `script` gives it one and carries the keys.

import { spawn } from "node:child_process";
import { until } from "./until.mjs";

export function startClient(file, ...words) {
  const command = [file, ...words].join(" ");
  const child = spawn("script", ["--quiet", "--flush", "--return", "--command", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  const ended = new Promise((done) => child.once("exit", (code) => done(code)));
  let seen = 0;
  return {
    child,
    ended,
    said: () => said,
    type: (line) => child.stdin.write(`${line}\n`),
    /** Waits for words after those waited for before. */
    hears: (words, milliseconds = 15_000) =>
      until(() => `the client says '${words}'; it said:\n${said}`, milliseconds, () => {
        const at = said.indexOf(words, seen);
        if (at < 0) return false;
        seen = at + words.length;
        return true;
      }),
  };
}
