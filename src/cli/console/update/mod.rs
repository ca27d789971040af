//! Versions of the system: what runs, what is on its way, and what can be done about it.
//!
//! ```text
//! this screen ─┬─> sticks ─> confirm ─> (it is written) ─┬─> when
//!              └─> when                                   └─> back here
//! ```
//!
//! The same that the page Appliance > Updates shows; what is not here can be done there.

mod confirm;
mod sticks;
mod when;

pub(super) use confirm::Confirm;
pub(super) use sticks::Sticks;
pub(super) use when::When;

use super::frame::{BODY_ROW, CHOICES_ROW, Choices, Frame, VALUE_COLUMNS, value};
use super::key::Key;
use super::screen::{Screen, wrap};
use super::state::{Purpose, Step, View};
use super::words;
use super::world::{Order, World};
use crate::control::machine::Request;
use crate::control::update::{Phase, Version};

/// Lines for what is known.
const SHOWN: usize = CHOICES_ROW - 1 - BODY_ROW;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Sticks,
    When,
    Back,
}

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Updates {
    choices: Choices,
}

/// The version that waits for a restart.
fn ready(world: &World) -> Option<&Version> {
    match &world.update.as_ref()?.phase {
        Phase::Ready { version, .. } => Some(version),
        _ => None,
    }
}

/// Looks for sticks.
fn look() -> Step {
    Step::Ask(Order::Machine(Request::ListSticks), Purpose::ListSticks)
}

impl Updates {
    fn offered(world: &World) -> &'static [Choice] {
        if ready(world).is_some() {
            &[Choice::When, Choice::Sticks, Choice::Back]
        } else {
            &[Choice::Sticks, Choice::Back]
        }
    }

    pub(super) fn key(&mut self, key: Key, world: &World) -> Step {
        let offered = Self::offered(world);
        if self.choices.key(key, offered.len()) {
            return Step::Stay;
        }
        match (key, offered[self.choices.at.min(offered.len() - 1)]) {
            (Key::Enter, Choice::Sticks) => look(),
            (Key::Enter, Choice::When) => match ready(world) {
                Some(version) => Step::Show(View::When(When::new(version.clone()))),
                None => Step::Stay,
            },
            (Key::Enter, Choice::Back) | (Key::Escape, _) => Step::Home,
            _ => Step::Stay,
        }
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        Frame::draw(screen, world, words::UPDATES, words::HELP_CHOICES);
        let mut lines = Vec::new();
        for (name, text) in words::updates(world) {
            for (at, line) in wrap(&text, VALUE_COLUMNS).into_iter().enumerate() {
                lines.push((if at == 0 { name } else { "" }, line));
            }
        }
        for (at, (name, text)) in lines.iter().take(SHOWN).enumerate() {
            value(screen, BODY_ROW + at, name, text);
        }
        let offered = Self::offered(world);
        let labels: Vec<&str> = offered.iter().map(|choice| label(*choice)).collect();
        let at = self.choices.at.min(offered.len() - 1);
        Choices { at }.draw(screen, CHOICES_ROW, &labels);
    }
}

fn label(choice: Choice) -> &'static str {
    match choice {
        Choice::Sticks => words::FROM_A_STICK,
        Choice::When => words::WHEN_TO_RESTART,
        Choice::Back => words::BACK,
    }
}
