//! What is typed, as lines, and what may be shown. Pure.

/// Longest line that is kept while it is typed; chat is shorter.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Text from elsewhere, fit for a terminal: one line, no control characters (which could move the
/// cursor or worse), none of Unicode's invisible ones (which could reorder what is read).
pub fn clean(text: &str) -> String {
    let visible = |c: char| {
        !c.is_control()
            && !matches!(
                c,
                '\u{ad}'
                    | '\u{61c}'
                    | '\u{180e}'
                    | '\u{200b}'..='\u{200f}'
                    | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}'
                    | '\u{feff}'
                    | '\u{fff9}'..='\u{fffb}'
                    | '\u{e0000}'..='\u{e0fff}'
            )
    };
    text.chars()
        .map(|c| if c == '\t' || c == '\n' { ' ' } else { c })
        .filter(|c| visible(*c))
        .collect()
}

/// What typing amounted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its end. `stale` if it was begun before the last [`Editor::mark`].
    Line {
        /// The text.
        text: String,
        /// Begun before what it would answer was shown.
        stale: bool,
    },
    /// The end of input was typed on an empty line (Ctrl-D).
    End,
}

/// The line being typed. Without a terminal (`plain`) it just joins bytes to lines.
#[derive(Debug, Default)]
pub struct Editor {
    line: String,
    /// The beginning of a character.
    partial: Vec<u8>,
    /// Inside an escape sequence (an arrow key, say), which is skipped.
    escape: Escape,
    plain: bool,
    hidden: bool,
    /// The line was not empty when something was asked.
    stale: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Sequence,
}

impl Editor {
    /// For a terminal that shows what we write, or for lines from a pipe (`plain`).
    pub fn new(plain: bool) -> Self {
        Self {
            plain,
            ..Self::default()
        }
    }

    /// Whether what is typed stays unseen.
    pub fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
    }

    /// Something is asked now: a line that has begun already is no answer to it.
    pub fn mark(&mut self) {
        self.stale = !self.line.is_empty() || !self.partial.is_empty();
    }

    /// Takes typed bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        for &byte in bytes {
            self.take(byte, &mut typed);
        }
        typed
    }

    /// The last line of a pipe may have no end.
    pub fn finish(&mut self) -> Option<Typed> {
        (!self.line.is_empty()).then(|| self.end_line())
    }

    /// As much of the end of the line as fits `columns`; nothing if hidden.
    pub fn shown(&self, columns: usize) -> String {
        if self.hidden {
            return String::new();
        }
        let mut width = 0;
        let fits = |c: &char| {
            width += width_of(*c);
            width <= columns
        };
        let tail: Vec<char> = self.line.chars().rev().take_while(fits).collect();
        tail.into_iter().rev().collect()
    }

    fn take(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        if self.plain {
            match byte {
                b'\n' => typed.push(self.end_line()),
                _ => self.take_text(byte),
            }
            return;
        }
        if self.is_escape(byte) {
            return;
        }
        match byte {
            b'\r' | b'\n' => typed.push(self.end_line()),
            0x04 if self.line.is_empty() => typed.push(Typed::End),
            0x08 | 0x7f => {
                self.line.pop();
            }
            // Ctrl-U
            0x15 => self.line.clear(),
            // Ctrl-W
            0x17 => {
                let kept = self.line.trim_end();
                let end = kept.rfind(' ').map_or(0, |space| space + 1);
                self.line.truncate(end);
            }
            b'\t' => self.take_text(b' '),
            0..0x20 => {}
            _ => self.take_text(byte),
        }
        // Emptied by hand: what follows was begun after the question.
        self.stale &= !self.line.is_empty();
    }

    /// Whether a byte belongs to an escape sequence (ECMA-48, 5.4), to be skipped.
    fn is_escape(&mut self, byte: u8) -> bool {
        let (inside, next) = match (&self.escape, byte) {
            (Escape::None, 0x1b) => (true, Escape::Begun),
            (Escape::None, _) => (false, Escape::None),
            (Escape::Begun, b'[' | b'O') | (Escape::Sequence, 0x20..=0x3f) => {
                (true, Escape::Sequence)
            }
            (Escape::Begun | Escape::Sequence, _) => (true, Escape::None),
        };
        self.escape = next;
        inside
    }

    fn take_text(&mut self, byte: u8) {
        self.partial.push(byte);
        match std::str::from_utf8(&self.partial) {
            Ok(text) => {
                if self.line.len() + text.len() <= LINE_BYTES_MAX {
                    self.line.push_str(text);
                }
                self.partial.clear();
            }
            Err(error) if error.error_len().is_some() => self.partial.clear(),
            Err(_) => {}
        }
    }

    fn end_line(&mut self) -> Typed {
        self.partial.clear();
        let text = std::mem::take(&mut self.line);
        let text = text.strip_suffix('\r').map(str::to_owned).unwrap_or(text);
        let stale = std::mem::take(&mut self.stale);
        Typed::Line { text, stale }
    }
}

