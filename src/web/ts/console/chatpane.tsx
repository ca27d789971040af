// Chat and log at the right: one list of what both sides said and did, and the box to write in.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { cleanChat, fitsChat } from "../link/chattext.ts";
import type { Entry } from "../link/messages.ts";
import { Icon } from "../ui/icon.tsx";
import { slowly } from "../ui/now.ts";
import { words } from "../words/en.ts";
import { ago, exactly } from "../words/time.ts";
import type { Desk } from "./desk.ts";
import { paneOpen, paneWidth, PANE_WIDTH_MAX, PANE_WIDTH_MIN } from "./layout.ts";
import type { Session } from "./session.ts";

export function ChatPane({ desk, session }: { desk: Desk; session: Session }) {
  const pane = useRef<HTMLElement>(null);
  // By script, because a style attribute in the markup is what the page's policy forbids.
  useLayoutEffect(() => pane.current?.style.setProperty("--pane-width", `${paneWidth.value}px`), [paneWidth.value]);
  return (
    <>
      <Divider />
      <section class="pane" aria-labelledby="pane-title" ref={pane}>
        <div class="pane-head">
          <h2 id="pane-title">{words.chat.title}</h2>
          <button
            type="button"
            class="icon-button"
            aria-label={words.close}
            title={`${words.close} (L)`}
            onClick={() => (paneOpen.value = false)}
          >
            <Icon name="close" size={16} />
          </button>
        </div>
        <Log session={session} />
        <Composer desk={desk} session={session} />
      </section>
    </>
  );
}

/** Between tools and chat; moves by mouse and by arrow keys. */
function Divider() {
  const clamp = (width: number) => Math.min(Math.max(width, PANE_WIDTH_MIN), PANE_WIDTH_MAX);
  const onPointerDown = (event: PointerEvent) => {
    const element = event.currentTarget as HTMLElement;
    element.setPointerCapture(event.pointerId);
    const from = event.clientX;
    const width = paneWidth.peek();
    element.onpointermove = (move) => (paneWidth.value = clamp(width + from - move.clientX));
    element.onpointerup = element.onpointercancel = () => (element.onpointermove = null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: 20, ArrowRight: -20 }[event.key];
    if (!step) return;
    event.preventDefault();
    paneWidth.value = clamp(paneWidth.peek() + step);
  };
  return (
    <div
      class="divider"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={words.chat.resize}
      aria-valuenow={paneWidth.value}
      aria-valuemin={PANE_WIDTH_MIN}
      aria-valuemax={PANE_WIDTH_MAX}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
    />
  );
}

function Log({ session }: { session: Session }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const below = useSignal(false);
  const entries = session.entries.value;
  const underway = session.underway.value;
  const toEnd = () => {
    const element = box.current;
    if (element) element.scrollTop = element.scrollHeight;
    below.value = false;
  };
  useLayoutEffect(() => {
    if (atEnd.current) toEnd();
    else below.value = true;
  }, [entries.length, underway.length]);
  useEffect(() => {
    // The pane got smaller: what was at the end stays there.
    const observer = new ResizeObserver(() => atEnd.current && toEnd());
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    if (atEnd.current) below.value = false;
  };
  return (
    <div class="log-box">
      <div class="log" role="log" aria-label={words.chat.log} tabIndex={0} ref={box} onScroll={onScroll}>
        {entries.length === 0 && <p class="muted small log-empty">{words.chat.empty}</p>}
        <ol>
          {entries.map((entry, index) => (
            <Line key={entry.number} entry={entry} before={entries[index - 1]} recorded={session.recorded.value} />
          ))}
          {underway.map((message, index) => (
            <li key={`underway ${index}`} class="said representative underway">
              <p class="words">{message.text}</p>
              <p class="meta">
                <Icon name="clock" size={16} /> {words.chat.sending}
              </p>
            </li>
          ))}
        </ol>
      </div>
      {below.value && (
        <button type="button" class="button small below" onClick={toEnd}>
          <Icon name="down" size={16} /> {words.chat.newBelow}
        </button>
      )}
    </div>
  );
}

interface LineProps {
  entry: Entry;
  before: Entry | undefined;
  recorded: number;
}

function Line({ entry, before, recorded }: LineProps) {
  const time = (
    <time dateTime={new Date(entry.at).toISOString()} title={exactly(entry.at)}>
      {ago(entry.at, slowly.value, words.now)}
    </time>
  );
  if (entry.what !== "chat") {
    return (
      <li class={`event ${entry.what}`}>
        <p class="words">{words.entry(entry)}</p>
        {time}
      </li>
    );
  }
  const role = entry.by.role;
  const name = entry.by.role === "appliance" ? words.product : entry.by.name;
  const follows = before?.what === "chat" && before.by.role === role && entry.at - before.at < 60_000;
  return (
    <li class={`said ${role} ${follows ? "follows" : ""}`}>
      {!follows && <p class="by">{name}</p>}
      <p class="words">{entry.text}</p>
      <p class="meta">
        {time}
        {role === "representative" && recorded >= entry.number && (
          <span class="recorded" title={words.chat.sent}>
            <Icon name="check" size={16} />
            <span class="sr-only">{words.chat.sent}</span>
          </span>
        )}
      </p>
    </li>
  );
}

function Composer({ desk, session }: { desk: Desk; session: Session }) {
  const box = useRef<HTMLTextAreaElement>(null);
  const draft = session.draft.value;
  const offline = desk.dial.state.value.at !== "up";
  const tooLong = !fitsChat(cleanChat(draft));
  const over = session.over.value !== null;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight + 2}px`;
  }, [draft]);
  const send = (event: Event) => {
    event.preventDefault();
    desk.chat(session);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  if (over) return null;
  const hint = tooLong ? words.chat.tooLong : offline ? words.chat.offline : "";
  return (
    <form class="composer" onSubmit={send}>
      <label class="sr-only" for="message">
        {words.chat.message(session.name.value)}
      </label>
      <textarea
        id="message"
        ref={box}
        rows={2}
        value={draft}
        placeholder={words.chat.placeholder}
        aria-describedby="message-hint"
        aria-invalid={tooLong}
        onInput={(event) => session.write(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <button type="submit" class="button send" disabled={offline || tooLong || !cleanChat(draft)}>
        {words.chat.send}
      </button>
      <p id="message-hint" class="small muted hint" role="status">
        {hint}
      </p>
    </form>
  );
}
