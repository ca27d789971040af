// The personal queue as a table: who, what, how long.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import type { Status } from "../link/messages.ts";
import { now } from "../ui/now.ts";
import { words } from "../words/en.ts";
import { exactly, isoDuration, stopwatch } from "../words/time.ts";
import type { Desk } from "./desk.ts";
import type { Session } from "./session.ts";

export function QueueView({ desk }: { desk: Desk }) {
  const sessions = desk.queue.value;
  return (
    <main class="main queue" id="main" tabIndex={-1} aria-label={words.queue.personal}>
      <div class="queue-head">
        <h1>{words.queue.personal}</h1>
        <p class="muted">{sessions.length > 0 ? words.queue.waiting(desk.waiting.value.length) : words.queue.explain}</p>
      </div>
      {sessions.length === 0 ? <Empty desk={desk} /> : <Table desk={desk} sessions={sessions} />}
    </main>
  );
}

function Empty({ desk }: { desk: Desk }) {
  return (
    <div class="empty">
      <h2>{words.queue.emptyTitle}</h2>
      <p>{words.queue.empty}</p>
      <button type="button" class="button quiet" onClick={() => (desk.key.value = { at: "choosing" })}>
        {words.queue.emptyButton}
      </button>
    </div>
  );
}

function Table({ desk, sessions }: { desk: Desk; sessions: readonly Session[] }) {
  const body = useRef<HTMLTableSectionElement>(null);
  const selected = useSignal<string | null>(null);
  const isThere = sessions.some((session) => session.id === selected.value);
  const onKeyDown = (event: KeyboardEvent) => {
    const row = (event.target as Element).closest("tr");
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!row || !step || event.ctrlKey || event.altKey || event.metaKey) return;
    const rows = [...(body.current?.rows ?? [])];
    event.preventDefault();
    rows[Math.min(Math.max(rows.indexOf(row) + step, 0), rows.length - 1)]?.focus();
  };
  const heads = words.queue.heads;
  return (
    <div class="table-wrap">
      <table class="table" aria-label={words.queue.list}>
        <thead>
          <tr>
            <th scope="col">{heads.customer}</th>
            <th scope="col">{heads.platform}</th>
            <th scope="col">{heads.status}</th>
            <th scope="col">{heads.address}</th>
            <th scope="col" class="number">
              {heads.since}
            </th>
            <th scope="col">
              <span class="sr-only">{words.queue.action}</span>
            </th>
          </tr>
        </thead>
        <tbody ref={body} onKeyDown={onKeyDown}>
          {sessions.map((session, index) => (
            <Row
              key={session.id}
              desk={desk}
              session={session}
              inTabOrder={isThere ? session.id === selected.value : index === 0}
              onFocus={() => (selected.value = session.id)}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  desk: Desk;
  session: Session;
  inTabOrder: boolean;
  onFocus: () => void;
}

function Row({ desk, session, inTabOrder, onFocus }: RowProps) {
  const { facts, kind, status, public_address, since } = session.overview.value;
  const waiting = session.isWaiting.value;
  const accept = () => desk.accept(session);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.target !== event.currentTarget) return;
    event.preventDefault();
    accept();
  };
  const heads = words.facts;
  return (
    <tr tabIndex={inTabOrder ? 0 : -1} onDblClick={accept} onKeyDown={onKeyDown} onFocus={onFocus}>
      <td class="who">
        <span class="name" title={heads.customer}>
          {session.name.value}
        </span>
        <span class="second" title={heads.computer}>
          {facts.computer || <None what={heads.computer} />}
        </span>
      </td>
      <td>
        <span title={heads.platform}>{facts.platform || <None what={heads.platform} />}</span>
        <span class="second" title={heads.kind}>
          {words.kind[kind]}
        </span>
      </td>
      <td class="tight">
        <StatusWord status={status} />
      </td>
      <td class="mono">
        <span title={heads.publicAddress}>{public_address || <None what={heads.publicAddress} />}</span>
        <span class="second" title={heads.privateAddress}>
          {facts.private_address || <None what={heads.privateAddress} />}
        </span>
      </td>
      <td class="number">
        <Since at={since} />
      </td>
      <td class="act">
        <button
          type="button"
          class={`button small ${waiting ? "" : "quiet"}`}
          aria-label={waiting ? words.queue.acceptNamed(session.name.value) : words.queue.openNamed(session.name.value)}
          onClick={accept}
        >
          {waiting ? words.queue.accept : words.queue.open}
        </button>
      </td>
    </tr>
  );
}

function None({ what }: { what: string }) {
  return (
    <span class="muted">
      <span aria-hidden="true">–</span>
      <span class="sr-only">
        {what}: {words.unknown}
      </span>
    </span>
  );
}

/** Meaning by dot and word together. */
export function StatusWord({ status }: { status: Status }) {
  return (
    <span class={`status ${status}`}>
      <span class={`dot ${status}`} aria-hidden="true" />
      {words.status[status]}
    </span>
  );
}

/** Time in the system, ticking. */
export function Since({ at }: { at: number }) {
  const age = now.value - at;
  return (
    <time dateTime={isoDuration(age)} title={exactly(at)}>
      {stopwatch(age)}
    </time>
  );
}

