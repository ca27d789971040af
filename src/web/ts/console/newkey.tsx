// Start New Session: choose how long the key may be used, then read it out or send its link.
// Floats without blocking the page, so that the customer's arrival can be seen and accepted.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { KEY_SECONDS_DEFAULT } from "../link/limits.ts";
import { CopyButton } from "../ui/copy.tsx";
import { Icon } from "../ui/icon.tsx";
import { now } from "../ui/now.ts";
import { words } from "../words/en.ts";
import { isoDuration, longDuration, stopwatch } from "../words/time.ts";
import type { Desk, KeyState } from "./desk.ts";

const LIVES = [600, 1_800, 3_600, 4 * 3_600, 8 * 3_600, 24 * 3_600];

/** The usual lives up to the appliance's longest, and that one itself. */
export function livesUpTo(most: number): number[] {
  const lives = LIVES.filter((life) => life < most);
  return [...lives, most];
}

export function KeyPanel({ desk, state }: { desk: Desk; state: KeyState }) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    panel.current?.querySelector<HTMLElement>("select, .key-digits, .button")?.focus();
  }, [state.at]);
  useEffect(() => () => document.querySelector<HTMLElement>(".start")?.focus(), []);
  const close = () => (desk.key.value = null);
  return (
    <section class="panel key-panel" role="dialog" aria-labelledby="key-title" ref={panel}>
      <div class="panel-head">
        <h2 id="key-title">{words.key.title}</h2>
        <button type="button" class="icon-button" aria-label={words.close} onClick={close}>
          <Icon name="close" size={16} />
        </button>
      </div>
      {state.at === "ready" ? <Ready desk={desk} state={state} /> : <Choosing desk={desk} state={state} />}
    </section>
  );
}

function Choosing({ desk, state }: { desk: Desk; state: Exclude<KeyState, { at: "ready" }> }) {
  const most = desk.me.value?.keySecondsMax ?? KEY_SECONDS_DEFAULT;
  const seconds = useSignal(Math.min(KEY_SECONDS_DEFAULT, most));
  const create = (event: Event) => {
    event.preventDefault();
    desk.createKey(seconds.peek());
  };
  return (
    <form class="key-form" onSubmit={create}>
      <label for="key-life">{words.key.life}</label>
      <select
        id="key-life"
        value={String(seconds.value)}
        onChange={(event) => (seconds.value = Number(event.currentTarget.value))}
      >
        {livesUpTo(most).map((life) => (
          <option key={life} value={String(life)}>
            {longDuration(life)}
          </option>
        ))}
      </select>
      <p class="muted small">{words.key.explain}</p>
      {state.at === "failed" && (
        <p class="problem" role="alert">
          {state.why}
        </p>
      )}
      <button type="submit" class="button" disabled={state.at === "asking"}>
        {state.at === "asking" ? words.key.creating : words.key.create}
      </button>
    </form>
  );
}

function Ready({ desk, state }: { desk: Desk; state: Extract<KeyState, { at: "ready" }> }) {
  const left = state.expires - now.value;
  const another = () => (desk.key.value = { at: "choosing" });
  if (left <= 0) {
    return (
      <div class="key-form">
        <p class="problem">{words.key.expired}</p>
        <button type="button" class="button" onClick={another}>
          {words.key.another}
        </button>
      </div>
    );
  }
  return (
    <div class="key-form">
      <p>
        {words.key.readOut} <span class="mono">{location.host}</span>
      </p>
      <CopyButton text={state.digits} label={words.key.copyKey(state.digits)} class="key-digits">
        <span class="digits">
          {grouped(state.digits).map((group) => (
            <span key={group.at}>{group.digits}</span>
          ))}
        </span>
      </CopyButton>
      <p>{words.key.orLink}</p>
      <CopyButton text={state.url} label={words.key.copyLink} class="key-url">
        <span class="url">{state.url}</span>
      </CopyButton>
      <p class="key-foot">
        <span class="muted">
          <Icon name="clock" size={16} />{" "}
          <time dateTime={isoDuration(left)}>{words.key.expiresIn(stopwatch(left))}</time>. {words.key.once}
        </span>
        <button type="button" class="link" onClick={another}>
          {words.key.another}
        </button>
      </p>
    </div>
  );
}

/** "8964548" as 896 and 4548: threes, the rest at the end. The gap is drawn, never copied. */
export function grouped(digits: string): { at: number; digits: string }[] {
  const groups: { at: number; digits: string }[] = [];
  let at = 0;
  while (digits.length - at > 4) {
    groups.push({ at, digits: digits.slice(at, at + 3) });
    at += 3;
  }
  groups.push({ at, digits: digits.slice(at) });
  return groups;
}
