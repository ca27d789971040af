//! A file as an answer's body, a piece at a time, with a few bytes behind it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::domain::limits::FILE_PIECE_BYTES;

/// Reads ahead one piece, when asked. Reads by position, so that one open file serves many.
pub(crate) struct FileBody {
    file: Arc<File>,
    next: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
    trailer: Bytes,
}

impl FileBody {
    /// The first `bytes` of `file`, and then `trailer`.
    pub(crate) fn new(file: Arc<File>, bytes: u64, trailer: Vec<u8>) -> Self {
        Self {
            file,
            next: 0,
            end: bytes,
            reading: None,
            trailer: trailer.into(),
        }
    }

    /// Bytes still to come.
    pub(crate) fn left(&self) -> u64 {
        self.end - self.next + self.trailer.len() as u64
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.next == self.end {
            let trailer = std::mem::take(&mut self.trailer);
            return Poll::Ready((!trailer.is_empty()).then(|| Ok(Frame::data(trailer))));
        }
        let (file, at) = (self.file.clone(), self.next);
        let wanted = (self.end - at).min(FILE_PIECE_BYTES as u64);
        let reading = self
            .reading
            .get_or_insert_with(|| spawn_blocking(move || read_piece(&file, at, wanted)));
        let read = ready!(Pin::new(reading).poll(context)).map_err(io::Error::other);
        self.reading = None;
        let piece = read.flatten()?;
        self.next += piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

/// At least one byte; a file that became shorter than promised is an error, which cuts the
/// answer off where the browser sees it.
fn read_piece(file: &File, at: u64, wanted: u64) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; usize::try_from(wanted).unwrap_or(FILE_PIECE_BYTES)];
    let read = file.read_at(&mut piece, at)?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    piece.truncate(read);
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn a_file_arrives_whole_and_its_trailer_last() {
        for length in [0, 1, FILE_PIECE_BYTES, FILE_PIECE_BYTES * 2 + 7] {
            let content: Vec<u8> = (0..length).map(|i| i.to_le_bytes()[0]).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&content).unwrap();
            let body = FileBody::new(Arc::new(file), length as u64, b"end".to_vec());
            assert_eq!(body.size_hint().exact(), Some(length as u64 + 3));
            let got = body.collect().await.unwrap().to_bytes();
            assert_eq!(got, [&content[..], b"end"].concat());
        }
    }

    #[tokio::test]
    async fn a_file_that_shrank_is_an_error_and_not_a_short_answer() {
        let body = FileBody::new(Arc::new(tempfile::tempfile().unwrap()), 10, Vec::new());
        assert!(body.collect().await.is_err());
    }
}
