// Copying by a click, with a confirmation that is seen and heard.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import { words } from "../words/en.ts";
import { Icon } from "./icon.tsx";

/** Puts text on the clipboard. False if the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** For pages without clipboard permission: the way browsers have had for ever. */
function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr-only";
  const before = document.activeElement;
  (before?.closest("dialog") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}

interface Props {
  text: string;
  label: string;
  class: string;
  children: ComponentChildren;
}

/** A button that copies `text` and says so. */
export function CopyButton({ text, label, class: className, children }: Props) {
  const said = useSignal("");
  const copy = async () => {
    said.value = (await copyText(text)) ? words.copied : words.copyFailed;
    setTimeout(() => (said.value = ""), 2_500);
  };
  return (
    <button type="button" class={`copy ${className}`} aria-label={label} title={words.key.clickToCopy} onClick={copy}>
      {children}
      <span class="copy-said" role="status">
        {said.value && (
          <>
            <Icon name={said.value === words.copied ? "check" : "warn"} size={16} /> {said.value}
          </>
        )}
        {!said.value && <Icon name="copy" size={16} />}
      </span>
    </button>
  );
}
