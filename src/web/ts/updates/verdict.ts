// What is known of a chosen file, before anything of it is written.

import { bytes, dayAndTime } from "../words/time.ts";
import { words } from "../words/en.ts";
import type { Verdict } from "./agent.ts";
import { element, fact } from "./dom.ts";

/** What the appliance calls its models. */
const MODELS: Record<string, string> = {
  b200: "B200",
  b300: "B300",
  b400: "B400",
  "va-s": "Virtual S",
  "va-m": "Virtual M",
  "va-l": "Virtual L",
};

/** The verdict as elements; `install` is called once everything is confirmed that has to be. */
export function verdict(found: Verdict, running: string, install: () => void): HTMLElement {
  const { offer, needs, refused } = found;
  const said = words.updates;
  const level = refused ? "bad" : needs.older || needs.expired ? "warn" : "good";
  const heading = element("h3", "", said.version(offer.version));
  const badge = element("span", `badge ${level}`, said.verdicts[level]);
  const facts = element(
    "dl",
    "facts",
    fact(said.model, MODELS[offer.model] ?? offer.model),
    fact(said.built, dayAndTime(offer.built)),
    fact(said.size, bytes(offer.bytes)),
    fact(said.channel, said.channels[offer.channel]),
  );
  const box = element("section", "verdict", element("div", "head", heading, badge), facts);
  if (offer.notes.trim()) {
    const notes = element("div", "notes", offer.notes.trim());
    notes.tabIndex = 0;
    notes.role = "region";
    notes.ariaLabel = said.notesOfFile;
    box.append(element("h3", "", said.notes), notes);
  }
  if (refused) {
    box.append(notice("bad", said.refused, refused));
    return box;
  }
  if (offer.failed_before) box.append(notice("warn", said.failedBefore, ""));
  box.append(...confirmations(found, running, install));
  return box;
}

/** A box to tick for everything that has to be confirmed, and the button. */
function confirmations(found: Verdict, running: string, install: () => void): HTMLElement[] {
  const said = words.updates;
  const boxes: HTMLElement[] = [];
  if (found.needs.older) boxes.push(confirmation("older", said.older(found.offer.version, running)));
  if (found.needs.expired) {
    const since = found.expired.map(({ role, since }) => said.expiredSince(said.role(role), dayAndTime(since)));
    boxes.push(confirmation("expired", since.length > 0 ? said.expired(since) : said.noClock));
  }
  const button = element("button", "button", said.install(found.offer.version));
  button.type = "button";
  const ticks = boxes.flatMap((box) => [...box.querySelectorAll("input")]);
  const judge = () => (button.disabled = ticks.some((tick) => !tick.checked));
  for (const tick of ticks) tick.addEventListener("change", judge);
  judge();
  button.addEventListener("click", install);
  return [...boxes, element("div", "actions", button), element("p", "hint", said.afterwards)];
}

function confirmation(name: string, text: string): HTMLElement {
  const tick = element("input", "");
  tick.type = "checkbox";
  tick.id = `confirm-${name}`;
  const label = element("label", "", text);
  label.htmlFor = tick.id;
  return element("div", "field check", tick, label);
}

export function notice(level: string, strong: string, text: string): HTMLElement {
  return element("div", `notice ${level}`, element("p", "", element("strong", "", strong), ` ${text}`));
}
