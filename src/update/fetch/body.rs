//! The bytes that come, as many and as fast as they have to.

use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

use crate::domain::limits::{FETCH_BYTES_PER_S_MIN, FETCH_SLOW_AFTER};

use super::FetchError;

/// What a server sends of one file. Reading ends with an error where it stalls, is too slow, goes on
/// beyond its limit, or ends before its announced end.
pub struct Body {
    reader: ureq::BodyReader<'static>,
    from: u64,
    announced: Option<u64>,
    bytes_max: u64,
    seen: u64,
    began: Instant,
}

impl Body {
    pub(super) fn new(
        reader: ureq::BodyReader<'static>,
        from: u64,
        announced: Option<u64>,
        bytes_max: u64,
    ) -> Self {
        Self {
            reader,
            from,
            announced,
            bytes_max,
            seen: 0,
            began: Instant::now(),
        }
    }

    /// Which byte of the file comes first: 0 if the server cannot go on in the middle.
    pub fn from(&self) -> u64 {
        self.from
    }

    pub(super) fn read_whole(mut self, address: &str) -> Result<Vec<u8>, FetchError> {
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(FetchError::TooLong {
                address: address.to_owned(),
                limit: self.bytes_max,
            }),
            Err(error) => Err(FetchError::Unreachable {
                address: address.to_owned(),
                why: error.to_string(),
            }),
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.reader.read(buffer)?;
        self.seen += read as u64;
        if self.seen > self.bytes_max {
            return Err(io::Error::new(
                ErrorKind::FileTooLarge,
                format!("more than {} bytes come", self.bytes_max),
            ));
        }
        if read == 0 && self.announced.is_some_and(|bytes| self.seen < bytes) {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                format!("the transfer ends after {} bytes", self.seen),
            ));
        }
        let took = self.began.elapsed();
        if is_too_slow(self.seen, took) {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("{} bytes in {} s are too slow", self.seen, took.as_secs()),
            ));
        }
        Ok(read)
    }
}

/// Whether somebody lets bytes trickle, so that it never ends and never stalls either.
fn is_too_slow(bytes: u64, took: Duration) -> bool {
    took > FETCH_SLOW_AFTER && bytes / took.as_secs() < FETCH_BYTES_PER_S_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_too_slow_and_a_slow_line_is_not() {
        let after = |seconds| Duration::from_secs(seconds);
        assert!(!is_too_slow(1, FETCH_SLOW_AFTER));
        assert!(is_too_slow(61 * FETCH_BYTES_PER_S_MIN - 1, after(61)));
        assert!(!is_too_slow(61 * FETCH_BYTES_PER_S_MIN, after(61)));
        assert!(is_too_slow(3_600, after(3_600)));
    }
}
