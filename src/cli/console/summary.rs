//! The network's settings as they would be, before they are applied.

use super::frame::{CHOICES_ROW, Choices, Frame, VALUE_COLUMNS};
use super::key::Key;
use super::network::Form;
use super::screen::{Screen, clip};
use super::state::{Purpose, Step, View};
use super::words;
use super::world::{Order, World};
use crate::control::machine::Request;
use crate::domain::Network;

/// What changes, what stays, what follows from it, and whether to do it.
#[derive(Debug)]
pub(super) struct Summary {
    /// To go back to.
    form: Form,
    wanted: Network,
    choices: Choices,
}

impl Summary {
    pub(super) fn new(form: Form, wanted: Network) -> Self {
        Self {
            form,
            wanted,
            choices: Choices::default(),
        }
    }

    pub(super) fn key(&mut self, key: Key) -> Step {
        if self.choices.key(key, 2) {
            return Step::Stay;
        }
        match key {
            Key::Enter if self.choices.at == 0 => {
                let request = Request::SetNetwork {
                    settings: self.wanted.clone(),
                };
                let summary = Self {
                    form: self.take_form(),
                    wanted: self.wanted.clone(),
                    choices: self.choices,
                };
                Step::Ask(
                    Order::Machine(request),
                    Purpose::KeepNetwork(Box::new(summary)),
                )
            }
            Key::Enter | Key::Escape => Step::Show(View::Network(Box::new(self.take_form()))),
            _ => Step::Stay,
        }
    }

    /// This view ends with the key that calls for it.
    fn take_form(&mut self) -> Form {
        std::mem::replace(&mut self.form, Form::new(Network::default(), None))
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        let title = words::NETWORK_SUMMARY;
        let mut frame = Frame::draw(screen, world, title, words::HELP_CHOICES);
        let before = words::network_values(self.form.kept());
        let after = words::network_values(&self.wanted);
        let pairs = || before.iter().zip(&after);
        let mut stays = Vec::new();
        let is_changed = pairs().any(|(before, after)| before != after);
        let heading = if is_changed {
            words::WILL_CHANGE
        } else {
            words::NOTHING_CHANGES
        };
        frame.line(heading);
        for ((name, before), (_, after)) in pairs() {
            if before == after {
                stays.push(*name);
                continue;
            }
            frame.value(name, after);
            let width = VALUE_COLUMNS - words::NOW.chars().count();
            frame.value("", &format!("{}{}", words::NOW, clip(before, width)));
        }
        frame.row += 1;
        for text in words::network_consequences(self.form.kept(), &self.wanted) {
            frame.paragraph(&text);
        }
        if !stays.is_empty() {
            frame.paragraph(&words::stays(&stays));
        }
        let labels = [words::APPLY, words::BACK_TO_FORM];
        self.choices.draw(screen, CHOICES_ROW, &labels);
    }
}
