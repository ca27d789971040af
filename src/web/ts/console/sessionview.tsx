// One session: its bar, the tool area, chat and log, the customer's facts.

import { Icon } from "../ui/icon.tsx";
import { words } from "../words/en.ts";
import { ChatPane } from "./chatpane.tsx";
import { canOpenShell, type Desk } from "./desk.ts";
import { Details } from "./details.tsx";
import { drawerOpen, ending, paneOpen } from "./layout.ts";
import { Since, StatusWord } from "./queue.tsx";
import type { Session } from "./session.ts";
import { Tools } from "./tools.tsx";

export function SessionView({ desk, session }: { desk: Desk; session: Session }) {
  const overview = session.overview.value;
  return (
    <main
      class={`main session ${paneOpen.value ? "with-pane" : ""}`}
      id="main"
      tabIndex={-1}
      aria-label={words.session.with(session.name.value)}
    >
      <div class="session-bar">
        <div class="session-who">
          <h1>{session.name.value}</h1>
          <p class="muted small">
            {session.over.value ? (
              <span class="status over">
                <span class="dot over" aria-hidden="true" />
                {words.ended}
              </span>
            ) : (
              <StatusWord status={overview.status} />
            )}
            <span class="session-where">
              {[overview.facts.computer, overview.facts.platform].filter(Boolean).join(" · ") || words.kind[overview.kind]}
            </span>
            {!session.over.value && <Since at={overview.since} />}
          </p>
        </div>
        <Toolbar desk={desk} session={session} />
      </div>
      <SessionNotes desk={desk} session={session} />
      <div class="session-body">
        <Tools desk={desk} session={session} />
        {paneOpen.value && <ChatPane desk={desk} session={session} />}
        {drawerOpen.value && <Details session={session} />}
      </div>
    </main>
  );
}

function Toolbar({ desk, session }: { desk: Desk; session: Session }) {
  const over = session.over.value !== null;
  return (
    <div class="toolbar" role="toolbar" aria-label={words.session.toolbar}>
      {session.overview.value.kind === "client" && (
        <button
          type="button"
          class="tool"
          title={`${words.session.shell} (S)`}
          disabled={!canOpenShell(session)}
          onClick={() => desk.openShell(session)}
        >
          <Icon name="terminal" /> <span>{words.session.shell}</span>
        </button>
      )}
      <button
        type="button"
        class="tool brief"
        aria-pressed={paneOpen.value}
        title={`${words.session.chat} (L)`}
        onClick={() => (paneOpen.value = !paneOpen.value)}
      >
        <Icon name="chat" /> <span>{words.session.chat}</span>
      </button>
      <button
        type="button"
        class="tool brief"
        aria-pressed={drawerOpen.value}
        title={`${words.session.details} (D)`}
        onClick={() => (drawerOpen.value = !drawerOpen.value)}
      >
        <Icon name="info" /> <span>{words.session.details}</span>
      </button>
      <span class="toolbar-gap" />
      {over ? (
        <button type="button" class="tool" title={`${words.tabs.closeEnded} (Y)`} onClick={() => desk.closeTab(session)}>
          <Icon name="close" /> <span>{words.tabs.closeEnded}</span>
        </button>
      ) : (
        <>
          <button type="button" class="tool" title={`${words.session.hold} (Alt+Shift+H)`} onClick={() => desk.hold(session)}>
            <Icon name="hold" /> <span>{words.session.hold}</span>
          </button>
          <button type="button" class="tool danger" title={`${words.session.end} (Alt+Shift+E)`} onClick={() => (ending.value = session)}>
            <Icon name="stop" /> <span>{words.session.end}</span>
          </button>
        </>
      )}
    </div>
  );
}

/** What stands between this session and its normal course, in one strip. */
function SessionNotes({ desk, session }: { desk: Desk; session: Session }) {
  const over = session.over.value;
  if (over) {
    return (
      <div class="strip" role="status">
        <Icon name="info" />
        <p>
          <strong>{over === "lost" ? words.session.lostTitle : words.end[over]}</strong>{" "}
          {over === "lost" && `${words.session.lost} `}
          {words.session.overKeep}
        </p>
        <button type="button" class="button quiet small" onClick={() => desk.closeTab(session)}>
          {words.tabs.closeEnded}
        </button>
      </div>
    );
  }
  return (
    <>
      {session.overview.value.status === "customer_absent" && (
        <div class="strip warn" role="status">
          <Icon name="warn" />
          <p>{words.session.absent(session.name.value)}</p>
        </div>
      )}
      {session.notice.value && (
        <div class="strip" role="alert">
          <Icon name="info" />
          <p>{session.notice.value}</p>
          <button type="button" class="icon-button" aria-label={words.close} onClick={() => (session.notice.value = "")}>
            <Icon name="close" size={16} />
          </button>
        </div>
      )}
    </>
  );
}
