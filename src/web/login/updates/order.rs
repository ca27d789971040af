//! `POST /login/updates/{check,install-offered,restart,settings}`: orders by form.
//!
//! What takes longer than a moment goes on without the browser; the page shows how far it is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tokio::time::timeout;

use super::shown::SettingsForm;
use super::{Silent, on_behalf, refused};
use crate::control::update::{Automatic, Line, Reply, Request, Settings, When, Window};
use crate::control::wire::WireError;
use crate::domain::Text;
use crate::domain::limits::UPDATE_ORDER_SHOWN_AFTER;
use crate::web::http::{Failure, Peer, SignedForm, SignedIn};
use crate::web::site::Site;

#[derive(Deserialize)]
pub(crate) struct Nothing {}

/// Looks for a newer version.
pub(crate) async fn check(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    SignedForm { who, .. }: SignedForm<Nothing>,
) -> Result<Response, Failure> {
    who.must_administrate()?;
    let request = Request::Check {
        who: on_behalf(&who, peer),
    };
    Ok(give(&site, &who, request, "check", None).await)
}

/// Installs what the last look found.
pub(crate) async fn install(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    SignedForm { who, .. }: SignedForm<Nothing>,
) -> Result<Response, Failure> {
    who.must_administrate()?;
    let request = Request::InstallOffered {
        who: on_behalf(&who, peer),
    };
    Ok(give(&site, &who, request, "install", None).await)
}

#[derive(Deserialize)]
pub(crate) struct Restart {
    when: Moment,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Moment {
    Now,
    Window,
    Later,
}

/// When to start the version that is ready.
pub(crate) async fn restart(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    SignedForm { who, form }: SignedForm<Restart>,
) -> Result<Response, Failure> {
    who.must_administrate()?;
    let (when, done) = match form.when {
        Moment::Now => (When::Now, "restart"),
        Moment::Window => (When::Window, "restart"),
        Moment::Later => (When::Later, "later"),
    };
    let request = Request::Restart {
        who: on_behalf(&who, peer),
        when,
    };
    Ok(give(&site, &who, request, done, None).await)
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    automatic: Automatic,
    /// A number, or nothing for every day.
    day: String,
    time: String,
    line: Line,
    source: String,
}

impl Typed {
    /// As settings, or what is wrong with the field that is named.
    fn settings(&self) -> Result<Settings, (&'static str, String)> {
        let time = minute(&self.time).ok_or_else(|| {
            let why = "give a time of the day between 00:00 and 23:59".to_owned();
            ("time", why)
        })?;
        Ok(Settings {
            automatic: self.automatic,
            window: Window {
                day: self.day.parse().ok().filter(|day| *day < 7),
                minute: time,
            },
            line: self.line,
            source: source(&self.source).map_err(|why| ("source", why))?,
        })
    }
}

/// Minutes after midnight of "02:00".
fn minute(time: &str) -> Option<u16> {
    // Some browsers send seconds.
    let (hour, rest) = time.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, rest.get(..2)?.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn source<const N: usize>(typed: &str) -> Result<Option<Text<N>>, String> {
    let typed = typed.trim().trim_end_matches('/');
    if typed.is_empty() {
        return Ok(None);
    }
    let host = typed.strip_prefix("https://").unwrap_or_default();
    if host.is_empty() || typed.contains(char::is_whitespace) {
        return Err("an address begins with https:// and a name".to_owned());
    }
    let kept = Text::try_from(format!("{typed}/").as_str());
    let long = |_| format!("an address has at most {N} characters");
    kept.map(Some).map_err(long)
}

/// Keeps what an administrator decided.
pub(crate) async fn settings(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    SignedForm { who, form }: SignedForm<Typed>,
) -> Result<Response, Failure> {
    who.must_administrate()?;
    let mut again = SettingsForm::typed(
        form.automatic,
        &form.day,
        &form.time,
        form.line,
        &form.source,
    );
    match form.settings() {
        Ok(settings) => {
            let request = Request::Set {
                who: on_behalf(&who, peer),
                settings,
            };
            Ok(give(&site, &who, request, "settings", Some(again)).await)
        }
        Err((field, why)) => {
            again.refuse(field, &why);
            let why = "The settings were not kept. What is wrong is said below.";
            Ok(refused(&site, &who, why, Some(again)).await)
        }
    }
}

/// Gives the order and shows the page, with `done` if it was followed within a moment.
async fn give(
    site: &Site,
    who: &SignedIn,
    request: Request,
    done: &str,
    typed: Option<SettingsForm>,
) -> Response {
    let client = site.updates.clone();
    let mut order = tokio::spawn(async move {
        let reply = client.ask_async(&request).await;
        if let Ok(Reply::Refused { why }) = &reply {
            tracing::info!(event = "update_order_refused", %why);
        }
        reply
    });
    match timeout(UPDATE_ORDER_SHOWN_AFTER, &mut order).await {
        Err(_) => Redirect::to("/login/updates").into_response(),
        Ok(Ok(Ok(Reply::Done))) => {
            Redirect::to(&format!("/login/updates?done={done}")).into_response()
        }
        Ok(Ok(Ok(Reply::Refused { why }))) => refused(site, who, &why, typed).await,
        Ok(Ok(Err(error))) => refused(site, who, &unheard(&error), typed).await,
        Ok(_) => Failure::Internal("update agent answered out of turn".into()).into_response(),
    }
}

fn unheard(error: &WireError) -> String {
    Silent::new(error).sentence()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::UPDATE_SOURCE_BYTES_MAX;

    #[test]
    fn a_time_of_the_day_is_read_as_browsers_send_it() {
        assert_eq!(minute("02:00"), Some(120));
        assert_eq!(minute("23:59:00"), Some(1_439));
        for wrong in ["", "24:00", "2", "12:60", "12:5", "aa:bb", "12:é"] {
            assert_eq!(minute(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_source_is_an_https_address_with_a_slash_at_its_end() {
        let source = source::<UPDATE_SOURCE_BYTES_MAX>;
        assert_eq!(source("  ").unwrap(), None);
        for typed in ["https://u.example/a", " https://u.example/a// "] {
            let read = source(typed).unwrap().unwrap();
            assert_eq!(read.as_str(), "https://u.example/a/");
        }
        for wrong in [
            "http://u.example",
            "u.example",
            "https://",
            "https://a b",
            &format!("https://{}", "x".repeat(UPDATE_SOURCE_BYTES_MAX)),
        ] {
            assert!(source(wrong).is_err(), "{wrong}");
        }
    }
}
