//! What every screen has: a bar on top, a line about keys at the bottom, and between them text.

use super::key::Key;
use super::screen::{COLUMNS, Screen, clip, wrap};
use super::words;
use super::world::World;
use crate::control::machine::Channel;

/// The first line of the text.
pub(super) const BODY_ROW: usize = 2;
/// Where buttons stand.
pub(super) const CHOICES_ROW: usize = 21;
/// Which keys there are.
pub(super) const HELP_ROW: usize = 23;
/// Where text begins.
pub(super) const MARGIN: usize = 2;
/// What of a line may be used for text.
pub(super) const TEXT_COLUMNS: usize = COLUMNS - 2 * MARGIN;
/// Where values stand, beside their names.
pub(super) const VALUE_COLUMN: usize = 18;
/// What there is for a value.
pub(super) const VALUE_COLUMNS: usize = COLUMNS - VALUE_COLUMN - MARGIN;

/// A screen with bar and help, and the line where the text goes on.
pub(super) struct Frame<'a> {
    screen: &'a mut Screen,
    pub(super) row: usize,
}

impl<'a> Frame<'a> {
    /// Draws bar and help.
    pub(super) fn draw(screen: &'a mut Screen, world: &World, title: &str, help: &str) -> Self {
        screen.write_reversed(0, 0, &" ".repeat(COLUMNS));
        screen.write_reversed(0, MARGIN, &words::bar(world, title));
        let facts = world.facts.as_ref();
        if facts.is_some_and(|facts| facts.image.channel == Channel::Development) {
            let mark = words::DEVELOPMENT;
            let column = COLUMNS.saturating_sub(mark.chars().count() + 2 * MARGIN);
            screen.write_reversed(0, column, &format!("  {mark}  "));
        }
        screen.write(HELP_ROW, MARGIN, help);
        Self {
            screen,
            row: BODY_ROW,
        }
    }

    /// Text in lines, then an empty one. What does not fit above the buttons is left out.
    pub(super) fn paragraph(&mut self, text: &str) {
        for line in wrap(text, TEXT_COLUMNS) {
            self.line(&line);
        }
        self.row += 1;
    }

    /// A point of a list.
    pub(super) fn point(&mut self, text: &str) {
        for (at, line) in wrap(text, TEXT_COLUMNS - 4).iter().enumerate() {
            let mark = if at == 0 { "  - " } else { "    " };
            self.line(&format!("{mark}{line}"));
        }
    }

    /// One line.
    pub(super) fn line(&mut self, text: &str) {
        if self.row < CHOICES_ROW {
            self.screen
                .write(self.row, MARGIN, &clip(text, TEXT_COLUMNS));
        }
        self.row += 1;
    }

    /// A name and its value.
    pub(super) fn value(&mut self, name: &str, text: &str) {
        if self.row < CHOICES_ROW {
            value(self.screen, self.row, name, text);
        }
        self.row += 1;
    }
}

/// A name and its value in one line.
pub(super) fn value(screen: &mut Screen, row: usize, name: &str, text: &str) {
    screen.write(row, MARGIN, &clip(name, VALUE_COLUMN - MARGIN - 1));
    screen.write(row, VALUE_COLUMN, &clip(text, VALUE_COLUMNS));
}

/// Buttons in a row, one of them chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Choices {
    /// Counted from 0.
    pub(super) at: usize,
}

impl Choices {
    /// Moves on `key` among so many; whether it was for us. Digits choose, they do not press: what
    /// takes something away needs more than one key.
    pub(super) fn key(&mut self, key: Key, count: usize) -> bool {
        match key {
            Key::Left | Key::Up | Key::BackTab => self.at = (self.at + count - 1) % count,
            Key::Right | Key::Down | Key::Tab => self.at = (self.at + 1) % count,
            Key::Char(digit) => match digit.to_digit(10) {
                Some(number) if (1..=count).contains(&(number as usize)) => {
                    self.at = number as usize - 1;
                }
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    /// Draws them; the chosen one is marked, and the cursor stands there.
    pub(super) fn draw(self, screen: &mut Screen, row: usize, labels: &[&str]) {
        let mut column = MARGIN;
        for (at, label) in labels.iter().enumerate() {
            let text = format!("{} {label}", at + 1);
            column = button(screen, (row, column), &text, at == self.at) + 2;
        }
    }
}

/// Something that can be chosen; returns the column behind it.
pub(super) fn button(
    screen: &mut Screen,
    (row, column): (usize, usize),
    text: &str,
    is_chosen: bool,
) -> usize {
    if is_chosen {
        screen.point_at(row, column);
        screen.write_reversed(row, column, &format!("> {text} <"))
    } else {
        screen.write(row, column, &format!("  {text}  "))
    }
}

/// Moves the first line of a long list on `key`, so that `shown` of `count` lines are full; whether
/// it was for us.
pub(super) fn scroll(top: &mut usize, key: Key, count: usize, shown: usize) -> bool {
    let last = count.saturating_sub(shown);
    let wanted = match key {
        Key::Up => top.saturating_sub(1),
        Key::Down => *top + 1,
        Key::PageUp => top.saturating_sub(shown),
        Key::PageDown => *top + shown,
        Key::Home => 0,
        Key::End => last,
        _ => return false,
    };
    *top = wanted.min(last);
    true
}
