// The main job, as people do it: an administrator sets the appliance up, a representative supports
// a customer's real computer, and the appliance remembers what happened.

import assert from "node:assert/strict";
import { access, chmod } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { booted, canary, startAppliance } from "./lib/appliance.mjs";
import { barriers, person, picture, startBrowser } from "./lib/browser.mjs";
import { startCable } from "./lib/cable.mjs";
import { startClient } from "./lib/client.mjs";
import { until } from "./lib/until.mjs";

const PASSWORD = "correct horse battery";
const REPRESENTATIVE = `Rita Right${canary && ` ${canary}`}`;
/** Of what a booted appliance keeps to itself. */
const inside = { skip: booted ? "nobody gets into a booted appliance" : false };

let appliance, browser, admin, rita, customer;
let key, url, client, cable, ritasSite;

before(async () => {
  [appliance, browser] = await Promise.all([startAppliance(), startBrowser()]);
  cable = await startCable(new URL(appliance.url).port);
  ritasSite = `https://localhost:${cable.port}`;
  admin = await person(browser);
  rita = await person(browser);
  customer = await person(browser, { viewport: { width: 390, height: 844 } });
});

after(async () => {
  client?.child.kill();
  cable?.close();
  await browser?.close();
  await appliance?.stop();
});

afterEach(async (t) => {
  // What everybody saw, for whoever has to find out why.
  const name = t.name.slice(0, 40).replaceAll(/\W+/g, "-");
  if (t.error) {
    for (const [who, page] of Object.entries({ admin, rita, customer })) {
      await picture(page, `failed-${name}-${who}`).catch(() => undefined);
    }
  }
});

const button = (page, name, exact = false) => page.getByRole("button", { name, exact });
const shown = (page, text) => page.getByText(text).first().waitFor();

/** The terminal's text, as the page renders it. */
const terminalText = (page) => page.locator(".xterm-rows").last().innerText();

/** Outside a terminal, letters are the console's own keys. */
const terminalListens = (page) => page.locator(".xterm-helper-textarea:focus").waitFor({ state: "attached" });

const terminalShows = (page, text) =>
  until(`the terminal shows '${text}'`, 15_000, async () => (await terminalText(page)).includes(text));

/** Rita makes a session key; the button that copies it. */
async function makeKey() {
  await button(rita, "Start New Session").first().click();
  await button(rita, "Create Session Key").click();
  const copyKey = button(rita, /^Session key .* copy it$/);
  await copyKey.waitFor();
  return copyKey;
}

const clipboard = () => rita.evaluate(() => navigator.clipboard.readText());

test("the administrator opens the set-up link, chooses a password and signs in", async () => {
  await admin.goto(appliance.setupUrl);
  await picture(admin, "01-setup");
  assert.deepEqual(await barriers(admin), []);
  await admin.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await admin.getByLabel("The same password again").fill(PASSWORD);
  await button(admin, "Create the account").click();
  await admin.waitForURL(/\/login/);
  if (await admin.getByLabel("User name").count()) {
    await admin.getByLabel("User name").fill("admin");
    await admin.getByLabel("Password").fill(PASSWORD);
    await button(admin, "Sign in").click();
  }
  await admin.goto(`${appliance.url}/login/status`);
  await admin.getByRole("heading", { name: "Information" }).waitFor();
  await shown(admin, booted?.model ?? "Virtual S");
  await picture(admin, "02-status");
  assert.deepEqual(await barriers(admin), []);
});

test("the set-up link works once", async () => {
  const stranger = await person(browser);
  const answer = await stranger.goto(appliance.setupUrl);
  assert.notEqual(answer.status(), 200);
  await picture(stranger, "03-setup-again");
  await stranger.context().close();
});

test("the administrator makes a representative", async () => {
  await admin.goto(`${appliance.url}/login/representatives`);
  await admin.getByLabel("User name").fill("rita");
  await admin.getByLabel("Name shown to customers").fill(REPRESENTATIVE);
  await admin.getByLabel("First password").fill(PASSWORD);
  await admin.getByLabel("The same password again").fill(PASSWORD);
  await button(admin, "Create the representative").click();
  await shown(admin, "may sign in now");
  await picture(admin, "04-representatives");
  assert.deepEqual(await barriers(admin), []);
});

