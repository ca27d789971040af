//! A key with its self-signed certificate.
//!
//! The appliance has two: one that browsers see and an administrator may replace, and the **link
//! key**, which endpoints pin. They are independent, so that changing a certificate never strands
//! a client.

use std::net::IpAddr;

use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::domain::token::Fingerprint;

/// A private key and its certificate.
#[derive(Debug)]
pub struct Identity {
    key: PrivatePkcs8KeyDer<'static>,
    certificate: CertificateDer<'static>,
    public_key: Fingerprint,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key or certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Making(#[from] rcgen::Error),
    /// What was stored is no PEM key and certificate.
    #[error("not a PEM private key and certificate: {0}")]
    NotPem(#[from] rustls::pki_types::pem::Error),
}

impl Identity {
    /// A new ECDSA P-256 key with a certificate for these names, the first being its subject.
    /// Randomness is ring's.
    pub fn make(names: &[String]) -> Result<Self, IdentityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into()?),
            });
        }
        if let Some(first) = names.first() {
            params
                .distinguished_name
                .push(DnType::CommonName, first.as_str());
        }
        // Browsers refuse server certificates that live longer than 825 days even when trusted;
        // the link's certificate is only the wrapping of a pinned key, so its dates mean nothing.
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2099, 12, 31);
        let certificate = params.self_signed(&key)?;
        Self::from_parts(key.serialize_der(), certificate.der().clone())
    }

    /// What [`Self::to_pem`] wrote.
    pub fn from_pem(pem: &[u8]) -> Result<Self, IdentityError> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem)?;
        let certificate = CertificateDer::from_pem_slice(pem)?;
        Self::from_parts(key.secret_pkcs8_der().to_vec(), certificate)
    }

    /// Key and certificate as text, for a file that only the relay can read.
    pub fn to_pem(&self) -> String {
        let block = |label: &str, der: &[u8]| {
            let body = data_encoding::BASE64.encode(der);
            let lines: Vec<&str> = body
                .as_bytes()
                .chunks(64)
                .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
                .collect();
            format!(
                "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
                lines.join("\n")
            )
        };
        let key = block("PRIVATE KEY", self.key.secret_pkcs8_der());
        key + &block("CERTIFICATE", &self.certificate)
    }

    /// SHA-256 of the certificate, as browsers show it.
    pub fn certificate_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// SHA-256 of the subject public key info, which endpoints pin.
    pub fn key_fingerprint(&self) -> Fingerprint {
        self.public_key
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.clone_key())
    }

    fn from_parts(
        key: Vec<u8>,
        certificate: CertificateDer<'static>,
    ) -> Result<Self, IdentityError> {
        let pair = KeyPair::try_from(key.as_slice())?;
        let public_key = Fingerprint::of(&rcgen::PublicKeyData::subject_public_key_info(&pair));
        Ok(Self {
            key: key.into(),
            certificate,
            public_key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_being_written_and_read() {
        let made = Identity::make(&["localhost".into(), "127.0.0.1".into()]).unwrap();
        let read = Identity::from_pem(made.to_pem().as_bytes()).unwrap();
        assert_eq!(
            read.certificate_fingerprint(),
            made.certificate_fingerprint()
        );
        assert_eq!(read.key_fingerprint(), made.key_fingerprint());
        assert!(Identity::from_pem(b"nonsense").is_err());
    }
}
