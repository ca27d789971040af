//! Bytes from a terminal to keys.
//!
//! Terminals disagree about nearly everything beyond letters, so every common spelling of a key is
//! taken, and what is left is [`Key::Other`] as a whole: half of an unknown sequence must not end up
//! in a field as text.

/// What somebody pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A letter, digit or sign.
    Char(char),
    /// Do it, or go on.
    Enter,
    /// To the next field.
    Tab,
    /// To the field before.
    BackTab,
    /// Take away what is left of the cursor.
    Backspace,
    /// Take away what is under the cursor.
    Delete,
    /// Back. Also Ctrl-C, which must not end the console.
    Escape,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    /// Ctrl-L: draw everything again.
    Redraw,
    /// Ctrl-U: empty the field.
    Clear,
    /// Something we have no use for.
    Other,
}

/// The longest sequence that is waited for; what goes on beyond is noise on the line.
const SEQUENCE_BYTES_MAX: usize = 16;

const ESCAPE: u8 = 0x1b;

/// Joins bytes to keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The beginning of a sequence or of a character.
    pending: Vec<u8>,
    /// Some terminals send two bytes for Enter.
    after_return: bool,
}

impl Keys {
    /// The keys that `bytes` complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        for byte in bytes {
            self.take(*byte, &mut keys);
        }
        keys
    }

    /// Whether the next byte decides what the last ones were. If none comes soon, call
    /// [`Keys::settle`].
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing followed: a lone Escape is the key of that name.
    pub(super) fn settle(&mut self) -> Option<Key> {
        let pending = std::mem::take(&mut self.pending);
        match pending[..] {
            [] => None,
            [ESCAPE] => Some(Key::Escape),
            _ => Some(Key::Other),
        }
    }

    fn take(&mut self, byte: u8, keys: &mut Vec<Key>) {
        let after_return = std::mem::take(&mut self.after_return);
        match self.pending.first() {
            None => match byte {
                b'\n' if after_return => {}
                // A break on a serial line, or a modem that wakes up.
                0 => {}
                b'\r' => {
                    self.after_return = true;
                    keys.push(Key::Enter);
                }
                ESCAPE | 0x80.. => self.begin(byte, keys),
                _ => keys.push(single(byte)),
            },
            Some(&ESCAPE) => self.sequence(byte, keys),
            Some(_) => self.character(byte, keys),
        }
    }

    fn begin(&mut self, byte: u8, keys: &mut Vec<Key>) {
        match byte {
            ESCAPE | 0xc2..=0xf4 => self.pending.push(byte),
            _ => keys.push(Key::Other),
        }
    }

    /// One more byte of a sequence that begins with Escape.
    fn sequence(&mut self, byte: u8, keys: &mut Vec<Key>) {
        if byte == ESCAPE {
            // Escape twice, or a sequence that was cut off: another one begins here.
            keys.extend(self.settle());
            self.pending.push(byte);
            return;
        }
        self.pending.push(byte);
        let key = match self.pending[1..] {
            [b'[' | b'O'] => return,
            [b'[', b'[' | b'0'..=b'?' | b' '..=b'/'] => return,
            // Function keys of the Linux console: Escape [ [ A.
            [b'[', b'[', _] => Key::Other,
            [b'[', .., b'0'..=b'?' | b' '..=b'/'] if self.pending.len() < SEQUENCE_BYTES_MAX => {
                return;
            }
            [b'[', ref middle @ .., last] => control_sequence(middle, last),
            [b'O', last] => keypad(last),
            // Alt and a key.
            _ => Key::Other,
        };
        self.pending.clear();
        keys.push(key);
    }

    /// One more byte of a character beyond ASCII.
    fn character(&mut self, byte: u8, keys: &mut Vec<Key>) {
        if !(0x80..0xc0).contains(&byte) {
            // Cut off, or not UTF-8 at all; this byte is worth looking at on its own.
            self.pending.clear();
            keys.push(Key::Other);
            self.take(byte, keys);
            return;
        }
        self.pending.push(byte);
        let bytes = match self.pending[0] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        if self.pending.len() < bytes {
            return;
        }
        let text = std::str::from_utf8(&self.pending).ok();
        let char = text.and_then(|text| text.chars().next());
        let printable = char.filter(|char| !char.is_control());
        keys.push(printable.map_or(Key::Other, Key::Char));
        self.pending.clear();
    }
}