test("the representative signs in and gets a key and a link, each copied by a click", async () => {
  await rita.goto(`${ritasSite}/console`);
  await picture(rita, "05-console-sign-in");
  await rita.getByLabel("User name").fill("rita");
  await rita.getByLabel("Password").fill(PASSWORD);
  await button(rita, "Sign in").click();
  await shown(rita, "Nobody is waiting");
  await picture(rita, "06-console-empty");
  assert.deepEqual(await barriers(rita), []);
  const copyKey = await makeKey();
  await picture(rita, "07-key");
  await copyKey.click();
  key = (await clipboard()).replaceAll(/\D/g, "");
  assert.match(key, /^\d{7}$/);
  await button(rita, "Copy the link").click();
  url = await clipboard();
  assert.match(url, new RegExp(`^${ritasSite}/\\?ak=[0-9a-f]{32}$`));
  await rita.keyboard.press("Escape");
});

test("a wrong key says so in plain words and reveals nothing", async () => {
  await customer.goto(appliance.url);
  await picture(customer, "08-portal-phone");
  assert.deepEqual(await barriers(customer), []);
  await customer.getByLabel("Session key").fill("0000000");
  await customer.keyboard.press("Enter");
  await customer.getByRole("alert").waitFor();
  await picture(customer, "09-portal-wrong-key");
  const text = await customer.locator("body").innerText();
  assert.ok(!text.includes(REPRESENTATIVE));
});

test("the customer types the key and is asked whether to start a session", async () => {
  await customer.goto(appliance.url);
  await customer.getByLabel("Session key").fill(`${key.slice(0, 3)} ${key.slice(3)}`);
  await customer.keyboard.press("Enter");
  await customer.getByRole("heading", { name: `Start a session with ${REPRESENTATIVE}?` }).waitFor();
  await picture(customer, "10-confirm-phone");
  assert.deepEqual(await barriers(customer), []);
  await customer.getByRole("link", { name: "Yes" }).or(button(customer, "Yes")).click();
  await shown(customer, "In the browser");
  await picture(customer, "11-start-phone");
  assert.deepEqual(await barriers(customer), []);
});

test("the downloaded client is one small file that asks before anything", async () => {
  const [download] = await Promise.all([
    customer.waitForEvent("download"),
    customer.getByRole("link", { name: "Download the client" }).click(),
  ]);
  const file = join(appliance.state, "..", download.suggestedFilename());
  await download.saveAs(file);
  await chmod(file, 0o755);
  client = startClient(file);
  client.file = file;
  await client.hears("You are connecting to");
  await client.hears(`Waiting for ${REPRESENTATIVE}`);
});

test("the session waits in the personal queue and is accepted", async () => {
  await button(rita, /^Accept/).first().waitFor();
  await shown(rita, "Waiting");
  await picture(rita, "12-console-waiting");
  assert.deepEqual(await barriers(rita), []);
  await button(rita, /^Accept/).first().click();
  await client.hears(`${REPRESENTATIVE} is connected`);
  await shown(rita, "In Progress");
});

test("both chat, and both see the same log", async () => {
  const box = rita.getByRole("textbox", { name: /^Message to/ });
  await box.fill("Hello, what is wrong? Ünïcödé ✓");
  await box.press("Enter");
  await client.hears("Hello, what is wrong? Ünïcödé ✓");
  client.type(`My printer is on fire ${canary}`);
  await shown(rita, "My printer is on fire");
  await picture(rita, "13-console-chat");
});

test("a refused shell does not open", async () => {
  await button(rita, "Command Shell").first().click();
  await client.hears("asks to open a command shell on this computer as");
  await shown(rita, "to allow the command shell");
  await picture(rita, "14-console-asking");
  // Meant for the shell by somebody who types ahead: nothing is taken away by a letter.
  for (const letter of ["h", "e"]) await rita.keyboard.press(letter);
  assert.equal(await rita.locator("dialog[open]").count(), 0);
  client.type("n");
  await client.hears("Refused");
  await shown(rita, "refused the command shell");
  assert.equal(await rita.locator(".xterm").count(), 0);
});

