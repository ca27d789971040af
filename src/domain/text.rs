//! Text with a limit that decoding checks.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::limits::{CHAT_BYTES_MAX, NAME_BYTES_MAX};

/// Text of at most `N` bytes of UTF-8, kept in place.
pub type Text<const N: usize> = heapless::String<N>;

/// A name or another line: at most [`NAME_BYTES_MAX`] bytes.
pub type Label = Text<NAME_BYTES_MAX>;

/// As much of `text` as a [`Label`] holds, cut at a character, without control characters.
pub fn label(text: &str) -> Label {
    let mut kept = Label::new();
    for char in text.trim().chars().filter(|c| !c.is_control()) {
        if kept.push(char).is_err() {
            break;
        }
    }
    kept
}

/// Something said in chat: 1 to [`CHAT_BYTES_MAX`] bytes, no control characters but newline and
/// tab. On the heap, so that a message without one stays small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LongText(Box<str>);

/// Chat that is empty or longer than [`CHAT_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("text has {bytes} bytes, 1 to {CHAT_BYTES_MAX} are allowed")]
pub struct TextOutOfRange {
    /// What was found.
    pub bytes: usize,
}

impl LongText {
    /// Accepts 1 to [`CHAT_BYTES_MAX`] bytes; other control characters are left out, so that
    /// nobody moves the cursor of the other side's terminal.
    pub fn new(text: &str) -> Result<Self, TextOutOfRange> {
        let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
        let text: String = text.trim().chars().filter(kept).collect();
        let fits = (1..=CHAT_BYTES_MAX).contains(&text.len());
        let bytes = text.len();
        fits.then(|| Self(text.into()))
            .ok_or(TextOutOfRange { bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for LongText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The frame that brought it is bounded, so this allocates no more than a frame.
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(&text).map_err(D::Error::custom)
    }
}
