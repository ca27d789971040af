// Our own outlined icons, drawn on a 20-pixel grid. Always next to a word or inside something that
// has a name, so hidden from screen readers.

const paths = {
  plus: "M10 4v12M4 10h12",
  close: "M5 5l10 10M15 5L5 15",
  check: "M4 10.5l4 4 8-9",
  clock: "M10 3a7 7 0 1 1 0 14a7 7 0 0 1 0-14zM10 6v4.2l2.8 1.8",
  chevronDown: "M5 7.5l5 5 5-5",
  chevronRight: "M7.5 5l5 5-5 5",
  sidebar: "M3 4.5h14v11H3zM8 4.5v11",
  chat: "M3.5 4h13v9.5h-7L6 16.5v-3H3.5z",
  terminal: "M2.5 4h15v12h-15zM5.5 8l2.5 2.2-2.5 2.2M10 12.5h4",
  info: "M10 3a7 7 0 1 1 0 14a7 7 0 0 1 0-14zM10 9.2v4.3M10 6.4v.4",
  stop: "M6 3h8l3 3v8l-3 3H6l-3-3V6zM7.5 7.5l5 5M12.5 7.5l-5 5",
  hold: "M7.5 4.5v11M12.5 4.5v11",
  copy: "M7 7h9.5v9.5H7zM13 7V3.5H3.5V13H7",
  person: "M10 3.5a3 3 0 1 1 0 6a3 3 0 0 1 0-6zM4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5",
  keyboard: "M2.5 5.5h15v9h-15zM5.5 8.4v.2M8.5 8.4v.2M11.5 8.4v.2M14.5 8.4v.2M6.5 11.7h7",
  exit: "M12 3.5H4v13h8M8.5 10h9M14.5 7l3 3-3 3",
  search: "M9 3.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11zM13 13l4 4",
  warn: "M10 3.2L17.6 16.5H2.4zM10 8v4.2M10 14.2v.3",
  send: "M3.5 10h12M10.5 5l5 5-5 5",
  queue: "M3 5h14M3 10h14M3 15h9",
  play: "M6 4l10 6-10 6z",
  pause: "M7 4.5v11M13 4.5v11",
  down: "M10 4v12M5 11l5 5 5-5",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 20 }: { name: IconName; size?: 16 | 20 }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
