//! One TLS connection, server side, without its socket.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::server::{AcceptedAlert, Acceptor};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::identity::Identity;

/// What the two kinds of client are offered.
#[derive(Debug)]
pub struct Configs {
    link: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
    /// The link protocol's id in ALPN (RFC 7301).
    link_alpn: &'static [u8],
}

impl Configs {
    /// TLS 1.3 with the link key for endpoints; TLS 1.3 and 1.2 with the site's certificate for
    /// browsers. A client that offers `link_alpn` is an endpoint.
    pub fn new(
        link: &Identity,
        web: &Identity,
        link_alpn: &'static [u8],
    ) -> Result<Self, TlsError> {
        let build =
            |versions: &[&'static SupportedProtocolVersion], identity: &Identity, alpn: &[u8]| {
                let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
                    .with_protocol_versions(versions)?
                    .with_no_client_auth()
                    .with_single_cert(identity.chain(), identity.key())?;
                config.alpn_protocols = vec![alpn.to_vec()];
                // Measured: resuming saves no CPU here, and tickets cost memory on idle links.
                config.send_tls13_tickets = 0;
                Ok::<_, rustls::Error>(Arc::new(config))
            };
        let link = build(&[&TLS13], link, link_alpn)?;
        let web = build(&[&TLS13, &TLS12], web, b"http/1.1")?;
        Ok(Self {
            link,
            web,
            link_alpn,
        })
    }
}

