// What the console says by itself: connection lost, a new session, the page closed.

import { Icon } from "../ui/icon.tsx";
import { now } from "../ui/now.ts";
import { RETURN_WITHIN_MS } from "../link/limits.ts";
import { words } from "../words/en.ts";
import { stopwatch } from "../words/time.ts";
import type { Closed, Desk } from "./desk.ts";

/** The connection is gone: what is safe, what happens next. */
export function LostBanner({ desk }: { desk: Desk }) {
  const state = desk.dial.state.value;
  const away = state.at === "waiting" || (state.at === "dialling" && !state.first);
  if (!away) return null;
  void now.value;
  const left = RETURN_WITHIN_MS - (Date.now() - state.since);
  if (desk.dial.restart.value !== null) {
    return (
      <div class="banner warn" role="alert">
        <Icon name="warn" />
        <p>
          <strong>{words.restart.now}</strong> {words.restart.comesBack} {words.link.textKept}
        </p>
        <span class="banner-next" aria-live="off">
          {words.restart.since(stopwatch(Date.now() - state.since))}
        </span>
      </div>
    );
  }
  return (
    <div class="banner warn" role="alert">
      <Icon name="warn" />
      <p>
        <strong>{words.link.lost}</strong>{" "}
        <span>{left > 0 ? words.link.kept(stopwatch(left)) : words.link.notKept}</span> {words.link.textKept}
      </p>
      <span class="banner-next" aria-live="off">
        {state.at === "waiting" && state.until - Date.now() > 500
          ? words.link.retry(stopwatch(state.until - Date.now() + 500))
          : words.link.trying}
      </span>
      <button type="button" class="button quiet small" onClick={() => desk.dial.start()}>
        {words.link.tryNow}
      </button>
    </div>
  );
}

/** The appliance restarts in a moment. */
export function RestartBanner({ desk }: { desk: Desk }) {
  const at = desk.dial.restart.value;
  if (at === null || desk.dial.state.value.at !== "up") return null;
  void now.value;
  const left = Math.max(0, Math.ceil((at - Date.now()) / 1_000));
  return (
    <div class="banner warn" role="alert">
      <Icon name="warn" />
      <p>
        <strong>{words.restart.soon}</strong> {words.restart.goesOn}
      </p>
      <span class="banner-next" aria-live="off">
        {left > 0 ? words.restart.in(left) : words.restart.any}
      </span>
    </div>
  );
}

/** A newer page is there, and is loaded once nobody is in the middle of something. */
export function NewerBanner({ desk }: { desk: Desk }) {
  if (!desk.renewal.due.value || desk.dial.state.value.at !== "up") return null;
  return (
    <div class="banner" role="status">
      <Icon name="info" />
      <p>
        <strong>{words.newer.title}</strong> {words.newer.text}
      </p>
      <button type="button" class="button quiet small" onClick={() => desk.renewal.load()}>
        {words.newer.load}
      </button>
    </div>
  );
}

export function Notice({ desk }: { desk: Desk }) {
  if (!desk.notice.value) return null;
  return (
    <div class="banner" role="alert">
      <Icon name="info" />
      <p>{desk.notice.value}</p>
      <button type="button" class="icon-button" aria-label={words.close} onClick={() => (desk.notice.value = "")}>
        <Icon name="close" size={16} />
      </button>
    </div>
  );
}

/** A new waiting session, at the lower left. */
export function Announcement({ desk }: { desk: Desk }) {
  const sessions = desk.announced.value.flatMap((id) => desk.sessions.value.get(id) ?? []);
  const session = sessions[0];
  return (
    <div class="announcements" role="status">
      {session && (
        <div class="announcement">
          <Icon name="person" />
          <p>
            <strong>{words.queue.announce(session.name.value)}</strong>
            <span class="muted small">
              {[session.overview.value.facts.computer, words.kind[session.overview.value.kind]].filter(Boolean).join(" · ")}
              {sessions.length > 1 && ` · ${words.queue.announceMore(sessions.length - 1)}`}
            </span>
          </p>
          <button type="button" class="button small" onClick={() => desk.show("queue")}>
            {words.queue.view}
          </button>
          <button
            type="button"
            class="icon-button"
            aria-label={words.queue.dismiss}
            onClick={() => (desk.announced.value = [])}
          >
            <Icon name="close" size={16} />
          </button>
        </div>
      )}
    </div>
  );
}

/** Nothing works here any more; says why and the one thing to do. */
export function ClosedPage({ desk, why }: { desk: Desk; why: Closed }) {
  const again = () => desk.start();
  const texts = {
    replaced: [words.closed.replacedTitle, words.closed.replaced],
    signed_out: [words.closed.signedOutTitle, words.closed.signedOut],
    version: [words.closed.versionTitle, words.closed.version],
    full: [words.closed.fullTitle, words.closed.full],
  } as const;
  const [title, text] = texts[why];
  return (
    <main class="blank" id="main">
      <div class="blank-card" role="alert">
        <h1>{title}</h1>
        <p>{text}</p>
        {why === "replaced" && (
          <button type="button" class="button" onClick={again}>
            {words.closed.useHere}
          </button>
        )}
        {why === "full" && (
          <button type="button" class="button" onClick={again}>
            {words.link.tryNow}
          </button>
        )}
        {why === "signed_out" && (
          <a class="button" href="/console/sign-in">
            {words.closed.signIn}
          </a>
        )}
        {why === "version" && (
          <button type="button" class="button" onClick={() => location.reload()}>
            {words.closed.reload}
          </button>
        )}
      </div>
    </main>
  );
}
