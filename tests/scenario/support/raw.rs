//! Somebody who speaks TCP or TLS to the appliance, and then whatever a test likes.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

use super::tls::{connector, name};
use super::{Appliance, SOON};

/// A connection that follows no rules.
pub struct Raw<S> {
    stream: S,
}

impl Raw<TcpStream> {
    /// Plain TCP to a port.
    pub async fn tcp(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }
}

impl Raw<TlsStream<TcpStream>> {
    /// TLS with these protocols offered. Any certificate will do.
    pub async fn tls(appliance: &Appliance, alpn: &[&[u8]]) -> Self {
        Self::try_tls(appliance, alpn).await.unwrap()
    }

    /// The same, where the handshake may fail.
    pub async fn try_tls(appliance: &Appliance, alpn: &[&[u8]]) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(("127.0.0.1", appliance.https())).await?;
        tcp.set_nodelay(true)?;
        let stream = connector(alpn).connect(name(), tcp).await?;
        Ok(Self { stream })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Goes on with a connection that followed the rules so far.
    pub fn over(stream: S) -> Self {
        Self { stream }
    }

    /// Waits that long for the other side to close; what else it says is not looked at.
    pub async fn is_closed_within(&mut self, wait: Duration) -> bool {
        let mut buffer = [0; 4_096];
        let read = timeout(wait, self.stream.read(&mut buffer)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }

    /// Sends bytes. They may not arrive if the other side has closed.
    pub async fn send(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).await.is_ok() {
            let _ = self.stream.flush().await;
        }
    }

    /// Everything that comes until the other side closes, and how long that took.
    pub async fn until_closed(&mut self) -> (Vec<u8>, Duration) {
        let began = Instant::now();
        let mut heard = Vec::new();
        let mut buffer = [0; 4_096];
        loop {
            let read = timeout(SOON, self.stream.read(&mut buffer)).await;
            match read.expect("the other side closes in time") {
                Ok(read @ 1..) => heard.extend_from_slice(&buffer[..read]),
                Ok(0) | Err(_) => return (heard, began.elapsed()),
            }
        }
    }

    /// The head of an HTTP answer.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(SOON, self.stream.read_u8()).await;
            match byte.expect("an answer in time") {
                Ok(byte) => head.push(byte),
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&head)),
            }
        }
        String::from_utf8(head).unwrap()
    }
}
