// A version of the system as people meet it: the administrator follows it on the page, a
// representative and two customers are told and come back. Run by tests/boot, which boots an appliance
// and has a newer version for it.

import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { startAppliance } from "./lib/appliance.mjs";
import { barriers, person, picture, startBrowser } from "./lib/browser.mjs";
import { startClient } from "./lib/client.mjs";
import { until } from "./lib/until.mjs";

const PASSWORD = "correct horse battery";
/** The newer version: its file, and what its notes say. */
const update = process.env.JUMPGATE_UPDATE && JSON.parse(process.env.JUMPGATE_UPDATE);
const only = { skip: update ? false : "tests/boot brings a version to install" };
/** An emulated machine takes its time. */
const slowly = { ...only, timeout: 900_000 };

let appliance, browser, admin, rita, customer, client;

before(async () => {
  if (!update) return;
  [appliance, browser] = await Promise.all([startAppliance(), startBrowser()]);
  admin = await person(browser);
  rita = await person(browser);
  customer = await person(browser, { viewport: { width: 390, height: 844 } });
  for (const page of [admin, rita, customer]) page.setDefaultTimeout(60_000);
});

after(async () => {
  client?.child.kill();
  await browser?.close();
  await appliance?.stop();
});

afterEach(async (t) => {
  if (!t.error) return;
  const name = t.name.slice(0, 40).replaceAll(/\W+/g, "-");
  for (const [who, page] of Object.entries({ admin, rita, customer })) {
    await picture(page, `failed-${name}-${who}`).catch(() => undefined);
  }
});

const button = (page, name, exact = false) => page.getByRole("button", { name, exact });
const shown = (page, text) => page.getByText(text).first().waitFor();
const updates = () => admin.goto(`${appliance.url}/login/updates`);
const status = () => admin.evaluate(async () => (await fetch("/login/updates/status")).json());
const terminalText = () => rita.locator(".xterm-rows").last().innerText();
const terminalShows = (text) =>
  until(`the terminal shows '${text}'`, 60_000, async () => (await terminalText()).includes(text));

