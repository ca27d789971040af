//! Pages of an appliance, asked for from outside.

use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tls::{connector, name};

/// Status and body of a page; `None` if nobody answers yet.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    // The bench calls this from where another runtime is at work.
    thread::scope(|scope| scope.spawn(|| wait(port, path)).join().unwrap())
}

fn wait(port: u16, path: &str) -> Option<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Emulated cryptography takes its time.
    let asked = async { timeout(Duration::from_secs(10), ask(port, path)).await };
    runtime.block_on(asked).ok()?
}

async fn ask(port: u16, path: &str) -> Option<(u16, String)> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let mut tls = connector(&[b"http/1.1"]).connect(name(), tcp).await.ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    tls.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    tls.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
