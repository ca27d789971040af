//! `GET /login/reports/{session}/shell/{n}` and `…/{n}.cast`: a recorded shell, to watch and to
//! keep.

use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{self, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::{Row, find};
use crate::domain::ShellId;
use crate::store::sessions::SessionSummary;
use crate::store::transcripts::{self, TranscriptRow};
use crate::web::http::{Failure, FileBody, SignedIn};
use crate::web::site::Site;
use crate::web::view::{Desk, Place, page};

#[derive(Template)]
#[template(path = "player.html", config = "src/web/askama.toml")]
struct Player {
    view: Desk,
    session: String,
    customer: String,
    shell: u32,
    address: String,
    running: bool,
    sha256: String,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    download: Option<String>,
}

/// The player's page, or the recording itself if the address ends in `.cast`.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    who: SignedIn,
    extract::Path((session, shell)): extract::Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let session = find(&site, &who, &session).await?;
    let (number, is_file) = match shell.strip_suffix(".cast") {
        Some(number) => (number, true),
        None => (shell.as_str(), false),
    };
    let number = number.parse().map_err(|_| Failure::NotFound)?;
    let id = session.id;
    let shells = site.store.read(move |c| transcripts::of(c, id)).await?;
    let shell = shells.into_iter().find(|s| s.shell == ShellId(number));
    let shell = shell.ok_or(Failure::NotFound)?;
    if is_file {
        file(&site, &session, &shell, asked.download.is_some()).await
    } else {
        Ok(player(&site, &who, &session, &shell))
    }
}

fn player(
    site: &Site,
    who: &SignedIn,
    session: &SessionSummary,
    shell: &TranscriptRow,
) -> Response {
    page(&Player {
        view: Desk::new(site, who, Place::Reports),
        session: session.id.to_string(),
        customer: Row::new(session, site.now().stamp).customer,
        shell: shell.shell.0,
        address: format!("/login/reports/{}/shell/{}.cast", session.id, shell.shell),
        running: shell.ended.is_none() && session.ended.is_none(),
        sha256: shell
            .sha256
            .map(|hash| hash.to_string())
            .unwrap_or_default(),
    })
}

async fn file(
    site: &Site,
    session: &SessionSummary,
    shell: &TranscriptRow,
    download: bool,
) -> Result<Response, Failure> {
    let path = inside(&site.paths.recordings(), &shell.file)?;
    let name = path.display().to_string();
    let opened = tokio::task::spawn_blocking(move || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok((Arc::new(file), bytes))
    });
    let opened = opened.await.map_err(std::io::Error::other).flatten();
    let (file, bytes) = opened.map_err(|error| Failure::File { what: name, error })?;
    let body = FileBody::new(file, bytes, Vec::new());
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/x-asciicast");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_LENGTH, bytes.into());
    if download {
        let name = format!("session-{}-shell-{}.cast", session.id, shell.shell);
        let value = format!("attachment; filename=\"{name}\"");
        let value = HeaderValue::from_str(&value).expect("digits and fixed words");
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// `file` below `folder`. The name comes from the store, which others could have written to.
fn inside(folder: &Path, file: &str) -> Result<PathBuf, Failure> {
    let plain = Path::new(file)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    (plain && !file.is_empty())
        .then(|| folder.join(file))
        .ok_or_else(|| Failure::Internal(format!("recording has the name '{file}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_never_read_from_outside_its_folder() {
        let folder = Path::new("/state/recordings");
        let good = inside(folder, "0123/1.cast").unwrap();
        assert_eq!(good, Path::new("/state/recordings/0123/1.cast"));
        for bad in ["", "/etc/passwd", "../store/appliance.db", "a/../../b", "."] {
            assert!(inside(folder, bad).is_err(), "{bad}");
        }
    }
}
