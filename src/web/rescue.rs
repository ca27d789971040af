//! When the appliance runs without its data: one page, whatever was asked for.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::site::Site;
use super::view::{View, page};
use super::{around, assets};

#[derive(Template)]
#[template(path = "rescue.html", config = "src/web/askama.toml")]
struct Rescue {
    view: View,
    why: String,
}

/// Every address says that there is no data, and `why`; there is nobody to sign in.
pub fn router(site: Arc<Site>, why: &str) -> Router {
    let why = why.to_owned();
    let pages = Router::new()
        .route("/assets/{name}", get(assets::get))
        .route("/api/v1/status", get(status))
        .fallback(move |State(site): State<Arc<Site>>| {
            let why = why.clone();
            async move { show(&site, why) }
        });
    around(pages, site)
}

fn show(site: &Site, why: String) -> Response {
    let view = View::new(site);
    // Programs and search engines shall not take it for the site.
    (StatusCode::SERVICE_UNAVAILABLE, page(&Rescue { view, why })).into_response()
}

/// What everybody may know, in the form of [`super::status::api`].
async fn status() -> Response {
    Json(json!({ "product": "Jumpgate", "status": "rescue" })).into_response()
}
