// Name, tabs, Start New Session, the link's state, account.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Icon } from "../ui/icon.tsx";
import { words } from "../words/en.ts";
import { requestSignOut } from "./commands.ts";
import type { Desk } from "./desk.ts";
import { keysOpen } from "./layout.ts";
import type { Session } from "./session.ts";

export function Header({ desk }: { desk: Desk }) {
  return (
    <header class="header">
      <span class="brand">{words.product}</span>
      <Tabs desk={desk} />
      <button
        type="button"
        class="button start"
        aria-haspopup="dialog"
        aria-expanded={desk.key.value !== null}
        title={`${words.key.start} (N)`}
        onClick={() => (desk.key.value = { at: "choosing" })}
      >
        <Icon name="plus" size={16} /> <span class="start-words">{words.key.start}</span>
      </button>
      <Account desk={desk} />
    </header>
  );
}

function Tabs({ desk }: { desk: Desk }) {
  const shown = desk.current.value;
  const waiting = desk.waiting.value.length;
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const tabs = [...(list.current?.querySelectorAll<HTMLElement>("[role=tab]") ?? [])];
    const at = tabs.indexOf(document.activeElement as HTMLElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = tabs[(at + step + tabs.length) % tabs.length];
    next?.focus();
    next?.click();
  };
  return (
    <div class="tabs" role="tablist" aria-label={words.tabs.label} ref={list} onKeyDown={onKeyDown}>
      <button
        type="button"
        role="tab"
        class="tab home"
        aria-selected={!shown}
        tabIndex={shown ? -1 : 0}
        aria-controls="main"
        onClick={() => desk.show("queue")}
      >
        <Icon name="queue" size={16} /> {words.tabs.home}
        {waiting > 0 && (
          <span class="bubble" title={words.queue.waiting(waiting)}>
            <span aria-hidden="true">{waiting}</span>
            <span class="sr-only">{words.queue.waiting(waiting)}</span>
          </span>
        )}
      </button>
      {desk.tabs.value.map((session) => (
        <SessionTab key={session.id} desk={desk} session={session} selected={session === shown} />
      ))}
    </div>
  );
}

function SessionTab({ desk, session, selected }: { desk: Desk; session: Session; selected: boolean }) {
  const unread = session.unread.value;
  const tab = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (selected) tab.current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [selected]);
  const state = session.over.value ? "over" : session.overview.value.status;
  const stateWords = session.over.value ? words.ended : words.status[session.overview.value.status];
  return (
    <button
      ref={tab}
      type="button"
      role="tab"
      class="tab"
      aria-selected={selected}
      aria-controls="main"
      tabIndex={selected ? 0 : -1}
      title={`${session.name.value} · ${stateWords}`}
      onClick={() => desk.show(session.id)}
    >
      <span class={`dot ${state}`} aria-hidden="true" />
      <span class="tab-name">{session.name.value}</span>
      <span class="sr-only">{stateWords}</span>
      {unread > 0 && (
        <span class="bubble">
          <span aria-hidden="true">{unread}</span>
          <span class="sr-only">{words.tabs.unread(unread)}</span>
        </span>
      )}
    </button>
  );
}

function Account({ desk }: { desk: Desk }) {
  const open = useSignal(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open.value) return;
    const onOutside = (event: Event) => {
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !box.current?.contains(event.target as Node)) {
        open.value = false;
      }
    };
    document.addEventListener("pointerdown", onOutside);
    document.addEventListener("keydown", onOutside);
    return () => {
      document.removeEventListener("pointerdown", onOutside);
      document.removeEventListener("keydown", onOutside);
    };
  }, [open.value]);
  const name = desk.me.value?.name ?? "";
  const up = desk.dial.state.value.at === "up";
  const pick = (run: () => void) => () => {
    open.value = false;
    run();
  };
  return (
    <div class="account" ref={box}>
      <button
        type="button"
        class="plain"
        aria-haspopup="menu"
        aria-expanded={open.value}
        aria-label={words.me.menu(name)}
        title={name}
        onClick={() => (open.value = !open.value)}
      >
        <span class={`dot ${up ? "in_progress" : "customer_absent"}`} title={up ? words.link.online : words.link.offline} />
        <span class="account-name">{name}</span>
        <Icon name="chevronDown" size={16} />
      </button>
      {open.value && (
        <div class="menu" role="menu">
          <p class="menu-head">
            {name}
            <span class="muted small">{up ? words.link.online : words.link.offline}</span>
          </p>
          <button type="button" role="menuitem" onClick={pick(() => (keysOpen.value = true))}>
            <Icon name="keyboard" /> {words.me.keys} <kbd>?</kbd>
          </button>
          <button type="button" role="menuitem" onClick={pick(() => requestSignOut(desk))}>
            <Icon name="exit" /> {words.me.signOut}
          </button>
        </div>
      )}
    </div>
  );
}
