//! The answer that the HTTP library gives by itself, with our headers in it.
//!
//! A later request on a kept connection may not be HTTP at all. The library answers that without
//! asking us (400, 414, 431), as the last thing it writes, and a bare head: `HTTP/1.1 400 Bad
//! Request`, `connection: close`, `content-length: 0`, `date`. Every answer of ours has
//! `strict-transport-security`; what lacks it is the library's, and gets our headers here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::headers;

/// Writes through to `stream`, but for the library's own answer.
pub(super) struct OwnAnswer<S> {
    stream: S,
    /// Our form of the answer that is being written.
    answer: Option<Answer>,
}

struct Answer {
    bytes: Vec<u8>,
    written: usize,
}

/// Longer heads are not the library's own.
const HEAD_BYTES_MAX: usize = 256;

impl<S> OwnAnswer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            answer: None,
        }
    }
}

/// Where the library's own answer begins, if `bytes` end with it.
fn find(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.len().saturating_sub(HEAD_BYTES_MAX);
    let last = &bytes[tail..];
    // The usual case, at the price of four bytes.
    if !last.ends_with(b"\r\n\r\n") {
        return None;
    }
    let start = last.windows(10).rposition(|w| w == b"HTTP/1.1 4")?;
    let head = &last[start..last.len() - 2];
    let mut lines = head.split(|byte| *byte == b'\n').skip(1);
    let only_its_own = lines.all(|line| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        matches!(name, b"connection" | b"content-length" | b"date" | b"")
    });
    only_its_own.then_some(tail + start)
}

/// The library's answer with our headers.
fn ours(head: &[u8]) -> Vec<u8> {
    let mut bytes = head[..head.len() - 2].to_vec();
    bytes.extend(headers::lines().as_bytes());
    bytes.extend(b"\r\n");
    bytes
}

impl<S: AsyncWrite + Unpin> AsyncWrite for OwnAnswer<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.answer.is_none() {
            match find(bytes) {
                None => return Pin::new(&mut this.stream).poll_write(cx, bytes),
                Some(start) if start > 0 => {
                    return Pin::new(&mut this.stream).poll_write(cx, &bytes[..start]);
                }
                Some(_) => {
                    let bytes = ours(bytes);
                    this.answer = Some(Answer { bytes, written: 0 });
                }
            }
        }
        // Taken whole, once the last byte of ours is written; until then it is offered again.
        while let Some(answer) = &mut this.answer {
            let rest = &answer.bytes[answer.written..];
            if rest.is_empty() {
                this.answer = None;
                break;
            }
            let written = ready!(Pin::new(&mut this.stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            answer.written += written;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for OwnAnswer<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\
        content-length: 0\r\ndate: Sun, 22 Nov 2026 17:00:00 GMT\r\n\r\n";

    /// What arrives through a pipe that takes `most` bytes at a time.
    async fn written(bytes: &[u8], most: usize) -> String {
        let (near, mut far) = tokio::io::duplex(most);
        let mut near = OwnAnswer::new(near);
        let bytes = bytes.to_vec();
        let writing = tokio::spawn(async move { near.write_all(&bytes).await.unwrap() });
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        writing.await.unwrap();
        text
    }

    #[tokio::test]
    async fn the_library_s_answer_gets_our_headers_behind_whatever_is_still_to_be_written() {
        let page = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".as_slice();
        for before in [b"".as_slice(), page] {
            let mut expected = before.to_vec();
            expected.extend(ours(BARE));
            let expected = String::from_utf8(expected).unwrap();
            for most in [1, 7, 4096] {
                assert_eq!(written(&[before, BARE].concat(), most).await, expected);
            }
            assert!(expected.contains("\r\nstrict-transport-security: max-age="));
            assert!(expected.ends_with("\r\n\r\n"));
        }
    }

    #[tokio::test]
    async fn answers_of_ours_are_written_as_they_are() {
        let ours = String::from_utf8(ours(BARE)).unwrap();
        let said = format!("chat says {}", String::from_utf8_lossy(&BARE[..40]));
        for bytes in [
            ours.as_str(),
            &said,
            "HTTP/1.1 4\r\nx: y\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert_eq!(written(bytes.as_bytes(), 4096).await, bytes);
        }
    }
}
