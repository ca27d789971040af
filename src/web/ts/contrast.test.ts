import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

type Colours = Map<string, string>;

/** The custom properties of the light block, and of the dark one on top of it. */
function palettes(): { light: Colours; dark: Colours } {
  const css = readFileSync("css/tokens.css", "utf8");
  const [before = "", after = ""] = css.split("@media (prefers-color-scheme: dark)");
  const read = (text: string): Colours =>
    new Map([...text.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((match) => [match[1] ?? "", match[2] ?? ""]));
  const light = read(before);
  return { light, dark: new Map([...light, ...read(after)]) };
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(one: string, other: string): number {
  const luminance = (hex: string) => {
    const channel = (at: number) => {
      const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
  };
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function hold(colours: Colours, text: string, ground: string, least: number): void {
  const [one, other] = [colours.get(text), colours.get(ground)];
  assert.ok(one && other, `${text} and ${ground} are colours`);
  const ratio = contrast(one, other);
  assert.ok(ratio >= least, `${text} on ${ground} is ${ratio.toFixed(2)}:1, not ${least}:1`);
}

for (const [mode, colours] of Object.entries(palettes())) {
  test(`text can be read by everybody in ${mode} mode`, () => {
    for (const ground of ["bg", "surface", "raised"]) {
      hold(colours, "text", ground, 7);
      hold(colours, "muted", ground, 4.5);
      for (const meaning of ["accent", "good", "warn", "bad", "live"]) hold(colours, meaning, ground, 4.5);
    }
    for (const meaning of ["accent", "good", "warn", "bad", "live"]) {
      hold(colours, "text", `${meaning}-soft`, 7);
      hold(colours, meaning, `${meaning}-soft`, 4.5);
    }
  });

  test(`the customer's pages reach 7:1 in ${mode} mode`, () => {
    hold(colours, "muted", "bg", 7);
    hold(colours, "muted", "surface", 7);
    hold(colours, "on-accent", "accent", 7);
    hold(colours, "accent", "surface", 7);
    hold(colours, "accent", "accent-soft", 4.5);
  });

  test(`edges of fields can be seen in ${mode} mode`, () => {
    hold(colours, "line-strong", "surface", 3);
    hold(colours, "line-strong", "bg", 3);
  });
}
