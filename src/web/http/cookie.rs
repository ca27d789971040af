//! The one cookie: whose sign-in a browser holds.

use axum::http::{HeaderMap, HeaderValue, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::domain::Token;

/// The prefix makes browsers insist on HTTPS, on `Path=/` and on no `Domain` (RFC 6265bis,
/// 4.1.3.2), so that no neighbouring host can plant one.
const NAME: &str = "__Host-jumpgate";

/// The token a request brings.
pub(crate) fn token(headers: &HeaderMap) -> Option<Token> {
    CookieJar::from_headers(headers)
        .get(NAME)?
        .value()
        .parse()
        .ok()
}

/// Gives the browser a token, until it closes; the store knows when it stops being good.
pub(crate) fn keep(token: &Token) -> HeaderValue {
    header(token.reveal(), None)
}

/// Takes it away.
pub(crate) fn drop_it() -> HeaderValue {
    header(String::new(), Some(0))
}

fn header(value: String, max_age_seconds: Option<i64>) -> HeaderValue {
    let cookie = Cookie::build((NAME, value))
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
