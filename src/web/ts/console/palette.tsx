// Ctrl-K: finds a session, a computer or a command by a few letters.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Dialog } from "../ui/dialog.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { words } from "../words/en.ts";
import { type Command, keysOf } from "./commands.ts";
import type { Desk } from "./desk.ts";
import { focusShell } from "./focus.ts";
import { paletteOpen } from "./layout.ts";

interface Found {
  id: string;
  icon: IconName;
  label: string;
  what: string;
  keys: string[];
  run: () => void;
}

export function Palette({ desk, commands }: { desk: Desk; commands: readonly Command[] }) {
  const query = useSignal("");
  const chosen = useSignal(0);
  const list = useRef<HTMLUListElement>(null);
  const close = () => (paletteOpen.value = false);
  const found = everything(desk, commands).filter((item) => matches(item, query.value));
  const at = Math.min(chosen.value, Math.max(found.length - 1, 0));
  const run = (item: Found | undefined) => {
    if (!item) return;
    close();
    // After the dialog gave the focus back, so that the command may move it.
    requestAnimationFrame(() => item.run());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) {
      event.preventDefault();
      chosen.value = (at + step + found.length) % found.length;
    }
    if (event.key === "Enter") {
      event.preventDefault();
      run(found[at]);
    }
  };
  useEffect(() => list.current?.children[at]?.scrollIntoView({ block: "nearest" }), [at, query.value]);
  return (
    <Dialog title={words.palette.label} class="palette" onClose={close}>
      <div class="palette-box">
        <Icon name="search" />
        <input
          type="text"
          role="combobox"
          autofocus
          autocomplete="off"
          spellcheck={false}
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found[at] ? `palette-${found[at].id}` : undefined}
          aria-label={words.palette.label}
          placeholder={words.palette.placeholder}
          value={query.value}
          onInput={(event) => {
            query.value = event.currentTarget.value;
            chosen.value = 0;
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <ul class="palette-list" id="palette-list" role="listbox" aria-label={words.palette.label} ref={list}>
        {found.map((item, index) => (
          <li
            key={item.id}
            id={`palette-${item.id}`}
            role="option"
            aria-selected={index === at}
            onPointerMove={() => (chosen.value = index)}
            onClick={() => run(item)}
          >
            <Icon name={item.icon} />
            <span class="palette-label">{item.label}</span>
            <span class="muted small">{item.what}</span>
            {item.keys.map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="muted palette-none">{words.palette.none}</p>}
    </Dialog>
  );
}

function everything(desk: Desk, commands: readonly Command[]): Found[] {
  const sessions = desk.all.value.map((session): Found => {
    const { facts, status } = session.overview.value;
    const waiting = session.isWaiting.value;
    return {
      id: session.id,
      icon: "person",
      label: waiting ? words.queue.acceptNamed(session.name.value) : session.name.value,
      what: [facts.computer, session.over.value ? words.ended : words.status[status]].filter(Boolean).join(" · "),
      keys: [],
      run: () => {
        if (waiting) return desk.accept(session);
        desk.show(session.id);
        focusShell(session);
      },
    };
  });
  const actions = commands
    .filter((command) => command.label !== words.keys.palette && command.enabled())
    .map((command, index): Found => ({
      id: `command-${index}`,
      icon: "chevronRight",
      label: command.label,
      what: words.palette.command,
      keys: keysOf(command),
      run: () => command.run(),
    }));
  return [...sessions, ...actions];
}

/** Every word of the query begins some word of the item. */
function matches(item: Found, query: string): boolean {
  const there = ` ${item.label} ${item.what}`.toLocaleLowerCase();
  return query
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => there.includes(word));
}
