//! Bytes to text, where a chunk may end inside a character.

/// Turns a stream of bytes into text. Bytes that can never become UTF-8 turn into U+FFFD, exactly
/// as [`String::from_utf8_lossy`] would do with the whole stream, wherever it is cut.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character: at most 3 bytes.
    carried: Vec<u8>,
}

impl Utf8 {
    /// The text of `bytes`, after what was carried over. An incomplete character at the end is
    /// kept for the next chunk.
    pub(super) fn text(&mut self, bytes: &[u8]) -> String {
        let joined;
        let mut rest = bytes;
        if !self.carried.is_empty() {
            self.carried.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.carried);
            rest = &joined;
        }
        let mut text = String::with_capacity(rest.len());
        for chunk in rest.utf8_chunks() {
            text.push_str(chunk.valid());
            if chunk.invalid().is_empty() {
                continue;
            }
            // Only the end of the stream so far can be incomplete rather than wrong.
            let last = std::ptr::eq(chunk.invalid().as_ptr_range().end, rest.as_ptr_range().end);
            if last && is_incomplete(chunk.invalid()) {
                self.carried = chunk.invalid().to_vec();
            } else {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    /// What waits for the rest of its character.
    pub(super) fn carried(&self) -> &[u8] {
        &self.carried
    }

    /// Goes on where [`Self::carried`] was asked.
    pub(super) fn resumed(carried: &[u8]) -> Self {
        let carried = if is_incomplete(carried) {
            carried.to_vec()
        } else {
            Vec::new()
        };
        Self { carried }
    }

    /// The text of what is still carried over: nothing follows it any more.
    pub(super) fn finish(self) -> &'static str {
        if self.carried.is_empty() {
            ""
        } else {
            "\u{fffd}"
        }
    }
}

/// Whether more bytes could make a character of this.
fn is_incomplete(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_into_bytes_arrives_whole() {
        let mut utf8 = Utf8::default();
        let texts: Vec<String> = "a€𝄞".bytes().map(|byte| utf8.text(&[byte])).collect();
        assert_eq!(texts, ["a", "", "", "€", "", "", "", "𝄞"]);
        assert_eq!(utf8.finish(), "");
    }

    #[test]
    fn a_character_that_never_ends_becomes_one_mark() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.text(b"\xf0\x9d"), "");
        assert_eq!(utf8.finish(), "\u{fffd}");
    }

    #[test]
    fn wrong_bytes_are_marked_at_once() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.text(b"a\xffb\xc0"), "a\u{fffd}b\u{fffd}");
    }
}
