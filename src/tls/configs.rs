//! What the two kinds of client are offered.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::server::ClientHello;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::TlsError;
use super::device::AnyDevice;
use super::identity::Identity;
use super::secrets::Collector;

/// The link protocol's ids in ALPN (RFC 7301).
#[derive(Clone, Copy, Debug)]
pub struct LinkIds {
    /// Of a program that says who it is.
    pub endpoint: &'static [u8],
    /// Of a machine that proves it.
    pub device: &'static [u8],
}

/// Who connects, by what its first message offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A browser.
    Browser,
    /// A program that speaks the link protocol.
    Endpoint,
    /// The same, with a certificate around its device key.
    Device,
}

/// A configuration for each kind of caller.
#[derive(Debug)]
pub struct Configs {
    link: Arc<ServerConfig>,
    device: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
    ids: LinkIds,
}

impl Configs {
    /// TLS 1.3 with the link key for endpoints and devices; TLS 1.3 and 1.2 with the site's
    /// certificate for everybody else.
    pub fn new(link: &Identity, web: &Identity, ids: LinkIds) -> Result<Self, TlsError> {
        let build =
            |versions: &[&'static SupportedProtocolVersion], identity: &Identity, alpn: &[u8]| {
                let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
                    .with_protocol_versions(versions)?;
                let builder = if alpn == ids.device {
                    builder.with_client_cert_verifier(Arc::new(AnyDevice::new()))
                } else {
                    builder.with_no_client_auth()
                };
                let mut config = builder.with_single_cert(identity.chain(), identity.key())?;
                config.alpn_protocols = vec![alpn.to_vec()];
                // Measured: resuming saves no CPU here, and tickets cost memory on idle links.
                config.send_tls13_tickets = 0;
                // Both for `records`.
                config.enable_secret_extraction = true;
                config.key_log = Arc::new(Collector);
                Ok::<_, rustls::Error>(Arc::new(config))
            };
        Ok(Self {
            device: build(&[&TLS13], link, ids.device)?,
            link: build(&[&TLS13], link, ids.endpoint)?,
            web: build(&[&TLS13, &TLS12], web, b"http/1.1")?,
            ids,
        })
    }

    /// Who a client is by what it offers, and the configuration for it.
    pub(super) fn choose(&self, hello: &ClientHello<'_>) -> (Arc<ServerConfig>, Caller) {
        let offers = |id: &[u8]| {
            hello
                .alpn()
                .is_some_and(|mut offered| offered.any(|name| name == id))
        };
        let (config, caller) = if offers(self.ids.device) {
            (&self.device, Caller::Device)
        } else if offers(self.ids.endpoint) {
            (&self.link, Caller::Endpoint)
        } else {
            (&self.web, Caller::Browser)
        };
        (config.clone(), caller)
    }
}
