//! Getting out through an HTTP proxy (AP-04): which one, what we ask it, what it answers. Pure.
//!
//! The environment says which proxy, as for most programs: `https_proxy`, else `all_proxy`, lower
//! case before upper case, unless `no_proxy` names the appliance. The proxy is asked to CONNECT
//! (RFC 9110, 9.3.6); it may want Basic credentials (RFC 7617).

use std::net::IpAddr;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::domain::Secret;
use crate::domain::limits::HTTP_HEAD_BYTES_MAX;
use crate::domain::pass::SiteAddress;

/// A proxy and what it is told of us.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it listens.
    pub target: SiteAddress,
    /// For a proxy that asks.
    pub credentials: Option<Credentials>,
}

/// A user name and a password for a proxy.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Without a colon, which Basic cannot express.
    pub user: String,
    /// Anything.
    pub password: Secret<String>,
}

/// A proxy setting nobody can follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProxy {
    /// Another protocol than HTTP.
    #[error("the proxy setting wants {scheme}, this program speaks to HTTP proxies only")]
    Scheme {
        /// What was found.
        scheme: String,
    },
    /// Not a URL.
    #[error("the proxy setting is not of the form http://host:port")]
    Form,
}

/// What a proxy answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The tunnel stands; what follows is the appliance's.
    Open,
    /// It wants credentials by Basic; its name for itself.
    WantsCredentials {
        /// Shown to the customer.
        realm: String,
    },
    /// It wants credentials in a way we do not have.
    WantsOther {
        /// The schemes it named.
        schemes: String,
    },
    /// It refuses.
    Refused {
        /// The HTTP status.
        status: u16,
    },
}

/// An answer that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// No end in sight.
    #[error("the proxy's answer is longer than {HTTP_HEAD_BYTES_MAX} bytes")]
    TooLong,
    /// Not HTTP.
    #[error("the proxy's answer is not HTTP")]
    NotHttp,
    /// The appliance never speaks first, so these bytes are somebody else's.
    #[error("the proxy sent {bytes} bytes before the appliance was spoken to")]
    TooEager {
        /// How many.
        bytes: usize,
    },
}

/// The proxy that `environment` names for `target`, if any.
pub fn choose(
    target: &SiteAddress,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, BadProxy> {
    let first = |names: [&str; 2]| {
        let set = names.into_iter().find_map(&environment);
        set.map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    };
    if first(["no_proxy", "NO_PROXY"]).is_some_and(|list| is_exempt(target, &list)) {
        return Ok(None);
    }
    first(["https_proxy", "HTTPS_PROXY"])
        .or_else(|| first(["all_proxy", "ALL_PROXY"]))
        .map(|url| parse(&url))
        .transpose()
}

/// `http://user:password@host:port/`; scheme, credentials, port (80) and the slash may be absent.
pub fn parse(url: &str) -> Result<Proxy, BadProxy> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    if !scheme.eq_ignore_ascii_case("http") {
        let scheme = scheme.chars().take(16).collect();
        return Err(BadProxy::Scheme { scheme });
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user_info, place) = match authority.rsplit_once('@') {
        Some((user_info, place)) => (Some(user_info), place),
        None => (None, authority),
    };
    let target = SiteAddress::parse(place, 80).map_err(|_| BadProxy::Form)?;
    let credentials = user_info.filter(|info| !info.is_empty()).map(|info| {
        let (user, password) = info.split_once(':').unwrap_or((info, ""));
        Credentials {
            user: percent_decoded(user),
            password: Secret::new(percent_decoded(password)),
        }
    });
    Ok(Proxy {
        target,
        credentials,
    })
}

/// What the proxy is sent.
pub fn request(target: &SiteAddress, credentials: Option<&Credentials>) -> Zeroizing<String> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(Credentials { user, password }) = credentials {
        let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&BASE64.encode(pair.as_bytes()));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    Zeroizing::new(request)
}

/// Reads the head of an answer; `None` while it is not complete.
pub fn answer(input: &[u8]) -> Result<Option<Answer>, BadAnswer> {
    if !b"HTTP/1.".starts_with(&input[..input.len().min(7)]) {
        return Err(BadAnswer::NotHttp);
    }
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        let too_long = input.len() >= HTTP_HEAD_BYTES_MAX;
        return if too_long {
            Err(BadAnswer::TooLong)
        } else {
            Ok(None)
        };
    };
    let head = std::str::from_utf8(&input[..end]).map_err(|_| BadAnswer::NotHttp)?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .filter(|digits| digits.len() == 3)
        .and_then(|digits| digits.parse::<u16>().ok())
        .ok_or(BadAnswer::NotHttp)?;
    match status {
        200..=299 => {
            let bytes = input.len() - end - 4;
            if bytes > 0 {
                return Err(BadAnswer::TooEager { bytes });
            }
            Ok(Some(Answer::Open))
        }
        407 => Ok(Some(wanted(lines))),
        _ => Ok(Some(Answer::Refused { status })),
    }
}

/// How a proxy wants to be convinced.
fn wanted<'a>(lines: impl Iterator<Item = &'a str>) -> Answer {
    let mut schemes = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if !name.trim().eq_ignore_ascii_case("proxy-authenticate") {
            continue;
        }
        let value = value.trim();
        let scheme = value.split([' ', ',']).next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case("basic") {
            let realm = value
                .split_once("realm=\"")
                .and_then(|(_, rest)| rest.split('"').next())
                .unwrap_or_default();
            let realm = realm.chars().filter(|c| !c.is_control()).take(64).collect();
            return Answer::WantsCredentials { realm };
        }
        schemes.push(scheme.chars().take(16).collect::<String>());
    }
    schemes.truncate(4);
    let schemes = schemes.join(", ");
    Answer::WantsOther { schemes }
}

