// The two questions that name what will be lost.

import { Dialog } from "../ui/dialog.tsx";
import { words } from "../words/en.ts";
import type { Desk } from "./desk.ts";
import { ending, signingOut } from "./layout.ts";
import type { Session } from "./session.ts";

export function EndDialog({ desk, session }: { desk: Desk; session: Session }) {
  const close = () => (ending.value = null);
  const end = () => {
    close();
    desk.end(session);
  };
  const name = session.name.value;
  const shells = session.shells.value.filter((shell) => shell.state.value !== "over").length;
  return (
    <Dialog title={words.session.endTitle(name)} onClose={close}>
      <ul class="losses">
        {shells > 0 && <li>{words.session.endShells(shells)}</li>}
        <li>
          {session.overview.value.kind === "client" ? words.session.endClient(name) : words.session.endChat(name)}
        </li>
        {session.draft.value.trim() && <li>{words.session.endDraft}</li>}
      </ul>
      <p class="muted">{words.session.endKept}</p>
      <div class="dialog-actions">
        <button type="button" class="button quiet" onClick={close}>
          {words.cancel}
        </button>
        <button type="button" class="button danger" onClick={end}>
          {words.session.end}
        </button>
      </div>
    </Dialog>
  );
}

export function SignOutDialog({ desk }: { desk: Desk }) {
  const close = () => (signingOut.value = false);
  const open = desk.tabs.value.filter((session) => session.over.value === null).length;
  return (
    <Dialog title={words.me.signOutTitle} onClose={close}>
      <p>{words.me.signOutBody(open)}</p>
      <div class="dialog-actions">
        <button type="button" class="button quiet" onClick={close}>
          {words.cancel}
        </button>
        <button type="button" class="button" onClick={() => void desk.signOut()}>
          {words.me.signOut}
        </button>
      </div>
    </Dialog>
  );
}
