//! For tests: something that answers like an appliance, over real TLS on loopback.

#![allow(clippy::unwrap_used)] // Only tests use this file; clippy cannot see that.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::pin::link_key_of;
use crate::domain::limits::WINDOW_BYTES;
use crate::domain::pass::SiteAddress;
use crate::domain::token::Fingerprint;
use crate::domain::{Moment, SessionId, Stamp, Token, Tool};
use crate::link::connection::{Assembler, decode};
use crate::link::frame::split_frame;
use crate::link::message::{FromCustomer, Hello, ToCustomer, Welcome};
use crate::link::{ALPN, Connection, Incoming, VERSION};

/// Listens, with a link key of its own.
pub(crate) struct StandIn {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    pub(crate) link_key: Fingerprint,
    pub(crate) address: SiteAddress,
}

impl StandIn {
    pub(crate) async fn new() -> Self {
        Self::speaking(ALPN).await
    }

    pub(crate) async fn speaking(alpn: &[u8]) -> Self {
        let made = rcgen::generate_simple_self_signed(["link.invalid".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let link_key = link_key_of(&certificate).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            link_key,
            address: address.parse().unwrap(),
        }
    }

    /// One connection, if its handshake succeeds.
    pub(crate) async fn accept(&self) -> std::io::Result<Peer> {
        let (tcp, _) = self.listener.accept().await?;
        Ok(Peer {
            stream: self.acceptor.accept(tcp).await?,
            link: Connection::new(Moment::default()),
            assembler: Assembler::default(),
            heard: Vec::new(),
            data: Vec::new(),
        })
    }
}

/// A customer, seen from the stand-in.
pub(crate) struct Peer {
    stream: TlsStream<TcpStream>,
    pub(crate) link: Connection,
    assembler: Assembler,
    heard: Vec<Vec<u8>>,
    /// Everything that came on channels.
    pub(crate) data: Vec<u8>,
}

impl Peer {
    pub(crate) async fn say(&mut self, message: &ToCustomer) {
        self.link.say(message);
        self.flush().await;
    }

    pub(crate) async fn flush(&mut self) {
        let bytes = self.link.take_output();
        self.stream.write_all(&bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads once and takes frames apart.
    async fn read(&mut self) {
        let mut bytes = Vec::new();
        let read = self.stream.read_buf(&mut bytes).await.unwrap();
        assert!(read > 0, "the customer hung up");
        let input = self.assembler.join(&bytes);
        let mut rest = &input[..];
        while let Some((frame, taken)) = split_frame(rest).unwrap() {
            rest = &rest[taken..];
            match self.link.accept(frame, Moment::default()).unwrap() {
                Incoming::Message(json) => self.heard.push(json.to_vec()),
                Incoming::Data { bytes, .. } => self.data.extend(bytes),
                Incoming::Credit { .. } | Incoming::Nothing => {}
            }
        }
        self.assembler.keep(rest);
    }

    async fn next(&mut self) -> Vec<u8> {
        while self.heard.is_empty() {
            self.read().await;
        }
        self.heard.remove(0)
    }

    pub(crate) async fn hello(&mut self) -> Hello {
        decode(&self.next().await).unwrap()
    }

    pub(crate) async fn hear(&mut self) -> FromCustomer {
        decode(&self.next().await).unwrap()
    }

    /// Reads until the channels have brought `text`.
    pub(crate) async fn data_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.data).contains(text) {
            self.read().await;
        }
    }

    /// Reads until the channels have brought so many bytes.
    pub(crate) async fn data_bytes(&mut self, bytes: usize) {
        while self.data.len() < bytes {
            self.read().await;
        }
    }

    /// Like [`Self::data_until`], consuming everything at once: each read gives new credit on the
    /// one channel there ever was.
    pub(crate) async fn consume_until(&mut self, channel: u16, text: &str) {
        loop {
            self.link
                .grant(channel, self.data.len() as u64 + WINDOW_BYTES);
            self.flush().await;
            let end = &self.data[self.data.len().saturating_sub(1_000)..];
            if String::from_utf8_lossy(end).contains(text) {
                return;
            }
            self.read().await;
        }
    }

    /// Lets the customer in.
    pub(crate) async fn welcome(&mut self, allowed: &[Tool]) {
        self.link.say(&ToCustomer::Welcome(Welcome {
            version: VERSION,
            at: Stamp(0),
            keep_alive_seconds: 60,
        }));
        self.say(&ToCustomer::Session {
            session: SessionId::from_random([1; 8]),
            token: Token::from_random([2; 16]),
            customer: "c".try_into().unwrap(),
            representative: "Rita\u{202e}".try_into().unwrap(),
            accepted: false,
            allowed: heapless::Vec::from_slice(allowed).unwrap(),
        })
        .await;
    }
}
