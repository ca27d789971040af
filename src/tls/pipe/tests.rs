//! Against rustls' client, and against one that breaks the rules.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SignatureScheme, SupportedCipherSuite,
    SupportedProtocolVersion,
};

use super::*;
use crate::domain::limits::{EMPTY_RECORDS_MAX, HANDSHAKE_BYTES_MAX};
use crate::domain::token::Fingerprint;
use crate::tls::Identity;
use crate::tls::estate::ESTATE_BYTES;
use crate::tls::keys::{ALERT, APPLICATION_DATA, HANDSHAKE};
use crate::tls::stand_in::{ALPN, DEVICE_ALPN, IDS, StandIn, client_hello_of_tls12, configs};

struct Peers {
    configs: Configs,
    client: ClientConnection,
    server: Pipe,
    /// What the server sends, not yet carried over.
    down: Vec<u8>,
}

fn peers(alpn: &[&[u8]], link: &Identity, web: &Identity) -> Peers {
    peers_by(alpn, link, web, &[&TLS13, &TLS12], |_| true)
}

fn peers_by(
    alpn: &[&[u8]],
    link: &Identity,
    web: &Identity,
    versions: &[&'static SupportedProtocolVersion],
    suites: impl Fn(&SupportedCipherSuite) -> bool,
) -> Peers {
    let mut provider = default_provider();
    provider.cipher_suites.retain(suites);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots(&[link, web]))
        .with_no_client_auth();
    peers_of(config, alpn, link, web)
}

fn roots(identities: &[&Identity]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for identity in identities {
        roots.add(identity.chain().remove(0)).unwrap();
    }
    roots
}

fn peers_of(mut config: ClientConfig, alpn: &[&[u8]], link: &Identity, web: &Identity) -> Peers {
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    client.set_buffer_limit(None);
    Peers {
        configs: Configs::new(link, web, IDS).unwrap(),
        client,
        server: Pipe::default(),
        down: Vec::new(),
    }
}

impl Peers {
    /// Carries bytes both ways until nothing moves; returns what the server and the client read.
    fn run(&mut self, cut: usize) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
        let (mut read, mut back) = (Vec::new(), Vec::new());
        loop {
            let mut up = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut up).unwrap();
            }
            for chunk in up.chunks_mut(cut) {
                read.extend(self.up(chunk)?);
            }
            self.server.answer(&mut self.down);
            let down = std::mem::take(&mut self.down);
            if up.is_empty() && down.is_empty() {
                return Ok((read, back));
            }
            let mut rest = &down[..];
            while !rest.is_empty() {
                self.client.read_tls(&mut rest).unwrap();
                let state = self.client.process_new_packets()?;
                let start = back.len();
                back.resize(start + state.plaintext_bytes_to_read(), 0);
                self.client.reader().read_exact(&mut back[start..]).unwrap();
            }
        }
    }

    fn up(&mut self, bytes: &mut [u8]) -> Result<Vec<u8>, TlsError> {
        let mut read = Vec::new();
        let (_, plain) = self
            .server
            .receive(bytes, &self.configs, &mut read, &mut self.down)?;
        read.extend_from_slice(&bytes[plain]);
        Ok(read)
    }
}

fn identities() -> (Identity, Identity) {
    let make = || Identity::make(&["localhost".into()]).unwrap();
    (make(), make())
}

fn data(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect()
}

/// What `server` makes of `wire`.
fn hear(server: &mut Pipe, wire: &mut [u8]) -> Result<(Progress, Vec<u8>, Vec<u8>), TlsError> {
    let (mut side, mut output) = (Vec::new(), Vec::new());
    let (progress, plain) = server.receive(wire, configs(), &mut side, &mut output)?;
    side.extend_from_slice(&wire[plain]);
    Ok((progress, side, output))
}

/// What a server that closes for `wire` tells the client.
fn complaint(client: &mut StandIn, server: &mut Pipe, wire: &mut [u8]) -> (TlsError, Vec<u8>) {
    let mut output = Vec::new();
    let error = server
        .receive(wire, configs(), &mut Vec::new(), &mut output)
        .unwrap_err();
    let (kind, alert) = client.open(&mut output).pop().unwrap();
    assert_eq!(kind, ALERT);
    (error, alert)
}

