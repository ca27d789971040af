// The tool area: the question to the customer, shells in tabs, or what could be here.

import { useEffect, useRef } from "preact/hooks";

import { Icon } from "../ui/icon.tsx";
import { now } from "../ui/now.ts";
import { words } from "../words/en.ts";
import { stopwatch } from "../words/time.ts";
import { canOpenShell, type Desk } from "./desk.ts";
import { isWriting } from "./focus.ts";
import type { Session } from "./session.ts";
import type { Shell } from "./shell.ts";

export function Tools({ desk, session }: { desk: Desk; session: Session }) {
  const shell = session.shell.value;
  return (
    <section class="tools" aria-label={words.session.toolbar}>
      <Asking desk={desk} session={session} />
      {shell ? (
        <>
          <ShellTabs desk={desk} session={session} shown={shell} />
          <Screen key={shell.id} desk={desk} session={session} shell={shell} />
        </>
      ) : (
        <Idle desk={desk} session={session} />
      )}
    </section>
  );
}

function Asking({ desk, session }: { desk: Desk; session: Session }) {
  const asking = session.asking.value;
  if (!asking) return session.opening.value ? <p class="asking muted">{words.session.opening}</p> : null;
  return (
    <div class="asking" role="status">
      <span class="dot live" aria-hidden="true" />
      <p>{words.session.asking(session.name.value)}…</p>
      <span class="asking-left mono" aria-hidden="true">
        {stopwatch(asking.until - now.value)}
      </span>
      <button type="button" class="button quiet small" onClick={() => desk.withdraw(session)}>
        {words.session.withdraw}
      </button>
    </div>
  );
}

function Idle({ desk, session }: { desk: Desk; session: Session }) {
  const { kind, allowed } = session.overview.value;
  const name = session.name.value;
  if (kind === "chat") {
    return (
      <div class="idle">
        <Icon name="chat" />
        <h2>{words.session.chatOnlyTitle}</h2>
        <p>{words.session.chatOnly}</p>
      </div>
    );
  }
  const free = allowed.includes("shell");
  return (
    <div class="idle">
      <Icon name="terminal" />
      <h2>{words.session.idleTitle}</h2>
      {!session.over.value && (
        <>
          <p>{free ? words.session.idleAllowed(name) : words.session.idle(name)}</p>
          {canOpenShell(session) && (
            <button type="button" class="button quiet" onClick={() => desk.openShell(session)}>
              {free ? words.session.idleButtonAllowed : words.session.idleButton}
            </button>
          )}
        </>
      )}
    </div>
  );
}

function ShellTabs({ desk, session, shown }: { desk: Desk; session: Session; shown: Shell }) {
  const list = useRef<HTMLDivElement>(null);
  const pick = (shell: Shell) => {
    session.shownShell.value = shell.id;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tabs = [...(list.current?.querySelectorAll<HTMLElement>("[role=tab]") ?? [])];
    const next = tabs[(tabs.indexOf(document.activeElement as HTMLElement) + step + tabs.length) % tabs.length];
    event.preventDefault();
    next?.click();
    next?.focus();
  };
  return (
    <div class="shell-bar">
      <div class="shell-tabs" role="tablist" aria-label={words.session.shells} ref={list} onKeyDown={onKeyDown}>
        {session.shells.value.map((shell) => (
          <button
            key={shell.id}
            type="button"
            role="tab"
            class="shell-tab"
            aria-selected={shell === shown}
            aria-controls="screen"
            tabIndex={shell === shown ? 0 : -1}
            title={shell.title.value || undefined}
            onClick={() => pick(shell)}
          >
            <span class={`dot ${shellDot(shell)}`} aria-hidden="true" />
            {words.session.shellTab(shell.id)}
            {shell.state.value === "over" && <span class="sr-only"> ({words.ended})</span>}
          </button>
        ))}
      </div>
      <button
        type="button"
        class="shell-close"
        title={`${words.session.shellClose(shown.id)} (Alt+Shift+W)`}
        onClick={() => desk.closeShell(session, shown)}
      >
        <Icon name="close" size={16} /> {words.session.shellClose(shown.id)}
      </button>
    </div>
  );
}

function shellDot(shell: Shell): string {
  return { open: "in_progress", paused: "customer_absent", over: "over" }[shell.state.value];
}

function Screen({ desk, session, shell }: { desk: Desk; session: Session; shell: Shell }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    shell.attach(element);
    const observer = new ResizeObserver(() => shell.fit());
    observer.observe(element);
    // A shell that just opened is what the representative waited for, unless they are writing.
    if (!isWriting()) shell.terminal.focus();
    return () => {
      observer.disconnect();
      shell.host.remove();
    };
  }, [shell]);
  const state = shell.state.value;
  return (
    <div class="screen" id="screen" role="tabpanel" aria-label={words.session.terminal(shell.id, session.name.value)}>
      {shell.gap.value && <p class="screen-note muted small">{words.session.shellGap}</p>}
      {shell.inputFull.value && (
        <p class="screen-note small" role="alert">
          {words.session.inputFull}
        </p>
      )}
      <div class="shell-box" ref={box} />
      {state === "paused" && (
        <p class="screen-note small" role="status">
          {words.session.shellPaused}
        </p>
      )}
      {state === "over" && (
        <p class="screen-note small" role="status">
          {words.session.shellOver}{" "}
          <button type="button" class="link" onClick={() => desk.closeShell(session, shell)}>
            {words.session.shellDismiss}
          </button>
        </p>
      )}
    </div>
  );
}
