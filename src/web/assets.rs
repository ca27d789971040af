//! Scripts and styles, inside the program.

use std::borrow::Cow;

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

/// The frame of our own templates; everything else of theirs is bundled.
const DESK: (&str, &[u8]) = ("desk.css", include_bytes!("templates/desk.css"));

/// Hexadecimal digits of a file's hash in its address.
const VERSION_DIGITS: usize = 12;

/// A file to send.
struct File {
    bytes: Cow<'static, [u8]>,
    version: String,
}

impl File {
    fn find(name: &str) -> Option<Self> {
        let (bytes, hash) = if name == DESK.0 {
            (Cow::Borrowed(DESK.1), Fingerprint::of(DESK.1))
        } else {
            let file = Files::get(name)?;
            let hash = Fingerprint(file.metadata.sha256_hash());
            (file.data, hash)
        };
        let mut version = hash.to_string();
        version.truncate(VERSION_DIGITS);
        Some(Self { bytes, version })
    }
}

/// The address of a file, with its version: a page asks for exactly the file it was made with.
pub(crate) fn address(name: &str) -> String {
    match File::find(name) {
        Some(file) => format!("/assets/{name}?v={}", file.version),
        None => format!("/assets/{name}"),
    }
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
    let File { bytes, version } = File::find(&name).ok_or(Failure::NotFound)?;
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
        ([(header::CONTENT_TYPE, kind(&name))], bytes).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// By the ending: the bundle has two.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    }
}
