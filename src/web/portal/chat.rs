//! `GET /chat` and `POST /chat/ticket`: click-to-chat in the browser.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use crate::control::request::TicketHolder;
use crate::control::{Reply, Request};
use crate::domain::Token;
use crate::domain::turned::TurnedReason;
use crate::web::http::Failure;
use crate::web::site::{Site, out_of_turn};
use crate::web::view::{self, View};

#[derive(Template)]
#[template(path = "chat.html", config = "src/web/askama.toml")]
struct Chat {
    view: View,
}

/// The page that `chat.js` fills. The same for every session: the script reads `ak` from the
/// address, and comes back to its session without one.
pub(crate) async fn page(State(site): State<Arc<Site>>) -> Response {
    let view = View::new(&site);
    view::page(&Chat { view })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[serde(default)]
    ak: Option<String>,
}

/// A ticket for the WebSocket.
#[derive(Serialize)]
pub(crate) struct Ticket {
    ticket: Token,
    /// Of these programs, for a page that may have been loaded from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl Ticket {
    /// As JSON.
    pub(crate) fn answer(ticket: Token) -> Response {
        let version = None;
        Json(Self { ticket, version }).into_response()
    }

    /// The same with what the appliance runs.
    pub(crate) fn with_version(ticket: Token, version: String) -> Response {
        let version = Some(version);
        Json(Self { ticket, version }).into_response()
    }
}

/// Starts the session of `ak`, or lets a browser come back to one it has.
pub(crate) async fn ticket(
    State(site): State<Arc<Site>>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Failure> {
    let ak = match wanted.ak {
        None => None,
        Some(ak) => match ak.parse() {
            Ok(token) => Some(token),
            Err(_) => return Ok(refused(StatusCode::FORBIDDEN, "key")),
        },
    };
    let holder = TicketHolder::Customer { ak };
    match site.ask(&Request::IssueTicket { holder }).await? {
        Reply::Ticket { ticket } => Ok(Ticket::answer(ticket)),
        Reply::Turned(reason) => Ok(match reason {
            TurnedReason::SlowDown { .. } => refused(StatusCode::TOO_MANY_REQUESTS, "slow_down"),
            TurnedReason::Full => refused(StatusCode::SERVICE_UNAVAILABLE, "full"),
            TurnedReason::Key
            | TurnedReason::Version { .. }
            | TurnedReason::Puzzle { .. }
            | TurnedReason::Session
            | TurnedReason::Ticket => refused(StatusCode::FORBIDDEN, "key"),
        }),
        other => Err(out_of_turn(&other)),
    }
}

fn refused(status: StatusCode, error: &'static str) -> Response {
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}
