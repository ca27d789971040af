//! Before the machine goes down: what ends with it, and whether that is meant. And while it does.

use super::frame::{CHOICES_ROW, Choices, Frame, HELP_ROW};
use super::key::Key;
use super::screen::Screen;
use super::state::{Deed, Purpose, Step};
use super::words;
use super::world::{Order, World};
use crate::domain::Moment;

/// The question. "No" is chosen until somebody chooses otherwise.
#[derive(Debug)]
pub(super) struct Confirm {
    deed: Deed,
    choices: Choices,
}

impl Confirm {
    pub(super) fn new(deed: Deed) -> Self {
        let choices = Choices::default();
        Self { deed, choices }
    }

    pub(super) fn key(&mut self, key: Key) -> Step {
        if self.choices.key(key, 2) {
            return Step::Stay;
        }
        match key {
            Key::Enter if self.choices.at == 1 => Step::Ask(
                Order::Machine(self.deed.request()),
                Purpose::Leave(self.deed),
            ),
            Key::Enter | Key::Escape => Step::Home,
            _ => Step::Stay,
        }
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        let mut frame = Frame::draw(screen, world, words::deed(self.deed), words::HELP_CHOICES);
        for paragraph in words::before(self.deed, world) {
            frame.paragraph(&paragraph);
        }
        let labels = [words::NO_GO_BACK, words::yes(self.deed)];
        self.choices.draw(screen, CHOICES_ROW, &labels);
    }
}

/// The machine was told, and does it.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) deed: Deed,
    pub(super) since: Moment,
}

impl Leaving {
    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        let mut frame = Frame::draw(screen, world, words::deed(self.deed), "");
        let since = world.since(self.since);
        for paragraph in words::leaving(self.deed, world, since) {
            frame.paragraph(&paragraph);
        }
        screen.point_at(HELP_ROW, 0);
    }
}
