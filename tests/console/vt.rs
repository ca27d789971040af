//! A terminal as poor as they come: what a VT100 knows of moving, erasing and showing, at most.
//! Anything else fails the test.

/// What is to be seen, and where the cursor is.
#[derive(Debug)]
pub struct Terminal {
    cells: Vec<Vec<(u8, bool)>>,
    row: usize,
    column: usize,
    reversed: bool,
    sequence: Option<Vec<u8>>,
    scrolled: usize,
}

const BLANK: (u8, bool) = (b' ', false);

impl Terminal {
    /// Blank.
    pub fn new(rows: usize, columns: usize) -> Self {
        Self {
            cells: vec![vec![BLANK; columns]; rows],
            row: 0,
            column: 0,
            reversed: false,
            sequence: None,
            scrolled: 0,
        }
    }

    /// Shows bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.take(*byte);
        }
    }

    /// Character and whether it is reversed.
    #[allow(
        dead_code,
        reason = "one of the two that include this file looks at text only"
    )]
    pub fn cell(&self, row: usize, column: usize) -> (u8, bool) {
        self.cells[row][column]
    }

    /// Row and column, from 0.
    #[allow(dead_code, reason = "likewise")]
    pub fn cursor(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    /// How often everything moved up since the screen was last erased.
    pub fn scrolled(&self) -> usize {
        self.scrolled
    }

    /// Its lines without the blanks at their ends.
    #[allow(
        dead_code,
        reason = "one of the two that include this file does not print"
    )]
    pub fn text(&self) -> String {
        let lines = self.cells.iter().map(|row| {
            let line: String = row.iter().map(|(byte, _)| char::from(*byte)).collect();
            line.trim_end().to_owned() + "\n"
        });
        lines.collect()
    }

    fn take(&mut self, byte: u8) {
        if let Some(mut sequence) = self.sequence.take() {
            sequence.push(byte);
            let whole = match sequence[..] {
                [b'[' | b'('] => false,
                [b'[', .., last] => (0x40..0x7f).contains(&last),
                [b'(', _] => true,
                _ => panic!("unknown sequence {sequence:?}"),
            };
            if whole {
                self.perform(&sequence);
            } else {
                self.sequence = Some(sequence);
            }
            return;
        }
        match byte {
            0x1b => self.sequence = Some(Vec::new()),
            b'\r' => self.column = 0,
            b'\n' => self.line_feed(),
            0x0f => {}
            b' '..=b'~' => self.put(byte),
            _ => panic!("byte {byte:#x} on a terminal"),
        }
    }

    /// The poorest reading: the cursor goes to the next line at once.
    fn put(&mut self, byte: u8) {
        self.cells[self.row][self.column] = (byte, self.reversed);
        self.column += 1;
        if self.column == self.cells[self.row].len() {
            self.column = 0;
            self.line_feed();
        }
    }

    fn line_feed(&mut self) {
        if self.row + 1 < self.cells.len() {
            self.row += 1;
            return;
        }
        let columns = self.cells[0].len();
        self.cells.remove(0);
        self.cells.push(vec![BLANK; columns]);
        self.scrolled += 1;
    }

    fn perform(&mut self, sequence: &[u8]) {
        let (rows, columns) = (self.cells.len(), self.cells[0].len());
        match sequence {
            b"(B" | b"[4l" | b"[4h" | b"[?6l" => {}
            b"[0m" => self.reversed = false,
            b"[7m" => self.reversed = true,
            b"[K" => self.cells[self.row][self.column..].fill(BLANK),
            b"[J" => {
                self.cells[self.row][self.column..].fill(BLANK);
                self.cells[self.row + 1..].fill(vec![BLANK; columns]);
            }
            b"[2J" => {
                self.cells.fill(vec![BLANK; columns]);
                self.scrolled = 0;
            }
            [b'[', margins @ .., b'r'] => {
                // Only that it goes home matters here.
                assert!(margins.iter().all(|b| b.is_ascii_digit() || *b == b';'));
                (self.row, self.column) = (0, 0);
            }
            b"[H" => (self.row, self.column) = (0, 0),
            [b'[', place @ .., b'H'] => {
                let place = std::str::from_utf8(place).unwrap();
                let (row, column) = place.split_once(';').unwrap();
                let (row, column): (usize, usize) = (row.parse().unwrap(), column.parse().unwrap());
                assert!(
                    (1..=rows).contains(&row) && (1..=columns).contains(&column),
                    "{place}"
                );
                (self.row, self.column) = (row - 1, column - 1);
            }
            _ => panic!("unknown sequence {sequence:?}"),
        }
    }
}
