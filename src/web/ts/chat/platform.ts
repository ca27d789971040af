// What a browser may say of itself. Shown to the representative, never relied on.

/** "Firefox on Linux". */
export function platform(agent: string): string {
  const browsers: [RegExp, string][] = [
    [/SamsungBrowser\//, "Samsung Internet"],
    [/Edg(e|A|iOS)?\//, "Edge"],
    [/OPR\//, "Opera"],
    [/Firefox\/|FxiOS\//, "Firefox"],
    [/Chrome\/|CriOS\//, "Chrome"],
    [/Safari\//, "Safari"],
  ];
  const systems: [RegExp, string][] = [
    [/Android/, "Android"],
    [/iPhone|iPad/, "iOS"],
    [/Windows/, "Windows"],
    [/CrOS/, "ChromeOS"],
    [/Mac OS X/, "macOS"],
    [/Linux/, "Linux"],
  ];
  const first = (list: [RegExp, string][]) => list.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = first(browsers) ?? "Browser";
  const system = first(systems);
  return system ? `${browser} on ${system}` : browser;
}