/// Whether `no_proxy` names the target: `*`, a name and everything below it, or an address.
fn is_exempt(target: &SiteAddress, list: &str) -> bool {
    let host = target.host().to_ascii_lowercase();
    list.split([',', ' '])
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .any(|item| {
            let item = item.to_ascii_lowercase();
            let (name, port) = match item.rsplit_once(':') {
                Some((name, port)) if !name.contains(':') => (name, port.parse().ok()),
                _ => (item.as_str(), None),
            };
            if port.is_some_and(|port: u16| port != target.port()) {
                return false;
            }
            let name = name.trim_start_matches('.').trim_end_matches('.');
            name == "*"
                || host == name
                || host
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.ends_with('.'))
                || is_in_network(&host, name)
        })
}

/// Whether an address lies in `network/bits`.
fn is_in_network(host: &str, network: &str) -> bool {
    let bits_of = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32_u32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let parsed = || {
        let (network, bits) = network.split_once('/')?;
        let (host, host_size) = bits_of(host.parse().ok()?);
        let (network, size) = bits_of(network.parse().ok()?);
        let bits: u32 = bits.parse().ok()?;
        let mask = u128::MAX.checked_shl(128 - bits.min(size)).unwrap_or(0);
        Some(host_size == size && host & mask == network & mask)
    };
    parsed().unwrap_or(false)
}

/// `%41` to `A`; what is no such triple stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok())
            .filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// For `tests/fuzz` and the smoke run below: any bytes as an answer and as a setting.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(Some(Answer::WantsCredentials { realm })) = answer(data) {
        assert!(realm.chars().count() <= 64);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = parse(text);
        let target = "support.example.org:443".parse().expect("an address");
        let _ = is_exempt(&target, text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(text: &str) -> SiteAddress {
        text.parse().unwrap()
    }

    #[test]
    fn a_tunnel_is_open_only_after_a_whole_head_and_nothing_more() {
        let whole = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end]), Ok(None), "prefix of {end} bytes");
        }
        assert_eq!(answer(whole), Ok(Some(Answer::Open)));
        let eager = [whole.as_slice(), b"x"].concat();
        assert_eq!(answer(&eager), Err(BadAnswer::TooEager { bytes: 1 }));
    }

    #[test]
    fn a_proxy_that_asks_is_told_apart_from_one_that_refuses() {
        let asks = "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate\r\n\
                    proxy-authenticate: Basic realm=\"Office\"\r\n\r\n";
        let realm = "Office".to_owned();
        assert_eq!(
            answer(asks.as_bytes()),
            Ok(Some(Answer::WantsCredentials { realm }))
        );
        let other = "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate\r\n\r\n";
        let schemes = "Negotiate".to_owned();
        assert_eq!(
            answer(other.as_bytes()),
            Ok(Some(Answer::WantsOther { schemes }))
        );
        assert_eq!(
            answer(b"HTTP/1.0 403 Forbidden\r\n\r\n"),
            Ok(Some(Answer::Refused { status: 403 }))
        );
    }

    #[test]
    fn an_endless_or_foreign_answer_is_refused() {
        let endless = [b"HTTP/1.1 200 ".as_slice(), &[b'a'; HTTP_HEAD_BYTES_MAX]].concat();
        assert_eq!(answer(&endless), Err(BadAnswer::TooLong));
        assert_eq!(answer(b"SSH-2.0-x"), Err(BadAnswer::NotHttp));
        assert_eq!(answer(b"HTTP/1.1 2x0 a\r\n\r\n"), Err(BadAnswer::NotHttp));
    }

    #[test]
    fn the_environment_names_a_proxy_with_credentials() {
        let environment = |name: &str| {
            (name == "HTTPS_PROXY").then(|| "http://al%40x:p%3aw@proxy.lan:3128/".to_owned())
        };
        let to = target("support.example.org:443");
        let proxy = choose(&to, environment).unwrap().unwrap();
        assert_eq!(proxy.target, target("proxy.lan:3128"));
        let credentials = proxy.credentials.unwrap();
        assert_eq!(credentials.user, "al@x");
        assert_eq!(
            *request(&to, Some(&credentials)),
            "CONNECT support.example.org:443 HTTP/1.1\r\nHost: support.example.org:443\r\n\
             Proxy-Authorization: Basic YWxAeDpwOnc=\r\n\r\n"
        );
    }

    #[test]
    fn a_proxy_of_another_kind_is_named() {
        let scheme = "socks5".to_owned();
        assert_eq!(
            parse("socks5://h:1").unwrap_err(),
            BadProxy::Scheme { scheme }
        );
        assert_eq!(parse("http://:80").unwrap_err(), BadProxy::Form);
        assert_eq!(parse("proxy").unwrap().target, target("proxy:80"));
    }

    #[test]
    fn no_proxy_exempts_names_below_addresses_and_networks() {
        for (to, list, exempt) in [
            ("a.example.org:443", "example.org", true),
            ("a.example.org:443", ".example.org", true),
            ("aexample.org:443", "example.org", false),
            ("a.example.org:443", "x, *", true),
            ("a.example.org:443", "example.org:8443", false),
            ("10.1.2.3:443", "10.0.0.0/8", true),
            ("11.1.2.3:443", "10.0.0.0/8", false),
            ("11.1.2.3:443", "0.0.0.0/0", true),
            ("[fd00::1]:443", "fd00::/16", true),
            ("[fd00::1]:443", "fd00::1", true),
        ] {
            assert_eq!(is_exempt(&target(to), list), exempt, "{to} by {list}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer_or_an_error(
            data in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            fuzz(&data);
            fuzz(&[b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic ".as_slice(), &data, b"\r\n\r\n"].concat());
        }
    }
}
