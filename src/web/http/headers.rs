//! The headers that every answer carries, errors included.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Nothing but our own files and our own WebSocket. No inline script or style anywhere: an
/// injected one would not run. `connect-src 'self'` covers `wss:` on the same host (CSP 3,
/// 6.7.2.8, matches schemes upwards), `form-action` keeps an injected form from posting a
/// password elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// Two years, as preload lists ask for; no `includeSubDomains`, which is not ours to say.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=63072000";

/// As lines of a head, for answers that no page gave.
pub(super) fn lines() -> String {
    let mut headers = HeaderMap::new();
    secure(&mut headers);
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = value.to_str().expect("the fixed texts below");
        format!("{name}: {value}\r\n")
    };
    headers.iter().map(line).collect()
}

/// Adds them; what a page chose for itself (only `Cache-Control`) stays.
pub(crate) fn secure(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &'static str); 8] = [
        (header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Addresses of pages carry tokens of unique URLs.
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages show who is signed in and which session is asked for.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
