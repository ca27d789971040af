//! What a customer's side wants done: shown, asked, opened, closed.

use tokio::time::Instant;

use super::{Outcome, Run};
use crate::agent::Effect;
use crate::domain::Entry;
use crate::domain::entry::{Author, What};
use crate::domain::turned::PuzzleAnswer;
use crate::endpoint::line::clean;
use crate::endpoint::terminal::Tone;
use crate::endpoint::{sys, words};

impl Run<'_> {
    pub(super) fn effect(&mut self, effect: Effect) {
        let terminal = &mut self.seat.terminal;
        match effect {
            Effect::Joined {
                representative,
                again,
                ..
            } => {
                self.backoff.reset();
                self.dial_complaint.clear();
                self.name = clean(&representative);
                let words = if again {
                    words::LINK_BACK.to_owned()
                } else {
                    words::waiting(&self.name)
                };
                terminal.say(Tone::Plain, &words);
            }
            Effect::Representative { name, present } => {
                self.name = clean(&name);
                if present {
                    terminal.say(Tone::Strong, &words::connected(&self.name));
                    if !self.helped {
                        self.helped = true;
                        terminal.say(Tone::Plain, words::HELP);
                    }
                }
            }
            Effect::Entry(entry) => self.show_entry(&entry),
            Effect::Prompt {
                tool,
                representative,
                wait,
            } => {
                let name = clean(&representative);
                let question = words::question(&name, tool, &clean(&self.user.name), wait);
                terminal.mark();
                terminal.say(Tone::Strong, &question);
            }
            Effect::PromptOver(end) => {
                terminal.say(Tone::Plain, &words::question_over(end, &self.name));
            }
            Effect::OpenShell {
                shell,
                columns,
                rows,
            } => self.open_shell(shell, columns, rows),
            Effect::Input { shell, bytes } => {
                if let Some(open) = self.shells.get(&shell) {
                    open.shell.input(&bytes);
                }
            }
            Effect::ResizeShell {
                shell,
                columns,
                rows,
            } => {
                if let Some(open) = self.shells.get(&shell) {
                    open.shell.resize(columns, rows);
                }
            }
            Effect::CloseShell(shell) => {
                if let Some(open) = self.shells.remove(&shell) {
                    self.closing.push(open.shell.close());
                }
            }
            Effect::Restart(within) => {
                terminal.say(Tone::Strong, &words::restart(within));
            }
            Effect::Stopped => terminal.say(Tone::Strong, &words::stopped(&self.name)),
            Effect::Solve { challenge, bits } => {
                terminal.say(Tone::Plain, words::PUZZLE);
                let find = move || PuzzleAnswer::find(&challenge, bits);
                self.solving = Some(tokio::task::spawn_blocking(find));
                self.close_carrier();
                let now = self.now();
                self.customer.link_down(now);
                self.redial_at = Instant::now();
            }
            Effect::LinkLost => {
                let restarts = self.customer.expects_restart();
                terminal.say(Tone::Strong, words::link_lost(restarts));
            }
            Effect::Over(end) => self.outcome = Some(Outcome::Over(end)),
        }
    }

    fn show_entry(&mut self, entry: &Entry) {
        let terminal = &mut self.seat.terminal;
        let (hour, minute) = sys::hour_and_minute(entry.at);
        if let What::Chat { text } = &entry.what {
            let by = match &entry.by {
                Author::Customer(_) => words::YOU.to_owned(),
                Author::Representative(name) => clean(name),
                Author::Appliance => self.name.clone(),
            };
            let mut lines = text.as_str().split('\n').map(clean);
            let first = lines.next().unwrap_or_default();
            let mut shown = format!("{hour:02}:{minute:02} {by}: {first}");
            for line in lines {
                // Further in than any line of ours, which it could otherwise pass for.
                shown.push_str("\n      ");
                shown.push_str(&line);
            }
            terminal.say(Tone::Plain, &shown);
            return;
        }
        let name = match &entry.by {
            Author::Representative(name) => clean(name),
            Author::Customer(_) | Author::Appliance => self.name.clone(),
        };
        if let Some(words) = words::entry(&entry.what, &name) {
            terminal.say(Tone::Plain, &format!("{hour:02}:{minute:02} {words}"));
        }
    }
}
