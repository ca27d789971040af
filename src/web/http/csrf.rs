//! Whether a request that changes something was sent by one of our own pages.
//!
//! Two independent checks. This one asks the browser where the request comes from and covers every
//! POST. The other is a token in the form ([`super::sign_in`]) and covers those that act for
//! somebody who is signed in.

use axum::http::{HeaderMap, Method, header};

/// What the browser says of the page that sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// One of ours, or nobody's (typed, reloaded).
    Ours,
    /// Not a browser: those that matter say something. Holds no cookie unless it was given one.
    Silent,
    /// A browser that hides it. Older ones do, because our pages ask for no referrer.
    Hidden,
    /// Somebody else's page.
    Foreign,
}

/// Reads `Sec-Fetch-Site`, and where that is missing `Origin` against `Host`.
pub(crate) fn sender(headers: &HeaderMap) -> Sender {
    let text = |name| headers.get(name).map(|v| v.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return match site {
            "same-origin" | "none" => Sender::Ours,
            _ => Sender::Foreign,
        };
    }
    match text(header::ORIGIN.as_str()) {
        None => Sender::Silent,
        Some("null") => Sender::Hidden,
        Some(origin) => {
            let host = text(header::HOST.as_str()).unwrap_or_default();
            let ours = origin
                .strip_prefix("https://")
                .is_some_and(|origin| !host.is_empty() && origin.eq_ignore_ascii_case(host));
            if ours { Sender::Ours } else { Sender::Foreign }
        }
    }
}

/// Whether a request may go on. `anonymous` pages act for nobody, so a sender that merely hides
/// gains nothing there.
pub(crate) fn allows(method: &Method, headers: &HeaderMap, anonymous: bool) -> bool {
    method.is_safe()
        || match sender(headers) {
            Sender::Ours | Sender::Silent => true,
            Sender::Hidden => anonymous,
            Sender::Foreign => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("host", "support.example.com".parse().unwrap());
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_browser_s_own_word_decides() {
        for (site, sender) in [
            ("same-origin", Sender::Ours),
            ("none", Sender::Ours),
            ("same-site", Sender::Foreign),
            ("cross-site", Sender::Foreign),
            ("nonsense", Sender::Foreign),
        ] {
            let given = headers(&[("sec-fetch-site", site), ("origin", "null")]);
            assert_eq!(super::sender(&given), sender, "{site}");
        }
    }

    #[test]
    fn without_it_the_origin_must_be_this_site_over_https() {
        for (origin, sender) in [
            ("https://support.example.com", Sender::Ours),
            ("https://SUPPORT.example.com", Sender::Ours),
            ("http://support.example.com", Sender::Foreign),
            ("https://support.example.com:8443", Sender::Foreign),
            ("https://evil.example", Sender::Foreign),
            ("null", Sender::Hidden),
        ] {
            let given = headers(&[("origin", origin)]);
            assert_eq!(super::sender(&given), sender, "{origin}");
        }
        assert_eq!(super::sender(&headers(&[])), Sender::Silent);
    }

    #[test]
    fn reading_is_never_refused_and_foreign_posts_always() {
        let foreign = headers(&[("sec-fetch-site", "cross-site")]);
        assert!(allows(&Method::GET, &foreign, false));
        assert!(!allows(&Method::POST, &foreign, true));
        let hidden = headers(&[("origin", "null")]);
        assert!(allows(&Method::POST, &hidden, true));
        assert!(!allows(&Method::POST, &hidden, false));
    }
}
