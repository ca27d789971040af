//! `GET|POST /login/news`: what is new in the version that runs, once for each person after signing
//! in.
//!
//! The words are those of the version's signed manifest, which the update agent keeps once the version
//! has proved itself. An appliance that was never updated has none.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tokio::time::timeout;

use super::sign_in::{Door, target};
use super::updates::ask_status;
use crate::control::update::News;
use crate::domain::Account;
use crate::domain::limits::NEWS_WITHIN;
use crate::store::news;
use crate::web::http::{Failure, SignedForm, SignedIn};
use crate::web::site::Site;
use crate::web::view::{View, page};

#[derive(Template)]
#[template(path = "news.html", config = "src/web/askama.toml")]
struct NewsPage {
    view: View,
    csrf: String,
    version: String,
    notes: String,
    /// Where the person was going.
    to: String,
}

#[derive(Deserialize)]
pub(crate) struct Going {
    #[serde(default)]
    to: String,
    /// Of the news on the page.
    #[serde(default)]
    version: String,
}

impl Going {
    /// One of our own pages.
    fn target(&self, account: &Account) -> String {
        let door = if self.to == Door::Console.home(account) {
            Door::Console
        } else {
            Door::Login
        };
        target(door, account, &self.to)
    }
}

/// Where somebody goes who just signed in and was going `to`.
pub(super) async fn before(site: &Site, account: &Account, to: String) -> String {
    match unread(site, account).await {
        Some(_) => format!("/login/news?to={to}"),
        None => to,
    }
}

/// What this person has not read. Nobody waits long for it: it can be read at the next sign-in.
async fn unread(site: &Site, account: &Account) -> Option<News> {
    let status = timeout(NEWS_WITHIN, ask_status(site)).await.ok()?.ok()?;
    let news = status.news.filter(|news| !news.notes.trim().is_empty())?;
    let (id, version) = (account.id, news.version.clone());
    let read = site.store.read(move |c| news::is_read(c, id, &version));
    (!read.await.ok()?).then_some(news)
}

/// The page; who has read it goes on.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    who: SignedIn,
    Query(going): Query<Going>,
) -> Response {
    let to = going.target(&who.account);
    let Some(news) = unread(&site, &who.account).await else {
        return Redirect::to(&to).into_response();
    };
    page(&NewsPage {
        view: View::new(&site),
        csrf: who.csrf.reveal(),
        version: news.version.to_string(),
        notes: news.notes.trim().to_owned(),
        to,
    })
}

/// Has read it.
pub(crate) async fn post(
    State(site): State<Arc<Site>>,
    SignedForm { who, form }: SignedForm<Going>,
) -> Result<Response, Failure> {
    let to = form.target(&who.account);
    let (id, version) = (who.account.id, form.version);
    // Only of what runs: nobody fills the store with versions.
    let current = unread(&site, &who.account).await;
    if current.is_some_and(|news| *news.version == *version) {
        site.store
            .write(move |tx| news::read(tx, id, &version))
            .await?;
    }
    Ok(Redirect::to(&to).into_response())
}
