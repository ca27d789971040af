// The portal works without this; with it, a key is grouped as it is typed, and the puzzle a
// guessed-at site asks for is solved while a sentence says so.

import { words } from "../words/en.ts";
import { regroup } from "./key.ts";
import { solve } from "./puzzle.ts";

for (const input of document.querySelectorAll<HTMLInputElement>("input.key")) groupAsTyped(input);
for (const form of document.querySelectorAll<HTMLFormElement>("form[data-challenge]")) void solveAndSend(form);

function groupAsTyped(input: HTMLInputElement): void {
  const onInput = () => {
    const end = input.value.length;
    const { text, caret } = regroup(input.value, input.selectionStart ?? end);
    if (text === input.value) return;
    input.value = text;
    input.setSelectionRange(caret, caret);
  };
  input.addEventListener("input", onInput);
  onInput();
}

async function solveAndSend(form: HTMLFormElement): Promise<void> {
  const { challenge = "", bits = "0" } = form.dataset;
  const progress = form.querySelector<HTMLElement>(".progress");
  const say = (text: string) => progress && (progress.textContent = text);
  const set = (name: string, value: string) => {
    const input = form.querySelector<HTMLInputElement>(`input[name="${name}"]`);
    if (input) input.value = value;
  };
  // Sent without being asked only if nothing is left to type: a password is not given back.
  const complete = form.checkValidity();
  say(complete ? words.portal.working : words.portal.solving);
  // Sent only once: by the person before it is solved, or by us after.
  let wanted = false;
  let solved = false;
  form.addEventListener("submit", (event) => {
    if (solved) return;
    event.preventDefault();
    wanted = true;
  });
  const answer = await solve(challenge, Number(bits));
  set("challenge", challenge);
  set("answer", String(answer));
  solved = true;
  say(words.portal.done);
  if (wanted || complete) form.requestSubmit();
  else say("");
}