#[test]
fn each_kind_of_client_gets_its_own_key() {
    let (link, web) = identities();
    for (alpn, expected) in [(ALPN, &link), (b"http/1.1", &web)] {
        let mut peers = peers(&[alpn], &link, &web);
        peers.run(5).unwrap();
        let shown = peers.client.peer_certificates().unwrap()[0].clone();
        assert_eq!(Fingerprint::of(&shown), expected.certificate_fingerprint());
        let caller = peers.server.caller();
        assert_eq!(caller == Caller::Endpoint, alpn == ALPN, "{caller:?}");
    }
}

/// A machine that shows `shown` and signs with `signing`.
#[derive(Debug)]
struct Device(Arc<CertifiedKey>);

impl Device {
    fn peers(shown: &Identity, signing: &Identity, link: &Identity) -> Peers {
        let key = any_ecdsa_type(&signing.key()).unwrap();
        let device = Self(Arc::new(CertifiedKey::new(shown.chain(), key)));
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots(&[link]))
            .with_client_cert_resolver(Arc::new(device));
        peers_of(config, &[DEVICE_ALPN], link, link)
    }
}

impl ResolvesClientCert for Device {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn a_machine_is_known_by_the_key_that_it_has_proved() {
    let (link, device) = identities();
    let mut peers = Device::peers(&device, &device, &link);
    peers.run(7).unwrap();
    assert_eq!(peers.server.caller(), Caller::Device);
    assert_eq!(
        peers.server.take_device_key(),
        Some(device.key_fingerprint())
    );
    peers.client.writer().write_all(b"hello").unwrap();
    assert_eq!(peers.run(7).unwrap().0, b"hello");
}

#[test]
fn nobody_is_taken_for_a_machine_whose_key_he_does_not_have() {
    let (link, device) = identities();
    let (other, _) = identities();
    let mut peers = Device::peers(&device, &other, &link);
    peers.run(1_000).unwrap_err();
    assert_eq!(peers.server.take_device_key(), None);
    assert!(!peers.server.is_open());
}

#[test]
fn a_machine_that_shows_no_key_is_not_let_in() {
    let (link, web) = identities();
    let mut peers = peers(&[DEVICE_ALPN], &link, &web);
    peers.run(1_000).unwrap_err();
    assert!(!peers.server.is_open());
}

/// Until this was mended, rustls was asked what to say with an empty buffer and looked for the second
/// message in it: a stranger could end the thread.
#[test]
fn messages_behind_one_that_is_refused_do_no_harm() {
    let key_exchange_without_a_key = [16, 0, 0, 1, 0];
    let finished_without_content = [20, 0, 0, 0];
    let content = [&key_exchange_without_a_key[..], &finished_without_content].concat();
    let mut record = [&[HANDSHAKE, 3, 3, 0, 9], &content[..]].concat();
    let mut server = Pipe::default();
    hear(&mut server, &mut client_hello_of_tls12()).unwrap();
    let mut output = Vec::new();
    let heard = server.receive(&mut record, configs(), &mut Vec::new(), &mut output);
    assert!(heard.is_err(), "{heard:?}");
    server.send(b"no more", &mut output).unwrap();
    server.end(&mut output).unwrap();
    assert!(output.len() <= 7, "at most an alert: {output:?}");
}

#[test]
fn megabytes_pass_both_ways_unchanged_however_they_are_cut() {
    let (link, web) = identities();
    let data = data(1_000_000);
    for cut in [7, 4_096, 17_408, usize::MAX] {
        let mut peers = peers(&[ALPN], &link, &web);
        peers.client.writer().write_all(&data).unwrap();
        let (read, _) = peers.run(cut).unwrap();
        assert!(read == data, "cut every {cut} bytes");
        peers.server.send(&data, &mut peers.down).unwrap();
        let (_, back) = peers.run(cut).unwrap();
        assert!(back == data);
    }
}

#[test]
fn every_cipher_and_a_browser_of_tls_1_2_are_understood() {
    let (link, web) = identities();
    let data = data(50_000);
    for suite in default_provider().cipher_suites {
        if suite
            .suite()
            .as_str()
            .is_some_and(|name| name.contains("_RSA_"))
        {
            // Our certificate's key is of another kind.
            continue;
        }
        let version = suite.version();
        let mut peers = peers_by(&[b"http/1.1"], &link, &web, &[version], |one| *one == suite);
        peers.client.writer().write_all(&data).unwrap();
        let (read, _) = peers.run(9_000).unwrap();
        assert!(read == data, "{suite:?}");
        peers.server.send(&data, &mut peers.down).unwrap();
        let (_, back) = peers.run(9_000).unwrap();
        assert!(back == data, "{suite:?}");
        peers.client.send_close_notify();
        peers.run(9_000).unwrap();
        assert_eq!(peers.server.progress(), Progress::Ended);
        peers.server.end(&mut peers.down).unwrap();
        peers.run(9_000).unwrap();
    }
}

#[test]
fn a_client_that_changes_its_keys_every_100_records_is_followed() {
    let (link, web) = identities();
    let mut peers = peers(&[ALPN], &link, &web);
    peers.run(usize::MAX).unwrap();
    let (up, down) = (data(200), data(300));
    for round in 0..2_000 {
        if round % 100 == 99 {
            // rustls asks for ours to be changed as well.
            peers.client.refresh_traffic_keys().unwrap();
        }
        peers.client.writer().write_all(&up).unwrap();
        peers.server.send(&down, &mut peers.down).unwrap();
        let (read, back) = peers.run(1 + round).unwrap();
        assert!(read == up && back == down, "round {round}");
    }
}

#[test]
fn keys_that_have_sealed_enough_are_changed() {
    let (link, web) = identities();
    let mut peers = peers(&[ALPN], &link, &web);
    peers.run(usize::MAX).unwrap();
    peers.server.wear_after(3);
    let data = data(200_000);
    peers.server.send(&data, &mut peers.down).unwrap();
    let (_, back) = peers.run(usize::MAX).unwrap();
    assert!(back == data);
    // The new keys have their own limit.
    let mut again = Vec::new();
    peers.server.send(&[1; 10], &mut again).unwrap();
    assert_eq!(again.len(), 10 + crate::tls::keys::OVERHEAD_BYTES);
}

#[test]
fn however_often_a_client_asks_for_new_keys_it_is_answered_once() {
    let (mut client, mut server) = StandIn::joined();
    for _ in 0..20 {
        let mut update = client.key_update(1);
        let (_, _, output) = hear(&mut server, &mut update).unwrap();
        assert!(output.is_empty());
        let mut record = client.seal(APPLICATION_DATA, b"x");
        assert_eq!(hear(&mut server, &mut record).unwrap().1, b"x");
    }
    let mut output = Vec::new();
    server.answer(&mut output);
    server.send(b"y", &mut output).unwrap();
    server.answer(&mut output);
    let heard = client.open(&mut output);
    assert_eq!(
        heard,
        [
            (HANDSHAKE, vec![24, 0, 0, 1, 0]),
            (APPLICATION_DATA, b"y".to_vec())
        ]
    );
}

#[test]
fn records_are_put_together_wherever_they_are_cut() {
    let long = [7; 300];
    let contents = [&b"one"[..], b"", b"three", &long];
    let whole = contents.concat();
    let wire = |client: &mut StandIn| -> Vec<u8> {
        let seal = |content: &&[u8]| client.seal(APPLICATION_DATA, content);
        contents.iter().flat_map(seal).collect()
    };
    for cut in 1..80 {
        let (mut client, mut server) = StandIn::joined();
        let mut wire = wire(&mut client);
        let (first, second) = wire.split_at_mut(cut);
        let mut read = hear(&mut server, first).unwrap().1;
        read.extend(hear(&mut server, second).unwrap().1);
        assert!(read == whole, "cut at {cut}");
    }
    let (mut client, mut server) = StandIn::joined();
    let mut read = Vec::new();
    for byte in wire(&mut client) {
        read.extend(hear(&mut server, &mut [byte]).unwrap().1);
    }
    assert!(read == whole);
}

#[test]
fn small_pieces_that_are_sent_together_share_a_record() {
    let (mut client, mut server) = StandIn::joined();
    let mut output = Vec::new();
    server.send(&data(40_000), &mut output).unwrap();
    let sizes: Vec<usize> = client
        .open(&mut output)
        .iter()
        .map(|(_, content)| content.len())
        .collect();
    assert_eq!(sizes, [16_384, 16_384, 40_000 - 2 * 16_384]);
}

#[test]
fn a_connection_goes_on_after_a_rest() {
    let (mut client, mut server) = StandIn::joined();
    for round in 0..3_u8 {
        server.rest();
        let mut record = client.seal(APPLICATION_DATA, &[round]);
        assert_eq!(hear(&mut server, &mut record).unwrap().1, [round]);
        server.rest();
        let mut output = Vec::new();
        server.send(&[round], &mut output).unwrap();
        assert_eq!(client.open(&mut output), [(APPLICATION_DATA, vec![round])]);
    }
}

#[test]
fn a_record_that_was_changed_is_refused_and_its_sender_told() {
    for at in [0, 4, 5, 12, 24] {
        let (mut client, mut server) = StandIn::joined();
        let mut record = client.seal(APPLICATION_DATA, b"hello");
        record[at] ^= 1;
        if at == 4 {
            // One byte less than was sealed.
            record[at] = 21;
        }
        let (error, alert) = complaint(&mut client, &mut server, &mut record);
        let expected = if at == 0 { 10 } else { 20 };
        assert_eq!(alert, [2, expected], "byte {at}: {error}");
    }
}

#[test]
fn what_a_client_may_not_send_after_the_handshake_is_refused() {
    let unexpected = [2, 10];
    for (kind, content) in [
        (20, vec![1]),
        (HANDSHAKE, vec![]),
        // Half a key update, one with something behind it, one of an unknown sort, a hello.
        (HANDSHAKE, vec![24, 0, 0]),
        (HANDSHAKE, vec![24, 0, 0, 1, 0, 24]),
        (HANDSHAKE, vec![24, 0, 0, 1, 2]),
        (HANDSHAKE, vec![1, 0, 0, 0]),
        (ALERT, vec![1]),
        (99, vec![1, 2, 3]),
    ] {
        let (mut client, mut server) = StandIn::joined();
        let mut record = client.seal(kind, &content);
        let (error, alert) = complaint(&mut client, &mut server, &mut record);
        assert_eq!(alert, unexpected, "{kind}, {content:?}: {error}");
    }
}

#[test]
fn a_record_that_is_too_long_is_refused_by_its_header() {
    let (mut client, mut server) = StandIn::joined();
    let (error, alert) = complaint(&mut client, &mut server, &mut [23, 3, 3, 0x41, 1]);
    assert!(matches!(error, TlsError::RecordTooLong { found: 16_641 }));
    assert_eq!(alert, [2, 22]);
}

#[test]
fn nothing_but_empty_records_is_refused() {
    let (mut client, mut server) = StandIn::joined();
    for _ in 0..EMPTY_RECORDS_MAX {
        let mut record = client.key_update(1);
        hear(&mut server, &mut record).unwrap();
    }
    let mut record = client.key_update(1);
    let (error, _) = complaint(&mut client, &mut server, &mut record);
    assert!(matches!(error, TlsError::NothingButEmpty));
}

#[test]
fn after_a_goodbye_nothing_is_heard() {
    let (mut client, mut server) = StandIn::joined();
    let mut wire = client.seal(APPLICATION_DATA, b"last");
    wire.extend(client.seal(ALERT, &[1, 0]));
    wire.extend(client.seal(APPLICATION_DATA, b"more"));
    let (progress, read, _) = hear(&mut server, &mut wire).unwrap();
    assert_eq!((progress, &read[..]), (Progress::Ended, &b"last"[..]));
    let (progress, read, _) = hear(&mut server, &mut [1; 30]).unwrap();
    assert_eq!((progress, &read[..]), (Progress::Ended, &b""[..]));
    // It may still be told something.
    let mut output = Vec::new();
    server.send(b"bye", &mut output).unwrap();
    server.end(&mut output).unwrap();
    assert_eq!(client.open(&mut output).len(), 2);
}

#[test]
fn a_hello_without_an_end_is_refused() {
    let (link, web) = identities();
    let mut peers = peers(&[ALPN], &link, &web);
    // A handshake message of 16 MiB, in records as long as they may be.
    let mut record = vec![22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff];
    record.resize(5 + 16_384, 0);
    let mut taken = 0;
    while peers.up(&mut record.clone()).is_ok() {
        taken += record.len();
        assert!(taken < 2 * HANDSHAKE_BYTES_MAX);
    }
}

#[test]
fn a_browser_that_does_not_know_the_certificate_breaks_no_rule() {
    let (link, web) = identities();
    let (_, unknown) = identities();
    let mut peers = peers(&[b"http/1.1"], &link, &web);
    peers.configs = Configs::new(&link, &unknown, IDS).unwrap();
    peers.run(usize::MAX).unwrap_err();
    // What it still has to say is an alert.
    let error = peers.run(usize::MAX).unwrap_err();
    assert!(error.is_farewell(), "{error}");
    peers.server = Pipe::default();
    assert!(!peers.up(&mut [7; 64]).unwrap_err().is_farewell());
}

#[test]
fn an_unknown_alpn_is_refused_with_an_alert() {
    let (link, web) = identities();
    let mut peers = peers(&[b"smtp"], &link, &web);
    let error = peers.run(usize::MAX).unwrap_err();
    assert!(
        matches!(
            error,
            TlsError::Refused(rustls::Error::NoApplicationProtocol)
        ),
        "{error}"
    );
    peers.client.read_tls(&mut &peers.down[..]).unwrap();
    let heard = peers.client.process_new_packets().unwrap_err();
    assert!(matches!(heard, rustls::Error::AlertReceived(_)), "{heard}");
}

#[test]
fn bytes_that_are_no_tls_are_refused() {
    let mut bytes = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    assert!(hear(&mut Pipe::default(), &mut bytes).is_err());
}

#[test]
fn another_process_goes_on_with_a_connection_whatever_its_cipher_and_however_often_its_keys_changed()
 {
    let (link, web) = identities();
    for suite in default_provider().cipher_suites {
        if suite.tls13().is_none() {
            continue;
        }
        let mut peers = peers_by(&[ALPN], &link, &web, &[&TLS13], |one| *one == suite);
        peers.run(usize::MAX).unwrap();
        for round in 0..5_u8 {
            let mut estate = Vec::new();
            assert!(peers.server.bequeath(&mut estate), "{suite:?}");
            peers.server = Pipe::inherit(estate.as_slice().try_into().unwrap()).unwrap();
            if round % 2 == 1 {
                peers.client.refresh_traffic_keys().unwrap();
            }
            peers.client.writer().write_all(&[round; 300]).unwrap();
            peers.server.send(&[round; 200], &mut peers.down).unwrap();
            let heard = peers.run(usize::MAX).unwrap();
            assert_eq!(heard, (vec![round; 300], vec![round; 200]), "{suite:?}");
        }
    }
}

#[test]
fn a_connection_inside_a_record_or_with_something_to_say_or_not_open_is_not_handed_on() {
    let nothing = |server: &Pipe| {
        let mut estate = Vec::new();
        !server.bequeath(&mut estate) && estate.is_empty()
    };
    assert!(nothing(&Pipe::default()));
    let (mut client, mut server) = StandIn::joined();
    let mut record = client.seal(APPLICATION_DATA, b"one");
    let (first, second) = record.split_at_mut(7);
    hear(&mut server, first).unwrap();
    assert!(nothing(&server));
    hear(&mut server, second).unwrap();
    assert!(!nothing(&server));
    // It wants an answer.
    hear(&mut server, &mut client.key_update(1)).unwrap();
    assert!(nothing(&server));
    server.answer(&mut Vec::new());
    assert!(!nothing(&server));
    hear(&mut server, &mut client.seal(ALERT, &[1, 0])).unwrap();
    assert!(nothing(&server));
    assert!(Pipe::inherit(&[7; ESTATE_BYTES]).is_none());
}
