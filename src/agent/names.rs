//! Which addresses a host has.
//!
//! Names are looked up by ourselves (`/etc/hosts`, `/etc/resolv.conf`, DNS): a statically linked
//! program cannot load the system's resolver modules.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use crate::domain::limits::ADDRESSES_TRIED_MAX;
use crate::domain::pass::SiteAddress;

/// Every address of a host with its port, at most [`ADDRESSES_TRIED_MAX`], the two families taking
/// turns.
pub async fn addresses(place: &SiteAddress) -> io::Result<Vec<SocketAddr>> {
    let host = place.host();
    let found = if let Ok(address) = host.parse::<IpAddr>() {
        vec![address]
    } else {
        look_up(&host).await?
    };
    let (v6, v4): (Vec<_>, Vec<_>) = found.into_iter().partition(IpAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut addresses = Vec::new();
    loop {
        let pair = [v6.next(), v4.next()];
        if pair == [None, None] || addresses.len() >= ADDRESSES_TRIED_MAX {
            return Ok(addresses);
        }
        let with_port = |address| SocketAddr::new(address, place.port());
        addresses.extend(pair.into_iter().flatten().map(with_port));
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

    #[tokio::test]
    async fn addresses_and_localhost_need_no_name_server() {
        let all = async |text: &str| addresses(&text.parse().unwrap()).await.unwrap();
        assert_eq!(all("127.0.0.1:1").await, ["127.0.0.1:1".parse().unwrap()]);
        assert_eq!(all("localhost:2").await.len(), 2);
    }
}
