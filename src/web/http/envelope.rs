//! What is around every request: its number, its deadline, its log line, and the answer's headers.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;
use super::{csrf, headers};
use crate::domain::PeerAddress;
use crate::domain::limits::ANSWER_WITHIN;
use crate::web::site::Site;
use crate::web::view::ErrorPage;

/// Ties what the visitor sees to the log. Eight hexadecimal digits, in two groups for reading out.
struct RequestNumber(String);

/// Runs a request. Outermost: nothing is answered without it.
pub(crate) async fn envelope(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    let [a, b, c, d] = site.random();
    let number = RequestNumber(format!("{a:02x}{b:02x}-{c:02x}{d:02x}"));
    let began = Instant::now();
    let asked = Asked::of(&request);
    let mut response = if csrf::allows(request.method(), request.headers(), asked.anonymous()) {
        if asked.takes_its_time() {
            next.run(request).await
        } else {
            let answer = tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await;
            answer.unwrap_or_else(|_| Failure::TooSlow.into_response())
        }
    } else {
        Failure::Foreign.into_response()
    };
    if let Some(failure) = failure_in(&response) {
        log_failure(&failure, &number, &asked);
        response = shown(&site, &failure, &number, &asked, response.headers());
    }
    headers::secure(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&number.0) {
        let name = HeaderName::from_static("x-request-number");
        response.headers_mut().insert(name, value);
    }
    tracing::debug!(
        event = "request",
        number = number.0,
        method = %asked.method,
        route = asked.route,
        status = response.status().as_u16(),
        milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    );
    response
}

/// What is remembered of a request. The pattern of its address, never the address itself: that
/// carries tokens.
struct Asked {
    method: axum::http::Method,
    route: String,
    from: Option<PeerAddress>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let pattern = request.extensions().get::<MatchedPath>();
        Self {
            method: request.method().clone(),
            route: pattern.map_or_else(String::new, |path| path.as_str().to_owned()),
            from: request.extensions().get::<PeerAddress>().copied(),
        }
    }

    /// Acts for nobody.
    fn anonymous(&self) -> bool {
        matches!(self.route.as_str(), "/key" | "/chat/ticket")
    }

    /// Brings hundreds of megabytes, and limits by itself how long nothing may come.
    fn takes_its_time(&self) -> bool {
        self.route == "/login/updates/install"
    }

    /// Asked by a script rather than a person.
    fn by_program(&self) -> bool {
        self.route.starts_with("/api/") || is_for_scripts(&self.route)
    }
}

/// Addresses that our own scripts ask and that answer in JSON.
pub(super) fn is_for_scripts(path: &str) -> bool {
    path.ends_with("/ticket")
        || matches!(
            path,
            "/login/updates/status" | "/login/updates/examine" | "/login/updates/install"
        )
}

/// Ours, or the framework's own plain refusals (body too large, query not understood).
fn failure_in(response: &Response) -> Option<Arc<Failure>> {
    if let Some(failure) = response.extensions().get::<Arc<Failure>>() {
        return Some(failure.clone());
    }
    let plain = response.headers().get(header::CONTENT_TYPE);
    let plain = plain.is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
    let status = response.status();
    (plain && (status.is_client_error() || status.is_server_error()))
        .then(|| Arc::new(Failure::Refused(status)))
}

fn shown(
    site: &Site,
    failure: &Failure,
    number: &RequestNumber,
    asked: &Asked,
    kept: &axum::http::HeaderMap,
) -> Response {
    let mut response = if asked.by_program() {
        let body = serde_json::json!({ "error": failure.code(), "request": number.0 });
        Json(body).into_response()
    } else {
        ErrorPage::new(site, failure, &asked.route, &number.0).into_response()
    };
    *response.status_mut() = failure.status();
    if let Some(allow) = kept.get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    if matches!(failure, Failure::Link) {
        let websocket = HeaderValue::from_static("websocket");
        response.headers_mut().insert(header::UPGRADE, websocket);
    }
    response
}

fn log_failure(failure: &Failure, number: &RequestNumber, asked: &Asked) {
    let from = asked.from.map(|from| from.to_string()).unwrap_or_default();
    let (number, route) = (&number.0, &asked.route);
    if failure.status().is_server_error() {
        tracing::error!(event = "request_failed", number, route, from, error = %failure);
    } else {
        tracing::info!(event = "request_refused", number, route, from, error = %failure);
    }
}
