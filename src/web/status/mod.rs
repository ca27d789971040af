//! Status > Information (ST-01, FW-07), and the same for programs at `/api/v1/status`.
//!
//! What is wrong comes first ([`warning`]), then what is ([`card`]); on an appliance image also of
//! the machine ([`machine`], from what the supervisor wrote). When the relay does not
//! answer, the page says so and shows what the web side knows by itself.

mod card;
mod machine;
mod warning;

pub(crate) use self::machine::mark;

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use self::card::{Card, Value};
use self::warning::Warning;
use super::format::When;
use super::http::{Administrator, Failure, SignedIn};
use super::site::Site;
use super::view::{Desk, Place, page};
use crate::control::machine::Facts;
use crate::control::update::Status;
use crate::metrics::Snapshot;
use crate::store::{accounts, size_bytes};

#[derive(Template)]
#[template(path = "status.html", config = "src/web/askama.toml")]
struct StatusPage {
    view: Desk,
    now: When,
    /// Beside the heading.
    mark: Option<&'static str>,
    warnings: Vec<Warning>,
    cards: Vec<Card>,
}

/// What the page is made from.
struct Known {
    /// If the relay answered.
    snapshot: Option<Snapshot>,
    /// On an appliance image.
    machine: Option<Facts>,
    /// On an appliance image, if the update agent answered.
    updates: Option<Box<Status>>,
    /// On the disk.
    store_bytes: u64,
    /// Left on that disk, if it can be told.
    free_bytes: Option<u64>,
    /// Of all kinds, disabled ones included.
    accounts: u64,
    /// Enabled ones.
    representatives: u64,
    /// Customers can download one.
    client_installed: bool,
}

async fn known(site: &Site) -> Result<Known, Failure> {
    let snapshot = match site.snapshot().await {
        Ok(snapshot) => Some(snapshot),
        Err(error) => {
            tracing::warn!(event = "status_without_relay", %error);
            None
        }
    };
    let machine = Facts::read(&site.paths.machine()).unwrap_or_else(|error| {
        tracing::warn!(event = "status_without_machine", %error);
        None
    });
    let updates = super::login::updates::ask_status(site).await.ok();
    let accounts = site.store.read(accounts::list).await?;
    let enabled = accounts.iter().filter(|a| a.representative && !a.disabled);
    let disk = nix::sys::statvfs::statvfs(&site.paths.store_folder()).ok();
    Ok(Known {
        snapshot,
        machine,
        updates,
        store_bytes: size_bytes(&site.paths.store()),
        free_bytes: disk.map(|disk| disk.blocks_available() * disk.fragment_size()),
        representatives: enabled.count() as u64,
        accounts: accounts.len() as u64,
        client_installed: site.endpoint.is_some(),
    })
}

/// `GET /login/status`.
pub(crate) async fn information(
    State(site): State<Arc<Site>>,
    Administrator(who): Administrator,
) -> Result<Response, Failure> {
    let known = known(&site).await?;
    let now = site.now().stamp;
    Ok(page(&StatusPage {
        view: Desk::new(&site, &who, Place::Information),
        now: When::on_record(now, &site.zone),
        mark: machine::mark(known.machine.as_ref()),
        warnings: warning::all(&known),
        cards: card::all(&site, &known, now),
    }))
}

/// What everybody may know.
#[derive(Serialize)]
struct Alive {
    product: &'static str,
    status: &'static str,
}

/// What an administrator's program may know.
#[derive(Serialize)]
struct Everything {
    #[serde(flatten)]
    alive: Alive,
    site: String,
    store_bytes: u64,
    /// On an appliance image.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<Facts>,
    #[serde(flatten)]
    snapshot: Option<Snapshot>,
}

/// `GET /api/v1/status`.
pub(crate) async fn api(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let alive = |status| Alive {
        product: "Jumpgate",
        status,
    };
    let who = SignedIn::find(&site, &headers).await?;
    if !who.is_some_and(|who| who.account.administrator) {
        return Ok(Json(alive("ok")).into_response());
    }
    let known = known(&site).await?;
    let status = if known.snapshot.is_some() {
        "ok"
    } else {
        "relay_silent"
    };
    let everything = Everything {
        alive: alive(status),
        site: site.config.site.clone(),
        store_bytes: known.store_bytes,
        machine: known.machine,
        snapshot: known.snapshot,
    };
    Ok(Json(everything).into_response())
}
