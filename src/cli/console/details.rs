//! Everything that is known of the machine: more than fits the first screen.

use super::frame::{BODY_ROW, Frame, HELP_ROW, VALUE_COLUMNS, scroll, value};
use super::key::Key;
use super::screen::{Screen, wrap};
use super::state::Step;
use super::words;
use super::world::World;

/// Lines shown at once.
const SHOWN: usize = HELP_ROW - 1 - BODY_ROW;

/// The list, and what of it is seen.
#[derive(Debug, Default)]
pub(super) struct Details {
    top: usize,
}

impl Details {
    pub(super) fn key(&mut self, key: Key, world: &World) -> Step {
        let count = lines(world).len();
        if scroll(&mut self.top, key, count, SHOWN) {
            return Step::Stay;
        }
        match key {
            Key::Enter | Key::Escape | Key::Char('0') => Step::Home,
            _ => Step::Stay,
        }
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        let lines = lines(world);
        let help = words::help_list(self.top, SHOWN, lines.len());
        Frame::draw(screen, world, words::DETAILS, &help);
        // The list may have become shorter since the last key.
        let top = self.top.min(lines.len().saturating_sub(SHOWN));
        for (at, (name, text)) in lines.iter().skip(top).take(SHOWN).enumerate() {
            value(screen, BODY_ROW + at, name, text);
        }
        screen.point_at(HELP_ROW, 0);
    }
}

/// Names and values; what is too long for a line goes on in the next.
fn lines(world: &World) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for (name, text) in words::details(world) {
        for (at, line) in wrap(&text, VALUE_COLUMNS).into_iter().enumerate() {
            lines.push((if at == 0 { name } else { "" }, line));
        }
    }
    lines
}
