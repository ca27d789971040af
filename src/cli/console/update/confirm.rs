//! Before an update is written: what it is, and everything that speaks against it.

use super::super::frame::{CHOICES_ROW, Choices, Frame};
use super::super::key::Key;
use super::super::screen::Screen;
use super::super::state::{Purpose, Step};
use super::super::words;
use super::super::world::{Order, World};
use super::look;
use crate::control::machine::Request;
use crate::control::stick::StickFile;
use crate::control::update::Verdict;

/// The question. "No" is chosen until somebody chooses otherwise.
#[derive(Debug)]
pub(in super::super) struct Confirm {
    file: StickFile,
    verdict: Verdict,
    choices: Choices,
}

impl Confirm {
    pub(super) fn new(file: StickFile, verdict: Verdict) -> Self {
        Self {
            file,
            verdict,
            choices: Choices::default(),
        }
    }

    pub(in super::super) fn key(&mut self, key: Key) -> Step {
        if self.choices.key(key, 2) {
            return Step::Stay;
        }
        match key {
            Key::Enter if self.choices.at == 1 => {
                let request = Request::InstallFromStick {
                    file: self.file.clone(),
                    // What is needed is what was shown.
                    accept: self.verdict.needs,
                };
                let version = self.verdict.offer.version.clone();
                Step::Ask(Order::Machine(request), Purpose::Install { version })
            }
            Key::Enter | Key::Escape => look(),
            _ => Step::Stay,
        }
    }

    pub(in super::super) fn draw(&self, screen: &mut Screen, world: &World) {
        let title = words::install(&self.verdict.offer.version);
        let mut frame = Frame::draw(screen, world, &title, words::HELP_CHOICES);
        for paragraph in words::before_install(&self.verdict, world) {
            frame.paragraph(&paragraph);
        }
        let labels = [words::NO_GO_BACK, words::YES_INSTALL];
        self.choices.draw(screen, CHOICES_ROW, &labels);
    }
}