/// A byte that is a key by itself.
fn single(byte: u8) -> Key {
    match byte {
        b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x08 | 0x7f => Key::Backspace,
        // Ctrl-C.
        0x03 => Key::Escape,
        // Ctrl-L and, for terminals that keep that one, Ctrl-R.
        0x0c | 0x12 => Key::Redraw,
        // Ctrl-U.
        0x15 => Key::Clear,
        // Ctrl-P, Ctrl-N, Ctrl-B, Ctrl-F: arrows for remote consoles that swallow the real ones.
        0x10 => Key::Up,
        0x0e => Key::Down,
        0x02 => Key::Left,
        0x06 => Key::Right,
        // Ctrl-A, Ctrl-E.
        0x01 => Key::Home,
        0x05 => Key::End,
        b' '..=b'~' => Key::Char(char::from(byte)),
        _ => Key::Other,
    }
}

/// Escape [ middle last.
fn control_sequence(middle: &[u8], last: u8) -> Key {
    match (middle, last) {
        (_, b'A') => Key::Up,
        (_, b'B') => Key::Down,
        (_, b'C') => Key::Right,
        (_, b'D') => Key::Left,
        (_, b'H') | (b"1" | b"7", b'~') => Key::Home,
        (_, b'F') | (b"4" | b"8", b'~') => Key::End,
        (_, b'Z') => Key::BackTab,
        (b"3", b'~') => Key::Delete,
        (b"5", b'~') => Key::PageUp,
        (b"6", b'~') => Key::PageDown,
        _ => Key::Other,
    }
}

/// Escape O last: arrows and the number pad in "application mode".
fn keypad(last: u8) -> Key {
    match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        b'p'..=b'y' => Key::Char(char::from(last - b'p' + b'0')),
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        let mut found = keys.feed(bytes);
        found.extend(keys.settle());
        found
    }

    #[test]
    fn every_common_spelling_of_a_key_is_taken() {
        for (bytes, key) in [
            (&b"\x1b[A"[..], Key::Up),
            (b"\x1bOB", Key::Down),
            (b"\x1b[1;5C", Key::Right),
            (b"\x1b[1~", Key::Home),
            (b"\x1bOF", Key::End),
            (b"\x1b[3~", Key::Delete),
            (b"\x1bOq", Key::Char('1')),
            (b"\x7f", Key::Backspace),
            (b"\x08", Key::Backspace),
            (b"\r", Key::Enter),
            (b"\n", Key::Enter),
            (b"\r\n", Key::Enter),
            (b"\x1b", Key::Escape),
            (b"\x03", Key::Escape),
            ("ü".as_bytes(), Key::Char('ü')),
        ] {
            assert_eq!(keys(bytes), [key], "{bytes:?}");
        }
        assert_eq!(keys(b"\r\r"), [Key::Enter; 2]);
    }

    #[test]
    fn an_unknown_sequence_types_nothing() {
        for bytes in [
            &b"\x1b[15~"[..],
            b"\x1b[[A",
            b"\x1bx",
            b"\x1b[200~",
            b"\x1b[?1;2c",
            b"\xff",
            b"\xc3(",
        ] {
            let typed = |key: &Key| matches!(key, Key::Char(c) if *c != '(');
            assert!(!keys(bytes).iter().any(typed), "{bytes:?}");
        }
        let endless = [b"\x1b[".as_slice(), &[b'1'; 100]].concat();
        assert!(keys(&endless).len() < 100);
    }

    proptest! {
        #[test]
        fn cutting_the_bytes_changes_nothing(
            bytes in prop::collection::vec(prop_oneof![
                any::<u8>(), Just(0x1b), Just(b'['), Just(b'O'), Just(b'A'), Just(0xc3), Just(b'\r')
            ], 0..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let whole = keys(&bytes);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut in_pieces = Keys::default();
            let mut found = Vec::new();
            let mut from = 0;
            for cut in cuts {
                found.extend(in_pieces.feed(&bytes[from..cut]));
                from = cut;
            }
            found.extend(in_pieces.feed(&bytes[from..]));
            found.extend(in_pieces.settle());
            prop_assert_eq!(found, whole);
            prop_assert!(!in_pieces.is_waiting());
        }
    }
}
