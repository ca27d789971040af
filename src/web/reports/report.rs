//! `GET /login/reports/{session}`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::{Row, find, or};
use crate::domain::{Author, Entry, Stamp, What};
use crate::store::transcripts::TranscriptRow;
use crate::store::{entries, transcripts};
use crate::web::format::{self, When};
use crate::web::http::{Failure, SignedIn};
use crate::web::site::Site;
use crate::web::view::{Desk, Place, page};
use crate::web::words;

#[derive(Template)]
#[template(path = "report.html", config = "src/web/askama.toml")]
struct Report {
    view: Desk,
    row: Row,
    started: When,
    accepted: Option<When>,
    ended: Option<When>,
    platform: String,
    public_address: String,
    private_address: String,
    shells: Vec<ShellRow>,
    lines: Vec<Line>,
}

/// A recorded shell.
struct ShellRow {
    number: u32,
    started: When,
    duration: String,
    size: String,
}

/// A line of the log.
struct Line {
    at: When,
    by: String,
    what: String,
    class: &'static str,
}

/// One session: facts, log, shells.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    who: SignedIn,
    Path(session): Path<String>,
) -> Result<Response, Failure> {
    let session = find(&site, &who, &session).await?;
    let id = session.id;
    let (log, shells) = site
        .store
        .read(move |c| Ok((entries::of(c, id)?, transcripts::of(c, id)?)))
        .await?;
    let (now, zone) = (site.now().stamp, &site.zone);
    let on_record = |at: Stamp| When::on_record(at, zone);
    let shell = |shell: &TranscriptRow| ShellRow {
        number: shell.shell.0,
        started: When::of_day(shell.started, zone),
        duration: duration(shell, session.ended, now),
        size: shell.bytes.map_or_else(|| "–".into(), format::size),
    };
    Ok(page(&Report {
        view: Desk::new(&site, &who, Place::Reports),
        row: Row::new(&session, now),
        started: on_record(session.started),
        accepted: session.accepted.map(on_record),
        ended: session.ended.map(on_record),
        platform: or(&session.facts.platform, words::UNKNOWN),
        public_address: session.public_address.to_string(),
        private_address: or(&session.facts.private_address, words::UNKNOWN),
        shells: shells.iter().map(shell).collect(),
        lines: log.iter().map(|entry| line(entry, &site)).collect(),
    }))
}

fn duration(shell: &TranscriptRow, session_ended: Option<Stamp>, now: Stamp) -> String {
    match (shell.ended, session_ended) {
        (Some(ended), _) => format::between(shell.started, ended),
        (None, None) => format!("{}, open", format::between(shell.started, now)),
        // The appliance was stopped the hard way while it was being recorded.
        (None, Some(_)) => "cut off".into(),
    }
}

fn line(entry: &Entry, site: &Site) -> Line {
    let class = match (&entry.what, &entry.by) {
        (What::Chat { .. }, Author::Customer(_)) => "chat customer",
        (What::Chat { .. }, Author::Representative(_)) => "chat representative",
        _ => "",
    };
    Line {
        at: When::of_day(entry.at, &site.zone),
        by: words::author(&entry.by).to_owned(),
        what: words::what(entry),
        class,
    }
}
