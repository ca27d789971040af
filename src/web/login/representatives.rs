//! `GET|POST /login/representatives`: the list, and new ones.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::{new_password, rights};
use crate::audit::{self, Actor, Event};
use crate::domain::{Account, AccountId, AccountName, DisplayName};
use crate::store::accounts::{self, NewAccount};
use crate::store::{StoreError, Transaction};
use crate::web::http::{Administrator, Failure, SignedForm, SignedIn};
use crate::web::site::Site;
use crate::web::view::{Desk, Field, Place, page};
use crate::web::words;

#[derive(Template)]
#[template(path = "representatives.html", config = "src/web/askama.toml")]
struct Representatives {
    view: Desk,
    rows: Vec<Row>,
    summary: String,
    created: Option<String>,
    console: String,
    form: NewForm,
}

/// An account as a table shows it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) rights: &'static str,
    pub(super) disabled: bool,
}

impl Row {
    pub(super) fn new(account: &Account) -> Self {
        Self {
            id: account.id.0,
            name: account.name.to_string(),
            display_name: account.display_name.to_string(),
            rights: rights(account),
            disabled: account.disabled,
        }
    }
}

#[derive(Default)]
struct NewForm {
    name: Field,
    display_name: Field,
    password: Field,
    again: Field,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    created: Option<i64>,
}

/// The list.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    Administrator(who): Administrator,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let created = asked.created.map(AccountId);
    list(&site, &who, created, NewForm::default()).await
}

async fn list(
    site: &Site,
    who: &SignedIn,
    created: Option<AccountId>,
    form: NewForm,
) -> Result<Response, Failure> {
    let accounts = site.store.read(accounts::list).await?;
    let created = accounts.iter().find(|account| Some(account.id) == created);
    let created = created.map(|account| account.display_name.to_string());
    let representatives = accounts.iter().filter(|account| account.representative);
    let disabled = representatives.clone().filter(|a| a.disabled).count() as u64;
    let representatives = representatives.count() as u64;
    let all = words::plural(representatives, "representative", "representatives");
    let disabled = match disabled {
        0 => String::new(),
        _ => format!(", {disabled} of them disabled"),
    };
    let administrators = accounts.iter().filter(|a| !a.representative).count() as u64;
    let others = words::plural(administrators, "other account", "other accounts");
    let summary = format!("{all}{disabled}; {others}.");
    // Alone in the list, the administrator who looks at it would only be in the way.
    let rows = if representatives == 0 {
        Vec::new()
    } else {
        accounts.iter().map(Row::new).collect()
    };
    Ok(page(&Representatives {
        view: Desk::new(site, who, Place::Representatives),
        rows,
        summary,
        created,
        console: format!("{}/console", site.config.url()),
        form,
    }))
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    name: String,
    display_name: String,
    password: String,
    again: String,
}

/// Makes a representative.
pub(crate) async fn post(
    State(site): State<Arc<Site>>,
    SignedForm { who, form: typed }: SignedForm<Typed>,
) -> Result<Response, Failure> {
    who.must_administrate()?;
    let mut form = NewForm {
        name: Field::typed(&typed.name),
        display_name: Field::typed(&typed.display_name),
        ..NewForm::default()
    };
    let name = AccountName::new(typed.name.trim());
    if let Err(why) = &name {
        form.name.refuse(why);
    }
    let display_name = DisplayName::new(&typed.display_name);
    if let Err(why) = &display_name {
        form.display_name.refuse(why);
    }
    let password = new_password(&typed.password, &typed.again);
    let (Ok(name), Ok(display_name), Ok(password)) = (name, display_name, &password) else {
        if let Err((password, again)) = password {
            (form.password, form.again) = (password, again);
        }
        return refused(&site, &who, form).await;
    };
    let hash = site.hash(password.clone()).await?;
    match create(&site, &who, name, display_name, hash).await {
        Ok(id) => {
            Ok(Redirect::to(&format!("/login/representatives?created={}", id.0)).into_response())
        }
        Err(Failure::Store(StoreError::NameTaken { name })) => {
            form.name
                .refuse(format!("the name {name} is taken, choose another"));
            refused(&site, &who, form).await
        }
        Err(Failure::Store(full @ StoreError::Full { .. })) => {
            form.name.refuse(full);
            refused(&site, &who, form).await
        }
        Err(failure) => Err(failure),
    }
}

async fn refused(site: &Site, who: &SignedIn, form: NewForm) -> Result<Response, Failure> {
    let mut response = list(site, who, None, form).await?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

async fn create(
    site: &Site,
    who: &SignedIn,
    name: AccountName,
    display_name: DisplayName,
    hash: String,
) -> Result<AccountId, Failure> {
    let at = site.now().stamp;
    let actor = Actor::account(&who.account);
    let created = site.store.write(move |tx: &Transaction<'_>| {
        let account = accounts::create(
            tx,
            &NewAccount {
                name,
                display_name,
                administrator: false,
                representative: true,
                password_hash: &hash,
                at,
            },
        )?;
        let event = Event::AccountCreated {
            account: account.id,
            name: account.name,
            display_name: account.display_name,
            administrator: false,
            representative: true,
        };
        audit::append(tx, at, &actor, &event)?;
        Ok(account.id)
    });
    created.await
}
