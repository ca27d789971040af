// Click-to-chat: the customer's side in a browser.

import { render } from "preact";

import { Conversation } from "./conversation.ts";
import { Page } from "./page.tsx";

const root = document.getElementById("chat");
if (root) {
  const conversation = new Conversation(new URLSearchParams(location.search).get("ak"));
  render(<Page conversation={conversation} />, root);
  conversation.start();
}
