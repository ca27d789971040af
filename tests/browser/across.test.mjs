// A restart for an update, as people at work meet it: told before, back after, in the new pages.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { booted, startAppliance } from "./lib/appliance.mjs";
import { barriers, person, picture, startBrowser } from "./lib/browser.mjs";
import { until } from "./lib/until.mjs";

const PASSWORD = "correct horse battery";
/** From a page being served to everybody being back (GX-02). */
const BACK_WITHIN_MS = 2_000;
const here = { skip: booted ? "tests/boot restarts a booted appliance" : false };

let appliance, browser, rita, customer;

const button = (page, name, exact = false) => page.getByRole("button", { name, exact });
const shown = (page, text) => page.getByText(text).first().waitFor();
const version = () => rita.evaluate(() => document.documentElement.dataset.version);

before(async () => {
  if (booted) return;
  [appliance, browser] = await Promise.all([startAppliance("--generation", "1"), startBrowser()]);
  rita = await person(browser);
  customer = await person(browser, { viewport: { width: 390, height: 844 } });
});

after(async () => {
  await browser?.close();
  await appliance?.stop();
});

test("a representative and a customer chat", here, async () => {
  await appliance.ask({ request: "create_representative", name: "rita", display_name: "Rita Right", password: PASSWORD });
  await rita.goto(`${appliance.url}/console`);
  await rita.getByLabel("User name").fill("rita");
  await rita.getByLabel("Password").fill(PASSWORD);
  await button(rita, "Sign in").click();
  await shown(rita, "Nobody is waiting");
  const { url } = await appliance.ask({ request: "create_key", representative: "rita" });
  await customer.goto(url);
  await customer.getByRole("link", { name: "Yes" }).click();
  await customer.getByRole("link", { name: "Start the chat" }).click();
  await customer.locator("form.calm-card button").click();
  await button(rita, /^Accept/).first().click();
  await shown(customer, "Rita Right");
  await customer.getByLabel("Your message").fill("My printer is on fire");
  await button(customer, "Send").click();
  await shown(rita, "My printer is on fire");
});

test("both are told before the restart, and that it does not come after all", here, async () => {
  await appliance.ask({ request: "announce", restart: Date.now() + 15_000 });
  await shown(rita, "The appliance restarts for an update.");
  await shown(customer, "Your conversation goes on by itself afterwards.");
  for (const colorScheme of ["light", "dark"]) {
    for (const [who, page] of Object.entries({ rita, customer })) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await picture(page, `across-1-told-${who}-${colorScheme}`);
      assert.deepEqual(await barriers(page), []);
    }
  }
  await rita.setViewportSize({ width: 1024, height: 768 });
  await picture(rita, "across-1-told-rita-1024");
  await rita.setViewportSize({ width: 1440, height: 900 });
  await appliance.ask({ request: "announce", restart: null });
  await rita.getByText("The appliance restarts for an update.").waitFor({ state: "hidden" });
  await customer.locator(".talk-lost").waitFor({ state: "hidden" });
});

test("both are back within two seconds, and the console in its new version", here, async () => {
  const before = await version();
  const draft = rita.getByRole("textbox", { name: /^Message to/ });
  await draft.fill("Half a sent");
  await appliance.ask({ request: "announce", restart: Date.now() + 15_000 });
  await shown(rita, "The appliance restarts for an update.");
  await appliance.down();
  await shown(rita, "The appliance is restarting for an update.");
  await shown(customer, "The support site is restarting for an update.");
  for (const [who, page] of Object.entries({ rita, customer })) {
    await picture(page, `across-2-away-${who}`);
    assert.deepEqual(await barriers(page), []);
  }
  await appliance.up("--generation", "2", "--trial");
  const open = Date.now();
  const lost = [rita.locator(".banner.warn"), customer.locator(".talk-lost")];
  await Promise.all(lost.map((banner) => banner.waitFor({ state: "hidden" })));
  const took = Date.now() - open;
  assert.ok(took < BACK_WITHIN_MS, `${took} ms`);
  // Nobody is interrupted in the middle of a sentence.
  await shown(rita, "The appliance has a new version.");
  await picture(rita, "across-3-newer");
  assert.deepEqual(await barriers(rita), []);
  await until("the console is of the new version", 30_000, async () =>
    (await version().catch(() => before)) !== before);
  // In the session that was shown, with what was typed.
  await shown(rita, "My printer is on fire");
  assert.equal(await draft.inputValue(), "Half a sent");
  await picture(rita, "across-4-reloaded");
  await draft.fill("Still there?");
  await draft.press("Enter");
  await shown(customer, "Still there?");
  await customer.getByLabel("Your message").fill("Yes, and the fire is out");
  await button(customer, "Send").click();
  await shown(rita, "the fire is out");
  await rita.getByText("The appliance has a new version.").waitFor({ state: "hidden" });
});
