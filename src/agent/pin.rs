//! Trusting exactly one appliance: TLS by the hash of its link key instead of by certificates'
//! issuers and names.
//!
//! The link key is made at the appliance's first start and travels with every downloaded client,
//! so changing the web certificate never strands one.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::domain::token::Fingerprint;
use crate::link::ALPN;

/// TLS 1.3 only, the link protocol only, this link key only; no session is ever resumed, so every
/// link proves the key.
pub fn tls_config(link_key: Fingerprint) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pin = Arc::new(Pin {
        link_key,
        provider: Arc::clone(&provider),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3 suites")
        .dangerous()
        .with_custom_certificate_verifier(pin)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// SHA-256 of a certificate's `SubjectPublicKeyInfo`.
pub fn link_key_of(certificate: &CertificateDer<'_>) -> Result<Fingerprint, Error> {
    let parsed = webpki::EndEntityCert::try_from(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    Ok(Fingerprint::of(&parsed.subject_public_key_info()))
}

/// Whether a handshake failed because the other side is not our appliance.
pub fn is_wrong_key(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
    )
}

#[derive(Debug)]
struct Pin {
    link_key: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // Neither name nor dates matter: the key says all, and a customer's clock may be wrong.
        if self.link_key.matches(&link_key_of(end_entity)?) {
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

    // Without this anybody could show our appliance's certificate: only its owner can sign.
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
