//! `GET|POST /login/setup?token=…`: the first administrator.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::{new_password, sign_in};
use crate::audit::{self, Actor, Event};
use crate::domain::{Account, AccountName, DisplayName, Token};
use crate::store::accounts::NewAccount;
use crate::store::{Connection, StoreError, accounts, settings};
use crate::web::http::{Failure, OpenForm, Peer};
use crate::web::site::Site;
use crate::web::view::{Field, View, page};

#[derive(Template)]
#[template(path = "setup.html", config = "src/web/askama.toml")]
struct Setup {
    view: View,
    token: String,
    password: Field,
    again: Field,
}

#[derive(Template)]
#[template(path = "setup_over.html", config = "src/web/askama.toml")]
struct SetupOver {
    view: View,
    set_up: bool,
}

#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: String,
}

/// Whether the link with this token still makes an administrator.
fn is_good(c: &Connection, token: Option<&Token>) -> Result<bool, StoreError> {
    let waiting = settings::setup_token(c)?;
    let fits = waiting.zip(token).is_some_and(|(waiting, token)| {
        // Hashes, so comparing tells nothing about the token; constant time all the same.
        waiting.matches(&token.fingerprint())
    });
    Ok(fits && !accounts::any_administrator(c)?)
}

/// `GET /login/setup`.
pub(crate) async fn form(
    State(site): State<Arc<Site>>,
    Query(link): Query<Link>,
) -> Result<Response, Failure> {
    let token = link.token.parse::<Token>().ok();
    if !site.store.read(move |c| is_good(c, token.as_ref())).await? {
        return over(&site).await;
    }
    Ok(show(&site, link.token, Field::default(), Field::default()))
}

fn show(site: &Site, token: String, password: Field, again: Field) -> Response {
    page(&Setup {
        view: View::new(site),
        token,
        password,
        again,
    })
}

async fn over(site: &Site) -> Result<Response, Failure> {
    let set_up = site.store.read(accounts::any_administrator).await?;
    let view = View::new(site);
    let mut response = page(&SetupOver { view, set_up });
    *response.status_mut() = StatusCode::GONE;
    Ok(response)
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    token: String,
    password: String,
    again: String,
}

/// `POST /login/setup`.
pub(crate) async fn post(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    headers: HeaderMap,
    OpenForm(typed): OpenForm<Typed>,
) -> Result<Response, Failure> {
    let token = typed.token.parse::<Token>().ok();
    let known = token.clone();
    // Before anything is hashed: only whoever has the link keeps us busy.
    if !site.store.read(move |c| is_good(c, known.as_ref())).await? {
        return over(&site).await;
    }
    let password = match new_password(&typed.password, &typed.again) {
        Ok(password) => password,
        Err((password, again)) => {
            let mut response = show(&site, typed.token, password, again);
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(response);
        }
    };
    let hash = site.hash(password).await?;
    let Some(account) = create(&site, token, hash, peer).await? else {
        return over(&site).await;
    };
    let mut response = Redirect::to("/login/status").into_response();
    sign_in::open(&site, &account, peer, &headers, &mut response).await?;
    Ok(response)
}

/// Makes the account and uses the link up, in one step: of two who open it at once, one wins.
async fn create(
    site: &Site,
    token: Option<Token>,
    hash: String,
    address: crate::domain::PeerAddress,
) -> Result<Option<Account>, Failure> {
    let at = site.now().stamp;
    let created = site.store.write(move |tx| {
        if !is_good(tx, token.as_ref())? {
            return Ok(None);
        }
        let account = accounts::create(
            tx,
            &NewAccount {
                name: AccountName::new("admin").expect("five letters"),
                display_name: DisplayName::new("Administrator").expect("one word"),
                administrator: true,
                representative: false,
                password_hash: &hash,
                at,
            },
        )?;
        settings::clear_setup_token(tx)?;
        let event = Event::AccountCreated {
            account: account.id,
            name: account.name.clone(),
            display_name: account.display_name.clone(),
            administrator: true,
            representative: false,
        };
        audit::append(tx, at, &Actor::Visitor { address }, &event)?;
        Ok(Some(account))
    });
    created.await
}
