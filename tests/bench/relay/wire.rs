//! One connection of the load: a socket, and TLS records on it unless it is plain.
//!
//! rustls does the handshake and hands over its keys; from then on the load seals and opens records
//! itself ([`super::records`]). Cipher, curve and certificate are the same on every connection that is
//! measured: AES-128-GCM, X25519, ECDSA with P-256.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider, kx_group};
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, ExtractedSecrets, ServerConfig,
    ServerConnection, SideData,
};

use super::records::{Keys, whole_record};
use crate::support::{SOON, tls};

/// Read, or thrown away, at once.
pub const SCRATCH_BYTES: usize = 256 * 1024;

/// The only cipher and curve.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![kx_group::X25519],
        ..default_provider()
    })
}

/// A client that takes any certificate and offers these protocols.
pub fn client_config(alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = tls::config(alpn, &provider());
    config.enable_secret_extraction = true;
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// A connection after its handshake. Reads and writes wait only where that is said.
pub struct Wire {
    pub tcp: TcpStream,
    /// Ours and the other side's; none on a plain connection.
    keys: Option<(Keys, Keys)>,
    /// The beginning of a record.
    partial: Vec<u8>,
}

impl Wire {
    /// Without TLS.
    pub fn plain(tcp: TcpStream) -> Self {
        Self::ready(tcp, None)
    }

    /// Shakes hands as the client.
    pub fn client(mut tcp: TcpStream, config: &Arc<ClientConfig>) -> Self {
        let mut tls = ClientConnection::new(Arc::clone(config), tls::name()).unwrap();
        shake_hands(&mut tls, &mut tcp);
        Self::ready(tcp, Some(tls.dangerous_extract_secrets().unwrap()))
    }

    /// Shakes hands as the server.
    pub fn server(mut tcp: TcpStream, config: &Arc<ServerConfig>) -> Self {
        let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
        shake_hands(&mut tls, &mut tcp);
        Self::ready(tcp, Some(tls.dangerous_extract_secrets().unwrap()))
    }

    fn ready(tcp: TcpStream, secrets: Option<ExtractedSecrets>) -> Self {
        tcp.set_nodelay(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let keys = secrets.map(|ExtractedSecrets { tx, rx }| (Keys::new(tx), Keys::new(rx)));
        Self {
            tcp,
            keys,
            partial: Vec::new(),
        }
    }

    /// Whether there is TLS on it.
    pub fn is_encrypted(&self) -> bool {
        self.keys.is_some()
    }

    /// Appends `content`, at most one record's, as it goes out.
    pub fn seal(&mut self, content: &[u8], output: &mut Vec<u8>) {
        match &mut self.keys {
            Some((ours, _)) => ours.seal(content, output),
            None => output.extend_from_slice(content),
        }
    }

    /// Sends what was sealed, waiting until the socket takes it.
    pub fn send(&mut self, sealed: &[u8]) {
        let mut rest = sealed;
        while !rest.is_empty() {
            match self.tcp.write(rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::POLLOUT);
                }
                Err(error) => panic!("cannot send: {error}"),
            }
        }
    }

    /// Waits for bytes.
    pub fn wait_to_read(&self) {
        self.wait(PollFlags::POLLIN);
    }

    fn wait(&self, what: PollFlags) {
        let mut polled = [PollFd::new(self.tcp.as_fd(), what)];
        let ready = poll(&mut polled, PollTimeout::try_from(SOON).unwrap()).unwrap();
        assert!(ready > 0, "the other side did not go on within {SOON:?}");
    }

    /// Reads once and hands what whole records say to `each`; false if there was nothing to read.
    ///
    /// # Panics
    ///
    /// If the other side has closed.
    pub fn receive(&mut self, scratch: &mut [u8], mut each: impl FnMut(&[u8])) -> bool {
        let kept = self.partial.len();
        scratch[..kept].copy_from_slice(&self.partial);
        let read = match self.tcp.read(&mut scratch[kept..]) {
            Ok(0) => panic!("the other side closed"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("cannot receive: {error}"),
        };
        let mut rest = &mut scratch[..kept + read];
        let Some((_, theirs)) = &mut self.keys else {
            each(rest);
            return true;
        };
        while let Some(length) = whole_record(rest) {
            let (record, behind) = rest.split_at_mut(length);
            let content = theirs.open(record);
            each(&record[content]);
            rest = behind;
        }
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        true
    }

    /// Throws away what has arrived, in the kernel; bytes on the wire. Nothing can be opened on this
    /// connection afterwards.
    pub fn discard(&mut self, scratch: &mut [u8]) -> usize {
        match recv(self.tcp.as_raw_fd(), scratch, MsgFlags::MSG_TRUNC) {
            Ok(0) => panic!("the other side closed"),
            Ok(discarded) => discarded,
            Err(nix::Error::EAGAIN) => 0,
            Err(error) => panic!("cannot receive: {error}"),
        }
    }

    /// Writes as much of `bytes` as the socket takes now.
    pub fn write_some(&mut self, bytes: &[u8]) -> usize {
        match self.tcp.write(bytes) {
            Ok(taken) => taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("cannot send: {error}"),
        }
    }
}

fn shake_hands<Data: SideData>(tls: &mut ConnectionCommon<Data>, tcp: &mut TcpStream) {
    while tls.is_handshaking() || tls.wants_write() {
        if tls.wants_write() {
            tls.write_tls(tcp).unwrap();
        } else {
            assert!(tls.read_tls(tcp).unwrap() > 0, "closed in a handshake");
            tls.process_new_packets().unwrap();
        }
    }
}

/// Connects to a port of this machine, with waits that end.
pub fn dial(port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(("127.0.0.1", port))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(SOON))?;
    tcp.set_write_timeout(Some(SOON))?;
    Ok(tcp)
}
