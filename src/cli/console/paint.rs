//! A screen to the bytes that show it.
//!
//! Only what differs from what is shown already is written, so a slow line carries little and
//! nothing flickers. What is used is in every terminal since the VT100: moving the cursor, erasing
//! to the end of the line, and dark on light.

use std::io::Write as _;

use super::screen::{COLUMNS, Cell, Screen};

/// Places that are the same are written again if there are fewer between two that differ: moving
/// the cursor takes six to eight bytes.
const GAP: usize = 6;

/// How much of a terminal can be taken for granted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown<'a> {
    /// It shows this, unless somebody else wrote on it.
    Screen(&'a Screen),
    /// It may show anything here and there: a line of the kernel's, or a terminal that was plugged
    /// in just now. Writes every place, erases nothing first.
    Something,
    /// It shows anything, in any state: erases all.
    Anything,
}

/// The bytes that make a terminal show `wanted`.
pub(super) fn paint(shown: Shown<'_>, wanted: &Screen) -> Vec<u8> {
    let mut brush = Brush::default();
    match shown {
        Shown::Screen(shown) if shown == wanted => return Vec::new(),
        Shown::Screen(_) => {}
        Shown::Something => brush.reset(),
        Shown::Anything => {
            brush.reset();
            brush.bytes.extend(b"\x1b[2J");
        }
    }
    for (at, row) in wanted.rows().iter().enumerate() {
        let shown = match shown {
            Shown::Screen(shown) => Some(&shown.rows()[at]),
            Shown::Anything => Some(&[Cell::BLANK; COLUMNS]),
            Shown::Something => None,
        };
        brush.row(at, shown, row);
    }
    if matches!(shown, Shown::Something) {
        // Lines below ours: a terminal may have more.
        brush.attribute(false);
        brush.bytes.extend(b"\x1b[J");
    }
    brush.attribute(false);
    brush.go(wanted.cursor());
    brush.bytes
}

/// The bytes that leave a terminal in order for whoever writes next.
pub(super) fn leave() -> &'static [u8] {
    b"\x1b[0m\x1b[24;1H\r\n"
}

/// Bytes so far, and what they did to the terminal.
#[derive(Default)]
struct Brush {
    bytes: Vec<u8>,
    reversed: bool,
    /// Where the cursor is, if that is certain.
    cursor: Option<(usize, usize)>,
}

impl Brush {
    /// Whatever state somebody left the terminal in: attributes, character set, insert mode, origin
    /// mode, margins.
    fn reset(&mut self) {
        self.bytes
            .extend(b"\x1b[0m\x0f\x1b(B\x1b[4l\x1b[?6l\x1b[r\x1b[H");
        self.cursor = Some((0, 0));
    }

    fn row(&mut self, at: usize, shown: Option<&[Cell; COLUMNS]>, wanted: &[Cell; COLUMNS]) {
        let text_ends = ends(wanted);
        let shown_ends = shown.map_or(COLUMNS, ends);
        let differs = |column: usize| shown.is_none_or(|shown| shown[column] != wanted[column]);
        let mut column = 0;
        while column < text_ends {
            if !differs(column) {
                column += 1;
                continue;
            }
            let mut end = column + 1;
            let mut same = 0;
            for next in column + 1..text_ends {
                if differs(next) {
                    (end, same) = (next + 1, 0);
                } else {
                    same += 1;
                    if same > GAP {
                        break;
                    }
                }
            }
            self.go((at, column));
            self.cells((at, column), &wanted[column..end]);
            column = end;
        }
        if shown_ends > text_ends {
            self.attribute(false);
            self.go((at, text_ends));
            self.bytes.extend(b"\x1b[K");
        }
    }

    fn cells(&mut self, (row, column): (usize, usize), cells: &[Cell]) {
        for cell in cells {
            self.attribute(cell.reversed);
            self.bytes.push(cell.byte);
        }
        let column = column + cells.len();
        // Behind the last column, terminals disagree about where the cursor is.
        self.cursor = (column < COLUMNS).then_some((row, column));
    }

    fn go(&mut self, to: (usize, usize)) {
        if self.cursor != Some(to) {
            let (row, column) = to;
            write!(self.bytes, "\x1b[{};{}H", row + 1, column + 1).expect("a Vec takes everything");
            self.cursor = Some(to);
        }
    }

    fn attribute(&mut self, reversed: bool) {
        if self.reversed != reversed {
            self.reversed = reversed;
            let code: &[u8] = if reversed { b"\x1b[7m" } else { b"\x1b[0m" };
            self.bytes.extend(code);
        }
    }
}

/// The column behind the last place that is not blank.
fn ends(row: &[Cell; COLUMNS]) -> usize {
    let last = row.iter().rposition(|cell| *cell != Cell::BLANK);
    last.map_or(0, |last| last + 1)
}

#[cfg(test)]
#[path = "../../../tests/console/vt.rs"]
pub(super) mod vt;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::screen::ROWS;
    use super::vt::Terminal;
    use super::*;

    fn any_screen() -> impl Strategy<Value = Screen> {
        let writing = (0..ROWS, 0..COLUMNS, "[ -~]{0,100}", any::<bool>());
        let writings = prop::collection::vec(writing, 0..30);
        (writings, 0..ROWS, 0..COLUMNS).prop_map(|(writings, row, column)| {
            let mut screen = Screen::new();
            for (row, column, text, reversed) in writings {
                if reversed {
                    screen.write_reversed(row, column, &text);
                } else {
                    screen.write(row, column, &text);
                }
            }
            screen.point_at(row, column);
            screen
        })
    }

    fn assert_shows(terminal: &Terminal, screen: &Screen) {
        for (row, cells) in screen.rows().iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                let found = terminal.cell(row, column);
                assert_eq!(found, (cell.byte, cell.reversed), "{row}, {column}");
            }
        }
        assert_eq!(terminal.cursor(), screen.cursor());
    }

    #[test]
    fn what_has_not_changed_is_not_written() {
        let mut screen = Screen::new();
        screen.write(3, 10, "hello");
        assert!(paint(Shown::Screen(&screen), &screen).is_empty());
        let before = screen.clone();
        screen.write(3, 10, "hullo");
        assert_eq!(
            paint(Shown::Screen(&before), &screen),
            b"\x1b[4;12Hu\x1b[24;1H"
        );
    }

    #[test]
    fn a_whole_screen_takes_little_more_than_its_characters() {
        let mut screen = Screen::new();
        for row in 0..ROWS {
            screen.write(row, 0, &"x".repeat(COLUMNS));
        }
        assert!(paint(Shown::Anything, &screen).len() < ROWS * COLUMNS + 300);
    }

    proptest! {
        #[test]
        fn a_terminal_shows_what_is_wanted_whatever_it_showed(
            first in any_screen(), second in any_screen(), noise in any_screen(), rows in 24..31_usize
        ) {
            let mut terminal = Terminal::new(rows, COLUMNS);
            terminal.feed(b"\x1b[5;10r\x1b[4h\x1b[7mleft by others\r\n\n");
            terminal.feed(&paint(Shown::Anything, &first));
            assert_shows(&terminal, &first);
            terminal.feed(&paint(Shown::Screen(&first), &second));
            assert_shows(&terminal, &second);
            // Somebody else writes on it.
            terminal.feed(&paint(Shown::Anything, &noise));
            terminal.feed(&paint(Shown::Something, &second));
            assert_shows(&terminal, &second);
            prop_assert_eq!(terminal.scrolled(), 0);
            terminal.feed(leave());
        }
    }
}
