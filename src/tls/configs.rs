//! What the two kinds of client are offered.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::server::ClientHello;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::TlsError;
use super::identity::Identity;

/// One configuration for endpoints, one for browsers.
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
                // For `records`.
                config.enable_secret_extraction = true;
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

    /// The configuration for what a client offers, and whether that is the link's.
    pub(super) fn choose(&self, hello: &ClientHello<'_>) -> (Arc<ServerConfig>, bool) {
        let is_link = hello
            .alpn()
            .is_some_and(|mut offered| offered.any(|name| name == self.link_alpn));
        let config = if is_link { &self.link } else { &self.web };
        (config.clone(), is_link)
    }
}
