// Appliance > Updates. The page works without this; with it, what goes on is shown as it goes on,
// and a file can be looked at and installed from here.

import { words } from "../words/en.ts";
import { ask, type Phase, type Status, type Verdict } from "./agent.ts";
import { beginning } from "./beginning.ts";
import { element } from "./dom.ts";
import { figures } from "./figures.ts";
import { notice, verdict } from "./verdict.ts";
import { localTime } from "./window.ts";

const BUSY_EVERY_MS = 1_000;
const QUIET_EVERY_MS = 5_000;
/** Sessions come and go while somebody thinks about a restart. */
const ANEW_EVERY_MS = 20_000;
/** An appliance that is gone this long before its restart is restarting: clocks differ. */
const RESTART_SOON_MS = 60_000;

const page = document.querySelector<HTMLElement>("[data-updates]");
/** A file is being looked at, shown, or sent: its card is not to be replaced. */
let holdsFile = false;
/** What each part was last replaced by. */
const drawnParts = new Map<string, string>();

if (page) {
  // What an order led to is said once.
  if (location.search) history.replaceState(null, "", location.pathname);
  offerUpload(page);
  sayLocalTime();
  void follow(page);
}

async function follow(page: HTMLElement): Promise<never> {
  let seen: string | undefined;
  let drawn = Date.now();
  let wasSilent = false;
  let last: Phase = { phase: "idle" };
  for (;;) {
    const told = await ask<Status>("/login/updates/status", words.updates.silent);
    if ("error" in told) {
      if (told.signedOut) anew();
      say(page, isRestarting(last) ? words.updates.restarting(last.version) : told.error);
      if (isRestarting(last)) putAway(page);
      await pause(QUIET_EVERY_MS);
      wasSilent = true;
      continue;
    }
    // What comes back may be another version, with other pages.
    if (wasSilent && !holdsFile) anew();
    wasSilent = false;
    say(page, "");
    const { phase } = told.value;
    last = phase;
    const now = essence(told.value);
    const changed = seen === undefined ? !fits(page, phase) : seen !== now;
    const old = phase.phase === "ready" && Date.now() - drawn > ANEW_EVERY_MS;
    if (changed || old) {
      await redraw(page);
      drawn = Date.now();
    }
    seen = now;
    showProgress(page, phase);
    const busy = holdsFile || !["idle", "ready"].includes(phase.phase);
    await pause(busy ? BUSY_EVERY_MS : QUIET_EVERY_MS);
  }
}

type Ready = Extract<Phase, { phase: "ready" }>;

/** Whether the appliance went away for the restart that it announced. */
function isRestarting(last: Phase): last is Ready {
  return last.phase === "ready" && last.restart !== null && last.restart - Date.now() < RESTART_SOON_MS;
}

/** What could be decided before a restart cannot be while it goes on. */
function putAway(page: HTMLElement): void {
  for (const part of page.querySelectorAll<HTMLElement>(".doing")) part.hidden = true;
  document.querySelector<HTMLElement>(".notice.good")?.remove();
}

/** The page as a whole, not the answer to a form. */
function anew(): void {
  location.replace("/login/updates");
}

/** Everything but how far it is. */
function essence(status: Status): string {
  return JSON.stringify({ ...status, phase: { ...status.phase, bytes: 0, of: 0, millis: 0 } });
}

/** Whether the page, as it came, already shows this. */
function fits(page: HTMLElement, phase: Phase): boolean {
  return (page.querySelector(".doing") !== null) === (phase.phase !== "idle");
}

/** The page's parts as the appliance would write them now; fields that are being filled in stay. */
async function redraw(page: HTMLElement): Promise<void> {
  try {
    const response = await fetch("/login/updates", { credentials: "same-origin", redirect: "error" });
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of page.querySelectorAll<HTMLElement>("[data-part]")) {
      const name = part.dataset.part ?? "";
      const now = fresh.querySelector(`[data-part="${name}"]`);
      if (!now || (name === "file" && holdsFile) || now.innerHTML === drawnParts.get(name)) continue;
      const focused = part.contains(document.activeElement);
      drawnParts.set(name, now.innerHTML);
      part.replaceChildren(...now.childNodes);
      if (focused) part.querySelector<HTMLElement>("button, a")?.focus();
      if (name === "file") offerUpload(page);
    }
  } catch {
    // The next look says that nobody answers.
  }
}

function showProgress(page: HTMLElement, phase: Phase): void {
  const bar = page.querySelector("progress");
  const text = page.querySelector("[data-figures]");
  if (!("bytes" in phase) || !bar || !text) return;
  bar.max = phase.of;
  bar.value = phase.bytes;
  text.textContent = figures(phase.bytes, phase.of, phase.millis);
}

function say(page: HTMLElement, text: string): void {
  const line = page.querySelector<HTMLElement>("[data-silent]");
  if (!line) return;
  line.hidden = text === "";
  if (line.textContent !== text) line.textContent = text;
}

function offerUpload(page: HTMLElement): void {
  const choose = page.querySelector<HTMLElement>("[data-choose]");
  const input = choose?.querySelector("input");
  if (!choose || !input) return;
  choose.hidden = false;
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) void examine(page, file);
  });
}

/** Shows what a chosen file is worth, or why it is nothing. */
async function examine(page: HTMLElement, file: File): Promise<void> {
  const said = words.updates;
  holdsFile = true;
  show(page, element("p", "muted", said.examining));
  const told = await ask<Verdict>("/login/updates/examine", said.notExamined, {
    method: "POST",
    headers: { "x-csrf-token": page.dataset.csrf ?? "" },
    body: await beginning(file),
  });
  if ("error" in told) {
    holdsFile = false;
    return show(page, notice("bad", said.noUpdate(file.name), told.error));
  }
  const running = page.querySelector<HTMLElement>("[data-running]")?.dataset.running ?? "";
  holdsFile = told.value.refused === null;
  show(page, verdict(told.value, running, () => void install(page, file, told.value)));
}

async function install(page: HTMLElement, file: File, found: Verdict): Promise<void> {
  const said = words.updates;
  const choose = page.querySelector<HTMLElement>("[data-choose]");
  if (choose) choose.hidden = true;
  const { older, expired } = found.needs;
  show(page, element("p", "", said.sending(found.offer.version)));
  const stay = (event: BeforeUnloadEvent) => event.preventDefault();
  window.addEventListener("beforeunload", stay);
  const told = await ask("/login/updates/install?" + new URLSearchParams({ older: `${older}`, expired: `${expired}` }), said.cutOff, {
    method: "POST",
    headers: { "x-csrf-token": page.dataset.csrf ?? "", "content-type": "application/octet-stream" },
    body: file,
  });
  window.removeEventListener("beforeunload", stay);
  holdsFile = false;
  if ("value" in told) return redraw(page);
  await redraw(page);
  page.querySelector<HTMLElement>("[data-choose]")?.removeAttribute("hidden");
  show(page, notice("bad", said.notInstalled(found.offer.version), told.error));
}

function show(page: HTMLElement, child: HTMLElement): void {
  page.querySelector("[data-verdict]")?.replaceChildren(child);
}

function sayLocalTime(): void {
  const input = document.querySelector<HTMLInputElement>("#time");
  const hint = document.querySelector("[data-local]");
  if (!input || !hint) return;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const write = () => {
    const local = localTime(input.value, zone, new Date());
    hint.textContent = local && words.updates.local(local, zone);
  };
  input.addEventListener("input", write);
  write();
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
