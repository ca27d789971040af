//! `/login/representatives/{id}`: one account, and what an administrator does with it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::representatives::Row;
use super::sign_in::Nothing;
use super::{close_consoles, new_password};
use crate::audit::{self, Actor, Event};
use crate::domain::{Account, AccountId};
use crate::store::accounts;
use crate::web::http::{Administrator, Failure, SignedForm, SignedIn};
use crate::web::site::Site;
use crate::web::view::{Desk, Field, Place, page};

#[derive(Template)]
#[template(path = "representative.html", config = "src/web/askama.toml")]
struct Representative {
    view: Desk,
    row: Row,
    own: bool,
    done: Option<Done>,
    relay_silent: bool,
    password: Field,
    again: Field,
}

/// What was just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Done {
    /// A new password.
    Password,
    /// Disabled.
    Disabled,
    /// Enabled.
    Enabled,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    done: Option<Done>,
    silent: Option<u8>,
}

/// The account's page.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    Administrator(who): Administrator,
    Path(id): Path<i64>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let account = find(&site, AccountId(id)).await?;
    Ok(page(&Representative {
        view: Desk::new(&site, &who, Place::Representatives),
        row: Row::new(&account),
        own: account.id == who.account.id,
        done: asked.done,
        relay_silent: asked.silent.is_some(),
        password: Field::default(),
        again: Field::default(),
    }))
}

async fn find(site: &Site, id: AccountId) -> Result<Account, Failure> {
    let found = site.store.read(move |c| accounts::by_id(c, id)).await?;
    found.map(|(account, _)| account).ok_or(Failure::NotFound)
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    password: String,
    again: String,
}

/// Gives the account another password.
pub(crate) async fn post_password(
    State(site): State<Arc<Site>>,
    Path(id): Path<i64>,
    SignedForm { who, form: typed }: SignedForm<Typed>,
) -> Result<Response, Failure> {
    who.must_administrate()?;
    if AccountId(id) == who.account.id {
        return Err(Failure::NotAllowed(
            "Change your own password at My Account, which asks for the present one. Nothing was \
             changed.",
        ));
    }
    let account = find(&site, AccountId(id)).await?;
    let new = match new_password(&typed.password, &typed.again) {
        Ok(new) => new,
        Err((password, again)) => {
            let mut response = page(&Representative {
                view: Desk::new(&site, &who, Place::Representatives),
                row: Row::new(&account),
                own: account.id == who.account.id,
                done: None,
                relay_silent: false,
                password,
                again,
            });
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(response);
        }
    };
    let hash = site.hash(new).await?;
    let (id, at) = (account.id, site.now().stamp);
    let actor = Actor::account(&who.account);
    let event = Event::PasswordChanged {
        account: id,
        name: account.name,
    };
    let changed = site.store.write(move |tx| {
        accounts::set_password(tx, id, &hash)?;
        audit::append(tx, at, &actor, &event)
    });
    changed.await?;
    let told = close_consoles(&site, id, None).await;
    Ok(done(id, "password", told))
}

/// Back to the account's page, which says what was done.
fn done(id: AccountId, what: &str, relay_told: bool) -> Response {
    let silent = if relay_told { "" } else { "&silent=1" };
    let address = format!("/login/representatives/{}?done={what}{silent}", id.0);
    Redirect::to(&address).into_response()
}

/// Signs the account out everywhere and lets it in no more.
pub(crate) async fn post_disable(
    State(site): State<Arc<Site>>,
    Path(id): Path<i64>,
    SignedForm { who, .. }: SignedForm<Nothing>,
) -> Result<Response, Failure> {
    set_disabled(&site, &who, AccountId(id), true).await?;
    let told = close_consoles(&site, AccountId(id), None).await;
    Ok(done(AccountId(id), "disabled", told))
}

/// Lets the account in again.
pub(crate) async fn post_enable(
    State(site): State<Arc<Site>>,
    Path(id): Path<i64>,
    SignedForm { who, .. }: SignedForm<Nothing>,
) -> Result<Response, Failure> {
    set_disabled(&site, &who, AccountId(id), false).await?;
    Ok(done(AccountId(id), "enabled", true))
}

async fn set_disabled(
    site: &Site,
    who: &SignedIn,
    id: AccountId,
    disabled: bool,
) -> Result<(), Failure> {
    who.must_administrate()?;
    if disabled && id == who.account.id {
        return Err(Failure::NotAllowed(
            "You cannot disable your own account, so that the appliance always has an \
             administrator. Nothing was changed.",
        ));
    }
    let account = find(site, id).await?;
    if account.disabled == disabled {
        return Ok(());
    }
    let at = site.now().stamp;
    let actor = Actor::account(&who.account);
    let (account, name) = (id, account.name);
    let event = if disabled {
        Event::AccountDisabled { account, name }
    } else {
        Event::AccountEnabled { account, name }
    };
    let changed = site.store.write(move |tx| {
        accounts::set_disabled(tx, id, disabled)?;
        audit::append(tx, at, &actor, &event)
    });
    changed.await
}
