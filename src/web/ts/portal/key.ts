// A session key as people write it.

/** Without the spaces and dashes that were typed or pasted along. */
export function bareKey(typed: string): string {
  return typed.replace(/[\s\-–—.]+/g, "");
}

/** In groups of three, the rest at the end: "896 4548". */
export function groupedKey(bare: string): string {
  const groups: string[] = [];
  let rest = bare;
  while (rest.length > 4) {
    groups.push(rest.slice(0, 3));
    rest = rest.slice(3);
  }
  return [...groups, rest].join(" ");
}

/**
 * The grouped text of what is in the box, and where the caret goes: behind as many digits as it
 * was behind before.
 */
export function regroup(typed: string, caret: number): { text: string; caret: number } {
  const before = bareKey(typed.slice(0, caret)).length;
  const text = groupedKey(bareKey(typed));
  let at = 0;
  for (let seen = 0; seen < before && at < text.length; at += 1) if (text[at] !== " ") seen += 1;
  return { text, caret: at };
}
