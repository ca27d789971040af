//! What went wrong with a request, in two texts: plain for the visitor, whole for the log.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::control::wire::WireError;
use crate::store::StoreError;

/// Why a request has no page. Travels inside the answer to [`mod@super::envelope`], which knows the
/// request's number and renders it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing has this address.
    #[error("no such page")]
    NotFound,
    /// The address is right, the method is not.
    #[error("method not allowed")]
    Method,
    /// Another site's page sent it.
    #[error("sent by another site's page")]
    Foreign,
    /// The form was made for another sign-in.
    #[error("form without this sign-in's token")]
    Stale,
    /// Signed in, without the right to this.
    #[error("account without the right to it")]
    NotAllowed(&'static str),
    /// A change of accounts or settings, while this version has not proved itself.
    #[error("held until this version has proved itself")]
    Held,
    /// Not understood.
    #[error("bad request: {0}")]
    Bad(String),
    /// The framework's own refusals: too large, wrong type.
    #[error("refused with {0}")]
    Refused(StatusCode),
    /// `/link` on a connection that became a page connection: the relay serves it, and it decides
    /// once per connection.
    #[error("link asked for on a page connection")]
    Link,
    /// The relay does not answer its control socket.
    #[error("relay: {0}")]
    Relay(#[from] WireError),
    /// The relay answered something else than was asked.
    #[error("relay answered out of turn: {0}")]
    OutOfTurn(String),
    /// The store refused or failed.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// A file of ours.
    #[error("{what}: {error}")]
    File {
        /// Which.
        what: String,
        /// The system's word.
        error: std::io::Error,
    },
    /// Not done in time.
    #[error("no answer in time")]
    TooSlow,
    /// A fault in our own code.
    #[error("{0}")]
    Internal(String),
}

/// What the page says: what happened, what is safe, what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// Heading.
    pub(crate) title: &'static str,
    /// A sentence or two.
    pub(crate) text: &'static str,
}

impl Failure {
    /// Of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Foreign | Self::Stale | Self::NotAllowed(_) => StatusCode::FORBIDDEN,
            Self::Held => StatusCode::CONFLICT,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Refused(status) => *status,
            Self::Link => StatusCode::UPGRADE_REQUIRED,
            Self::Relay(_) | Self::Store(_) | Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
            Self::OutOfTurn(_) | Self::File { .. } | Self::Internal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// For a program that asked.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method => "method",
            Self::Foreign => "foreign",
            Self::Stale => "stale",
            Self::NotAllowed(_) => "not_allowed",
            Self::Held => "held",
            Self::Bad(_) | Self::Refused(_) => "bad_request",
            Self::Link => "upgrade",
            Self::Relay(_) | Self::Store(_) | Self::TooSlow => "unavailable",
            Self::OutOfTurn(_) | Self::File { .. } | Self::Internal(_) => "internal",
        }
    }

    /// For a person.
    pub(crate) fn words(&self) -> Words {
        let (title, text) = match self {
            Self::NotFound => (
                "There is no such page",
                "The address may be mistyped, or what it led to is gone. Nothing was changed.",
            ),
            Self::Method => (
                "This address cannot be used like that",
                "Please use the links and buttons of the pages. Nothing was changed.",
            ),
            Self::Foreign => (
                "This came from another site",
                "A page of another site tried to do something here in your name. It was refused \
                 and nothing was changed. If you wanted it, do it from our own page.",
            ),
            Self::Stale => (
                "This page was out of date",
                "You have signed in anew since it was opened. Nothing was changed. Go back, \
                 reload the page and try again.",
            ),
            Self::NotAllowed(why) => ("This is not for your account", *why),
            Self::Held => (
                "A new version is proving itself",
                "Changes are possible again in a few minutes. Nothing was changed, and sessions go \
                 on as always. Go back and try again then.",
            ),
            Self::Bad(_) | Self::Refused(_) => (
                "That could not be understood",
                "Something is missing from what your browser sent, or it is too long. Nothing \
                 was changed. Go back and try again.",
            ),
            Self::Link => (
                "This address is not for browsers",
                "Programs open a WebSocket here. Nothing is wrong with your session.",
            ),
            Self::Relay(_) | Self::OutOfTurn(_) => (
                "The appliance is busy starting",
                "The part of it that runs support sessions does not answer just now. Nothing was \
                 changed and nothing is lost. Please try again in a moment.",
            ),
            Self::Store(_) => (
                "This could not be saved or read",
                "The appliance cannot use its memory just now. Running sessions go on. Please \
                 try again in a moment; if it stays like this, tell whoever looks after the \
                 appliance.",
            ),
            Self::File { .. } => (
                "A file could not be read",
                "It should be on the appliance and is not, or is damaged. Everything else \
                 works. Please tell whoever looks after the appliance.",
            ),
            Self::TooSlow => (
                "This took too long",
                "The appliance is very busy. Please try again in a moment.",
            ),
            Self::Internal(_) => (
                "Something went wrong on our side",
                "It is not your fault. Running sessions go on. Please try again; if it happens \
                 again, tell whoever looks after the appliance.",
            ),
        };
        Words { title, text }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
