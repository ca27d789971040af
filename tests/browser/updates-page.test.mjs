// Appliance > Updates as a person follows it, with a stand-in for the agent: tests/boot has the same
// with a real one, in a booted machine.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { NOTES, startAgent, updateFile } from "./lib/agent.mjs";
import { booted, startAppliance } from "./lib/appliance.mjs";
import { barriers, person, picture, startBrowser } from "./lib/browser.mjs";
import { until } from "./lib/until.mjs";

const PASSWORD = "correct horse battery";
const here = { skip: booted ? "it has an agent of its own" : false };

let appliance, agent, browser, admin, rita, customer;

const button = (page, name, exact = false) => page.getByRole("button", { name, exact });
const shown = (page, text) => page.getByText(text).first().waitFor();

/** The page on a screen, a laptop and a phone, by day and by night. */
async function pictures(name) {
  for (const [width, height] of [[1440, 900], [1024, 768], [390, 844]]) {
    await admin.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"]) {
      // Colours fade otherwise, and the picture is of something in between.
      await admin.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await picture(admin, `${name}-${width}-${colorScheme}`);
    }
  }
  await admin.setViewportSize({ width: 1440, height: 900 });
  assert.deepEqual(await barriers(admin), []);
  await admin.emulateMedia({ colorScheme: "light" });
  assert.deepEqual(await barriers(admin), []);
}

async function signIn(page, path, name) {
  await page.goto(`${appliance.url}${path}`);
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, "Sign in").click();
}

before(async () => {
  if (booted) return;
  [appliance, browser] = await Promise.all([startAppliance("--generation", "1"), startBrowser()]);
  agent = await startAgent(appliance);
  admin = await person(browser);
  rita = await person(browser);
  customer = await person(browser, { viewport: { width: 390, height: 844 } });
});

after(async () => {
  agent?.stop();
  await browser?.close();
  await appliance?.stop();
});

test("somebody supports somebody, and the administrator opens the page", here, async () => {
  await admin.goto(appliance.setupUrl);
  await admin.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await admin.getByLabel("The same password again").fill(PASSWORD);
  await button(admin, "Create the account").click();
  await admin.waitForURL((url) => url.pathname !== "/login/setup");
  if (await admin.getByLabel("User name").count()) await signIn(admin, "/login", "admin");
  await appliance.ask({ request: "create_representative", name: "rita", display_name: "Rita Right", password: PASSWORD });
  await signIn(rita, "/console", "rita");
  await shown(rita, "Nobody is waiting");
  const { url } = await appliance.ask({ request: "create_key", representative: "rita" });
  await customer.goto(url);
  await customer.getByRole("link", { name: "Yes" }).click();
  await customer.getByRole("link", { name: "Start the chat" }).click();
  await customer.getByLabel("name").fill("Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine, Philadelphia");
  await customer.locator("form.calm-card button").click();
  await button(rita, /^Accept/).first().click();
  await shown(customer, "Rita Right");
  await admin.goto(`${appliance.url}/login/updates`);
  await admin.locator("#update-file").waitFor();
  await pictures("updates-1-idle");
});

test("a file has a clear verdict before anything is written", here, async () => {
  const file = admin.locator("#update-file");
  const at = (name) => join(appliance.state, "..", name);
  await writeFile(at("letter.update"), "Dear appliance,\n".repeat(40));
  await file.setInputFiles(at("letter.update"));
  await shown(admin, "This is not an update file");
  await pictures("updates-2-no-update");
  await writeFile(at("1.5.0.update"), updateFile(24 << 20));
  await file.setInputFiles(at("1.5.0.update"));
  await shown(admin, "Version 1.5.0");
  await shown(admin, NOTES.split("\n")[0]);
  await pictures("updates-3-verdict");
  assert.equal(agent.status.history.length, 0);
});

test("how far it is shows with speed and time left, and who a restart would interrupt", here, async () => {
  const goOnWriting = agent.halt("writing");
  const goOnReading = agent.halt("reading_back");
  await button(admin, "Install 1.5.0").click();
  const figures = admin.locator("[data-figures]");
  await until("speed and time left are shown", 30_000, async () =>
    /MiB of .* MiB, .*\/s, .* left$/.test((await figures.count()) ? await figures.innerText() : ""));
  await picture(admin, "updates-4-writing");
  goOnWriting();
  await shown(admin, "Version 1.5.0 is being checked");
  goOnReading();
  await button(admin, "Restart now").waitFor({ timeout: 30_000 });
  await shown(admin, "1 support session is open.");
  assert.match(await admin.locator(".in-the-way li").innerText(), /^Rita Right with Wolfeschlegelsteinhausen.* began /);
  await button(admin, "Restart in the window").waitFor();
  await pictures("updates-5-ready");
});

test("both are told, and the page comes back and says how it ended", here, async () => {
  await button(admin, "Restart now").click();
  await shown(admin, "The appliance restarts at");
  await shown(rita, "The appliance restarts for an update.");
  await shown(customer, "Your conversation goes on by itself afterwards.");
  await pictures("updates-6-noted");
  await appliance.down();
  await shown(admin, "The appliance is restarting into version 1.5.0.");
  await pictures("updates-7-away");
  await appliance.up("--generation", "2", "--trial");
  await agent.proved();
  await until("the version proved itself", 30_000, async () =>
    (await admin.locator(".history .badge").first().innerText().catch(() => "")) === "Proved itself");
  await shown(admin, "Version 1.5.0 runs");
  await pictures("updates-8-proved");
  await rita.locator(".banner.warn").waitFor({ state: "hidden" });
});

test("what is new is shown at the next sign-in, once", here, async () => {
  for (const reads of [true, false]) {
    await button(admin, "Sign out").click();
    await signIn(admin, "/login", "admin");
    if (reads) {
      await admin.getByRole("heading", { name: "What is new" }).waitFor();
      await shown(admin, NOTES.split("\n")[0]);
      await pictures("updates-9-news");
      await button(admin, "Continue").click();
    }
    await admin.getByRole("heading", { name: "Information" }).waitFor();
  }
});
