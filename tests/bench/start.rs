//! `scripts/run` on a new state directory, until somebody sees the first page; and Ctrl-C.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jumpgate::config::Config;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Bench;
use super::row::Row;
use super::support::SOON;
use super::support::ports::Ports;
use super::support::tls::{connector, name};

/// `scripts/run` to the first page, once everything is built.
const START_MAX_SECONDS: f64 = 3.0;
/// Ctrl-C to the end of everything.
const STOP_MAX_MILLIS: f64 = 2_000.0;

/// The slowest of several starts and stops.
pub async fn measure(bench: &Bench) -> Vec<Row> {
    let (mut slowest_start, mut slowest_stop) = (0.0_f64, 0.0_f64);
    for _ in 0..bench.rounds(5) {
        let (start, stop) = once().await;
        slowest_start = slowest_start.max(start.as_secs_f64());
        slowest_stop = slowest_stop.max(stop.as_secs_f64() * 1_000.0);
    }
    vec![
        Row::below(
            "scripts/run on a new state directory to the first page, slowest",
            "s",
            slowest_start,
            START_MAX_SECONDS,
        ),
        Row::below(
            "Ctrl-C to nothing running, slowest",
            "ms",
            slowest_stop,
            STOP_MAX_MILLIS,
        ),
    ]
}

async fn once() -> (Duration, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::reserve();
    let config = Config {
        https_port: ports.https,
        http_port: ports.http,
        ..Config::default()
    };
    // `scripts/run` takes no ports, so they are where an administrator would put them.
    let file = folder.path().join("appliance.toml");
    std::fs::write(file, config.to_toml()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/run");
    let began = Instant::now();
    let running = Command::new(script)
        .arg("--state")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut running = Running(running);
    while !serves_a_page(config.https_port).await {
        assert!(began.elapsed() < SOON, "no page within {SOON:?}");
        if let Some(status) = running.0.try_wait().unwrap() {
            panic!("scripts/run ended, {status}");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let start = began.elapsed();
    let asked = Instant::now();
    running.interrupt();
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{status}");
    (start, asked.elapsed())
}

/// The script, which becomes the supervisor.
struct Running(Child);

impl Running {
    /// Ctrl-C.
    fn interrupt(&self) {
        let pid = Pid::from_raw(self.0.id().try_into().unwrap());
        kill(pid, Signal::SIGINT).unwrap();
    }
}

impl Drop for Running {
    /// Nothing stays behind when a measurement fails.
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.interrupt();
            drop(self.0.wait());
        }
    }
}

async fn serves_a_page(port: u16) -> bool {
    let attempt = async {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let mut page = connector(&[b"http/1.1"]).connect(name(), tcp).await.ok()?;
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        page.write_all(request.as_bytes()).await.ok()?;
        let mut text = Vec::new();
        // Whole, with its end: half a page is none.
        page.read_to_end(&mut text).await.ok()?;
        let whole = text.starts_with(b"HTTP/1.1 200 ") && text.ends_with(b"</html>");
        whole.then_some(())
    };
    attempt.await.is_some()
}
