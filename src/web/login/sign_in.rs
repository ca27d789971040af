//! `GET|POST /login`, `GET|POST /console/sign-in`, and both sign-outs.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::close_consoles;
use crate::audit::{self, Actor, Event};
use crate::domain::turned::PuzzleAnswer;
use crate::domain::{Account, AccountId, AccountName, PeerAddress, Stamp, Token};
use crate::store::{StoreError, Transaction, accounts, known_browsers, sign_ins};
use crate::web::format;
use crate::web::http::{Failure, OpenForm, Peer, SignedForm, SignedIn, cookie};
use crate::web::puzzles::Puzzle;
use crate::web::site::Site;
use crate::web::throttle::{Held, Whom};
use crate::web::view::{View, page};

/// The two forms. They differ in where they lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// `/login`.
    Login,
    /// `/console/sign-in`.
    Console,
}

impl Door {
    fn action(self) -> &'static str {
        match self {
            Self::Login => "/login",
            Self::Console => "/console/sign-in",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Login => "To your account, reports and the appliance's settings.",
            Self::Console => "To the representative console.",
        }
    }

    /// Where a sign-in leads that asked for no page.
    pub(super) fn home(self, account: &Account) -> &'static str {
        match self {
            Self::Console => "/console",
            Self::Login if account.administrator => "/login/status",
            Self::Login => "/login/account",
        }
    }
}

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/web/askama.toml")]
struct SignInPage {
    view: View,
    purpose: &'static str,
    action: &'static str,
    set_up: bool,
    name: String,
    next: String,
    problem: Option<Problem>,
    puzzle: Option<Puzzle>,
}

/// Above the form.
enum Problem {
    Wrong,
    SlowDown(String),
    /// Strangers try passwords for this name.
    Guessed,
    SignedOut,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    next: String,
    signed_out: Option<String>,
}

/// `GET /login`.
pub(crate) async fn login(
    State(site): State<Arc<Site>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    form(&site, Door::Login, asked, &headers).await
}

/// `GET /console/sign-in`.
pub(crate) async fn console(
    State(site): State<Arc<Site>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    form(&site, Door::Console, asked, &headers).await
}

async fn form(
    site: &Site,
    door: Door,
    asked: Asked,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    if let Some(who) = SignedIn::find(site, headers).await? {
        return Ok(Redirect::to(&target(door, &who.account, &asked.next)).into_response());
    }
    let problem = asked.signed_out.map(|_| Problem::SignedOut);
    show(site, door, String::new(), asked.next, problem, None).await
}

async fn show(
    site: &Site,
    door: Door,
    name: String,
    next: String,
    problem: Option<Problem>,
    puzzle: Option<Puzzle>,
) -> Result<Response, Failure> {
    let set_up = site.store.read(accounts::any_administrator).await?;
    Ok(page(&SignInPage {
        view: View::new(site),
        purpose: door.purpose(),
        action: door.action(),
        set_up,
        name,
        next,
        problem,
        puzzle,
    }))
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
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
}

/// `POST /login`.
pub(crate) async fn post_login(
    state: State<Arc<Site>>,
    peer: Peer,
    headers: HeaderMap,
    form: OpenForm<Typed>,
) -> Result<Response, Failure> {
    post(state, peer, headers, form, Door::Login).await
}

/// `POST /console/sign-in`.
pub(crate) async fn post_console(
    state: State<Arc<Site>>,
    peer: Peer,
    headers: HeaderMap,
    form: OpenForm<Typed>,
) -> Result<Response, Failure> {
    post(state, peer, headers, form, Door::Console).await
}

