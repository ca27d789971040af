//! `GET /download/linux?ak=…`: the customer client with its pass behind it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};

use super::key::bad_link;
use super::look_up_link;
use super::start::Link;
use crate::domain::Token;
use crate::domain::pass::{Pass, SiteAddress};
use crate::web::http::{Failure, FileBody, Peer};
use crate::web::site::Site;

/// Where `https:` goes when an address names no port.
const HTTPS_PORT: u16 = 443;

/// The client for one session.
pub(crate) async fn linux(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    Query(link): Query<Link>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let endpoint = site.endpoint.clone().ok_or(Failure::NotFound)?;
    let found = match look_up_link(&site, &link.ak, peer).await? {
        Ok(found) => found,
        Err(problem) => return Ok(bad_link(&site, problem)),
    };
    let file = file_name(&found.ak);
    let pass = Pass {
        address: site_address(&site, &headers),
        link_key: site.snapshot().await?.link_key,
        key: found.ak,
    };
    let body = FileBody::new(endpoint.file, endpoint.bytes, pass.trailer());
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, body.left().to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{file}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::new(body)).into_response())
}

/// Tells two downloads apart without saying what their keys are.
pub(super) fn file_name(ak: &Token) -> String {
    let fingerprint = ak.fingerprint().to_string();
    format!("jumpgate-customer-client-{}", &fingerprint[..4])
}

/// Where the customer reached us, so that the client dials what works from there; the configured
/// site if the browser's `Host` is not an address (somebody wants to plant one).
pub(super) fn site_address(site: &Site, headers: &HeaderMap) -> SiteAddress {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let asked = host.and_then(|host| SiteAddress::parse(host, HTTPS_PORT).ok());
    asked.unwrap_or_else(|| {
        SiteAddress::parse(&site.config.authority(), HTTPS_PORT)
            .expect("the configuration's site name was checked when it was read")
    })
}
