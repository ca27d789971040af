// The representative's console.

import { render } from "preact";

import { App } from "./app.tsx";
import { commandsOf } from "./commands.ts";
import { Desk } from "./desk.ts";
import { listen } from "./keyboard.ts";

const root = document.getElementById("console");
if (root) {
  const desk = new Desk();
  const commands = commandsOf(desk);
  listen(desk, commands);
  render(<App desk={desk} commands={commands} />, root);
  desk.start();
}
