//! Servers that do as they should, and others, on loopback.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const FILE: &[u8] = b"0123456789";

fn settings(plaintext: Plaintext, authorities: Authorities) -> Settings {
    Settings {
        proxy: None,
        plaintext,
        authorities,
        stall_max: Duration::from_millis(300),
    }
}

fn plain() -> Transport {
    Transport::new(&settings(Plaintext::Allow, Authorities::Public)).unwrap()
}

/// A request's lines.
fn request(stream: impl Read) -> Vec<String> {
    let lines = BufReader::new(stream).lines();
    lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect()
}

/// Answers each of `answers` on a connection of its own; the requests come back.
fn server(answers: Vec<Vec<u8>>) -> (String, thread::JoinHandle<Vec<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |answer: Vec<u8>| {
        let (mut stream, _) = listener.accept().unwrap();
        let asked = request(&stream);
        // The client may have read enough.
        let _ = stream.write_all(&answer);
        asked
    };
    let thread = thread::spawn(move || answers.into_iter().map(answer).collect());
    (address, thread)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn whole() -> Vec<u8> {
    answer("200 OK", "Content-Length: 10\r\n", FILE)
}

#[test]
fn a_file_is_read_whole_and_a_missing_one_is_none() {
    let (base, asked) = server(vec![whole(), answer("404 Not Found", "", b"no")]);
    let transport = plain();
    let address = format!("{base}/a%2Fb.json");
    assert_eq!(transport.read(&address, 10).unwrap().as_deref(), Some(FILE));
    assert!(transport.read(&format!("{base}/x"), 10).unwrap().is_none());
    let asked = asked.join().unwrap();
    assert_eq!(asked[0][0], "GET /a%2Fb.json HTTP/1.1");
    assert!(
        asked[0]
            .iter()
            .any(|line| line.eq_ignore_ascii_case("accept-encoding: identity"))
    );
}

#[test]
fn a_transfer_goes_on_where_it_stopped() {
    let part = answer(
        "206 Partial Content",
        "Content-Range: bytes 4-9/10\r\nContent-Length: 6\r\n",
        &FILE[4..],
    );
    let (base, asked) = server(vec![part, whole()]);
    let transport = plain();
    let mut body = transport.get(&base, 4, 10).unwrap().unwrap();
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).unwrap();
    assert_eq!((body.from(), &*bytes), (4, &FILE[4..]));
    // A server that knows no ranges begins anew, and says so.
    assert_eq!(transport.get(&base, 4, 10).unwrap().unwrap().from(), 0);
    let asked = asked.join().unwrap();
    assert!(
        asked[0]
            .iter()
            .any(|line| line.eq_ignore_ascii_case("range: bytes=4-"))
    );
}

#[test]
fn another_part_than_the_one_asked_for_is_refused() {
    for range in [
        "Content-Range: bytes 3-9/10\r\n",
        "Content-Range: x\r\n",
        "",
    ] {
        let (base, _asked) = server(vec![answer("206 Partial Content", range, FILE)]);
        let part = plain().get(&base, 4, 10);
        assert!(
            matches!(part, Err(FetchError::OtherPart { from: 4, .. })),
            "{range}"
        );
    }
}

#[test]
fn endless_data_is_cut_off_announced_or_not() {
    let (base, _asked) = server(vec![whole(), answer("200 OK", "", &[b'x'; 100_000])]);
    let transport = plain();
    for _ in 0..2 {
        let error = transport.read(&base, 9).unwrap_err();
        assert!(
            matches!(error, FetchError::TooLong { limit: 9, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_transfer_that_ends_early_is_noticed() {
    let (base, _asked) = server(vec![answer("200 OK", "Content-Length: 10\r\n", &FILE[..9])]);
    let error = plain().read(&base, 10).unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
}

#[test]
fn a_transfer_that_stands_still_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        request(&stream);
        stream.write_all(&whole()[..whole().len() - 1]).unwrap();
        // Until the client hangs up.
        let _ = stream.read(&mut [0]);
    });
    let began = Instant::now();
    let error = plain().read(&address, 10).unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
    server.join().unwrap();
}

#[test]
fn what_a_server_says_instead_is_passed_on() {
    let (base, _asked) = server(vec![answer("503 Busy", "", b"")]);
    let error = plain().read(&base, 10).unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 503, .. }));
}

#[test]
fn plaintext_is_refused_even_by_a_redirect() {
    let transport = Transport::new(&settings(Plaintext::Refuse, Authorities::Public)).unwrap();
    let error = transport.read("http://127.0.0.1:9/x", 10).unwrap_err();
    assert!(matches!(error, FetchError::Address { .. }), "{error}");

    let (tls, certificate) = tls_server(answer(
        "302 Found",
        "Location: http://127.0.0.1:9/\r\n",
        b"",
    ));
    let own = Authorities::Own(vec![certificate]);
    let transport = Transport::new(&settings(Plaintext::Refuse, own)).unwrap();
    let error = transport.read(&tls, 10).unwrap_err();
    assert!(matches!(error, FetchError::Address { .. }), "{error}");
}

#[test]
fn every_connection_goes_through_the_proxy() {
    let (proxy, asked) = server(vec![whole()]);
    let through = Settings {
        proxy: Some(proxy),
        ..settings(Plaintext::Allow, Authorities::Public)
    };
    let transport = Transport::new(&through).unwrap();
    // The proxy is asked for a tunnel, and what comes through it is not ours to test.
    let _ = transport.read("http://updates.example/a", 10);
    let asked = asked.join().unwrap();
    assert!(asked[0][0].contains("updates.example"), "{}", asked[0][0]);
}

#[test]
fn only_a_certificate_that_the_settings_know_is_believed() {
    let (address, certificate) = tls_server(whole());
    let own = Authorities::Own(vec![certificate]);
    let transport = Transport::new(&settings(Plaintext::Refuse, own)).unwrap();
    assert_eq!(transport.read(&address, 10).unwrap().as_deref(), Some(FILE));

    let (address, _) = tls_server(whole());
    let transport = Transport::new(&settings(Plaintext::Refuse, Authorities::Public)).unwrap();
    let error = transport.read(&address, 10).unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
}

/// A server with a certificate of its own for `localhost`, for one request.
fn tls_server(answer: Vec<u8>) -> (String, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let der = certificate.der().to_vec();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(der.clone())],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream: StreamOwned<_, TcpStream> = StreamOwned::new(connection, stream);
        if !request(&mut stream).is_empty() {
            stream.write_all(&answer).unwrap();
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (format!("https://localhost:{port}/"), der)
}
