//! `GET /`, `GET /?ak=…` and `POST /key`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::{Problem, look_up, look_up_link};
use crate::domain::turned::{KeyText, PuzzleAnswer};
use crate::web::http::{Failure, OpenForm, Peer};
use crate::web::site::Site;
use crate::web::view::{View, page};

#[derive(Template)]
#[template(path = "key.html", config = "src/web/askama.toml")]
struct KeyPage {
    view: View,
    typed: String,
    problem: Option<Problem>,
}

#[derive(Template)]
#[template(path = "confirm.html", config = "src/web/askama.toml")]
struct Confirm {
    view: View,
    representative: String,
    ak: String,
}

#[derive(Template)]
#[template(path = "bad_link.html", config = "src/web/askama.toml")]
struct BadLink {
    view: View,
    problem: Problem,
}

#[derive(Deserialize)]
pub(crate) struct Link {
    ak: Option<String>,
}

/// The portal, or the question that a unique URL asks.
pub(crate) async fn index(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    Query(link): Query<Link>,
) -> Result<Response, Failure> {
    let view = View::new(&site);
    let Some(ak) = link.ak else {
        return Ok(page(&KeyPage {
            view,
            typed: String::new(),
            problem: None,
        }));
    };
    match look_up_link(&site, &ak, peer).await? {
        Ok(found) => Ok(page(&Confirm {
            view,
            representative: found.representative,
            ak: found.ak.reveal(),
        })),
        Err(problem) => Ok(bad_link(&site, problem)),
    }
}

/// A link that starts nothing.
pub(super) fn bad_link(site: &Site, problem: Problem) -> Response {
    let (status, wait) = (status(&problem), wait(&problem));
    let view = View::new(site);
    (status, wait, page(&BadLink { view, problem })).into_response()
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    key: String,
    #[serde(default)]
    challenge: String,
    #[serde(default)]
    answer: String,
}

impl Typed {
    /// An answer that is not there or not understood is asked for again.
    fn puzzle(&self) -> Option<PuzzleAnswer> {
        Some(PuzzleAnswer {
            challenge: self.challenge.parse().ok()?,
            answer: self.answer.parse().ok()?,
        })
    }

    /// Without what people put between digits.
    fn key(&self) -> String {
        let between = |c: char| c.is_whitespace() || c.is_control() || "-–—_.".contains(c);
        self.key.chars().filter(|c| !between(*c)).collect()
    }
}

/// A typed session key.
pub(crate) async fn post(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    OpenForm(typed): OpenForm<Typed>,
) -> Result<Response, Failure> {
    let key = typed.key();
    let found = match KeyText::try_from(key.as_str()) {
        Ok(key) if !key.is_empty() => look_up(&site, key, peer, typed.puzzle()).await?,
        // No key is that long, or empty: not worth the relay's time, and no guess.
        _ => Err(Problem::Wrong),
    };
    let problem = match found {
        Ok(found) => {
            return Ok(Redirect::to(&format!("/?ak={}", found.ak.reveal())).into_response());
        }
        Err(problem) => problem,
    };
    let (status, wait) = (status(&problem), wait(&problem));
    let shown = KeyPage {
        view: View::new(&site),
        // Given back, so that one wrong digit is not seven to type again.
        typed: key.chars().take(64).collect(),
        problem: Some(problem),
    };
    Ok((status, wait, page(&shown)).into_response())
}

/// When a program should ask again.
fn wait(problem: &Problem) -> Option<[(HeaderName, String); 1]> {
    match problem {
        Problem::SlowDown(seconds) => Some([(header::RETRY_AFTER, seconds.to_string())]),
        Problem::Wrong | Problem::Full | Problem::Puzzle { .. } => None,
    }
}

fn status(problem: &Problem) -> StatusCode {
    match problem {
        Problem::Wrong => StatusCode::UNPROCESSABLE_ENTITY,
        Problem::SlowDown(_) => StatusCode::TOO_MANY_REQUESTS,
        Problem::Full => StatusCode::SERVICE_UNAVAILABLE,
        Problem::Puzzle { .. } => StatusCode::OK,
    }
}
