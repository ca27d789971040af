//! Support bundle: what would be in it, before anything is written.

use super::frame::{BODY_ROW, CHOICES_ROW, Choices, Frame, MARGIN, TEXT_COLUMNS, scroll};
use super::key::Key;
use super::screen::{Screen, clip};
use super::state::{Purpose, Step};
use super::words;
use super::world::{Order, World};
use crate::control::machine::{self, Request};

/// Where the list begins: below two lines of introduction.
const LIST_ROW: usize = BODY_ROW + 3;
/// Lines of the list that are seen.
const SHOWN: usize = CHOICES_ROW - 3 - LIST_ROW;

/// What can be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Write,
    Look,
    Back,
}

/// The list and what to do with it.
#[derive(Debug)]
pub(super) struct Bundle {
    found: machine::Bundle,
    top: usize,
    choices: Choices,
}

impl Bundle {
    pub(super) fn new(found: machine::Bundle) -> Self {
        Self {
            found,
            top: 0,
            choices: Choices::default(),
        }
    }

    /// Without a stick there is nothing to write to.
    fn offered(&self) -> &'static [Choice] {
        if self.found.written.is_some() {
            &[Choice::Back]
        } else if self.found.stick.is_some() {
            &[Choice::Write, Choice::Look, Choice::Back]
        } else {
            &[Choice::Look, Choice::Back]
        }
    }

    pub(super) fn key(&mut self, key: Key) -> Step {
        if scroll(&mut self.top, key, self.found.files.len(), SHOWN) {
            return Step::Stay;
        }
        let offered = self.offered();
        if self.choices.key(key, offered.len()) {
            return Step::Stay;
        }
        match (key, offered[self.choices.at.min(offered.len() - 1)]) {
            (Key::Enter, Choice::Write) => Step::Ask(
                Order::Machine(Request::WriteSupportBundle),
                Purpose::WriteBundle,
            ),
            (Key::Enter, Choice::Look) => Step::Ask(
                Order::Machine(Request::ListSupportBundle),
                Purpose::ListBundle,
            ),
            (Key::Enter, Choice::Back) | (Key::Escape, _) => Step::Home,
            _ => Step::Stay,
        }
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        let files = &self.found.files;
        let help = words::help_bundle(self.top, SHOWN, files.len());
        let mut frame = Frame::draw(screen, world, words::SUPPORT_BUNDLE, &help);
        frame.paragraph(words::BUNDLE_INTRODUCTION);
        for (at, file) in files.iter().skip(self.top).take(SHOWN).enumerate() {
            let text = words::bundle_file(file);
            screen.write(LIST_ROW + at, MARGIN, &clip(&text, TEXT_COLUMNS));
        }
        let text = words::bundle_place(&self.found);
        screen.write(CHOICES_ROW - 2, MARGIN, &clip(&text, TEXT_COLUMNS));
        let labels: Vec<&str> = self.offered().iter().map(|choice| label(*choice)).collect();
        self.choices.draw(screen, CHOICES_ROW, &labels);
    }
}

fn label(choice: Choice) -> &'static str {
    match choice {
        Choice::Write => words::WRITE_BUNDLE,
        Choice::Look => words::LOOK_AGAIN,
        Choice::Back => words::BACK,
    }
}
