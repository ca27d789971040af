import assert from "node:assert/strict";
import { test } from "node:test";

import { cleanName } from "../link/name.ts";
import { platform } from "./platform.ts";

test("a name fits the link whatever was typed", () => {
  assert.equal(cleanName("  Kim\u0007 Lee\n"), "Kim Lee");
  assert.equal(cleanName(" \t"), "");
  // Two bytes each, and a limit of 128.
  assert.equal(cleanName("ä".repeat(100)), "ä".repeat(64));
  assert.equal(cleanName(`a${"😀".repeat(40)}`), `a${"😀".repeat(31)}`);
});

test("a browser is named with its system", () => {
  const mozilla = "Mozilla/5.0";
  const like = "AppleWebKit/537.36 (KHTML, like Gecko)";
  const agents = {
    "Firefox on Linux": `${mozilla} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0`,
    "Edge on Windows": `${mozilla} (Windows NT 10.0; Win64; x64) ${like} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`,
    "Samsung Internet on Android": `${mozilla} (Linux; Android 10; K) ${like} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
    "Safari on iOS": `${mozilla} (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1`,
    "Chrome on ChromeOS": `${mozilla} (X11; CrOS x86_64 14541.0.0) ${like} Chrome/140.0.0.0 Safari/537.36`,
    Browser: "curl/8",
  };
  for (const [words, agent] of Object.entries(agents)) assert.equal(platform(agent), words);
});
