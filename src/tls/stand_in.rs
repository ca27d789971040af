//! A client for tests and fuzzing: rustls' handshake, then keys of its own, so that it can also
//! send what rustls would not.

use std::sync::{Arc, LazyLock};

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::crypto::ring::default_provider;
use rustls::kernel::KernelConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError};
use rustls::version::TLS12;
use rustls::{ClientConfig, ExtractedSecrets, RootCertStore};

use super::keys::{HANDSHAKE, Keys, Opened, record_bytes};
use super::{Configs, Identity, LinkIds, Pipe};

pub(super) const ALPN: &[u8] = b"jumpgate/1";
pub(super) const DEVICE_ALPN: &[u8] = b"jumpgate-device/1";
pub(super) const IDS: LinkIds = LinkIds {
    endpoint: ALPN,
    device: DEVICE_ALPN,
};

/// Made once: keys take a while.
static ENDS: LazyLock<(Configs, Arc<ClientConfig>)> = LazyLock::new(|| {
    let identity = Identity::make(&["localhost".into()]).expect("a key");
    let mut roots = RootCertStore::empty();
    roots
        .add(identity.chain().remove(0))
        .expect("its own certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring's versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_secret_extraction = true;
    let configs = Configs::new(&identity, &identity, IDS).expect("its own certificate");
    (configs, Arc::new(config))
});

/// The server's configurations.
pub(super) fn configs() -> &'static Configs {
    &ENDS.0
}

/// The client, after the handshake.
pub(super) struct StandIn {
    connection: KernelConnection<ClientConnectionData>,
    pub outgoing: Keys,
    incoming: Keys,
}

impl StandIn {
    /// A client and a server that have just shaken hands.
    pub fn joined() -> (Self, Pipe) {
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client =
            UnbufferedClientConnection::new(ENDS.1.clone(), name).expect("a configuration");
        let mut server = Pipe::default();
        let mut to_client = Vec::new();
        loop {
            let mut to_server = Vec::new();
            let open = say(&mut client, &mut to_client, &mut to_server);
            server
                .receive(&mut to_server, configs(), &mut Vec::new(), &mut to_client)
                .expect("a handshake between us");
            if open {
                break;
            }
        }
        assert!(server.is_open() && to_client.is_empty());
        let (ExtractedSecrets { tx, rx }, connection) = client
            .dangerous_into_kernel_connection()
            .expect("the handshake is over");
        let client = Self {
            connection,
            outgoing: Keys::given(tx),
            incoming: Keys::given(rx),
        };
        (client, server)
    }

    /// One record.
    pub fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        self.outgoing.seal(kind, content, &mut record);
        record
    }

    /// A key update, and the change of keys that goes with it.
    pub fn key_update(&mut self, request: u8) -> Vec<u8> {
        let record = self.seal(HANDSHAKE, &[24, 0, 0, 1, request]);
        self.outgoing = Keys::given(self.connection.update_tx_secret().expect("TLS 1.3"));
        record
    }

    /// Opens the records that a server sent; follows its key updates. Returns types and contents.
    pub fn open(&mut self, mut ciphertext: &mut [u8]) -> Vec<(u8, Vec<u8>)> {
        let mut records = Vec::new();
        while let Some(length) = record_bytes(ciphertext).expect("our own header") {
            let (record, rest) = std::mem::take(&mut ciphertext).split_at_mut(length);
            let Opened { kind, content } = self.incoming.open(record).expect("our own record");
            if kind == HANDSHAKE {
                self.incoming = Keys::given(self.connection.update_rx_secret().expect("TLS 1.3"));
            }
            records.push((kind, record[content].to_vec()));
            ciphertext = rest;
        }
        records
    }
}

/// The record with which a browser begins that is old.
pub(super) fn client_hello_of_tls12() -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS12])
        .expect("ring's versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client =
        UnbufferedClientConnection::new(Arc::new(config), name).expect("a configuration");
    let mut record = Vec::new();
    say(&mut client, &mut Vec::new(), &mut record);
    record
}

/// Lets a client read and say what it has to; returns whether its handshake is over.
fn say(client: &mut UnbufferedClientConnection, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool {
    loop {
        let status = client.process_tls_records(input);
        let discard = status.discard;
        let mut over = None;
        match status.state.expect("a handshake between us") {
            ConnectionState::EncodeTlsData(mut data) => {
                let start = output.len();
                if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                    output.resize(start + size.required_size, 0);
                    data.encode(&mut output[start..]).expect("room");
                }
            }
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::BlockedHandshake => over = Some(false),
            ConnectionState::WriteTraffic(_) => over = Some(true),
            _ => panic!("nothing else comes in a handshake"),
        }
        input.drain(..discard);
        if let Some(over) = over {
            return over;
        }
    }
}
