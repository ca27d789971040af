//! The two cookies: whose sign-in a browser holds, and by what we know it again.

use axum::http::{HeaderMap, HeaderValue, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::domain::Token;
use crate::domain::limits::KNOWN_BROWSER_LIFE;

/// The prefix makes browsers insist on HTTPS, on `Path=/` and on no `Domain` (RFC 6265bis,
/// 4.1.3.2), so that no neighbouring host can plant one.
const NAME: &str = "__Host-jumpgate";

/// Opens nothing: it only spares a puzzle.
const BROWSER: &str = "__Host-jumpgate-browser";

/// The token a request brings.
pub(crate) fn token(headers: &HeaderMap) -> Option<Token> {
    read(headers, NAME)
}

/// What a browser is known by.
pub(crate) fn browser(headers: &HeaderMap) -> Option<Token> {
    read(headers, BROWSER)
}

fn read(headers: &HeaderMap, name: &str) -> Option<Token> {
    CookieJar::from_headers(headers)
        .get(name)?
        .value()
        .parse()
        .ok()
}

/// Gives the browser a token, until it closes; the store knows when it stops being good.
pub(crate) fn keep(token: &Token) -> HeaderValue {
    header(NAME, token.reveal(), None)
}

/// Gives the browser what it is known by, for [`KNOWN_BROWSER_LIFE`].
pub(crate) fn keep_browser(token: &Token) -> HeaderValue {
    header(BROWSER, token.reveal(), Some(KNOWN_BROWSER_LIFE.as_secs()))
}

/// Takes the sign-in's away.
pub(crate) fn drop_it() -> HeaderValue {
    header(NAME, String::new(), Some(0))
}

fn header(name: &'static str, value: String, max_age_seconds: Option<u64>) -> HeaderValue {
    let cookie = Cookie::build((name, value))
        .path("/")
        .secure(true)
        .http_only(true)
        // Lax, not Strict: a link to a report in a message must find its reader signed in.
        .same_site(SameSite::Lax)
        .build();
    let cookie = match max_age_seconds {
        Some(seconds) => format!("{cookie}; Max-Age={seconds}"),
        None => cookie.to_string(),
    };
    HeaderValue::from_str(&cookie).expect("hexadecimal digits and fixed words")
}

/// Puts a cookie on an answer.
pub(crate) fn set(headers: &mut HeaderMap, cookie: HeaderValue) {
    headers.append(header::SET_COOKIE, cookie);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_is_out_of_reach_of_scripts() {
        let token = Token::from_random([9; 16]);
        let set = keep(&token);
        let set = set.to_str().unwrap();
        for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(set.contains(part), "{set}");
        }
        assert!(!set.contains("Domain"), "{set}");
        let mut headers = HeaderMap::new();
        let pair = format!("a=b; {}", set.split(';').next().unwrap());
        headers.insert(header::COOKIE, pair.parse().unwrap());
        assert_eq!(super::token(&headers), Some(token));
    }
}
