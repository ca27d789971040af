//! The head of a connection's first request.

use crate::domain::Token;
use crate::domain::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};

/// Where the console and click-to-chat open their link.
pub const LINK_PATH: &str = "/link";

/// What a connection turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Anything but a link: hand it over.
    Page,
    /// A WebSocket for the link protocol.
    Link(LinkRequest),
}

/// A well-formed upgrade of [`LINK_PATH`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// `Sec-WebSocket-Key`.
    pub key: String,
    /// From the query.
    pub ticket: Token,
}

/// Why a first request is answered and closed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Longer than [`HTTP_HEAD_BYTES_MAX`] or with more than [`HTTP_HEADERS_MAX`] lines.
    #[error("request head above {HTTP_HEAD_BYTES_MAX} bytes or {HTTP_HEADERS_MAX} lines")]
    TooLong,
    /// Not HTTP/1.
    #[error("not an HTTP/1 request")]
    Malformed,
    /// `/link` without a WebSocket upgrade (RFC 6455, 4.2.1).
    #[error("no WebSocket upgrade")]
    NoUpgrade,
    /// `/link` from a page of another site.
    #[error("WebSocket from a foreign origin")]
    ForeignOrigin,
    /// `/link` without a ticket's 32 digits.
    #[error("WebSocket without a ticket")]
    NoTicket,
}

/// What the redirecting port needs of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Host without port; `None` if absent or not a host.
    pub host: Option<String>,
    /// Path and query.
    pub target: String,
}

/// Classifies a connection by the bytes it sent so far; `None` asks for more.
pub fn classify(bytes: &[u8]) -> Result<Option<First>, HeadError> {
    with_request(bytes, |request| {
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != LINK_PATH {
            return Ok(First::Page);
        }
        link_request(request, query).map(First::Link)
    })
}

/// Reads a request on the redirecting port; `None` asks for more.
pub fn plain(bytes: &[u8]) -> Result<Option<Plain>, HeadError> {
    with_request(bytes, |request| {
        let host = header(request, "host").and_then(host_without_port);
        let target = request.path.unwrap_or("/");
        let target = if target.starts_with('/') { target } else { "/" };
        Ok(Plain {
            host,
            target: target.to_owned(),
        })
    })
}

fn with_request<T>(
    bytes: &[u8],
    read: impl FnOnce(&httparse::Request<'_, '_>) -> Result<T, HeadError>,
) -> Result<Option<T>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => read(&request).map(Some),
        Ok(httparse::Status::Partial) if bytes.len() < HTTP_HEAD_BYTES_MAX => Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Err(HeadError::TooLong)
        }
        Err(_) => Err(HeadError::Malformed),
    }
}

fn link_request(
    request: &httparse::Request<'_, '_>,
    query: &str,
) -> Result<LinkRequest, HeadError> {
    let is = |name, value: &str| header(request, name).is_some_and(|is| has_token(is, value));
    let key = header(request, "sec-websocket-key");
    let is_key = |key: &&str| {
        data_encoding::BASE64
            .decode(key.as_bytes())
            .is_ok_and(|raw| raw.len() == 16)
    };
    let (Some("GET"), Some(key)) = (request.method, key.filter(is_key)) else {
        return Err(HeadError::NoUpgrade);
    };
    let upgrades = is("connection", "upgrade") && is("upgrade", "websocket");
    if !upgrades || header(request, "sec-websocket-version") != Some("13") {
        return Err(HeadError::NoUpgrade);
    }
    // A browser always sends both, and a page cannot forge either: the link is for our own pages.
    let (origin, host) = (header(request, "origin"), header(request, "host"));
    let ours = match (
        origin.and_then(|origin| origin.strip_prefix("https://")),
        host,
    ) {
        (Some(from), Some(host)) => from.eq_ignore_ascii_case(host),
        _ => false,
    };
    if !ours {
        return Err(HeadError::ForeignOrigin);
    }
    let ticket = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("ticket="));
    let ticket = ticket
        .and_then(|digits| digits.parse().ok())
        .ok_or(HeadError::NoTicket)?;
    Ok(LinkRequest {
        key: key.to_owned(),
        ticket,
    })
}