/// Columns of a character; too many rather than too few, so that a line never wraps.
fn width_of(c: char) -> usize {
    if c < '\u{1100}' { 1 } else { 2 }
}

/// For `tests/fuzz` and the smoke run below.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    for plain in [false, true] {
        let mut editor = Editor::new(plain);
        for typed in editor.feed(data) {
            if let Typed::Line { text, .. } = typed {
                assert!(!text.contains('\n'));
                assert!(!clean(&text).chars().any(char::is_control));
            }
        }
        assert!(editor.shown(40).chars().count() <= 40);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str, stale: bool) -> Typed {
        let text = text.to_owned();
        Typed::Line { text, stale }
    }

    #[test]
    fn hostile_text_cannot_move_the_cursor_or_reorder_a_line() {
        assert_eq!(clean("a\x1b[2Jb\r\nc\u{9b}d"), "a[2Jb cd");
        assert_eq!(clean("evil\u{202e}txt.exe\u{200b}"), "eviltxt.exe");
        assert_eq!(clean("Ärzte 日本 \u{1f600}"), "Ärzte 日本 \u{1f600}");
    }

    #[test]
    fn keys_edit_the_line() {
        let mut editor = Editor::new(false);
        assert_eq!(editor.feed(b"helpp\x7f me\x1b[D\x1bOA\x17you\t\xc3"), []);
        assert_eq!(editor.feed(b"\xa4\r"), [line("help you ä", false)]);
        assert_eq!(editor.feed(b"x\x04\x15\x04"), [Typed::End]);
        assert_eq!(
            editor.feed(b"\r\xff\xc3\rq\r"),
            [line("", false), line("", false), line("q", false)]
        );
    }

    #[test]
    fn a_line_begun_before_a_question_is_no_answer_to_it() {
        let mut editor = Editor::new(false);
        editor.feed(b"y");
        editor.mark();
        assert_eq!(editor.feed(b"\ry\r"), [line("y", true), line("y", false)]);
    }

    #[test]
    fn a_pipe_gives_lines_and_its_rest() {
        let mut editor = Editor::new(true);
        assert_eq!(
            editor.feed(b"one\r\ntwo\nthr"),
            [line("one", false), line("two", false)]
        );
        assert_eq!(editor.finish(), Some(line("thr", false)));
        assert_eq!(editor.finish(), None);
    }

    #[test]
    fn only_the_end_of_a_long_line_is_shown_and_nothing_of_a_hidden_one() {
        let mut editor = Editor::new(false);
        editor.feed("abcdef".as_bytes());
        assert_eq!(editor.shown(4), "cdef");
        editor.feed("日".as_bytes());
        assert_eq!(editor.shown(4), "ef日");
        editor.set_hidden(true);
        assert_eq!(editor.shown(4), "");
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            fuzz(&data);
        }
    }
}
