// The queues with their counts, and who waits in them: in sight while working in a session.

import { Icon } from "../ui/icon.tsx";
import { words } from "../words/en.ts";
import type { Desk } from "./desk.ts";
import { hideSidebarOnPhone, personalOpen, sidebarOpen } from "./layout.ts";
import { Since } from "./queue.tsx";
import type { Session } from "./session.ts";

export function Sidebar({ desk }: { desk: Desk }) {
  const open = sidebarOpen.value;
  const waiting = desk.waiting.value;
  const toggleLabel = open ? words.queue.hide : words.queue.show;
  const show = () => {
    desk.show("queue");
    hideSidebarOnPhone();
  };
  return (
    <nav class={`sidebar ${open ? "open" : "shut"}`} aria-label={words.queue.title}>
      <button
        type="button"
        class="icon-button sidebar-toggle"
        aria-expanded={open}
        aria-label={toggleLabel}
        title={`${toggleLabel} (B)`}
        onClick={() => (sidebarOpen.value = !open)}
      >
        <Icon name="sidebar" />
        {!open && waiting.length > 0 && (
          <span class="bubble" aria-hidden="true">
            {waiting.length}
          </span>
        )}
      </button>
      {open && (
        <>
          <h2 class="sidebar-title">{words.queue.title}</h2>
          <div class={`queue-line ${desk.current.value ? "" : "current"}`}>
            <button
              type="button"
              class="icon-button small"
              aria-expanded={personalOpen.value}
              aria-controls="personal"
              aria-label={personalOpen.value ? words.queue.collapse : words.queue.expand}
              onClick={() => (personalOpen.value = !personalOpen.value)}
            >
              <Icon name={personalOpen.value ? "chevronDown" : "chevronRight"} size={16} />
            </button>
            <button type="button" class="queue-name" aria-current={desk.current.value ? undefined : "page"} onClick={show}>
              <span>{words.queue.personal}</span>
              <span class="count" title={words.queue.waiting(waiting.length)}>
                <span aria-hidden="true">{waiting.length}</span>
                <span class="sr-only">{words.queue.waiting(waiting.length)}</span>
              </span>
            </button>
          </div>
          {personalOpen.value && (
            <ul class="waiting-list" id="personal">
              {waiting.map((session) => (
                <Waiting key={session.id} desk={desk} session={session} />
              ))}
              {waiting.length === 0 && <li class="muted small none">{words.queue.emptyTitle}</li>}
            </ul>
          )}
        </>
      )}
    </nav>
  );
}

function Waiting({ desk, session }: { desk: Desk; session: Session }) {
  const { facts, kind, since } = session.overview.value;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    desk.accept(session);
  };
  return (
    <li>
      <button
        type="button"
        title={words.queue.acceptNamed(session.name.value)}
        onClick={() => desk.show("queue")}
        onDblClick={() => desk.accept(session)}
        onKeyDown={onKeyDown}
      >
        <span class="waiting-name">{session.name.value}</span>
        <Since at={since} />
        <span class="muted small waiting-what">
          {[facts.computer, kind === "chat" || !facts.computer ? words.kind[kind] : ""].filter(Boolean).join(" · ")}
        </span>
      </button>
    </li>
  );
}
