//! Factory reset: what is lost, and a word that nobody types by accident.

use super::entry::{Entry, Typed};
use super::frame::{CHOICES_ROW, Frame, MARGIN, VALUE_COLUMNS};
use super::key::Key;
use super::screen::Screen;
use super::state::{Deed, Purpose, Step};
use super::words;
use super::world::{Order, World};

/// Longer serial numbers are not asked for.
const TYPED_MAX: usize = 40;

/// The question.
#[derive(Debug)]
pub(super) struct Wipe {
    typed: Entry,
    is_wrong: bool,
}

/// What has to be typed: the serial number, so that nobody wipes the machine beside it; a word, if
/// there is none that can be typed.
pub(super) fn wanted(world: &World) -> &str {
    let serial = world.serial().filter(|serial| {
        serial.len() <= TYPED_MAX && serial.bytes().all(|byte| byte.is_ascii_graphic())
    });
    serial.unwrap_or(words::WIPE_WORD)
}

impl Wipe {
    pub(super) fn new() -> Self {
        Self {
            typed: Entry::new("", TYPED_MAX),
            is_wrong: false,
        }
    }

    pub(super) fn key(&mut self, key: Key, world: &World) -> Step {
        match key {
            Key::Escape => return Step::Home,
            Key::Enter if self.typed.text().trim().is_empty() => {}
            Key::Enter if self.typed.text().trim().eq_ignore_ascii_case(wanted(world)) => {
                let deed = Deed::FactoryReset;
                return Step::Ask(Order::Machine(deed.request()), Purpose::Leave(deed));
            }
            Key::Enter => self.is_wrong = true,
            _ => {
                if self.typed.key(key) == Typed::Taken {
                    self.is_wrong = false;
                }
            }
        }
        Step::Stay
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        let title = words::deed(Deed::FactoryReset);
        let mut frame = Frame::draw(screen, world, title, words::HELP_WIPE);
        frame.paragraph(words::WIPE_INTRODUCTION);
        for what in words::WIPED {
            frame.point(what);
        }
        frame.row += 1;
        for paragraph in words::wipe_consequences(world) {
            frame.paragraph(&paragraph);
        }
        let wanted = wanted(world);
        let question = words::wipe_question(wanted, wanted == words::WIPE_WORD);
        screen.write(CHOICES_ROW - 2, MARGIN, &question);
        let width = TYPED_MAX.min(VALUE_COLUMNS) + 1;
        self.typed
            .draw(screen, (CHOICES_ROW - 1, MARGIN), width, true);
        if self.is_wrong {
            screen.write(CHOICES_ROW, MARGIN, words::WIPE_WRONG);
        }
    }
}
