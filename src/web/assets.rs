//! Scripts and styles, inside the program.

use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::http::Failure;
use crate::domain::token::Fingerprint;

/// What `src/web/ts` is bundled to.
#[derive(rust_embed::RustEmbed)]
#[folder = "src/web/dist/"]
struct Files;

/// Hexadecimal digits of a file's hash in its address.
const VERSION_DIGITS: usize = 12;

/// The address of a file, with its version: a page asks for exactly the file it was made with.
pub(crate) fn address(name: &str) -> String {
    match version(name) {
        Some(version) => format!("/assets/{name}?v={version}"),
        None => format!("/assets/{name}"),
    }
}

fn version(name: &str) -> Option<String> {
    let hash = Files::get(name)?.metadata.sha256_hash();
    let mut digits = Fingerprint(hash).to_string();
    digits.truncate(VERSION_DIGITS);
    Some(digits)
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    v: Option<String>,
}

/// `GET /assets/{name}`.
pub(crate) async fn get(
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let file = Files::get(&name).ok_or(Failure::NotFound)?;
    let version = version(&name).ok_or(Failure::NotFound)?;
    let tag = format!("\"{version}\"");
    // An address with this version can never mean another file; one without is asked again.
    let caching = if asked.v.as_deref() == Some(&version) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers.get(header::IF_NONE_MATCH);
    let mut response = if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = file.metadata.mimetype().to_owned();
        let kind = if kind.starts_with("text/") {
            format!("{kind}; charset=utf-8")
        } else {
            kind
        };
        ([(header::CONTENT_TYPE, kind)], file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}
