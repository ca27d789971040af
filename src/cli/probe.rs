//! Asks this machine for a page, as a stranger would: over TCP and TLS, on the loop-back address.
//!
//! The supervisor starts it under a user that may do nothing else, and looks at its exit status
//! only.

use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme, StreamOwned,
};

use crate::domain::limits::{HTTP_HEAD_BYTES_MAX, PROBE_WITHIN};
use crate::domain::token::Fingerprint;

const QUESTION: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// Only the web side numbers requests; the relay's own answers, when that is not there, have none.
const NUMBER: &str = "x-request-number:";

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// Nobody took the connection, or it broke.
    #[error("no answer on port {port}: {error}")]
    Silent {
        /// Which.
        port: u16,
        /// The system's word.
        error: io::Error,
    },
    /// TLS was not possible at all.
    #[error("no TLS: {0}")]
    Tls(#[from] Error),
    /// There was an answer, but not a page.
    #[error("no page, but '{first_line}'")]
    NoPage {
        /// Of the answer.
        first_line: String,
    },
    /// Pages or not, sessions are not carried.
    #[error("no session: {why}")]
    NoSession {
        /// What happened.
        why: String,
    },
}

/// Asks for the start page on `port`. `rescue`: it is expected to say that it cannot help.
pub(super) fn page(port: u16, certificate: Fingerprint, rescue: bool) -> Result<(), ProbeError> {
    let silent = |error| ProbeError::Silent { port, error };
    let mut stream = connect(port, certificate, &[])?;
    stream.write_all(QUESTION).map_err(silent)?;
    let head = head(&mut stream).map_err(silent)?;
    let first_line = head.lines().next().unwrap_or_default().to_owned();
    if is_page(&head, rescue) {
        Ok(())
    } else {
        Err(ProbeError::NoPage { first_line })
    }
}

/// A connection whose handshake is to come with the first byte.
pub(super) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Connects to `port` of this machine, where somebody has to have that certificate.
pub(super) fn connect(
    port: u16,
    certificate: Fingerprint,
    alpn: &[&[u8]],
) -> Result<Tls, ProbeError> {
    let silent = |error| ProbeError::Silent { port, error };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, PROBE_WITHIN).map_err(silent)?;
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(PROBE_WITHIN)).map_err(silent)?;
    }
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(config(certificate, alpn)?, name)?;
    Ok(StreamOwned::new(tls, stream))
}

/// The first bytes of the answer, up to the end of its head.
fn head(stream: &mut impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 1_024];
    while bytes.len() < HTTP_HEAD_BYTES_MAX && !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => break,
            length => bytes.extend(&part[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_page(head: &str, rescue: bool) -> bool {
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let expected = if rescue { "503" } else { "200" };
    let mut lines = head.lines().skip(1);
    let is_numbered = lines.any(|line| {
        line.get(..NUMBER.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NUMBER))
    });
    status == Some(expected) && is_numbered
}

fn config(certificate: Fingerprint, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let only = Arc::new(Only {
        certificate,
        provider: provider.clone(),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(only)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Trusts the one certificate that the relay says it has.
#[derive(Debug)]
struct Only {
    certificate: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.certificate.matches(&Fingerprint::of(end_entity)) {
            Ok(ServerCertVerified::assertion())
        } else {
            let reason = CertificateError::ApplicationVerificationFailure;
            Err(Error::InvalidCertificate(reason))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_sides_own_answer_is_a_page() {
        let answer = |status: &str, header: &str| {
            format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n{header}\r\n\r\n<p>")
        };
        let page = answer("200 OK", "X-Request-Number: 0a0a-0b0b");
        assert!(is_page(&page, false));
        assert!(!is_page(&page, true));
        let rescue = answer("503 Service Unavailable", "x-request-number: 0a0a-0b0b");
        assert!(is_page(&rescue, true));
        assert!(!is_page(&rescue, false));
        for relay in ["503 Service Unavailable", "200 OK"] {
            assert!(!is_page(
                &answer(relay, "retry-after: 2"),
                relay.starts_with("503")
            ));
        }
        assert!(!is_page("", false));
    }

    #[test]
    fn an_answer_without_an_end_is_read_no_further_than_a_head() {
        let mut endless = io::repeat(b'x');
        assert!(head(&mut endless).unwrap().len() <= HTTP_HEAD_BYTES_MAX + 1_024);
    }

    #[test]
    fn a_silent_port_is_named() {
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let error = page(port, Fingerprint([0; 32]), false)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&port.to_string()), "{error}");
    }
}
