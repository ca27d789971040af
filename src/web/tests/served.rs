//! The same pages through a real socket: preamble, HTTP, limits, stopping.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::web::http::preamble;

struct Served {
    appliance: Appliance,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Served {
    fn new() -> Self {
        let appliance = Appliance::new();
        let listener = UnixListener::bind(appliance.site.paths.web_socket()).unwrap();
        let (stop, stopping) = watch::channel(false);
        let router = appliance.router.clone();
        let serving = tokio::spawn(crate::web::serve(listener, router, stopping));
        Self {
            appliance,
            stop,
            serving,
        }
    }

    async fn connect(&self) -> UnixStream {
        let path = self.appliance.site.paths.web_socket();
        UnixStream::connect(path).await.unwrap()
    }

    /// Behind the relay's preamble.
    async fn browser(&self) -> UnixStream {
        let mut stream = self.connect().await;
        let preamble = preamble("[2001:db8::7]:40000".parse().unwrap(), b"\x04\x00\x01x");
        stream.write_all(&preamble).await.unwrap();
        stream
    }
}

async fn read_to_end(mut stream: UnixStream) -> String {
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .unwrap()
        .ok();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn the_preamble_says_who_asks() {
    let served = Served::new();
    let mut stream = served.browser().await;
    let body = "key=1";
    let request = format!(
        "POST /key HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: 1.1.1.1\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(read_to_end(stream).await.starts_with("HTTP/1.1 422"));
    let asked = served.appliance.asked();
    let [Asked::LookUpKey { address, .. }] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(address.to_string(), "[2001:db8::7]:40000");
}

#[tokio::test]
async fn a_connection_without_a_preamble_is_closed_unanswered() {
    let served = Served::new();
    let mut stream = served.connect().await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert_eq!(read_to_end(stream).await, "");
}

#[tokio::test]
async fn too_long_a_head_is_refused_and_the_next_connection_served() {
    let served = Served::new();
    let mut stream = served.browser().await;
    let request = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "y".repeat(40_000)
    );
    let _ = stream.write_all(request.as_bytes()).await;
    assert!(read_to_end(stream).await.starts_with("HTTP/1.1 431"));
    let mut stream = served.browser().await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert!(read_to_end(stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_broken_later_request_is_answered_with_the_headers_of_every_answer() {
    let served = Served::new();
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(40_000));
    for (broken, status) in [
        ("no request at all\r\n\r\n", "400"),
        ("GET / HTTP/9.9\r\n\r\n", "400"),
        (&long, "431"),
    ] {
        let mut stream = served.browser().await;
        let request = format!("GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n{broken}");
        let _ = stream.write_all(request.as_bytes()).await;
        let text = read_to_end(stream).await;
        let (page, refusal) = text.split_at(text.rfind("HTTP/1.1 ").unwrap());
        assert!(page.starts_with("HTTP/1.1 404"), "{page}");
        assert!(refusal.starts_with(&format!("HTTP/1.1 {status}")));
        for name in [
            "strict-transport-security: max-age=",
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
        ] {
            assert_eq!(refusal.matches(name).count(), 1, "{name} in {refusal}");
        }
    }
}

#[tokio::test]
async fn one_connection_serves_many_pages_and_stopping_closes_it() {
    let served = Served::new();
    let mut stream = served.browser().await;
    for _ in 0..3 {
        let request = b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 200"));
    }
    served.stop.send(true).unwrap();
    assert_eq!(read_to_end(stream).await, "");
    tokio::time::timeout(Duration::from_secs(1), served.serving)
        .await
        .unwrap()
        .unwrap();
}
