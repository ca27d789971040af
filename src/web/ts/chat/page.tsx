// Who is there, what was said, where to write, how to stop. Nothing else.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

import { cleanChat, fitsChat } from "../link/chattext.ts";
import type { Entry } from "../link/messages.ts";
import { Dialog } from "../ui/dialog.tsx";
import { now, slowly } from "../ui/now.ts";
import { words } from "../words/en.ts";
import { ago, exactly, longDuration } from "../words/time.ts";
import type { Conversation, Stopped } from "./conversation.ts";

const say = words.customer;

export function Page({ conversation }: { conversation: Conversation }) {
  if (conversation.over.value) return <Over conversation={conversation} />;
  if (conversation.stopped.value) return <NotBegun conversation={conversation} stopped={conversation.stopped.value} />;
  if (conversation.asking.value) return <Name conversation={conversation} />;
  if (!conversation.begun.value) {
    return (
      <main class="calm" id="main">
        <p class="calm-wait" role="status">
          {conversation.puzzling.value ? say.puzzle : say.starting}
        </p>
      </main>
    );
  }
  return <Talk conversation={conversation} />;
}

function Name({ conversation }: { conversation: Conversation }) {
  const box = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => box.current?.focus(), []);
  const begin = (event: Event) => {
    event.preventDefault();
    conversation.begin();
  };
  return (
    <main class="calm" id="main">
      <form class="calm-card" onSubmit={begin}>
        <h1>{say.nameTitle}</h1>
        <div class="calm-field">
          <label for="name">{say.name}</label>
          <input
            id="name"
            ref={box}
            value={conversation.name.value}
            autocomplete="name"
            maxLength={128}
            aria-describedby="name-hint"
            onInput={(event) => conversation.called(event.currentTarget.value)}
          />
          <p class="muted" id="name-hint">
            {say.nameHint}
          </p>
        </div>
        <div>
          <button type="submit" class="button">
            {say.begin}
          </button>
        </div>
      </form>
    </main>
  );
}

function Talk({ conversation }: { conversation: Conversation }) {
  const asking = useSignal(false);
  const name = conversation.representative.value;
  const accepted = conversation.accepted.value;
  const away = conversation.dial.state.value.at !== "up";
  return (
    <div class="talk">
      <header class={`talk-banner ${accepted ? "live" : ""}`}>
        <div>
          <h1>
            <span class={`dot ${accepted ? "in_progress" : "waiting"}`} aria-hidden="true" />
            {accepted ? say.with(name) : say.waitingTitle(name)}
          </h1>
          <p>{accepted ? say.sees : say.waiting}</p>
        </div>
        <button type="button" class="button danger" onClick={() => (asking.value = true)}>
          {say.end}
        </button>
      </header>
      {away ? (
        <p class="talk-lost" role="alert">
          {conversation.dial.restart.value === null ? say.lost : say.restarting} {say.lostText}
        </p>
      ) : (
        <Restart conversation={conversation} />
      )}
      <main class="talk-main" id="main">
        <Messages conversation={conversation} />
        <Box conversation={conversation} away={away} />
      </main>
      {asking.value && (
        <Dialog title={say.endTitle} onClose={() => (asking.value = false)}>
          <p>{say.endBody}</p>
          <div class="dialog-actions">
            <button type="button" class="button quiet" onClick={() => (asking.value = false)}>
              {say.endNo}
            </button>
            <button type="button" class="button danger" onClick={() => conversation.leave()}>
              {say.endYes}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

/** The seconds are for the eye; the rest is said once. */
function Restart({ conversation }: { conversation: Conversation }) {
  const at = conversation.dial.restart.value;
  if (at === null) return null;
  void now.value;
  const left = Math.max(0, Math.ceil((at - Date.now()) / 1_000));
  return (
    <p class="talk-lost" role="alert">
      <span aria-live="off">{say.restartSoon(left)}</span> {say.restartGoesOn}
    </p>
  );
}

function Messages({ conversation }: { conversation: Conversation }) {
  const box = useRef<HTMLDivElement>(null);
  const entries = conversation.entries.value;
  const underway = conversation.underway.value;
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [entries.length, underway.length]);
  return (
    <div class="talk-log" role="log" aria-label={say.log} tabIndex={0} ref={box}>
      <ol>
        {entries.map((entry) => (
          <Line key={entry.number} entry={entry} customer={conversation.customer.value} />
        ))}
        {underway.map(({ text }, index) => (
          <li key={`underway ${index}`} class="said customer underway">
            <p class="words">{text}</p>
            <p class="meta">{say.sending}</p>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Line({ entry, customer }: { entry: Entry; customer: string }) {
  const time = (
    <time dateTime={new Date(entry.at).toISOString()} title={exactly(entry.at)}>
      {ago(entry.at, slowly.value, words.now)}
    </time>
  );
  if (entry.what !== "chat") {
    return (
      <li class="event">
        <p class="words">{say.entry(entry, customer)}</p>
        {time}
      </li>
    );
  }
  const by = entry.by.role === "customer" ? say.you : entry.by.role === "representative" ? entry.by.name : say.appliance;
  return (
    <li class={`said ${entry.by.role}`}>
      <p class="by">{by}</p>
      <p class="words">{entry.text}</p>
      <p class="meta">{time}</p>
    </li>
  );
}

function Box({ conversation, away }: { conversation: Conversation; away: boolean }) {
  const box = useRef<HTMLTextAreaElement>(null);
  const draft = conversation.draft.value;
  const tooLong = !fitsChat(cleanChat(draft));
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight + 2}px`;
  }, [draft]);
  const send = (event: Event) => {
    event.preventDefault();
    conversation.send();
    box.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  return (
    <form class="talk-box" onSubmit={send}>
      <label for="message">{say.message}</label>
      <textarea
        id="message"
        ref={box}
        rows={1}
        value={draft}
        aria-invalid={tooLong}
        onInput={(event) => conversation.write(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <button type="submit" class="button" disabled={away || tooLong || !cleanChat(draft)}>
        {say.send}
      </button>
      {tooLong && (
        <p class="problem" role="alert">
          {words.chat.tooLong}
        </p>
      )}
    </form>
  );
}

function Over({ conversation }: { conversation: Conversation }) {
  const reason = conversation.over.value ?? "customer";
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), []);
  return (
    <main class="calm" id="main">
      <div class="calm-card">
        <h1 tabIndex={-1} ref={heading}>
          {say.overTitle}
        </h1>
        <p>{say.over[reason](conversation.representative.value || say.appliance)}</p>
        <p class="calm-safe">{say.overSafe}</p>
        <p>
          <a href="/">{say.again}</a>
        </p>
      </div>
    </main>
  );
}

function NotBegun({ conversation, stopped }: { conversation: Conversation; stopped: Stopped }) {
  const [title, text] = {
    key: [say.keyTitle, say.key],
    slow_down: [say.slowTitle, say.slow(longDuration(stopped.why === "slow_down" ? Math.max(60, stopped.seconds) : 60))],
    full: [say.fullTitle, say.full],
    unavailable: [say.unavailableTitle, say.unavailable],
  }[stopped.why] as [string, string];
  return (
    <main class="calm" id="main">
      <div class="calm-card" role="alert">
        <h1>{title}</h1>
        <p>{text}</p>
        {stopped.why === "key" ? (
          <p>
            <a class="button" href="/">
              {say.again}
            </a>
          </p>
        ) : (
          <button type="button" class="button" onClick={() => conversation.start()}>
            {say.tryAgain}
          </button>
        )}
      </div>
    </main>
  );
}