/// The only header of this name; two of them are as good as none.
fn header<'a>(request: &'a httparse::Request<'_, '_>, name: &str) -> Option<&'a str> {
    let mut all = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name));
    let first = all.next()?;
    if all.next().is_some() {
        return None;
    }
    std::str::from_utf8(first.value).ok().map(str::trim)
}

fn has_token(list: &str, token: &str) -> bool {
    list.split(',')
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// A host that may stand in a `Location`, without its port.
fn host_without_port(host: &str) -> Option<String> {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, _) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            return Some(format!("[{address}]"));
        }
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let fits = (1..=253).contains(&name.len()) && name.bytes().all(allowed);
    fits.then(|| name.to_owned())
}

/// For the fuzzer and the smoke run below.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let _ = classify(data);
    if let Ok(Some(plain)) = plain(data) {
        let answer = super::answer::redirect(&plain, "site", 8443);
        assert_eq!(
            answer.windows(4).filter(|four| four == b"\r\n\r\n").count(),
            1
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UPGRADE: &str = "GET /link?ticket=0123456789abcdef0123456789abcdef HTTP/1.1\r\n\
        Host: example.com:8443\r\nOrigin: https://example.com:8443\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    #[test]
    fn every_proper_prefix_of_a_head_asks_for_more() {
        for end in 0..UPGRADE.len() {
            assert_eq!(
                classify(&UPGRADE.as_bytes()[..end]),
                Ok(None),
                "prefix of {end} bytes"
            );
        }
        assert!(matches!(
            classify(UPGRADE.as_bytes()),
            Ok(Some(First::Link(_)))
        ));
    }

    #[test]
    fn a_link_needs_our_origin_a_ticket_and_an_upgrade() {
        let tampered = |from: &str, to: &str| classify(UPGRADE.replace(from, to).as_bytes());
        let foreign = Err(HeadError::ForeignOrigin);
        assert_eq!(
            tampered("https://example.com:8443", "https://evil.example"),
            foreign
        );
        assert_eq!(
            tampered("https://example.com:8443", "http://example.com:8443"),
            foreign
        );
        assert_eq!(
            tampered("Origin: https://example.com:8443\r\n", ""),
            foreign
        );
        assert_eq!(
            tampered("ticket=0123", "ticket=x123"),
            Err(HeadError::NoTicket)
        );
        assert_eq!(
            tampered("Upgrade: websocket\r\n", ""),
            Err(HeadError::NoUpgrade)
        );
        assert_eq!(
            tampered("Version: 13", "Version: 8"),
            Err(HeadError::NoUpgrade)
        );
        assert_eq!(tampered("/link?", "/linked?"), Ok(Some(First::Page)));
    }

    #[test]
    fn a_head_without_end_is_refused_at_the_limit() {
        let mut head = b"GET / HTTP/1.1\r\nX: ".to_vec();
        head.resize(HTTP_HEAD_BYTES_MAX, b'a');
        assert_eq!(classify(&head), Err(HeadError::TooLong));
        assert_eq!(
            classify(b"\x16\x03\x01 not http"),
            Err(HeadError::Malformed)
        );
    }

    #[test]
    fn a_host_that_could_bend_a_redirect_is_dropped() {
        for (sent, kept) in [
            ("example.com:8080", Some("example.com")),
            ("[::1]:8080", Some("[::1]")),
            ("a/b", None),
            ("[evil]", None),
            ("", None),
        ] {
            let head = format!("GET /x?y HTTP/1.1\r\nHost: {sent}\r\n\r\n");
            let plain = plain(head.as_bytes()).unwrap().unwrap();
            assert_eq!(plain.host.as_deref(), kept, "{sent}");
            assert_eq!(plain.target, "/x?y");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_classification_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0_usize..400
        ) {
            fuzz(&bytes);
            let mut mixed = UPGRADE.as_bytes().to_vec();
            let at = cut.min(mixed.len());
            let end = mixed.len().min(at + bytes.len());
            mixed[at..end].copy_from_slice(&bytes[..end - at]);
            fuzz(&mixed);
        }
    }
}
