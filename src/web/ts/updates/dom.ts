// A little help with elements.

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A name and its value, as cards of facts have them. */
export function fact(title: string, value: string): HTMLElement {
  return element("div", "", element("dt", "", title), element("dd", "", value));
}
