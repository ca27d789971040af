//! A line that somebody types.

use std::fmt;

use zeroize::Zeroizing;

use super::key::Key;
use super::screen::Screen;

/// Text in a field, and where in it the next letter goes. Wiped when dropped: some are passwords.
#[derive(Clone)]
pub(super) struct Entry {
    text: Zeroizing<String>,
    /// In characters.
    at: usize,
    bytes_max: usize,
    kind: Kind,
}

impl fmt::Debug for Entry {
    /// Without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What may be typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Printable ASCII: names, addresses.
    Plain,
    /// Anything, and nobody may see it.
    Hidden,
}

/// What came of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// It was for the field.
    Taken,
    /// It was for the field, which does not take it: too long, or a character that cannot be here.
    Refused,
    /// It means something else.
    NotForUs,
}

impl Entry {
    /// With `text` in it and the cursor behind it.
    pub(super) fn new(text: &str, bytes_max: usize) -> Self {
        Self {
            text: Zeroizing::new(text.to_owned()),
            at: text.chars().count(),
            bytes_max,
            kind: Kind::Plain,
        }
    }

    /// Empty, and shown as asterisks.
    pub(super) fn hidden(bytes_max: usize) -> Self {
        // All of it at once: a growing text would leave copies behind.
        let text = Zeroizing::new(String::with_capacity(bytes_max));
        Self {
            text,
            at: 0,
            bytes_max,
            kind: Kind::Hidden,
        }
    }

    /// What was typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Gives a key to the field.
    pub(super) fn key(&mut self, key: Key) -> Typed {
        let length = self.text.chars().count();
        match key {
            Key::Char(char) => return self.insert(char),
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                let at = self.byte_at(self.at);
                self.text.remove(at);
            }
            Key::Delete if self.at < length => {
                let at = self.byte_at(self.at);
                self.text.remove(at);
            }
            Key::Backspace | Key::Delete => {}
            Key::Left => self.at = self.at.saturating_sub(1),
            Key::Right => self.at = length.min(self.at + 1),
            Key::Home => self.at = 0,
            Key::End => self.at = length,
            Key::Clear => {
                // `clear` would leave the bytes in place.
                let capacity = self.text.capacity();
                self.text = Zeroizing::new(String::with_capacity(capacity));
                self.at = 0;
            }
            Key::Other if self.kind == Kind::Hidden => return Typed::Refused,
            Key::Enter
            | Key::Tab
            | Key::BackTab
            | Key::Escape
            | Key::Up
            | Key::Down
            | Key::PageUp
            | Key::PageDown
            | Key::Redraw
            | Key::Other => return Typed::NotForUs,
        }
        Typed::Taken
    }

    fn insert(&mut self, char: char) -> Typed {
        let allowed = self.kind == Kind::Hidden || matches!(char, ' '..='~');
        if !allowed || self.text.len() + char.len_utf8() > self.bytes_max {
            return Typed::Refused;
        }
        let at = self.byte_at(self.at);
        self.text.insert(at, char);
        self.at += 1;
        Typed::Taken
    }

    fn byte_at(&self, char: usize) -> usize {
        let mut starts = self.text.char_indices().map(|(at, _)| at);
        starts.nth(char).unwrap_or(self.text.len())
    }

    /// Shows it between brackets; `width` characters of it at most. If it is the one being typed
    /// in, the cursor is put into it.
    pub(super) fn draw(
        &self,
        screen: &mut Screen,
        (row, column): (usize, usize),
        width: usize,
        is_current: bool,
    ) {
        // The cursor may stand behind the last letter.
        let first = (self.at + 1).saturating_sub(width);
        let seen: String = match self.kind {
            Kind::Plain => self.text.chars().skip(first).take(width).collect(),
            Kind::Hidden => self
                .text
                .chars()
                .skip(first)
                .take(width)
                .map(|_| '*')
                .collect(),
        };
        screen.write(row, column, "[");
        screen.write(row, column + 1, &seen);
        screen.write(row, column + 1 + width, "]");
        if is_current {
            screen.point_at(row, column + 1 + self.at - first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(entry: &mut Entry, text: &str) {
        for char in text.chars() {
            entry.key(Key::Char(char));
        }
    }

    #[test]
    fn letters_go_where_the_cursor_is() {
        let mut entry = Entry::new("ac", 10);
        entry.key(Key::Left);
        typed(&mut entry, "b");
        assert_eq!(entry.text(), "abc");
        entry.key(Key::Delete);
        assert_eq!(entry.text(), "ab");
        entry.key(Key::Home);
        entry.key(Key::Backspace);
        entry.key(Key::Delete);
        assert_eq!(entry.text(), "b");
        entry.key(Key::Clear);
        assert_eq!(entry.text(), "");
    }

    #[test]
    fn a_full_field_refuses_and_only_hidden_ones_take_letters_of_other_languages() {
        let mut plain = Entry::new("", 3);
        assert_eq!(plain.key(Key::Char('ü')), Typed::Refused);
        typed(&mut plain, "abcd");
        assert_eq!(plain.text(), "abc");
        let mut hidden = Entry::hidden(3);
        assert_eq!(hidden.key(Key::Char('ü')), Typed::Taken);
        assert_eq!(hidden.key(Key::Char('ü')), Typed::Refused);
        assert_eq!(hidden.key(Key::Other), Typed::Refused);
        hidden.key(Key::Backspace);
        assert_eq!(hidden.text(), "");
    }

    #[test]
    fn a_long_text_slides_under_the_cursor_and_a_password_is_never_shown() {
        let row = |screen: &Screen| {
            let row: String = screen.rows()[0]
                .iter()
                .map(|c| char::from(c.byte))
                .collect();
            row.trim_end().to_owned()
        };
        let mut screen = Screen::new();
        Entry::new("0123456789", 20).draw(&mut screen, (0, 0), 5, true);
        assert_eq!(row(&screen), "[6789 ]");
        assert_eq!(screen.cursor(), (0, 5));
        let mut hidden = Entry::hidden(20);
        typed(&mut hidden, "secret");
        let mut screen = Screen::new();
        hidden.draw(&mut screen, (0, 0), 8, false);
        assert_eq!(row(&screen), "[******  ]");
    }
}
