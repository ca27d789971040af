//! The representative console's page and its tickets. The rest of it is `console.js`.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::control::request::TicketHolder;
use crate::control::{Reply, Request};
use crate::domain::turned::TurnedReason;
use crate::web::http::{Failure, SignedIn};
use crate::web::login::sign_in::check_header;
use crate::web::portal::Ticket;
use crate::web::site::{Site, out_of_turn};
use crate::web::view::{self, View};

#[derive(Template)]
#[template(path = "console.html", config = "src/web/askama.toml")]
struct Console {
    view: View,
    csrf: String,
    version: String,
}

/// Who may open it, in words for who may not.
const REPRESENTATIVES_ONLY: &str = "The console is for representatives, who support customers. Your account administers the \
     appliance and is no representative. Create a representative's account at Users & Security > \
     Representatives, and sign in with that.";

/// `GET /console`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    who: SignedIn,
) -> Result<Response, Failure> {
    must_represent(&who)?;
    Ok(view::page(&Console {
        view: View::new(&site),
        csrf: who.csrf.reveal(),
        version: site.version(),
    }))
}

/// `POST /console/ticket`.
pub(crate) async fn ticket(
    State(site): State<Arc<Site>>,
    who: SignedIn,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    check_header(&who, &headers)?;
    must_represent(&who)?;
    let holder = TicketHolder::Console {
        account: who.account.id,
        name: who.account.display_name.to_label(),
        sign_in: who.sign_in,
    };
    match site.ask(&Request::IssueTicket { holder }).await? {
        Reply::Ticket { ticket } => Ok(Ticket::with_version(ticket, site.version())),
        Reply::Turned(TurnedReason::Full) => {
            let full = axum::Json(serde_json::json!({ "error": "full" }));
            Ok((StatusCode::SERVICE_UNAVAILABLE, full).into_response())
        }
        other => Err(out_of_turn(&other)),
    }
}

fn must_represent(who: &SignedIn) -> Result<(), Failure> {
    let may = who.account.representative;
    may.then_some(())
        .ok_or(Failure::NotAllowed(REPRESENTATIVES_ONLY))
}
