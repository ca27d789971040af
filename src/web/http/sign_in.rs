//! Who is asking: the account behind a request's cookie, and forms that act for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cookie;
use super::envelope::is_for_scripts;
use super::failure::Failure;
use crate::domain::limits::HTTP_BODY_BYTES_MAX;
use crate::domain::token::Fingerprint;
use crate::domain::{Account, PeerAddress, Token};
use crate::store::sign_ins;
use crate::web::site::Site;

/// How often a request is written down as a sign of life.
const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// The account that a request acts for.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    /// Never disabled.
    pub(crate) account: Account,
    /// Of the cookie: names this browser's sign-in.
    pub(crate) sign_in: Fingerprint,
    /// What its forms carry.
    pub(crate) csrf: Token,
}

impl SignedIn {
    /// Looks the cookie up.
    pub(crate) async fn find(site: &Site, headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let Some(token) = cookie::token(headers) else {
            return Ok(None);
        };
        let (sign_in, at) = (token.fingerprint(), site.now().stamp);
        let found = site.store.read(move |c| sign_ins::find(c, &sign_in, at));
        let Some(found) = found.await? else {
            return Ok(None);
        };
        if at > found.seen.after(TOUCH_EVERY) {
            let touched = site
                .store
                .write(move |tx| sign_ins::touch(tx, &sign_in, at));
            touched.await?;
        }
        Ok(Some(Self {
            account: found.account,
            sign_in,
            csrf: found.csrf,
        }))
    }

    /// Refuses a form or call that does not carry this sign-in's token.
    pub(crate) fn check(&self, csrf: &str) -> Result<(), Failure> {
        let matches = csrf.parse::<Token>().is_ok_and(|token| token == self.csrf);
        matches.then_some(()).ok_or(Failure::Stale)
    }

    /// Refuses everybody but administrators.
    pub(crate) fn must_administrate(&self) -> Result<(), Failure> {
        let why = "Only administrators may open this page. If you should be one, ask whoever \
                   looks after the appliance.";
        let may = self.account.administrator;
        may.then_some(()).ok_or(Failure::NotAllowed(why))
    }
}

impl FromRequestParts<Arc<Site>> for SignedIn {
    type Rejection = Response;

    /// Sends whoever is not signed in to the form, and back here afterwards.
    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let found = Self::find(site, &parts.headers).await;
        let found = found.map_err(Failure::into_response)?;
        found.ok_or_else(|| signed_out(parts))
    }
}

fn signed_out(parts: &Parts) -> Response {
    let path = parts.uri.path();
    if is_for_scripts(path) {
        let body = Json(serde_json::json!({ "error": "signed_out" }));
        return (StatusCode::UNAUTHORIZED, body).into_response();
    }
    let form = if path.starts_with("/console") {
        "/console/sign-in".to_owned()
    } else if parts.method == axum::http::Method::GET {
        format!("/login?next={path}")
    } else {
        "/login".to_owned()
    };
    Redirect::to(&form).into_response()
}

/// An administrator. Others are told that the page is not for them.
#[derive(Clone, Debug)]
pub(crate) struct Administrator(pub SignedIn);

impl FromRequestParts<Arc<Site>> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let signed_in = SignedIn::from_request_parts(parts, site).await?;
        match signed_in.must_administrate() {
            Ok(()) => Ok(Self(signed_in)),
            Err(failure) => Err(failure.into_response()),
        }
    }
}

/// A form that acts for whoever is signed in: it carried the sign-in's token.
#[derive(Clone, Debug)]
pub(crate) struct SignedForm<T> {
    /// Who.
    pub(crate) who: SignedIn,
    /// What.
    pub(crate) form: T,
}

#[derive(Deserialize)]
struct Csrf {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned> FromRequest<Arc<Site>> for SignedForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let who = SignedIn::from_request_parts(&mut parts, site).await?;
        let body = to_bytes(body, HTTP_BODY_BYTES_MAX).await;
        let body =
            body.map_err(|_| Failure::Refused(StatusCode::PAYLOAD_TOO_LARGE).into_response())?;
        let again = |parts: Parts| Request::from_parts(parts, Body::from(body.clone()));
        let Csrf { csrf } = read(again(parts.clone())).await?;
        who.check(&csrf).map_err(Failure::into_response)?;
        let form = read(again(parts)).await?;
        Ok(Self { who, form })
    }
}

/// A form that acts for nobody yet: a session key, a sign-in, a set-up.
#[derive(Clone, Debug)]
pub(crate) struct OpenForm<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Site>> for OpenForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &Arc<Site>) -> Result<Self, Response> {
        read(request).await.map(Self)
    }
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Response> {
    match Form::<T>::from_request(request, &()).await {
        Ok(Form(form)) => Ok(form),
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Failure::Refused(refused.status()).into_response())
        }
        Err(refused) => Err(Failure::Bad(refused.body_text()).into_response()),
    }
}

/// Where a request comes from, as the relay saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub PeerAddress);

impl FromRequestParts<Arc<Site>> for Peer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, Failure> {
        let peer = parts.extensions.get::<PeerAddress>().copied();
        peer.map(Self)
            .ok_or_else(|| Failure::Internal("request without a preamble's address".into()))
    }
}