async fn post(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    headers: HeaderMap,
    OpenForm(typed): OpenForm<Typed>,
    door: Door,
) -> Result<Response, Failure> {
    let answer = typed.puzzle();
    let Typed {
        name,
        password,
        next,
        ..
    } = typed;
    let now = site.now().moment;
    let whom = whom(&site, &headers, &name).await?;
    let solved = answer.is_some_and(|it| site.puzzles(|all| all.redeem(&whom, &it, now)));
    match site.throttle(|throttle| throttle.begin(peer, &whom, solved, now)) {
        Ok(()) => {}
        Err(Held::Address { wait }) => {
            let problem = Problem::SlowDown(format::seconds(wait.as_secs()));
            let shown = show(&site, door, name, next, Some(problem), None);
            return Ok(too_many(shown.await?, wait.as_secs()));
        }
        Err(Held::Whom { .. }) => {
            let (problem, puzzle) = (Some(Problem::Guessed), puzzle(&site, &whom));
            return show(&site, door, name, next, problem, puzzle).await;
        }
    }
    let Some(account) = check(&site, peer, &name, password).await? else {
        // With the next puzzle, if there is one: a mistyped password is typed again only once.
        let (problem, puzzle) = (Some(Problem::Wrong), puzzle(&site, &whom));
        let mut response = show(&site, door, name, next, problem, puzzle).await?;
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    };
    site.throttle(|throttle| throttle.right(peer, &whom));
    let to = target(door, &account, &next);
    let to = super::news::before(&site, &account, to).await;
    let mut response = Redirect::to(&to).into_response();
    open(&site, &account, peer, &headers, &mut response).await?;
    Ok(response)
}

/// With whom this try is counted: with this browser's, if it signed in to the account before, else
/// with everybody's for the name.
async fn whom(site: &Site, headers: &HeaderMap, typed: &str) -> Result<Whom, Failure> {
    let everybody = Whom::name(typed);
    let Some(browser) = cookie::browser(headers).map(|token| token.fingerprint()) else {
        return Ok(everybody);
    };
    let Ok(name) = AccountName::new(typed.trim()) else {
        return Ok(everybody);
    };
    let at = site.now().stamp;
    let known = site
        .store
        .read(move |c| known_browsers::knows(c, &name, &browser, at));
    Ok(if known.await? {
        Whom::browser(&browser, typed)
    } else {
        everybody
    })
}

/// What the next try costs, if anything.
fn puzzle(site: &Site, whom: &Whom) -> Option<Puzzle> {
    let now = site.now().moment;
    let tries = site.throttle(|throttle| throttle.pressure(whom, now))?;
    let nonce = site.random();
    Some(site.puzzles(|puzzles| puzzles.give(whom, tries, now, nonce)))
}

