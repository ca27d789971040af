//! Pages: the portal, `/login`, reports, and the shell around the console and the chat.
//!
//! ```text
//! browser ═TLS═ relay ─Unix socket─> http ─> portal, login, status, reports, console ─> templates
//!                 ^                              │ asks                 │ reads, writes
//!                 └────────── control ───────────┘                      └─> database ─> store
//! ```
//!
//! Holds no key and opens no port: the relay hands decrypted connections over, and every decision
//! about session keys, tickets and sessions is the relay's. A fault here never touches a running
//! session. Start at [`router`]; [`Site`] is what every page can reach.
//!
//! Not here: `ts/`, the sources of the console and the chat, bundled into `dist/`.

mod assets;
mod console;
mod database;
mod format;
mod http;
mod login;
mod portal;
mod puzzles;
mod reports;
pub mod rescue;
mod site;
mod status;
mod throttle;
mod view;
mod words;

#[cfg(test)]
mod tests;

pub use self::database::Store;
#[cfg(fuzzing)]
pub use self::http::fuzz_preamble;
pub use self::http::serve;
pub use self::site::{Endpoint, Site};

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use self::http::Failure;
use crate::domain::limits::HTTP_BODY_BYTES_MAX;

/// Every address, and what is around them all.
pub fn router(site: Arc<Site>) -> Router {
    let pages = Router::new()
        .route("/", get(portal::index))
        .route("/key", post(portal::post_key))
        .route("/start", get(portal::start))
        .route("/download/linux", get(portal::linux))
        .route("/chat", get(portal::chat))
        .route("/chat/ticket", post(portal::ticket))
        .merge(login())
        .merge(settings(&site))
        .merge(updates())
        .route("/console", get(console::page))
        .route("/console/ticket", post(console::ticket))
        .route(
            "/console/sign-in",
            get(login::sign_in::console).post(login::sign_in::post_console),
        )
        .route("/console/sign-out", post(login::sign_in::sign_out_console))
        .route("/api/v1/status", get(status::api))
        .route("/assets/{name}", get(assets::get))
        .route("/link", get(link))
        .fallback(no_such_page)
        .method_not_allowed_fallback(method_not_allowed);
    around(pages, site)
}

/// What holds for every page: its body is short, its panic is an answer, and it is in an envelope.
fn around(pages: Router<Arc<Site>>, site: Arc<Site>) -> Router {
    pages
        .layer(DefaultBodyLimit::max(HTTP_BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(site.clone(), http::envelope))
        .with_state(site)
}

/// Below `/login`, what changes nothing but who is signed in.
fn login() -> Router<Arc<Site>> {
    use login::sign_in;
    Router::new()
        .route("/login", get(sign_in::login).post(sign_in::post_login))
        .route("/login/sign-out", post(sign_in::sign_out))
        .route(
            "/login/news",
            get(login::news::show).post(login::news::post),
        )
        .route("/login/status", get(status::information))
        .route("/login/reports", get(reports::list))
        .route("/login/reports/{session}", get(reports::report))
        .route(
            "/login/reports/{session}/shell/{shell}",
            get(reports::shell),
        )
}

/// Below `/login`, accounts and settings: held while this version has not proved itself. A page that
/// changes such things belongs here.
fn settings(site: &Arc<Site>) -> Router<Arc<Site>> {
    use login::{account, representative, representatives, setup};
    Router::new()
        .route("/login/setup", get(setup::form).post(setup::post))
        .route("/login/account", get(account::show).post(account::post))
        .route(
            "/login/representatives",
            get(representatives::show).post(representatives::post),
        )
        .route("/login/representatives/{id}", get(representative::show))
        .route(
            "/login/representatives/{id}/password",
            post(representative::post_password),
        )
        .route(
            "/login/representatives/{id}/disable",
            post(representative::post_disable),
        )
        .route(
            "/login/representatives/{id}/enable",
            post(representative::post_enable),
        )
        .route_layer(from_fn_with_state(site.clone(), hold))
}

/// Lets reading through, and changes unless they are held.
async fn hold(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || !site.is_held() {
        return next.run(request).await;
    }
    Failure::Held.into_response()
}

fn updates() -> Router<Arc<Site>> {
    use login::updates::{self, hand_in, order};
    Router::new()
        .route("/login/updates", get(updates::show))
        .route("/login/updates/status", get(updates::status))
        .route("/login/updates/examine", post(hand_in::examine))
        .route("/login/updates/install", post(hand_in::install))
        .route("/login/updates/check", post(order::check))
        .route("/login/updates/install-offered", post(order::install))
        .route("/login/updates/restart", post(order::restart))
        .route("/login/updates/settings", post(order::settings))
}

/// A browser's WebSocket has a connection of its own, which the relay serves; on a connection that
/// was handed over for pages it cannot.
async fn link() -> Failure {
    Failure::Link
}

async fn no_such_page() -> Failure {
    Failure::NotFound
}

async fn method_not_allowed() -> Failure {
    Failure::Method
}

/// What the panic said is on standard error already, by the panic hook.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Failure::Internal("a page panicked".into()).into_response()
}