test("an allowed shell is a real terminal on the customer's computer", async () => {
  await button(rita, "Command Shell").first().click();
  await client.hears("Allow? [y/N]");
  client.type("y");
  await terminalListens(rita);
  await rita.keyboard.type("echo $((6*7))-$(printf '\\xc3\\xa4')\n");
  await terminalShows(rita, "42-ä");
  await rita.keyboard.type("stty size\n");
  const size = await until("stty answers", 10_000, async () => (await terminalText(rita)).match(/^\d+ \d+$/m));
  await picture(rita, "15-console-shell");
  assert.deepEqual(await barriers(rita), []);
  await rita.setViewportSize({ width: 1024, height: 700 });
  await until("the shell has another size", 10_000, async () => {
    await rita.keyboard.type("stty size\n");
    const sizes = (await terminalText(rita)).match(/^\d+ \d+$/gm) ?? [];
    return sizes.some((other) => other !== size[0]);
  });
  await picture(rita, "16-console-shell-1024");
  await rita.setViewportSize({ width: 1440, height: 900 });
});

test("a second shell opens in a tab without asking again", async () => {
  await button(rita, "Command Shell").first().click();
  await rita.getByRole("tab", { name: "Shell 2" }).waitFor();
  await terminalListens(rita);
  await rita.keyboard.type("echo second-$((1+1))\n");
  await terminalShows(rita, "second-2");
});

test("a browser that loses its connection comes back, and no key stroke is lost or repeated", async () => {
  await rita.keyboard.type("echo before-$((1+1))\n");
  await terminalShows(rita, "before-2");
  cable.cut();
  await shown(rita, "The connection to the appliance is lost.");
  await rita.keyboard.type("echo typed-meanwhile-$((2+3))\n");
  await picture(rita, "17-console-lost");
  assert.deepEqual(await barriers(rita), []);
  cable.mend();
  await terminalShows(rita, "typed-meanwhile-5");
  const text = await terminalText(rita);
  assert.equal(text.split("typed-meanwhile-5").length, 2, text);
  await rita.getByText("The connection to the appliance is lost.").waitFor({ state: "hidden" });
});

test("a page loaded again comes back to its sessions and shells", async () => {
  await rita.reload();
  // In the tab that was shown, without a click.
  await shown(rita, "My printer is on fire");
  await rita.getByRole("tab", { name: "Shell 2" }).click();
  await rita.locator(".xterm-helper-textarea").last().focus();
  await rita.keyboard.type("echo after-the-reload-$((2+3))\n");
  await terminalShows(rita, "after-the-reload-5");
  await picture(rita, "17-console-reloaded");
});

test("a restart of the web side drops no session", inside, async () => {
  const web = (await import("node:child_process")).execFileSync(
    "pgrep", ["-P", String(appliance.child.pid), "-x", "web"], { encoding: "utf8" },
  ).trim();
  process.kill(Number(web), "SIGKILL");
  await rita.keyboard.type("echo still-here-$((3+4))\n");
  await terminalShows(rita, "still-here-7");
});

test("the customer stops sharing, and everything granted is withdrawn at once", async () => {
  client.type("/stop");
  await client.hears("Sharing stopped");
  await shown(rita, "stopped sharing");
  await until("no shell is open", 5_000, async () =>
    /over|no tool is open/i.test(await rita.locator("main, #console").first().innerText()));
  await picture(rita, "18-console-stopped");
});

test("the owner holds the session and takes it back", async () => {
  await button(rita, "Hold Session").first().click();
  await client.hears("on hold");
  await button(rita, /^Accept/).first().click();
  await client.hears(`${REPRESENTATIVE} is connected`);
});

test("at the end the client says so and removes itself", async () => {
  await button(rita, "End Session").first().click();
  await rita.getByRole("dialog").waitFor();
  await picture(rita, "19-console-end");
  await rita.getByRole("dialog").getByRole("button", { name: "End Session" }).click();
  await client.hears("can no longer reach this computer");
  assert.equal(await client.ended, 0);
  await assert.rejects(access(client.file), { code: "ENOENT" });
});

