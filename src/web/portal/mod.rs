//! The customer's pages: from a session key to a chat or a downloaded client.
//!
//! ```text
//! / ─POST /key─> /?ak=… ("Start a session with NAME?") ─> /start?ak=… ─> /download/linux or /chat
//! ```
//!
//! The relay decides whether a key is good and counts wrong ones; pages only word its answer. They
//! work without script, and say the same for a wrong, a used and an expired key.

mod chat;
mod download;
mod key;
mod start;

pub(crate) use chat::Ticket;
pub(crate) use chat::{page as chat, ticket};
pub(crate) use download::linux;
pub(crate) use key::{index, post as post_key};
pub(crate) use start::page as start;

use crate::control::{Reply, Request};
use crate::domain::turned::{KeyText, PuzzleAnswer, TurnedReason};
use crate::domain::{PeerAddress, Token};
use crate::web::http::Failure;
use crate::web::site::{Site, out_of_turn};

/// A key that starts a session.
#[derive(Clone, Debug)]
struct Found {
    /// Who will help.
    representative: String,
    /// Of the unique URL.
    ak: Token,
}

/// Why a key starts none, as pages say it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// Wrong, used or expired: deliberately one answer.
    Wrong,
    /// Too many wrong ones; seconds to wait.
    SlowDown(u32),
    /// No room for another session.
    Full,
    /// The browser has to compute something first.
    Puzzle {
        /// Hexadecimal digits.
        challenge: String,
        /// Leading zero bits.
        bits: u8,
    },
}

/// Asks the relay about a session key or the token of a unique URL.
async fn look_up(
    site: &Site,
    key: KeyText,
    address: PeerAddress,
    puzzle: Option<PuzzleAnswer>,
) -> Result<Result<Found, Problem>, Failure> {
    let request = Request::LookUpKey {
        key,
        address,
        puzzle,
    };
    match site.ask(&request).await? {
        Reply::KeyFound {
            representative, ak, ..
        } => Ok(Ok(Found {
            representative: representative.to_string(),
            ak,
        })),
        Reply::Turned(reason) => Ok(Err(problem(&reason))),
        other => Err(out_of_turn(&other)),
    }
}

/// The same for the `ak` of an address.
async fn look_up_link(
    site: &Site,
    ak: &str,
    address: PeerAddress,
) -> Result<Result<Found, Problem>, Failure> {
    // What has not a token's form was cut off while copying, and is no guess.
    let Ok(token) = ak.parse::<Token>() else {
        return Ok(Err(Problem::Wrong));
    };
    let Ok(key) = KeyText::try_from(token.reveal().as_str()) else {
        return Ok(Err(Problem::Wrong));
    };
    look_up(site, key, address, None).await
}

fn problem(reason: &TurnedReason) -> Problem {
    match reason {
        TurnedReason::SlowDown {
            retry_after_seconds,
        } => Problem::SlowDown((*retry_after_seconds).max(1)),
        TurnedReason::Puzzle { challenge, bits } => Problem::Puzzle {
            challenge: challenge.reveal(),
            bits: *bits,
        },
        TurnedReason::Full => Problem::Full,
        // The others answer questions that pages do not ask.
        TurnedReason::Key
        | TurnedReason::Version { .. }
        | TurnedReason::Session
        | TurnedReason::Ticket => Problem::Wrong,
    }
}
