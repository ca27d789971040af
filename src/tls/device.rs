//! A machine proves its device key: TLS 1.3 with a client certificate that is only the wrapping of
//! that key. Which keys are known is not decided here.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};

use crate::domain::limits::DEVICE_CERTIFICATE_BYTES_MAX;
use crate::domain::token::Fingerprint;

/// SHA-256 of a certificate's `SubjectPublicKeyInfo`.
pub(super) fn key_of(certificate: &CertificateDer<'_>) -> Result<Fingerprint, Error> {
    let parsed = webpki::EndEntityCert::try_from(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    Ok(Fingerprint::of(&parsed.subject_public_key_info()))
}

/// Takes any key whose owner can sign with it.
#[derive(Debug)]
pub(super) struct AnyDevice {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyDevice {
    pub fn new() -> Self {
        Self {
            algorithms: default_provider().signature_verification_algorithms,
        }
    }
}

impl ClientCertVerifier for AnyDevice {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Neither names nor dates matter: a machine's clock may be years off.
        if !intermediates.is_empty() || end_entity.len() > DEVICE_CERTIFICATE_BYTES_MAX {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        }
        key_of(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    // Without this anybody could show another machine's certificate: only its owner can sign.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // What a TPM and our own program make. RSA would cost us more than it costs them.
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ED25519,
        ]
    }
}