/// Why a TLS connection is closed. Mostly the peer's doing.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A handshake or record that rustls refuses.
    #[error("TLS: {0}")]
    Refused(#[from] rustls::Error),
    /// rustls' buffers were full, or a write to memory failed: neither can happen as we use it.
    #[error("TLS buffers: {0}")]
    Buffers(#[from] io::Error),
}

impl TlsError {
    /// Whether the peer only said that it goes: a browser does so when it does not know the
    /// certificate yet, or changed its mind. It broke no rule.
    pub fn is_farewell(&self) -> bool {
        match self {
            Self::Refused(error) => matches!(error, rustls::Error::AlertReceived(_)),
            Self::Buffers(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        }
    }
}

/// What is known after receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The handshake is under way.
    Handshaking,
    /// Plaintext may have been appended.
    Open,
    /// The peer said that nothing more will come.
    Ended,
}

/// One connection.
pub struct Pipe {
    state: State,
    /// Of what the acceptor refused, before there was a connection.
    alert: Vec<u8>,
    is_link: bool,
}

enum State {
    /// No whole `ClientHello` yet.
    Accepting(Box<Acceptor>),
    Connected(Box<ServerConnection>),
    Refused,
}

impl Default for Pipe {
    fn default() -> Self {
        Self {
            state: State::Accepting(Box::default()),
            alert: Vec::new(),
            is_link: false,
        }
    }
}

impl Pipe {
    /// Takes ciphertext and appends what it held to `plaintext`. After an error, send what
    /// [`Self::take_ciphertext`] gives (an alert) and close.
    pub fn receive(
        &mut self,
        mut ciphertext: &[u8],
        configs: &Configs,
        plaintext: &mut Vec<u8>,
    ) -> Result<Progress, TlsError> {
        if let State::Accepting(acceptor) = &mut self.state {
            while !ciphertext.is_empty() {
                acceptor.read_tls(&mut ciphertext)?;
                match acceptor.accept() {
                    Ok(None) => {}
                    Ok(Some(accepted)) => match connect(accepted, configs) {
                        Ok((connection, is_link)) => {
                            self.is_link = is_link;
                            self.state = State::Connected(Box::new(connection));
                            break;
                        }
                        Err((error, alert)) => return self.refuse(error, alert),
                    },
                    Err((error, alert)) => return self.refuse(error, alert),
                }
            }
        }
        let State::Connected(connection) = &mut self.state else {
            return Ok(Progress::Handshaking);
        };
        let mut ended = false;
        loop {
            let io = connection.process_new_packets()?;
            let length = plaintext.len();
            plaintext.resize(length + io.plaintext_bytes_to_read(), 0);
            connection.reader().read_exact(&mut plaintext[length..])?;
            ended |= io.peer_has_closed();
            if ciphertext.is_empty() || ended {
                break;
            }
            connection.read_tls(&mut ciphertext)?;
        }
        Ok(match (ended, connection.is_handshaking()) {
            (true, _) => Progress::Ended,
            (false, true) => Progress::Handshaking,
            (false, false) => Progress::Open,
        })
    }

    fn refuse(
        &mut self,
        error: rustls::Error,
        mut alert: AcceptedAlert,
    ) -> Result<Progress, TlsError> {
        alert.write_all(&mut self.alert)?;
        self.state = State::Refused;
        Err(error.into())
    }

    /// Whether the peer chose the link protocol; false until it has said so.
    pub fn is_link(&self) -> bool {
        self.is_link
    }

    /// Whether the handshake is over.
    pub fn is_open(&self) -> bool {
        matches!(&self.state, State::Connected(connection) if !connection.is_handshaking())
    }

    /// Encrypts `plaintext`; nothing before the handshake is over.
    pub fn send(&mut self, plaintext: &[u8]) -> Result<(), TlsError> {
        if let State::Connected(connection) = &mut self.state {
            connection.writer().write_all(plaintext)?;
        }
        Ok(())
    }

    /// Says that nothing more will come.
    pub fn end(&mut self) {
        if let State::Connected(connection) = &mut self.state {
            connection.send_close_notify();
        }
    }

    /// Appends everything there is to send.
    pub fn take_ciphertext(&mut self, output: &mut Vec<u8>) -> Result<(), TlsError> {
        output.append(&mut self.alert);
        if let State::Connected(connection) = &mut self.state {
            while connection.wants_write() {
                connection.write_tls(output)?;
            }
        }
        Ok(())
    }
}

/// Chooses the configuration by what the client offers; says whether it is the link's.
fn connect(
    accepted: rustls::server::Accepted,
    configs: &Configs,
) -> Result<(ServerConnection, bool), (rustls::Error, AcceptedAlert)> {
    let hello = accepted.client_hello();
    let is_link = hello
        .alpn()
        .is_some_and(|mut offered| offered.any(|name| name == configs.link_alpn));
    let config = if is_link { &configs.link } else { &configs.web };
    let mut connection = accepted.into_connection(config.clone())?;
    // What waits to be sent is bounded by the link's credit and by the page pump.
    connection.set_buffer_limit(None);
    Ok((connection, is_link))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    const ALPN: &[u8] = b"jumpgate/1";

    struct Peers {
        configs: Configs,
        client: ClientConnection,
        server: Pipe,
    }

    fn peers(alpn: &[&[u8]], link: &Identity, web: &Identity) -> Peers {
        let mut roots = RootCertStore::empty();
        for identity in [link, web] {
            roots.add(identity.chain().remove(0)).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        Peers {
            configs: Configs::new(link, web, ALPN).unwrap(),
            client: ClientConnection::new(Arc::new(config), name).unwrap(),
            server: Pipe::default(),
        }
    }

    impl Peers {
        /// Carries bytes both ways until nothing moves; returns what the server read.
        fn run(&mut self, cut: usize) -> Result<Vec<u8>, TlsError> {
            let mut read = Vec::new();
            loop {
                let (mut up, mut down) = (Vec::new(), Vec::new());
                while self.client.wants_write() {
                    self.client.write_tls(&mut up).unwrap();
                }
                for chunk in up.chunks(cut) {
                    self.server.receive(chunk, &self.configs, &mut read)?;
                }
                self.server.take_ciphertext(&mut down)?;
                if up.is_empty() && down.is_empty() {
                    return Ok(read);
                }
                let mut rest = &down[..];
                while !rest.is_empty() {
                    self.client.read_tls(&mut rest).unwrap();
                    self.client.process_new_packets()?;
                }
            }
        }
    }

    fn identities() -> (Identity, Identity) {
        let make = || Identity::make(&["localhost".into()]).unwrap();
        (make(), make())
    }

    #[test]
    fn each_kind_of_client_gets_its_own_key() {
        let (link, web) = identities();
        for (alpn, expected) in [(ALPN, &link), (b"http/1.1", &web)] {
            let mut peers = peers(&[alpn], &link, &web);
            peers.run(5).unwrap();
            let shown = peers.client.peer_certificates().unwrap()[0].clone();
            assert_eq!(Fingerprint::of(&shown), expected.certificate_fingerprint());
            assert_eq!(peers.server.is_link(), alpn == ALPN);
        }
    }

    use crate::domain::token::Fingerprint;

    #[test]
    fn megabytes_pass_both_ways_unchanged_however_they_are_cut() {
        let (link, web) = identities();
        let data: Vec<u8> = (0..1_000_000_u32)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect();
        for cut in [7, 4_096, usize::MAX] {
            let mut peers = peers(&[ALPN], &link, &web);
            peers.client.set_buffer_limit(None);
            peers.client.writer().write_all(&data).unwrap();
            let read = peers.run(cut).unwrap();
            assert!(read == data, "cut every {cut} bytes");
            peers.server.send(&data[..10_000]).unwrap();
            peers.run(cut).unwrap();
            let mut back = vec![0; 10_000];
            peers.client.reader().read_exact(&mut back).unwrap();
            assert!(back == data[..10_000]);
        }
    }

    #[test]
    fn a_browser_that_does_not_know_the_certificate_breaks_no_rule() {
        let (link, web) = identities();
        let (_, unknown) = identities();
        let mut peers = peers(&[b"http/1.1"], &link, &web);
        peers.configs = Configs::new(&link, &unknown, ALPN).unwrap();
        peers.run(usize::MAX).unwrap_err();
        // What it still has to say is an alert.
        let error = peers.run(usize::MAX).unwrap_err();
        assert!(error.is_farewell(), "{error}");
        let nonsense = Pipe::default().receive(&[7; 64], &peers.configs, &mut Vec::new());
        assert!(!nonsense.unwrap_err().is_farewell());
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
        let mut alert = Vec::new();
        peers.server.take_ciphertext(&mut alert).unwrap();
        peers.client.read_tls(&mut &alert[..]).unwrap();
        let heard = peers.client.process_new_packets().unwrap_err();
        assert!(matches!(heard, rustls::Error::AlertReceived(_)), "{heard}");
    }

    #[test]
    fn bytes_that_are_no_tls_are_refused() {
        let (link, web) = identities();
        let configs = Configs::new(&link, &web, ALPN).unwrap();
        let refused = Pipe::default().receive(b"GET / HTTP/1.1\r\n\r\n", &configs, &mut Vec::new());
        assert!(refused.is_err());
    }
}
