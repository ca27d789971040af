//! Where the appliance is: `host:port`, and which addresses the name has.
//!
//! Names are looked up by ourselves (`/etc/hosts`, `/etc/resolv.conf`, DNS): a statically linked
//! program cannot load the system's resolver modules.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use crate::domain::limits::ADDRESSES_TRIED_MAX;

/// A host's name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Without brackets.
    pub host: String,
    /// TCP.
    pub port: u16,
}

/// Text that is not `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address of the form host:port")]
pub struct BadTarget;

impl Target {
    /// `host:port`, `[address]:port`, or without the port if there is a default.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, BadTarget> {
        let (host, port) = match text.strip_prefix('[') {
            Some(inner) => {
                let (host, rest) = inner.split_once(']').ok_or(BadTarget)?;
                host.parse::<Ipv6Addr>().map_err(|_| BadTarget)?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if rest.is_empty() => (host, None),
                    None => return Err(BadTarget),
                }
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(name) {
            return Err(BadTarget);
        }
        let port = match port {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| BadTarget)?
            }
            Some(_) => return Err(BadTarget),
            None => default_port.ok_or(BadTarget)?,
        };
        if port == 0 {
            return Err(BadTarget);
        }
        let host = host.to_owned();
        Ok(Self { host, port })
    }

    /// Every address of the host, at most [`ADDRESSES_TRIED_MAX`], the two families taking turns.
    pub async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let found = if let Ok(address) = self.host.parse::<IpAddr>() {
            vec![address]
        } else {
            look_up(&self.host).await?
        };
        let (v6, v4): (Vec<_>, Vec<_>) = found.into_iter().partition(IpAddr::is_ipv6);
        let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
        let mut addresses = Vec::new();
        loop {
            let pair = [v6.next(), v4.next()];
            if pair == [None, None] || addresses.len() >= ADDRESSES_TRIED_MAX {
                return Ok(addresses);
            }
            let with_port = |address| SocketAddr::new(address, self.port);
            addresses.extend(pair.into_iter().flatten().map(with_port));
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

async fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    // RFC 6761, 6.3: never a question for a name server.
    if host.eq_ignore_ascii_case("localhost") || host.ends_with(".localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    // Without a usable resolv.conf only the hosts file can answer.
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        TokioResolver::builder_with_config(
            ResolverConfig::from_parts(None, Vec::new(), Vec::new()),
            TokioRuntimeProvider::default(),
        )
    });
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    let resolver = builder.build().map_err(io::Error::other)?;
    let found = resolver.lookup_ip(host).await.map_err(io::Error::other)?;
    Ok(found.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_and_written_alike() {
        for text in ["support.example.org:443", "10.0.0.1:8443", "[fd00::1]:443"] {
            assert_eq!(Target::parse(text, None).unwrap().to_string(), text);
        }
        assert_eq!(Target::parse("[::1]", Some(443)).unwrap().port, 443);
    }

    #[test]
    fn anything_else_is_no_target() {
        for text in [
            "", ":1", "h", "h:", "h:0", "h:65536", "h:+1", "::1", "[::1", "[x]:1", "[::1]x:1",
            "a b:1", "a\r\nb:1", "h:1:2",
        ] {
            assert_eq!(Target::parse(text, None), Err(BadTarget), "{text:?}");
        }
    }

    #[tokio::test]
    async fn addresses_and_localhost_need_no_name_server() {
        let addresses = |text: &str| {
            let target = Target::parse(text, None).unwrap();
            async move { target.addresses().await.unwrap() }
        };
        assert_eq!(
            addresses("127.0.0.1:1").await,
            ["127.0.0.1:1".parse().unwrap()]
        );
        assert_eq!(addresses("localhost:2").await.len(), 2);
    }
}
