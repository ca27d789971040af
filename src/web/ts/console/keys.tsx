// Every key, by where it works.

import { Icon } from "../ui/icon.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { words } from "../words/en.ts";
import { type Command, type Group, keysOf } from "./commands.ts";
import { keysOpen } from "./layout.ts";

/** Keys that are not commands: they belong to a place. */
const fixed: Record<Group | "shell", [string, string[][]][]> = {
  everywhere: [
    [words.keys.palette, [["Ctrl", "K"]]],
    [words.keys.help, [["?"]]],
    [words.keys.number, [["0"], ["9"]]],
    [words.keys.leave, [["Esc"]]],
  ],
  queue: [
    [words.keys.select, [["↑"], ["↓"]]],
    [words.keys.accept, [["Enter"]]],
  ],
  session: [],
  shell: [
    [words.keys.copy, [["Ctrl", "Shift", "C"]]],
    [words.keys.paste, [["Ctrl", "Shift", "V"]]],
  ],
};

export function KeysDialog({ commands }: { commands: readonly Command[] }) {
  const close = () => (keysOpen.value = false);
  const groups = ["everywhere", "queue", "session", "shell"] as const;
  const ofGroup = (group: Group | "shell"): [string, string[][]][] => [
    ...commands
      .filter((command) => command.group === group && command.letter && command.label !== words.keys.palette)
      .map((command): [string, string[][]] => [command.label, [keysOf(command)]]),
    ...fixed[group],
  ];
  return (
    <Dialog title={words.keys.title} class="wide" onClose={close}>
      <button type="button" class="icon-button dialog-close" aria-label={words.close} onClick={close}>
        <Icon name="close" size={16} />
      </button>
      <p class="muted">{words.keys.explain}</p>
      <div class="keys">
        {groups.map((group) => (
          <section key={group}>
            <h3>{words.keys.groups[group]}</h3>
            <dl>
              {ofGroup(group).map(([label, combos]) => (
                <div key={label}>
                  <dt>{label}</dt>
                  <dd>
                    {combos.map((combo) => (
                      <span key={combo.join()} class="combo">
                        {combo.map((key) => (
                          <kbd key={key}>{key}</kbd>
                        ))}
                      </span>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
