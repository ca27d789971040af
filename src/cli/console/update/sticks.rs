//! Updates on sticks, each with what it is worth.

use super::super::frame::{BODY_ROW, CHOICES_ROW, Frame, HELP_ROW, MARGIN, TEXT_COLUMNS, button};
use super::super::key::Key;
use super::super::screen::{Screen, clip, wrap};
use super::super::state::{Step, View};
use super::super::words;
use super::super::world::World;
use super::{Confirm, Updates, look};
use crate::control::stick::{self, StickUpdate, Worth};
use crate::domain::limits::STICK_UPDATES_MAX;

/// Where the list begins: below the sticks.
const LIST_ROW: usize = BODY_ROW + 2;
/// Where the chosen one is told about.
const ABOUT_ROW: usize = LIST_ROW + STICK_UPDATES_MAX + 1;
/// What can be chosen beside updates.
const REST: [&str; 2] = [words::LOOK_AGAIN, words::BACK];

/// The list.
#[derive(Debug)]
pub(in super::super) struct Sticks {
    found: stick::Sticks,
    at: usize,
}

impl Sticks {
    pub(in super::super) fn new(found: stick::Sticks) -> Self {
        Self { found, at: 0 }
    }

    fn count(&self) -> usize {
        self.found.updates.len() + REST.len()
    }

    pub(in super::super) fn key(&mut self, key: Key) -> Step {
        let (count, updates) = (self.count(), &self.found.updates);
        match key {
            Key::Up | Key::Left | Key::BackTab => self.at = (self.at + count - 1) % count,
            Key::Down | Key::Right | Key::Tab => self.at = (self.at + 1) % count,
            Key::Home => self.at = 0,
            Key::End => self.at = count - 1,
            Key::Char(digit) => match digit.to_digit(10) {
                Some(number) if (1..=count).contains(&(number as usize)) => {
                    self.at = number as usize - 1;
                }
                _ => {}
            },
            Key::Escape => return Step::Show(View::Updates(Updates::default())),
            Key::Enter => {
                return match updates.get(self.at) {
                    Some(update) => open(update, &self.found),
                    None if self.at == updates.len() => look(),
                    None => Step::Show(View::Updates(Updates::default())),
                };
            }
            _ => {}
        }
        Step::Stay
    }

    pub(in super::super) fn draw(&self, screen: &mut Screen, world: &World) {
        Frame::draw(screen, world, words::STICKS, words::HELP_STICKS);
        let found = words::sticks_found(&self.found);
        let room = if self.found.updates.is_empty() {
            CHOICES_ROW - BODY_ROW
        } else {
            LIST_ROW - BODY_ROW
        };
        for (at, line) in wrap(&found, TEXT_COLUMNS).iter().take(room).enumerate() {
            screen.write(BODY_ROW + at, MARGIN, line);
        }
        screen.point_at(HELP_ROW, 0);
        for (at, update) in self.found.updates.iter().enumerate() {
            let text = format!("{} {}", at + 1, words::stick_update(update, world));
            let text = clip(&text, TEXT_COLUMNS - 4);
            button(screen, (LIST_ROW + at, MARGIN), &text, at == self.at);
        }
        if let Some(update) = self.found.updates.get(self.at) {
            let lines = words::about(update, world);
            let lines = lines.iter().flat_map(|line| wrap(line, TEXT_COLUMNS));
            for (at, line) in lines.take(CHOICES_ROW - ABOUT_ROW).enumerate() {
                screen.write(ABOUT_ROW + at, MARGIN, &line);
            }
        }
        let mut column = MARGIN;
        for (number, label) in (self.found.updates.len()..).zip(REST) {
            let text = format!("{} {label}", number + 1);
            let at = (CHOICES_ROW, column);
            column = button(screen, at, &text, number == self.at) + 2;
        }
    }
}

/// What cannot be installed says why, and nothing else happens.
fn open(update: &StickUpdate, found: &stick::Sticks) -> Step {
    let back = View::Sticks(Sticks::new(found.clone()));
    let why = match &update.worth {
        Worth::Judged { verdict } => verdict.refused.as_ref(),
        Worth::Unfit { why } => Some(why),
    };
    Step::Show(match (why, &update.worth) {
        (None, Worth::Judged { verdict }) => View::ConfirmUpdate(Box::new(Confirm::new(
            update.file.clone(),
            (**verdict).clone(),
        ))),
        (why, _) => View::Told {
            title: words::STICKS.to_owned(),
            text: why.map_or_else(String::new, |why| words::sentence(why)),
            then: Box::new(back),
        },
    })
}
