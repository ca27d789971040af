//! What a running relay answers.

use serde::{Deserialize, Serialize};

use crate::domain::turned::TurnedReason;
use crate::domain::{Account, Label, Stamp, Text, Token};
use crate::metrics::Snapshot;

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// It is done and on record.
    Done,
    /// To [`super::Request::Status`].
    Status(Box<Snapshot>),
    /// The key is good, and still unused.
    KeyFound {
        /// Whose session it starts.
        representative: Label,
        /// Token of the unique URL: the pages that follow carry this instead of the digits.
        ak: Token,
        /// When it stops starting sessions.
        expires: Stamp,
    },
    /// The key or ticket is not given.
    Turned(TurnedReason),
    /// A ticket, good once and for [`crate::domain::limits::TICKET_WITHIN`].
    Ticket {
        /// For `/link?ticket=…`.
        ticket: Token,
    },
    /// A new session key.
    Key {
        /// To read out.
        key: Text<16>,
        /// For the unique URL.
        ak: Token,
        /// The unique URL, at the site's configured address.
        url: String,
        /// When it stops starting sessions.
        expires: Stamp,
    },
    /// What lets machines become Jump Clients.
    Deployment {
        /// Each of them brings it.
        token: Token,
        /// Until when.
        expires: Stamp,
    },
    /// An account as it is now.
    Account(Account),
    /// What lets its two ends in, once each and for
    /// [`crate::domain::limits::LOOP_BACK_WITHIN`].
    LoopBack {
        /// The session key of the end that comes as a customer client.
        customer: Token,
        /// The ticket of the one that comes as a console.
        console: Token,
    },
    /// The copy is on the disk.
    BackedUp {
        /// How long it is.
        bytes: u64,
    },
    /// Not done; the words are for the administrator.
    Refused {
        /// What was wrong and what is allowed.
        why: String,
    },
}
