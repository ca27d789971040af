//! Asking a server.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::http::{Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::domain::limits::{FETCH_ANSWER_WITHIN, FETCH_CONNECT_WITHIN, FETCH_REDIRECTS_MAX};

use super::FetchError;
use super::body::Body;

/// Whether addresses without TLS are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    /// Not even by a redirect.
    Refuse,
    /// Signatures protect what is fetched anyway.
    Allow,
}

/// Who may vouch for a server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Those that browsers trust, as of this build.
    Public,
    /// These certificates (DER) alone: a mirror within a company.
    Own(Vec<Vec<u8>>),
}

impl Authorities {
    /// The certificates of a PEM file alone.
    pub fn own(pem: &[u8]) -> Result<Self, rustls::pki_types::pem::Error> {
        let certificates = CertificateDer::pem_slice_iter(pem);
        let der = certificates.map(|found| found.map(|der| der.to_vec()));
        Ok(Self::Own(der.collect::<Result<_, _>>()?))
    }
}

/// How servers are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `http://[user:password@]host:port`; every connection goes through it.
    pub proxy: Option<String>,
    /// Whether TLS may be missing.
    pub plaintext: Plaintext,
    /// For connections with TLS.
    pub authorities: Authorities,
    /// How long a transfer may stand still; [`FETCH_STALL_MAX`](crate::domain::limits::FETCH_STALL_MAX)
    /// where nobody waits for a test.
    pub stall_max: Duration,
}

/// Fetches files; keeps connections open between them.
pub struct Transport {
    agent: Agent,
}

impl Transport {
    /// Reads nothing from the environment: what is not in `settings` does not happen.
    ///
    /// # Errors
    ///
    /// [`FetchError::Address`] for a proxy that is none.
    pub fn new(settings: &Settings) -> Result<Self, FetchError> {
        let proxy = settings.proxy.as_deref().map(|address| {
            Proxy::new(address).map_err(|error| FetchError::Address {
                address: address.to_owned(),
                why: error.to_string(),
            })
        });
        let authorities = match &settings.authorities {
            Authorities::Public => RootCerts::WebPki,
            Authorities::Own(certificates) => {
                let own = certificates.iter().map(|der| Certificate::from_der(der));
                RootCerts::from(own.map(|certificate| certificate.to_owned()))
            }
        };
        let tls = TlsConfig::builder()
            .root_certs(authorities)
            // Ours, and not whichever another part of the program set up for all.
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(settings.plaintext == Plaintext::Refuse)
            .proxy(proxy.transpose()?)
            .http_status_as_error(false)
            .max_redirects(FETCH_REDIRECTS_MAX)
            .user_agent("jumpgate-update-agent")
            // Lengths and hashes are those of the file, not of a packed form of it.
            .accept_encoding("identity")
            .timeout_resolve(Some(FETCH_CONNECT_WITHIN))
            .timeout_connect(Some(FETCH_CONNECT_WITHIN))
            .timeout_recv_response(Some(FETCH_ANSWER_WITHIN))
            .timeout_per_read(Some(settings.stall_max))
            .build();
        Ok(Self {
            agent: config.into(),
        })
    }

    /// Asks for the file at `address`, from byte `from` on; `None` if there is none (404, or 403
    /// where a server does not say which files there are).
    ///
    /// The answer may begin at the first byte all the same: see [`Body::from`].
    ///
    /// # Errors
    ///
    /// [`FetchError::TooLong`] if more than `bytes_max` bytes are announced or come.
    pub fn get(
        &self,
        address: &str,
        from: u64,
        bytes_max: u64,
    ) -> Result<Option<Body>, FetchError> {
        let mut request = self.agent.get(address);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let answer = request.call().map_err(|error| failure(address, &error))?;
        let begins = match answer.status().as_u16() {
            200 => 0,
            206 if from > 0 && begin_of(&answer) == Some(from) => from,
            206 => {
                let address = address.to_owned();
                return Err(FetchError::OtherPart { address, from });
            }
            403 | 404 => return Ok(None),
            status => {
                let address = address.to_owned();
                return Err(FetchError::Status { address, status });
            }
        };
        let length = answer.body().content_length();
        if length.is_some_and(|length| length > bytes_max) {
            return Err(FetchError::TooLong {
                address: address.to_owned(),
                limit: bytes_max,
            });
        }
        let reader = answer.into_body().into_reader();
        Ok(Some(Body::new(reader, begins, length, bytes_max)))
    }

    /// The whole of a short file.
    pub fn read(&self, address: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, FetchError> {
        let Some(body) = self.get(address, 0, bytes_max)? else {
            return Ok(None);
        };
        body.read_whole(address).map(Some)
    }
}

/// Where a part begins: `Content-Range: bytes FROM-TO/LENGTH` (RFC 9110, 14.4).
fn begin_of<T>(answer: &Response<T>) -> Option<u64> {
    let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (from, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    from.parse().ok()
}

fn failure(address: &str, error: &ureq::Error) -> FetchError {
    let (address, why) = (address.to_owned(), error.to_string());
    match error {
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) | ureq::Error::Http(_) => {
            FetchError::Address { address, why }
        }
        _ => FetchError::Unreachable { address, why },
    }
}
