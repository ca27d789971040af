//! When the version that is ready is started.

use super::super::frame::{CHOICES_ROW, Choices, Frame};
use super::super::key::Key;
use super::super::screen::Screen;
use super::super::state::{Purpose, Step, View};
use super::super::words;
use super::super::world::{Order, World};
use super::Updates;
use crate::control::update::{self, Request, Version, Way, Who};

/// In the order of the buttons, behind the one that changes nothing.
const TIMES: [update::When; 3] = [update::When::Now, update::When::Window, update::When::Later];

/// The question. What is settled already stays until somebody chooses otherwise.
#[derive(Debug)]
pub(in super::super) struct When {
    version: Version,
    choices: Choices,
}

impl When {
    pub(in super::super) fn new(version: Version) -> Self {
        let choices = Choices::default();
        Self { version, choices }
    }

    pub(in super::super) fn key(&mut self, key: Key) -> Step {
        if self.choices.key(key, 1 + TIMES.len()) {
            return Step::Stay;
        }
        match key {
            Key::Enter if self.choices.at > 0 => {
                let when = TIMES[self.choices.at - 1];
                let who = Who {
                    way: Way::Console,
                    ..Who::default()
                };
                let version = self.version.clone();
                let order = Order::Update(Request::Restart { who, when });
                Step::Ask(order, Purpose::Restart { version, when })
            }
            Key::Enter | Key::Escape => Step::Show(View::Updates(Updates::default())),
            _ => Step::Stay,
        }
    }

    pub(in super::super) fn draw(&self, screen: &mut Screen, world: &World) {
        let title = words::WHEN_TO_RESTART;
        let mut frame = Frame::draw(screen, world, title, words::HELP_CHOICES);
        for paragraph in words::when(&self.version, world) {
            frame.paragraph(&paragraph);
        }
        let labels = [
            words::NO_GO_BACK,
            words::AT_ONCE,
            words::IN_THE_WINDOW,
            words::WHEN_ASKED,
        ];
        self.choices.draw(screen, CHOICES_ROW, &labels);
    }
}
