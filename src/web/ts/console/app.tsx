// The page: header with tabs, queues at the left, the queue or a session in the middle.

import { words } from "../words/en.ts";
import type { Command } from "./commands.ts";
import type { Desk } from "./desk.ts";
import { EndDialog, SignOutDialog } from "./ending.tsx";
import { Header } from "./header.tsx";
import { KeysDialog } from "./keys.tsx";
import { ending, keysOpen, paletteOpen, sidebarOpen, signingOut } from "./layout.ts";
import { Announcement, ClosedPage, LostBanner, NewerBanner, Notice, RestartBanner } from "./messages.tsx";
import { KeyPanel } from "./newkey.tsx";
import { Palette } from "./palette.tsx";
import { QueueView } from "./queue.tsx";
import { SessionView } from "./sessionview.tsx";
import { Sidebar } from "./sidebar.tsx";

interface Props {
  desk: Desk;
  commands: readonly Command[];
}

export function App({ desk, commands }: Props) {
  const closed = desk.closed.value;
  if (closed) return <ClosedPage desk={desk} why={closed} />;
  if (!desk.me.value) {
    return (
      <main class="blank" id="main">
        <p role="status">
          {desk.dial.state.value.at === "waiting" ? words.link.lost : words.link.connecting}
        </p>
        <LostBanner desk={desk} />
      </main>
    );
  }
  const session = desk.current.value;
  return (
    <div class={`console ${sidebarOpen.value ? "with-sidebar" : ""}`}>
      <Header desk={desk} />
      <LostBanner desk={desk} />
      <RestartBanner desk={desk} />
      <NewerBanner desk={desk} />
      <Notice desk={desk} />
      <div class="body">
        <Sidebar desk={desk} />
        {session ? <SessionView key={session.id} desk={desk} session={session} /> : <QueueView desk={desk} />}
      </div>
      {desk.key.value && <KeyPanel desk={desk} state={desk.key.value} />}
      <Announcement desk={desk} />
      {keysOpen.value && <KeysDialog commands={commands} />}
      {paletteOpen.value && <Palette desk={desk} commands={commands} />}
      {ending.value && <EndDialog desk={desk} session={ending.value} />}
      {signingOut.value && <SignOutDialog desk={desk} />}
    </div>
  );
}
