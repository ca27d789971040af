//! Appliance > Updates: what runs, what is newer, and how to get it.
//!
//! ```text
//! order (forms), hand_in (a file's bytes) ─> control::UpdateClient ─> update agent
//! show, status                            <─ Status                <─
//! ```
//!
//! Nothing is decided here: whatever is asked for, the agent installs only what was signed. Where
//! there is no agent, which is everywhere but on an appliance image, the page says so.

pub(crate) mod hand_in;
pub(crate) mod order;
mod shown;

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

pub(crate) use self::shown::went_back;
use self::shown::{SettingsForm, Shown};
use crate::control::machine::Facts;
use crate::control::update::{Phase, Reply, Request, Status, Way, Who};
use crate::control::wire::WireError;
use crate::domain::PeerAddress;
use crate::store::sessions;
use crate::web::http::{Administrator, Failure, SignedIn};
use crate::web::site::Site;
use crate::web::view::{Desk, Place, page};
use crate::web::words;

#[derive(Template)]
#[template(path = "updates.html", config = "src/web/askama.toml")]
struct UpdatesPage {
    view: Desk,
    /// Beside the heading.
    mark: Option<&'static str>,
    /// What an order led to.
    done: Option<&'static str>,
    /// Why an order was not followed.
    refused: Option<String>,
    shown: Result<Box<Shown>, Silent>,
}

/// Why there is nothing to show.
pub(super) struct Silent {
    title: &'static str,
    text: String,
}

impl Silent {
    pub(super) fn new(error: &WireError) -> Self {
        if is_absent(error) {
            return Self {
                title: "Updates are for appliance images.",
                text:
                    "These programs run on a computer of yours, where no update agent does. There, \
                       fetch and build newer sources instead."
                        .to_owned(),
            };
        }
        tracing::warn!(event = "update_agent_silent", %error);
        Self {
            title: "The update agent does not answer.",
            text: format!(
                "Nothing else is touched by that, and it is started again by itself. Reload this \
                 page in a minute; if it stays like this, restart the appliance. ({error})"
            ),
        }
    }

    /// In one piece.
    fn sentence(&self) -> String {
        format!("{} {}", self.title, self.text)
    }
}

fn is_absent(error: &WireError) -> bool {
    matches!(error, WireError::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// Where everything stands, as the agent says. Boxed: a whole history is in it.
pub(crate) async fn ask_status(site: &Site) -> Result<Box<Status>, WireError> {
    match site.updates.ask_async(&Request::Status).await? {
        Reply::Status(status) => Ok(status),
        Reply::Refused { why } => Err(std::io::Error::other(why.to_string()).into()),
        _ => Err(std::io::Error::other("another question's answer").into()),
    }
}

/// On whose behalf the agent is asked.
fn on_behalf(who: &SignedIn, peer: PeerAddress) -> Who {
    Who {
        account: Some(who.account.name.clone()),
        address: Some(peer),
        way: Way::Page,
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    done: String,
}

/// `GET /login/updates`.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    Administrator(who): Administrator,
    Query(asked): Query<Asked>,
) -> Response {
    let done = match asked.done.as_str() {
        "settings" => Some("The settings are kept."),
        "restart" => Some("It is noted when the appliance restarts."),
        "later" => Some("The appliance does not restart until somebody says so."),
        "check" => Some("The source was asked."),
        "install" => Some("The version is complete on the disk."),
        _ => None,
    };
    render(&site, &who, done, None, None).await
}

/// The page again, with why an order was not followed.
async fn refused(
    site: &Site,
    who: &SignedIn,
    why: &str,
    settings: Option<SettingsForm>,
) -> Response {
    let why = words::sentence(why);
    let mut response = render(site, who, None, Some(why), settings).await;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

async fn render(
    site: &Site,
    who: &SignedIn,
    done: Option<&'static str>,
    refused: Option<String>,
    settings: Option<SettingsForm>,
) -> Response {
    let facts = Facts::read(&site.paths.machine()).unwrap_or_else(|error| {
        tracing::warn!(event = "updates_without_machine", %error);
        None
    });
    let status = ask_status(site).await;
    // Only counted for whoever decides about a restart; it can be decided without.
    let sessions = site.snapshot().await.ok().map(|snapshot| snapshot.sessions);
    // In whose way it would be.
    let open = match &status {
        Ok(status) if matches!(status.phase, Phase::Ready { .. }) => {
            site.store.read(sessions::unended).await.unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let shown = match &status {
        Ok(status) => {
            let mut shown = Shown::new(site, status, facts.as_ref(), sessions.as_ref(), &open);
            if let Some(typed) = settings {
                shown.settings = typed;
            }
            Ok(Box::new(shown))
        }
        Err(error) => Err(Silent::new(error)),
    };
    page(&UpdatesPage {
        view: Desk::new(site, who, Place::Updates),
        mark: crate::web::status::mark(facts.as_ref()),
        done,
        refused,
        shown,
    })
}

/// `GET /login/updates/status`, for the page's script.
pub(crate) async fn status(
    State(site): State<Arc<Site>>,
    Administrator(_): Administrator,
) -> Result<Response, Failure> {
    match ask_status(&site).await {
        Ok(status) => Ok(Json(status).into_response()),
        Err(error) => Ok(unable(&error)),
    }
}

/// For a script that asked an agent that does not answer.
fn unable(error: &WireError) -> Response {
    let why = Silent::new(error).sentence();
    let body = Json(json!({ "error": why }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}