/// An answer that asks for a pause.
pub(super) fn too_many(mut response: Response, seconds: u64) -> Response {
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The account with this name and password, if it may sign in. Wrong ones go on record. A name
/// that nobody has, a wrong password and a disabled account take the same steps and the same time.
async fn check(
    site: &Site,
    peer: PeerAddress,
    name: &str,
    password: String,
) -> Result<Option<Account>, Failure> {
    let name = AccountName::new(name.trim()).ok();
    let asked = name.clone();
    let found = site
        .store
        .read(move |c| match asked {
            Some(name) => accounts::by_name(c, &name),
            None => Ok(None),
        })
        .await?;
    let (account, stored) = found.unzip();
    let matches = site.password_matches(password, stored).await?;
    if let Some(account) = account.clone().filter(|a| matches && !a.disabled) {
        return Ok(Some(account));
    }
    let at = site.now().stamp;
    let name = account.map(|account| account.name);
    let event = Event::SignInFailed {
        name,
        address: peer,
    };
    let actor = Actor::Visitor { address: peer };
    let recorded = site
        .store
        .write(move |tx| audit::append(tx, at, &actor, &event));
    recorded.await?;
    Ok(None)
}

/// Opens a sign-in under a new token, closes the one the browser had, remembers the browser, and
/// puts its cookies on the answer.
pub(super) async fn open(
    site: &Site,
    account: &Account,
    address: PeerAddress,
    headers: &HeaderMap,
    response: &mut Response,
) -> Result<(), Failure> {
    let token = Token::from_random(site.random());
    let csrf = Token::from_random(site.random());
    let old = cookie::token(headers).map(|old| old.fingerprint());
    let (brought, new) = (cookie::browser(headers), Token::from_random(site.random()));
    let (fingerprint, id, at) = (token.fingerprint(), account.id, site.now().stamp);
    let actor = Actor::account(account);
    let event = Event::SignedIn {
        account: id,
        name: account.name.clone(),
        address,
    };
    let opened = site.store.write(move |tx| {
        // It may have been disabled while the password was being checked.
        let still = accounts::by_id(tx, id)?.filter(|(account, _)| !account.disabled);
        still.ok_or(StoreError::NoSuchAccount { id })?;
        if let Some(old) = old {
            sign_ins::close(tx, &old)?;
        }
        sign_ins::sweep(tx, at)?;
        sign_ins::open(tx, &fingerprint, id, &csrf, at)?;
        audit::append(tx, at, &actor, &event)?;
        remember(tx, id, brought, new, at)
    });
    let browser = opened.await?;
    cookie::set(response.headers_mut(), cookie::keep(&token));
    cookie::set(response.headers_mut(), cookie::keep_browser(&browser));
    Ok(())
}

/// Remembers the browser by the token it brought, if that is one of ours, so that everybody who
/// shares it stays known; else by a new one.
fn remember(
    tx: &Transaction<'_>,
    account: AccountId,
    brought: Option<Token>,
    new: Token,
    at: Stamp,
) -> Result<Token, StoreError> {
    known_browsers::sweep(tx, at)?;
    let known = |token: &Token| known_browsers::is_known(tx, &token.fingerprint(), at);
    let browser = match brought {
        Some(token) if known(&token)? => token,
        _ => new,
    };
    known_browsers::remember(tx, account, &browser.fingerprint(), at)?;
    Ok(browser)
}

/// `next` if it is one of our own pages, else the door's home.
pub(super) fn target(door: Door, account: &Account, next: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let ours = next.starts_with("/login/") && next.chars().all(plain) && !next.contains("//");
    // Signing out needs its form; leading there would only be refused.
    if ours && next != "/login/sign-out" {
        next.to_owned()
    } else {
        door.home(account).to_owned()
    }
}

#[derive(Deserialize)]
pub(crate) struct Nothing {}

/// `POST /login/sign-out`.
pub(crate) async fn sign_out(
    State(site): State<Arc<Site>>,
    form: SignedForm<Nothing>,
) -> Result<Response, Failure> {
    close(&site, &form.who).await?;
    Ok(gone(Redirect::to("/login?signed_out=1").into_response()))
}

/// `POST /console/sign-out`, by the console's script.
pub(crate) async fn sign_out_console(
    State(site): State<Arc<Site>>,
    who: SignedIn,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    check_header(&who, &headers)?;
    close(&site, &who).await?;
    Ok(gone(StatusCode::NO_CONTENT.into_response()))
}

/// A script's call carries the sign-in's token in a header.
pub(crate) fn check_header(who: &SignedIn, headers: &HeaderMap) -> Result<(), Failure> {
    let token = headers.get("x-csrf-token").and_then(|v| v.to_str().ok());
    who.check(token.unwrap_or_default())
}

fn gone(mut response: Response) -> Response {
    cookie::set(response.headers_mut(), cookie::drop_it());
    response
}

async fn close(site: &Site, who: &SignedIn) -> Result<(), Failure> {
    let (sign_in, at) = (who.sign_in, site.now().stamp);
    let actor = Actor::account(&who.account);
    let event = Event::SignedOut {
        account: who.account.id,
        name: who.account.name.clone(),
    };
    let closed = site.store.write(move |tx: &Transaction<'_>| {
        sign_ins::close(tx, &sign_in)?;
        audit::append(tx, at, &actor, &event)
    });
    closed.await?;
    close_consoles(site, who.account.id, Some(sign_in)).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DisplayName;

    #[test]
    fn a_sign_in_leads_only_to_our_own_pages() {
        let account = Account {
            id: AccountId(1),
            name: AccountName::new("ana").unwrap(),
            display_name: DisplayName::new("Ana").unwrap(),
            administrator: true,
            representative: false,
            disabled: false,
        };
        let report = "/login/reports/0123456789abcdef";
        assert_eq!(target(Door::Login, &account, report), report);
        for bad in [
            "",
            "https://evil.example/",
            "//evil.example",
            "/login//evil.example",
            "/\\evil.example",
            "/login/..%2f",
            "/login/?a=b",
            "/login/sign-out",
            "/login/\r\nset-cookie",
        ] {
            assert_eq!(target(Door::Login, &account, bad), "/login/status", "{bad}");
        }
    }
}
