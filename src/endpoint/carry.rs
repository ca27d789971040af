//! A link's bytes between its socket and the event loop, in two tasks, so that a slow direction
//! never holds up the other. Both queues are short: who is slow makes the other side wait.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::domain::limits::FRAME_BYTES_MAX;

/// How long closing may take.
const GOODBYE_WITHIN: Duration = Duration::from_millis(500);

/// A transport in use. To be closed by [`Carrier::close`]: its tasks outlive a mere drop.
#[derive(Debug)]
pub(super) struct Carrier {
    /// For the socket. Reserve first, then take what the link has to say.
    pub(super) output: mpsc::Sender<Vec<u8>>,
    /// From the socket; ends with it.
    pub(super) input: mpsc::Receiver<Vec<u8>>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Carrier {
    /// Starts carrying.
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (from_socket, to_socket) = tokio::io::split(stream);
        let (output, outgoing) = mpsc::channel(2);
        let (incoming, input) = mpsc::channel(4);
        Self {
            output,
            input,
            reader: tokio::spawn(read(from_socket, incoming)),
            writer: tokio::spawn(write(to_socket, outgoing)),
        }
    }

    /// Writes what is queued and says goodbye, if the other side lets us; then the socket is
    /// closed, and the returned task done.
    pub(super) fn close(self) -> JoinHandle<()> {
        drop(self.output);
        self.reader.abort();
        let mut writer = self.writer;
        tokio::spawn(async move {
            if timeout(GOODBYE_WITHIN, &mut writer).await.is_err() {
                writer.abort();
            }
        })
    }
}

async fn read(mut socket: impl AsyncRead + Unpin, incoming: mpsc::Sender<Vec<u8>>) {
    loop {
        let mut bytes = Vec::with_capacity(FRAME_BYTES_MAX);
        match socket.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if incoming.send(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn write(mut socket: impl AsyncWrite + Unpin, mut outgoing: mpsc::Receiver<Vec<u8>>) {
    let done: io::Result<()> = async {
        while let Some(bytes) = outgoing.recv().await {
            socket.write_all(&bytes).await?;
            socket.flush().await?;
        }
        socket.shutdown().await
    }
    .await;
    // The reader learns of a broken connection too, and reports it by ending.
    drop(done);
}