/** The page as it is on a screen, on a phone, and in the dark. */
async function pictures(page, name) {
  const before = page.viewportSize();
  for (const [width, height] of [[1440, 900], [1024, 768], [390, 844]]) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"]) {
      // Colours fade otherwise, and the picture is of something in between.
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.evaluate(() => scrollTo(0, 0));
      await picture(page, `${name}-${width}-${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
}

async function signIn(page, path, name) {
  await page.goto(`${appliance.url}${path}`);
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, "Sign in").click();
}

/** Whether the front door is open: a page is served. */
function isOpen() {
  return new Promise((done) => {
    const asked = request(appliance.url, { rejectUnauthorized: false, timeout: 3_000 }, (answer) => {
      answer.resume();
      done(answer.statusCode === 200);
    });
    asked.on("error", () => done(false));
    asked.on("timeout", () => asked.destroy());
    asked.end();
  });
}

/** A link to a new session, as Rita copies it. */
async function newLink() {
  await button(rita, "Start New Session").first().click();
  await button(rita, "Create Session Key").click();
  await button(rita, /^Session key .* copy it$/).waitFor();
  await button(rita, "Copy the link").click();
  const link = await rita.evaluate(() => navigator.clipboard.readText());
  await rita.keyboard.press("Escape");
  return link;
}

test("an administrator, a representative and two customers are at work", slowly, async () => {
  await admin.goto(appliance.setupUrl);
  await admin.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await admin.getByLabel("The same password again").fill(PASSWORD);
  await button(admin, "Create the account").click();
  await admin.waitForURL((url) => url.pathname !== "/login/setup");
  if (await admin.getByLabel("User name").count()) await signIn(admin, "/login", "admin");
  await admin.waitForURL((url) => !["/login", "/login/setup"].includes(url.pathname));
  await admin.goto(`${appliance.url}/login/representatives`);
  await admin.getByLabel("User name").fill("rita");
  await admin.getByLabel("Name shown to customers").fill("Rita Right");
  await admin.getByLabel("First password").fill(PASSWORD);
  await admin.getByLabel("The same password again").fill(PASSWORD);
  await button(admin, "Create the representative").click();
  await shown(admin, "may sign in now");
  await signIn(rita, "/console", "rita");
  await shown(rita, "Nobody is waiting");

  // One chats in the browser of a phone.
  await customer.goto(await newLink());
  await customer.getByRole("link", { name: "Yes" }).or(button(customer, "Yes")).click();
  await customer.getByRole("link", { name: "Start the chat" }).click();
  await customer.locator("form.calm-card button").click();
  await button(rita, /^Accept/).first().click();
  await shown(customer, "Rita Right");
  // The other one has the client, and shares a shell.
  const visitor = await person(browser);
  await visitor.goto(await newLink());
  await visitor.getByRole("link", { name: "Yes" }).or(button(visitor, "Yes")).click();
  const [download] = await Promise.all([
    visitor.waitForEvent("download"),
    visitor.getByRole("link", { name: "Download the client" }).click(),
  ]);
  const file = join(appliance.state, "..", download.suggestedFilename());
  await download.saveAs(file);
  await chmod(file, 0o755);
  await visitor.context().close();
  client = startClient(file);
  await client.hears("Waiting for Rita Right", 60_000);
  await rita.getByRole("tab").first().click();
  await button(rita, /^Accept/).first().click();
  await client.hears("Rita Right is connected", 60_000);
  await button(rita, "Command Shell").first().click();
  await client.hears("Allow? [y/N]", 60_000);
  client.type("y");
  await rita.locator(".xterm-helper-textarea:focus").waitFor({ state: "attached" });
  await rita.keyboard.type("X=41; echo before-$((X + 1))\n");
  await terminalShows("before-42");
});

test("a file that is none is refused, and one that is one is judged before anything is written", slowly, async () => {
  await updates();
  const file = admin.locator("#update-file");
  await until("an update may begin", 300_000, async () => (await file.count()) > 0);
  await pictures(admin, "update-1-idle");
  assert.deepEqual(await barriers(admin), []);
  const letter = join(appliance.state, "..", "letter.update");
  await writeFile(letter, "Dear appliance,\n".repeat(40));
  await file.setInputFiles(letter);
  await admin.locator("[data-verdict] .notice.bad").waitFor();
  await picture(admin, "update-2-no-update");
  await file.setInputFiles(update.file);
  await shown(admin, `Version ${update.version}`);
  await shown(admin, update.notes);
  await pictures(admin, "update-3-verdict");
  assert.deepEqual(await barriers(admin), []);
  const { phase, history } = await status();
  assert.deepEqual([phase.phase, history.length], ["idle", 0]);
});

test("how far it is shows with speed and time left, and then it is ready", slowly, async () => {
  await button(admin, `Install ${update.version}`).click();
  const figures = admin.locator("[data-figures]");
  await until("speed and time left are shown", 300_000, async () =>
    /MiB of .* MiB, .*\/s, .* left$/.test((await figures.count()) ? await figures.innerText() : ""));
  await pictures(admin, "update-4-writing");
  await until("it is ready", 600_000, async () => (await button(admin, "Restart now").count()) > 0);
  // Who is in the way.
  await shown(admin, "2 support sessions are open.");
  const named = admin.locator(".in-the-way li");
  assert.equal(await named.count(), 2);
  assert.match(await named.first().innerText(), /^Rita Right with /);
  await button(admin, "Restart in the window").waitFor();
  await pictures(admin, "update-5-ready");
  assert.deepEqual(await barriers(admin), []);
});

test("everybody is told before the restart, and that it goes on by itself", slowly, async () => {
  await button(admin, "Restart now").click();
  await client.hears("for an update. Your session goes on by itself", 60_000);
  await shown(rita, "The appliance restarts for an update.");
  await shown(customer, "Your conversation goes on by itself afterwards.");
  await picture(rita, "update-6-told-console");
  await picture(customer, "update-6-told-customer");
  await picture(admin, "update-6-told-admin");
  assert.deepEqual(await barriers(rita), []);
  assert.deepEqual(await barriers(customer), []);
});

test("sessions come back by themselves, in the console of the new version", slowly, async () => {
  const old = await rita.evaluate(() => document.documentElement.dataset.version);
  await shown(rita, "The appliance is restarting for an update.");
  await shown(customer, "The support site is restarting for an update.");
  const gone = Date.now();
  await picture(rita, "update-7-away-console");
  await picture(customer, "update-7-away-customer");
  await admin.locator("[data-silent]:not([hidden])").waitFor({ timeout: 120_000 });
  await picture(admin, "update-7-away-admin");
  await client.hears("the appliance restarts");
  client.type("typed while it was away");
  await until("the front door is open", 600_000, isOpen);
  const open = Date.now();
  await rita.locator(".banner.warn").waitFor({ state: "hidden", timeout: 60_000 });
  console.log(`away for ${(open - gone) / 1_000} s, the console back ${(Date.now() - open) / 1_000} s after a page`);
  await client.hears("The connection is back", 60_000);
  console.log(`the customer client back ${(Date.now() - open) / 1_000} s after a page`);
  await until("the console is of the new version", 120_000, () =>
    rita.evaluate((old) => document.documentElement.dataset.version !== old, old).catch(() => false));
  // In the session that was shown before, without a click.
  await shown(rita, "typed while it was away");
  await rita.getByRole("tab", { name: "Shell 1" }).waitFor();
  await rita.locator(".xterm-helper-textarea").last().focus();
  await rita.keyboard.type("echo after-$((X + 2))\n");
  await terminalShows("after-43");
  await picture(rita, "update-8-back-console");
  await customer.locator(".talk-lost").waitFor({ state: "hidden" });
  await customer.getByLabel("Your message").fill("Still here");
  await button(customer, "Send").click();
  await picture(customer, "update-8-back-customer");
});

test("the page is back by itself, and says that the version proved itself", slowly, async () => {
  await until("the version proved itself", 600_000, async () =>
    (await admin.locator(".history .badge").first().innerText().catch(() => "")) === "Proved itself");
  await shown(admin, `Version ${update.version} runs`);
  await pictures(admin, "update-9-proved");
  assert.deepEqual(await barriers(admin), []);
});

test("what is new is shown at the next sign-in, once", slowly, async () => {
  for (const reads of [true, false]) {
    await button(admin, "Sign out").click();
    await signIn(admin, "/login", "admin");
    if (reads) {
      await admin.getByRole("heading", { name: "What is new" }).waitFor();
      await shown(admin, update.notes);
      await pictures(admin, "update-10-news");
      assert.deepEqual(await barriers(admin), []);
      await button(admin, "Continue").click();
    }
    await admin.getByRole("heading", { name: "Information" }).waitFor();
  }
});