test("a used key starts nothing and says no more than a wrong one", async () => {
  await customer.goto(url);
  await picture(customer, "20-used-link");
  const text = await customer.locator("body").innerText();
  assert.ok(!text.includes(REPRESENTATIVE));
});

test("the report has the facts, the log and the shells played back", async () => {
  await admin.goto(`${appliance.url}/login/reports`);
  await picture(admin, "21-reports");
  assert.deepEqual(await barriers(admin), []);
  await admin.getByRole("table").getByRole("link").first().click();
  await shown(admin, "My printer is on fire");
  await picture(admin, "22-report");
  assert.deepEqual(await barriers(admin), []);
  await admin.getByRole("link", { name: /play|watch|shell 1/i }).first().click();
  await admin.locator(".xterm").waitFor();
  await picture(admin, "23-player");
  await admin.getByLabel("Position").press("End");
  await terminalShows(admin, "42-ä");
  assert.deepEqual(await barriers(admin), []);
});

test("a customer on a phone chats in the browser, loses nothing by a reload, and leaves", async () => {
  await makeKey();
  await button(rita, "Copy the link").click();
  await customer.goto(await clipboard());
  await rita.keyboard.press("Escape");
  await customer.getByRole("link", { name: "Yes" }).or(button(customer, "Yes")).click();
  await customer.getByRole("link", { name: "Start the chat" }).click();
  await customer.getByLabel("Your name").waitFor();
  await picture(customer, "23-chat-name");
  assert.deepEqual(await barriers(customer), []);
  await customer.getByLabel("Your name").fill("Kim Chatter");
  await customer.keyboard.press("Enter");
  await shown(rita, "Kim Chatter");
  await button(rita, "View").click();
  await shown(rita, /Chrome on Linux/);
  await button(rita, /^Accept/).first().click();
  const box = customer.getByRole("textbox");
  await box.fill("I am on my phone");
  await box.press("Enter");
  await shown(rita, "I am on my phone");
  await picture(customer, "24-chat-phone");
  assert.deepEqual(await barriers(customer), []);
  await customer.reload();
  await shown(customer, "I am on my phone");
  const reply = rita.getByRole("textbox", { name: /^Message to/ });
  await reply.fill("So I see");
  await reply.press("Enter");
  await shown(customer, "So I see");
  await button(customer, /End chat/i).first().click();
  await customer.getByRole("dialog").getByRole("button", { name: "End chat" }).click();
  await shown(customer, /can no longer/i);
  await picture(customer, "25-chat-end");
  await shown(rita, "The customer left the session.");
});

test("strangers who guess passwords keep nobody out", async () => {
  const strangers = 11;
  const guess = async (page) => {
    await page.getByLabel("User name").fill("rita");
    await page.getByLabel("Password").fill("not the password");
    await button(page, "Sign in").click();
    await page.getByRole("alert").waitFor();
  };
  const stranger = await person(browser);
  for (let tries = 0; tries < strangers; tries += 1) {
    await stranger.goto(`${appliance.url}/login`);
    await guess(stranger);
  }
  await shown(stranger, "Somebody has been trying");
  await picture(stranger, "26-sign-in-puzzle");
  assert.deepEqual(await barriers(stranger), []);
  // Whoever knows the password types it again and gets in, however early the button is pressed.
  await stranger.getByLabel("Password").fill(PASSWORD);
  await button(stranger, "Sign in").click();
  await stranger.getByRole("heading", { name: "My Account" }).waitFor();
  await stranger.context().close();
});

test("what browsers do by themselves is nobody's fault in the relay's log", inside, async () => {
  const faults = (await appliance.log("relay")).match(/.*(peer_closed|no_request_in_time).*/g) ?? [];
  assert.deepEqual(faults, []);
});

test("no page reported an error of its scripts", () => {
  const offline = /ERR_INTERNET_DISCONNECTED|ERR_CERT|502|503|404|Failed to load resource/;
  for (const page of [admin, rita, customer]) {
    assert.deepEqual(page.faults.filter((fault) => !offline.test(fault)), []);
  }
});
