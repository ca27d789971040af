// The customer's facts in a drawer.

import type { ComponentChildren } from "preact";

import { Icon } from "../ui/icon.tsx";
import { words } from "../words/en.ts";
import { exactly } from "../words/time.ts";
import { drawerOpen } from "./layout.ts";
import { Since, StatusWord } from "./queue.tsx";
import type { Session } from "./session.ts";

export function Details({ session }: { session: Session }) {
  const { facts, kind, status, public_address, since, allowed } = session.overview.value;
  const heads = words.facts;
  return (
    <aside class="drawer" aria-labelledby="drawer-title">
      <div class="pane-head">
        <h2 id="drawer-title">{heads.title}</h2>
        <button
          type="button"
          class="icon-button"
          aria-label={words.close}
          title={`${words.close} (D)`}
          onClick={() => (drawerOpen.value = false)}
        >
          <Icon name="close" size={16} />
        </button>
      </div>
      <dl class="facts">
        <Fact head={heads.customer}>{session.name.value}</Fact>
        <Fact head={heads.computer}>{facts.computer || words.unknown}</Fact>
        <Fact head={heads.platform}>{facts.platform || words.unknown}</Fact>
        <Fact head={heads.kind}>{words.kind[kind]}</Fact>
        <Fact head={heads.status}>{session.over.value ? words.ended : <StatusWord status={status} />}</Fact>
        <Fact head={heads.publicAddress} mono>
          {public_address || words.unknown}
        </Fact>
        <Fact head={heads.privateAddress} mono>
          {facts.private_address || words.unknown}
        </Fact>
        <Fact head={heads.arrived}>{exactly(since)}</Fact>
        <Fact head={heads.since}>
          <Since at={since} />
        </Fact>
        <Fact head={heads.allowed}>{allowed.map((tool) => words.tool[tool]).join(", ") || words.none}</Fact>
        <Fact head={heads.session} mono>
          {session.id}
        </Fact>
      </dl>
      <p class="muted small drawer-foot">{heads.trust}</p>
    </aside>
  );
}

function Fact({ head, mono = false, children }: { head: string; mono?: boolean; children: ComponentChildren }) {
  return (
    <div>
      <dt>{head}</dt>
      <dd class={mono ? "mono" : undefined}>{children}</dd>
    </div>
  );
}
