// Style sheets made by script, for pages whose policy forbids <style> elements.

/**
 * Stands in for the `<style>` elements xterm.js creates (see build.mjs): it takes text and can be
 * removed, but the rules go into a constructed sheet, which `style-src 'self'` lets scripts make.
 */
export function sheetElement(): HTMLElement {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const element = document.createElement("template");
  Object.defineProperty(element, "textContent", {
    set: (text: string) => sheet.replaceSync(text),
  });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    HTMLElement.prototype.remove.call(element);
  };
  return element;
}
