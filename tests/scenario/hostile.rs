//! Peers that mean harm, or are merely broken. Each is closed for a reason that stands in the
//! relay's log, and whoever behaves does not notice.

use std::time::Duration;

use jumpgate::control::request::TicketHolder;
use jumpgate::domain::limits::{
    CONNECTIONS_PER_ADDRESS_MAX, HELLO_WITHIN, HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX,
    MESSAGES_BURST_MAX, PAYLOAD_BYTES_MAX,
};
use jumpgate::domain::{LongText, PromptId, ShellId};
use jumpgate::link::message::{FromCustomer, ToCustomer};
use jumpgate::link::{ALPN, FrameKind, frame::push_frame};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::support::console::open;
use super::support::peer::hello;
use super::support::{Appliance, Peer, Raw};
use super::{Joined, programs};

/// What a hello may take, and what looking at it once a second may add.
const PATIENCE: std::ops::Range<Duration> =
    Duration::from_secs(9)..Duration::from_secs(HELLO_WITHIN.as_secs() + 4);

/// A frame with a header that may say anything.
fn frame(kind: u16, channel: u16, length: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&channel.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Nobody who behaves was disturbed, and nothing panicked.
async fn all_is_well(joined: &mut Joined) {
    joined.chats("all is well").await;
    let at = (joined.session, ShellId(1));
    joined.console.runs(at, "echo $((6 * 7))", "42").await;
    assert!(!joined.console.seen().over);
    assert!(!joined.customer.shown().contains("interrupted"));
    joined.appliance.nothing_panicked();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_frames_close_their_own_link_only() {
    let mut joined = Joined::new().await;
    joined.shell().await;
    let too_long = u32::try_from(PAYLOAD_BYTES_MAX + 1).unwrap();
    for (bytes, reason) in [
        (
            frame(2, 1, u32::MAX, b""),
            "frame announces 4294967295 payload bytes",
        ),
        (
            frame(1, 0, too_long, b""),
            "frame announces 16377 payload bytes",
        ),
        (frame(99, 0, 1, b"x"), "frame kind 99 is unknown"),
        (frame(1, 5, 1, b"x"), "frame kind 1 on channel 5"),
        (frame(2, 0, 1, b"x"), "frame kind 2 on channel 0"),
        (frame(1, 0, 0, b""), "frame kind 1 with 0 payload bytes"),
        (
            frame(4, 0, 7, b"1234567"),
            "frame kind 4 with 7 payload bytes",
        ),
        (
            frame(1, 0, 4, b"nope"),
            "message not understood: Syntax error",
        ),
        (
            frame(1, 0, 4, b"\xff\xfe\xfd\xfc"),
            "message not understood: ",
        ),
        (frame(1, 0, 2, b"{}"), "message not understood: Data error"),
        (frame(2, 1, 1, b"x"), "channel 1 was never opened"),
        (frame(3, 9, 8, &[0xff; 8]), "channel 9 was never opened"),
    ] {
        let mut peer = Peer::connect(&joined.appliance).await;
        peer.send(&bytes).await;
        assert_eq!(peer.next().await, None, "{reason}");
        joined.appliance.logs("peer_closed", reason).await;
    }
    all_is_well(&mut joined).await;
    let faults = joined.appliance.status().await;
    assert_eq!(faults.connections.closed_for_fault_in_all, 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_out_of_turn_close_their_own_link_only() {
    let mut joined = Joined::new().await;
    joined.shell().await;
    let appliance = &joined.appliance;
    let ada = &joined.representative;

    // Before the hello.
    let mut early = Peer::connect(appliance).await;
    early.chat("let me in").await;
    assert_eq!(early.next().await, None);
    appliance
        .logs("peer_closed", "message not understood")
        .await;

    // A second hello, and a console's words from a customer.
    for number in 0..2 {
        let key = appliance.key(ada, None).await;
        let mut peer = Peer::start(appliance, &key.digits).await;
        peer.hears(|message| matches!(message, ToCustomer::Session { .. }).then_some(()))
            .await;
        if number == 0 {
            peer.say(&hello(&key.digits)).await;
        } else {
            let words = br#"{"type":"create_key","request":1,"seconds":600}"#;
            let mut bytes = Vec::new();
            push_frame(&mut bytes, FrameKind::Control, 0, words);
            peer.send(&bytes).await;
        }
        while peer.next().await.is_some() {}
    }

    // Well formed, but about things that do not exist: ignored, and harmless.
    let key = appliance.key(ada, None).await;
    let mut peer = Peer::start(appliance, &key.digits).await;
    let shell = ShellId(1);
    let (prompt, allow) = (PromptId(7), true);
    peer.say(&FromCustomer::Answer { prompt, allow }).await;
    peer.say(&FromCustomer::ShellStarted { shell }).await;
    peer.say(&FromCustomer::ShellEnded { shell }).await;
    peer.chat("still here").await;
    peer.hears(|message| {
        matches!(message, ToCustomer::Entry(entry)
        if matches!(&entry.what, jumpgate::domain::What::Chat { .. }))
        .then_some(())
    })
    .await;
    assert!(!joined.console.seen().shells[&(joined.session, shell)].closed);
    all_is_well(&mut joined).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chatter_beyond_what_anybody_types_is_cut_off() {
    let mut joined = Joined::new().await;
    joined.shell().await;
    let key = joined.appliance.key(&joined.representative, None).await;
    let mut peer = Peer::start(&joined.appliance, &key.digits).await;
    let json = jumpgate::link::connection::encode(&FromCustomer::Chat {
        text: LongText::new("again").unwrap(),
    });
    let mut bytes = Vec::new();
    for _ in 0..MESSAGES_BURST_MAX * 2 {
        push_frame(&mut bytes, FrameKind::Control, 0, &json);
    }
    peer.send(&bytes).await;
    while peer.next().await.is_some() {}
    joined
        .appliance
        .logs("peer_closed", "messages a second")
        .await;
    all_is_well(&mut joined).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_inside_a_frame_is_told_from_one_that_ended() {
    let mut joined = Joined::new().await;
    joined.shell().await;
    let mut peer = Peer::connect(&joined.appliance).await;
    peer.send(&frame(1, 0, 100, b"{\"type\":")).await;
    drop(peer);
    let reason = "connection ended inside a frame";
    joined.appliance.logs("peer_closed", reason).await;
    all_is_well(&mut joined).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_too_long_is_closed_and_others_are_not_held_up() {
    let mut joined = Joined::new().await;
    joined.shell().await;
    let appliance = &joined.appliance;
    let (https, http) = (appliance.https(), appliance.http());
    let start_of_request = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    // A record that announces a ClientHello, and never more than a byte at a time of that.
    let start_of_handshake = [
        0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
    ];
    let start_of_hello = frame(1, 0, 1_000, b"");
    let page = || Raw::tls(appliance, &[b"http/1.1"]);
    let link = || Raw::tls(appliance, &[ALPN]);
    let took = tokio::join!(
        wait(Raw::tcp(https)),
        drip(Raw::tcp(https), &start_of_handshake),
        wait(page()),
        drip(page(), start_of_request),
        wait(link()),
        drip(link(), &start_of_hello),
        wait(Raw::tcp(http)),
        drip(Raw::tcp(http), start_of_request),
    );
    let took: [Duration; 8] = took.into();
    for (number, took) in took.into_iter().enumerate() {
        assert!(PATIENCE.contains(&took), "connection {number}: {took:?}");
    }
    appliance.logs("no_request_in_time", "seconds=10").await;
    appliance.logs("peer_closed", "no hello within 10 s").await;
    let connections = appliance.status().await.connections;
    assert_eq!(connections.arriving, 0, "{connections:?}");
    // Silence after a finished handshake, or before any byte of a request, is a spare connection
    // of a browser: closed as well, but nobody's fault.
    let faults = 6;
    assert_eq!(
        connections.closed_for_fault_in_all, faults,
        "{connections:?}"
    );
    all_is_well(&mut joined).await;
}

/// Says nothing; how long until the other side closes.
async fn wait<S>(raw: impl Future<Output = Raw<S>>) -> Duration
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    raw.await.until_closed().await.1
}

/// Sends a beginning and then a byte now and then; how long until the other side closes.
async fn drip<S>(raw: impl Future<Output = Raw<S>>, beginning: &[u8]) -> Duration
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut raw = raw.await;
    let began = tokio::time::Instant::now();
    raw.send(beginning).await;
    while !raw.is_closed_within(Duration::from_millis(200)).await {
        raw.send(b"a").await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_tls_or_the_wrong_kind_is_refused_with_its_reason() {
    let mut joined = Joined::new().await;
    joined.shell().await;
    let appliance = &joined.appliance;
    // Neither of our protocols.
    for alpn in [&[&b"h2"[..]][..], &[b"h3", b"jumpgate/2"]] {
        let refused = Raw::try_tls(appliance, alpn).await.err().unwrap();
        let words = refused.to_string().to_lowercase();
        assert!(words.contains("application"), "{words}");
    }
    let reason = "peer doesn't support any known protocol";
    appliance.logs("peer_closed", reason).await;
    // Plain HTTP, noise, and a record too long.
    let noise: Vec<u8> = (0..=255).collect();
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &noise,
        &[0x16, 0x03, 0x01, 0xff, 0xff, 0x01],
    ] {
        let mut raw = Raw::tcp(appliance.https()).await;
        raw.send(bytes).await;
        let (answer, took) = raw.until_closed().await;
        assert!(took < Duration::from_secs(8), "{took:?}");
        // An alert at most (RFC 8446, 6): type 21.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
    appliance.logs("peer_closed", "TLS: ").await;
    let faults = appliance.status().await.connections;
    assert_eq!(faults.closed_for_fault_in_all, 6, "{faults:?}");
    all_is_well(&mut joined).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_too_long_or_no_requests_are_answered_and_closed() {
    let mut joined = Joined::new().await;
    joined.shell().await;
    let appliance = &joined.appliance;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}",
        "a".repeat(HTTP_HEAD_BYTES_MAX)
    );
    let lines = "X-Line: 1\r\n".repeat(HTTP_HEADERS_MAX + 1);
    let many = format!("GET / HTTP/1.1\r\n{lines}\r\n");
    for (request, status) in [
        (long.as_str(), "431 "),
        (&many, "431 "),
        ("\u{1}\u{2}\u{3}\r\n\r\n", "400 "),
        ("GET / HTTP/9.9\r\n\r\n", "400 "),
        ("GET /link HTTP/1.1\r\nHost: localhost\r\n\r\n", "426 "),
    ] {
        for plain in [false, true] {
            let answer = if plain {
                if status == "426 " {
                    continue; // the plain port redirects every page
                }
                let mut raw = Raw::tcp(appliance.http()).await;
                raw.send(request.as_bytes()).await;
                raw.until_closed().await.0
            } else {
                let mut raw = Raw::tls(appliance, &[b"http/1.1"]).await;
                raw.send(request.as_bytes()).await;
                raw.until_closed().await.0
            };
            let answer = String::from_utf8(answer).unwrap();
            let expected = format!("HTTP/1.1 {status}");
            assert!(answer.starts_with(&expected), "{status} {plain}: {answer}");
            assert!(answer.contains("Strict-Transport-Security: "), "{answer}");
        }
    }
    appliance
        .logs("request_refused", "request head above")
        .await;
    appliance
        .logs("request_refused", "not an HTTP/1 request")
        .await;
    appliance
        .logs("request_refused", "no WebSocket upgrade")
        .await;

    // The plain port says where to go, whatever the host.
    let mut raw = Raw::tcp(appliance.http()).await;
    raw.send(b"GET /?ak=1 HTTP/1.1\r\nHost: evil.example\r\n x\r\n\r\n")
        .await;
    let (answer, _) = raw.until_closed().await;
    assert!(
        answer.starts_with(b"HTTP/1.1 400 "),
        "folded lines are no HTTP"
    );
    let mut raw = Raw::tcp(appliance.http()).await;
    raw.send(b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let answer = String::from_utf8(raw.until_closed().await.0).unwrap();
    let place = format!(
        "Location: https://localhost:{}/login\r\n",
        appliance.https()
    );
    assert!(answer.contains(&place), "{answer}");
    all_is_well(&mut joined).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_needs_our_origin_and_a_fresh_ticket() {
    let mut joined = Joined::new().await;
    joined.shell().await;
    let appliance = &joined.appliance;
    let site = format!("https://localhost:{}", appliance.https());
    let ticket = appliance.console_ticket(&joined.representative).await;
    let query = format!("?ticket={}", ticket.reveal());
    let unknown = format!("?ticket={}", "0".repeat(32));

    for (query, origin, reason) in [
        (query.as_str(), None, "WebSocket from a foreign origin"),
        (
            &query,
            Some("https://evil.example"),
            "WebSocket from a foreign origin",
        ),
        (&query, Some("null"), "WebSocket from a foreign origin"),
        ("", Some(site.as_str()), "WebSocket without a ticket"),
        ("?ticket=1234", Some(&site), "WebSocket without a ticket"),
        (&unknown, Some(&site), "ticket_refused"),
    ] {
        assert_eq!(refused(appliance, query, origin).await, 403, "{reason}");
        appliance.logs("", reason).await;
    }
    // None of that used the real one up.
    let socket = open(appliance, &query, Some(&site)).await.unwrap();
    assert_eq!(refused(appliance, &query, Some(&site)).await, 403);
    drop(socket);
    assert_eq!(refused(appliance, &query, Some(&site)).await, 403);
    all_is_well(&mut joined).await;
}

/// The status with which a WebSocket is refused.
async fn refused(appliance: &Appliance, query: &str, origin: Option<&str>) -> u16 {
    match open(appliance, query, origin).await {
        Err(SocketError::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_websockets_are_closed_with_their_reason() {
    use futures_util::{SinkExt as _, StreamExt as _};
    let mut joined = Joined::new().await;
    joined.shell().await;
    let appliance = &joined.appliance;
    let site = format!("https://localhost:{}", appliance.https());
    // By its own words, a customer's browser that comes back.
    for (message, reason) in [
        (
            Message::text("hello"),
            "WebSocket frame of a kind that is not used here",
        ),
        (
            Message::binary(frame(99, 0, 0, b"")),
            "frame kind 99 is unknown",
        ),
        (
            Message::binary(vec![0; 1024 * 1024 + 1]),
            "WebSocket frame announces 1048577 bytes",
        ),
    ] {
        let ticket = appliance.ticket(TicketHolder::Customer { ak: None }).await;
        let query = format!("?ticket={}", ticket.reveal());
        let mut socket = open(appliance, &query, Some(&site)).await.unwrap();
        let _ = socket.send(message).await;
        while let Some(Ok(_)) = socket.next().await {}
        appliance.logs("peer_closed", reason).await;
    }
    // Clients must mask: one that does not is no browser.
    let ticket = appliance.ticket(TicketHolder::Customer { ak: None }).await;
    let query = format!("?ticket={}", ticket.reveal());
    let socket = open(appliance, &query, Some(&site)).await.unwrap();
    let mut raw = Raw::over(socket.into_inner());
    raw.send(&[0x82, 0x01, 0x00]).await;
    raw.until_closed().await;
    appliance
        .logs("peer_closed", "WebSocket frame without a mask")
        .await;
    all_is_well(&mut joined).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_connects_and_says_nothing_keeps_nobody_out() {
    // The limit is each ring thread's, so let there be one: programs inherit where they may run.
    let mut one = CpuSet::new();
    one.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    let appliance = Appliance::start(programs()).await;
    assert_eq!(appliance.status().await.threads, 1);
    let ada = appliance.representative("ada").await;
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS_PER_ADDRESS_MAX + 10 {
        crowd.push(Raw::tcp(appliance.https()).await);
    }
    let limit = format!("limit={CONNECTIONS_PER_ADDRESS_MAX}");
    appliance.logs("too_many_connections", &limit).await;
    // The same address is full for now, others are not.
    let key = appliance.key(&ada, None).await;
    let elsewhere = std::net::Ipv4Addr::new(127, 0, 1, 1);
    let heard = Peer::tries(&appliance, elsewhere, &key.digits).await;
    assert!(matches!(heard, ToCustomer::Welcome(_)), "{heard:?}");
    drop(crowd);
    // And once the crowd has gone home, it is as before.
    let until = tokio::time::Instant::now() + super::support::SOON;
    while appliance.status().await.connections.arriving > 0 {
        assert!(
            tokio::time::Instant::now() < until,
            "they are still counted"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut raw = Raw::tls(&appliance, &[b"http/1.1"]).await;
    raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200 "));
    appliance.nothing_panicked();
}
