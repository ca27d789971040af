//! What is to be seen: 80 columns, 24 lines, ASCII.
//!
//! A screen of 25 lines is what a PC has, but many serial terminals and their emulators have 24, so
//! the last line stays free. Whatever is written beyond an edge is cut off, and what a poor terminal
//! might not know is shown as a question mark: no text can move a cursor.

/// Columns.
pub(super) const COLUMNS: usize = 80;
/// Lines.
pub(super) const ROWS: usize = 24;

/// One place on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Printable ASCII.
    pub(super) byte: u8,
    /// Dark on light. Only ever an addition: everything is said in characters as well.
    pub(super) reversed: bool,
}

impl Cell {
    /// Nothing.
    pub(super) const BLANK: Self = Self {
        byte: b' ',
        reversed: false,
    };
}

/// A whole screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    cells: [[Cell; COLUMNS]; ROWS],
    cursor: (usize, usize),
}

impl Screen {
    /// Blank, with the cursor at the lower left.
    pub(super) fn new() -> Self {
        Self {
            cells: [[Cell::BLANK; COLUMNS]; ROWS],
            cursor: (ROWS - 1, 0),
        }
    }

    /// Writes `text` from `column` of `row` on and returns the column behind it.
    pub(super) fn write(&mut self, row: usize, column: usize, text: &str) -> usize {
        self.put(row, column, text, false)
    }

    /// The same, dark on light.
    pub(super) fn write_reversed(&mut self, row: usize, column: usize, text: &str) -> usize {
        self.put(row, column, text, true)
    }

    fn put(&mut self, row: usize, column: usize, text: &str, reversed: bool) -> usize {
        let mut at = column;
        for char in text.chars() {
            if let Some(cell) = self.cells.get_mut(row).and_then(|row| row.get_mut(at)) {
                // The last place of all makes some terminals move everything up.
                if (row, at) != (ROWS - 1, COLUMNS - 1) {
                    let byte = shown(char);
                    *cell = Cell { byte, reversed };
                }
            }
            at = at.saturating_add(1);
        }
        at.min(COLUMNS)
    }

    /// Puts the cursor there, or as near as the screen allows.
    pub(super) fn point_at(&mut self, row: usize, column: usize) {
        self.cursor = (row.min(ROWS - 1), column.min(COLUMNS - 1));
    }

    /// Where the cursor is: row and column, from 0.
    pub(super) fn cursor(&self) -> (usize, usize) {
        self.cursor
    }

    /// The lines, top to bottom.
    pub(super) fn rows(&self) -> &[[Cell; COLUMNS]; ROWS] {
        &self.cells
    }
}

/// `char` if every terminal can show it.
#[allow(
    clippy::manual_unwrap_or,
    reason = "the pattern also leaves out what is no ASCII"
)]
fn shown(char: char) -> u8 {
    match u8::try_from(char) {
        Ok(byte @ b' '..=b'~') => byte,
        _ => b'?',
    }
}

/// `text` in lines of at most `width` characters, cut between words where there are any.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            let mut word: Vec<char> = word.chars().collect();
            if used > 0 && used + 1 + word.len() > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            while word.len() > width {
                lines.push(word.drain(..width.max(1)).collect());
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            used += word.len();
            line.extend(word);
        }
        lines.push(line);
    }
    lines
}

/// `text` in at most `width` characters; dots say that there is more.
pub(super) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(3);
    let mut clipped: String = text.chars().take(kept).collect();
    clipped.extend(std::iter::repeat_n('.', width.min(3)));
    clipped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_beyond_an_edge_is_cut_off() {
        let mut screen = Screen::new();
        assert_eq!(screen.write(0, 78, "abc"), COLUMNS);
        screen.write(ROWS, 0, "below");
        screen.write(0, usize::MAX, "far");
        screen.point_at(99, 99);
        assert_eq!(screen.cursor(), (ROWS - 1, COLUMNS - 1));
        assert_eq!(screen.rows()[0][79].byte, b'b');
        assert_eq!(screen.rows()[1], [Cell::BLANK; COLUMNS]);
    }

    #[test]
    fn the_last_place_stays_blank() {
        let mut screen = Screen::new();
        screen.write_reversed(ROWS - 1, 0, &"x".repeat(COLUMNS));
        assert_eq!(screen.rows()[ROWS - 1][COLUMNS - 1], Cell::BLANK);
        assert_eq!(screen.rows()[ROWS - 1][COLUMNS - 2].byte, b'x');
    }

    #[test]
    fn no_text_can_move_the_cursor() {
        let mut screen = Screen::new();
        screen.write(0, 0, "a\x1b[2J\r\nü");
        let row: String = screen.rows()[0]
            .iter()
            .map(|c| char::from(c.byte))
            .collect();
        assert_eq!(row.trim_end(), "a?[2J???");
    }

    #[test]
    fn lines_break_between_words_where_there_are_any() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(wrap("a\n\nb", 7), ["a", "", "b"]);
        assert_eq!(
            wrap("to https://example.com/", 9),
            ["to", "https://e", "xample.co", "m/"]
        );
        assert_eq!(clip("abcdef", 5), "ab...");
        assert_eq!(clip("abcde", 5), "abcde");
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_word_and_the_width(text in "[a-z ]{0,200}", width in 1_usize..90) {
            let lines = wrap(&text, width);
            for line in &lines {
                prop_assert!(line.len() <= width, "{line:?}");
            }
            let letters = |text: &str| text.replace(' ', "");
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
