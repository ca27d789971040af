//! A new password for the administrator: whoever stands at the machine may set one.

use super::entry::{Entry, Typed};
use super::frame::{CHOICES_ROW, Frame, MARGIN, VALUE_COLUMN, button};
use super::key::Key;
use super::screen::{Screen, clip};
use super::state::{Purpose, Step};
use super::words;
use super::world::{Order, World};
use crate::domain::limits::PASSWORD_BYTES_MAX;
use crate::domain::password::Password;
use crate::domain::{AccountName, Secret};

/// The account that setting up makes.
const ADMINISTRATOR: &str = "admin";
/// The longest account name.
const NAME_BYTES_MAX: usize = 64;
/// Width of the fields.
const WIDTH: usize = 40;

/// Where the cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    Name,
    First,
    Again,
    Set,
    Back,
}

const SPOTS: [Spot; 5] = [Spot::Name, Spot::First, Spot::Again, Spot::Set, Spot::Back];

/// The form.
#[derive(Debug)]
pub(super) struct Reset {
    name: Entry,
    first: Entry,
    again: Entry,
    at: usize,
    /// The last key was one that the field does not take.
    is_refused: bool,
}

/// What is wrong with what was typed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Name,
    TooShort {
        chars: usize,
    },
    Differ,
    /// A key that does not belong into a password, so that nobody believes it was taken.
    Key,
}

impl Reset {
    pub(super) fn new() -> Self {
        Self {
            name: Entry::new(ADMINISTRATOR, NAME_BYTES_MAX),
            first: Entry::hidden(PASSWORD_BYTES_MAX),
            again: Entry::hidden(PASSWORD_BYTES_MAX),
            // The name is right nearly always.
            at: 1,
            is_refused: false,
        }
    }

    fn problem(&self) -> Option<Problem> {
        if AccountName::new(self.name.text().trim()).is_err() {
            return Some(Problem::Name);
        }
        // Too long cannot be typed.
        if Password::new(self.first.text()).is_err() {
            let chars = self.first.text().chars().count();
            return Some(Problem::TooShort { chars });
        }
        (self.first.text() != self.again.text()).then_some(Problem::Differ)
    }

    pub(super) fn key(&mut self, key: Key) -> Step {
        self.is_refused = false;
        let field = match SPOTS[self.at] {
            Spot::Name => Some(&mut self.name),
            Spot::First => Some(&mut self.first),
            Spot::Again => Some(&mut self.again),
            Spot::Set | Spot::Back => None,
        };
        match field.map_or(Typed::NotForUs, |field| field.key(key)) {
            Typed::Taken => return Step::Stay,
            Typed::Refused => {
                self.is_refused = true;
                return Step::Stay;
            }
            Typed::NotForUs => {}
        }
        let count = SPOTS.len();
        match (key, SPOTS[self.at]) {
            (Key::Escape, _) | (Key::Enter, Spot::Back) => return Step::Home,
            (Key::Enter, Spot::Set) => return self.set(),
            (Key::Up | Key::BackTab | Key::Left, _) => self.at = (self.at + count - 1) % count,
            (Key::Down | Key::Tab | Key::Right | Key::Enter, _) => self.at = (self.at + 1) % count,
            _ => {}
        }
        Step::Stay
    }

    /// Has it set. The form forgets the passwords: if it is shown again, they are typed again.
    fn set(&mut self) -> Step {
        let Ok(name) = AccountName::new(self.name.text().trim()) else {
            self.at = 0;
            return Step::Stay;
        };
        if self.problem().is_some() {
            self.at = 1;
            return Step::Stay;
        }
        let password = Secret::new(self.first.text().to_owned());
        let mut form = Self::new();
        form.name = self.name.clone();
        Step::Ask(
            Order::ResetPassword { name, password },
            Purpose::ResetPassword(Box::new(form)),
        )
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        let title = words::ADMINISTRATORS_PASSWORD;
        let mut frame = Frame::draw(screen, world, title, words::HELP_FORM);
        for paragraph in words::PASSWORD_INTRODUCTION {
            frame.paragraph(paragraph);
        }
        let row = frame.row;
        let spot = SPOTS[self.at];
        for (at, (name, field, of)) in [
            (words::ACCOUNT, &self.name, Spot::Name),
            (words::NEW_PASSWORD, &self.first, Spot::First),
            (words::AGAIN, &self.again, Spot::Again),
        ]
        .into_iter()
        .enumerate()
        {
            screen.write(row + at, MARGIN, &clip(name, VALUE_COLUMN - MARGIN - 1));
            field.draw(screen, (row + at, VALUE_COLUMN), WIDTH, spot == of);
        }
        let problem = if self.is_refused {
            Some(Problem::Key)
        } else {
            self.problem()
        };
        let text = words::password_problem(problem.as_ref());
        screen.write(row + 4, MARGIN, &text);
        let end = button(
            screen,
            (CHOICES_ROW, MARGIN),
            words::SET_PASSWORD,
            spot == Spot::Set,
        );
        button(
            screen,
            (CHOICES_ROW, end + 2),
            words::BACK,
            spot == Spot::Back,
        );
    }
}
