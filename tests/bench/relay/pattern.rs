//! The payload: lines of text that repeat only after a length that no buffer's size divides.

/// Lines in a period: a prime.
const LINES: usize = 1_009;
const LINE_BYTES: usize = 79;
/// The longest piece that is asked for.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// Text, because a shell's output is recorded as text.
#[derive(Clone)]
pub struct Pattern(std::sync::Arc<[u8]>);

impl Pattern {
    /// Makes it.
    pub fn new() -> Self {
        let period = (0..LINES).flat_map(|line| {
            let words = format!("{line:05} the quick brown fox jumps over the lazy dog ");
            format!("{words:.<width$}\n", width = LINE_BYTES - 1).into_bytes()
        });
        let period: Vec<u8> = period.collect();
        let bytes = period.iter().cycle().copied();
        Self(bytes.take(period.len() + PIECE_BYTES_MAX).collect())
    }

    /// What stands at this place of the stream.
    pub fn at(&self, from: u64, bytes: usize) -> &[u8] {
        let from = usize::try_from(from % (LINES * LINE_BYTES) as u64).unwrap();
        &self.0[from..from + bytes]
    }
}
