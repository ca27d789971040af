//! `GET|POST /login/account`: My Account.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::{close_consoles, new_password, rights, sign_in};
use crate::audit::{self, Actor, Event};
use crate::store::accounts;
use crate::web::format;
use crate::web::http::{Failure, Peer, SignedForm, SignedIn};
use crate::web::site::Site;
use crate::web::throttle::{Held, Whom};
use crate::web::view::{Desk, Field, Place, page};

#[derive(Template)]
#[template(path = "account.html", config = "src/web/askama.toml")]
struct AccountPage {
    view: Desk,
    name: String,
    rights: &'static str,
    changed: bool,
    slow_down: Option<String>,
    current: Field,
    password: Field,
    again: Field,
}

impl AccountPage {
    fn new(site: &Site, who: &SignedIn) -> Self {
        Self {
            view: Desk::new(site, who, Place::Account),
            name: who.account.name.to_string(),
            rights: rights(&who.account),
            changed: false,
            slow_down: None,
            current: Field::default(),
            password: Field::default(),
            again: Field::default(),
        }
    }

    fn refused(&self) -> Response {
        let mut response = page(self);
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        response
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    changed: Option<String>,
}

/// Who one is, and the form to change the password.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    who: SignedIn,
    Query(asked): Query<Asked>,
) -> Response {
    page(&AccountPage {
        changed: asked.changed.is_some(),
        ..AccountPage::new(&site, &who)
    })
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    current: String,
    password: String,
    again: String,
}

/// Changes one's own password: signs out everywhere, and in again here.
pub(crate) async fn post(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    headers: HeaderMap,
    SignedForm { who, form: typed }: SignedForm<Typed>,
) -> Result<Response, Failure> {
    let mut shown = AccountPage::new(&site, &who);
    let password = match new_password(&typed.password, &typed.again) {
        Ok(password) => password,
        Err((password, again)) => {
            (shown.password, shown.again) = (password, again);
            return Ok(shown.refused());
        }
    };
    // A stolen sign-in must not try passwords any faster than somebody outside; what strangers
    // try must not keep its owner from this.
    let name = who.account.name.as_str();
    let now = site.now().moment;
    let whom = Whom::browser(&who.sign_in, name);
    let begun = site.throttle(|throttle| throttle.begin(peer, &whom, false, now));
    if let Err(Held::Address { wait } | Held::Whom { wait, .. }) = begun {
        let seconds = wait.as_secs();
        shown.slow_down = Some(format::seconds(seconds));
        return Ok(sign_in::too_many(page(&shown), seconds));
    }
    let id = who.account.id;
    let stored = site.store.read(move |c| accounts::by_id(c, id)).await?;
    let stored = stored.map(|(_, hash)| hash);
    if !site.password_matches(typed.current, stored).await? {
        shown
            .current
            .refuse("this is not your password; nothing was changed");
        return Ok(shown.refused());
    }
    site.throttle(|throttle| throttle.right(peer, &whom));
    let hash = site.hash(password).await?;
    let at = site.now().stamp;
    let actor = Actor::account(&who.account);
    let event = Event::PasswordChanged {
        account: id,
        name: who.account.name.clone(),
    };
    let changed = site.store.write(move |tx| {
        accounts::set_password(tx, id, &hash)?;
        audit::append(tx, at, &actor, &event)
    });
    changed.await?;
    close_consoles(&site, id, None).await;
    let mut response = Redirect::to("/login/account?changed=1").into_response();
    sign_in::open(&site, &who.account, peer, &headers, &mut response).await?;
    Ok(response)
}
