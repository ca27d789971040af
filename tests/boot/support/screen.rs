//! What a serial line has said: all of it as text, and the screen that results.

/// A terminal that takes whatever firmware, boot loader, kernel and our console send.
#[derive(Debug)]
pub struct Screen {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
    sequence: Option<String>,
    /// Everything, without the terminal's commands. A move begins a new line.
    said: String,
}

const ROWS: usize = 25;
const COLUMNS: usize = 80;

impl Screen {
    /// Blank.
    pub fn new() -> Self {
        Self {
            cells: vec![vec![' '; COLUMNS]; ROWS],
            row: 0,
            column: 0,
            sequence: None,
            said: String::new(),
        }
    }

    /// Shows bytes. Beyond ASCII nothing counts.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.take(char::from(*byte));
        }
    }

    fn take(&mut self, char: char) {
        if let Some(sequence) = &mut self.sequence {
            sequence.push(char);
            let is_long = sequence.starts_with('[') && sequence.len() == 1;
            if !is_long && (char.is_ascii_alphabetic() || !sequence.starts_with(['[', '('])) {
                let sequence = self.sequence.take().unwrap();
                self.obey(&sequence);
            }
            return;
        }
        match char {
            '\x1b' => self.sequence = Some(String::new()),
            '\r' => self.column = 0,
            '\n' => {
                self.said.push('\n');
                self.down();
            }
            '\x08' => self.column = self.column.saturating_sub(1),
            ' '..='~' => {
                if self.column == COLUMNS {
                    self.column = 0;
                    self.down();
                }
                self.cells[self.row][self.column] = char;
                self.column += 1;
                self.said.push(char);
            }
            _ => {}
        }
    }

    fn down(&mut self) {
        if self.row + 1 < ROWS {
            self.row += 1;
        } else {
            self.cells.remove(0);
            self.cells.push(vec![' '; COLUMNS]);
        }
    }

    /// Moving and erasing; everything else is decoration.
    fn obey(&mut self, sequence: &str) {
        let Some(words) = sequence.strip_prefix('[') else {
            return;
        };
        let numbers = words[..words.len() - 1].split(';');
        let numbers: Vec<usize> = numbers.map(|word| word.parse().unwrap_or(0)).collect();
        let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
        match words.chars().last() {
            Some('H' | 'f') => {
                self.row = number(0).clamp(1, ROWS) - 1;
                self.column = number(1).clamp(1, COLUMNS) - 1;
                self.said.push('\n');
            }
            Some('J') => {
                let from = if number(0) == 2 { 0 } else { self.row + 1 };
                for row in &mut self.cells[from..] {
                    row.fill(' ');
                }
                self.erase_line();
            }
            Some('K') => self.erase_line(),
            _ => {}
        }
    }

    fn erase_line(&mut self) {
        let from = self.column.min(COLUMNS);
        self.cells[self.row][from..].fill(' ');
    }

    /// What is to be seen, one blank between words.
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.cells.iter().map(|row| row.iter().collect()).collect();
        let words: Vec<&str> = lines
            .iter()
            .flat_map(|line| line.split_whitespace())
            .collect();
        words.join(" ")
    }

    /// The same as it looks.
    pub fn picture(&self) -> String {
        let line = |row: &Vec<char>| row.iter().collect::<String>().trim_end().to_owned() + "\n";
        self.cells.iter().map(line).collect()
    }

    /// Everything so far.
    pub fn said(&self) -> &str {
        &self.said
    }
}
