//! What can be asked of a running relay.

use serde::{Deserialize, Serialize};

use super::update::Happened;
use crate::domain::token::Fingerprint;
use crate::domain::turned::{KeyText, PuzzleAnswer};
use crate::domain::{
    AccountId, AccountName, AdmissionRate, DisplayName, Label, PeerAddress, Secret, Stamp, Token,
};

/// One question or order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The figures of Status > Information. Answer: [`super::Reply::Status`].
    Status,
    /// A customer gave a session key or the token of a unique URL. Counts as a guess if wrong.
    /// Answer: [`super::Reply::KeyFound`] or [`super::Reply::Turned`].
    LookUpKey {
        /// As typed.
        key: KeyText,
        /// Who typed it.
        address: PeerAddress,
        /// If one was asked for.
        #[serde(default)]
        puzzle: Option<PuzzleAnswer>,
    },
    /// A ticket for one WebSocket. Answer: [`super::Reply::Ticket`] or [`super::Reply::Turned`].
    IssueTicket {
        /// Whose.
        holder: TicketHolder,
    },
    /// Somebody signed out, or was disabled: close the consoles opened under this sign-in, or all
    /// of the account's. Answer: [`super::Reply::Done`].
    SignOut {
        /// Whose.
        account: AccountId,
        /// Only this sign-in; all of them if absent.
        #[serde(default)]
        sign_in: Option<Fingerprint>,
    },
    /// Make a representative. Answer: [`super::Reply::Account`].
    CreateRepresentative {
        /// To sign in.
        name: AccountName,
        /// For customers; the name if absent.
        #[serde(default)]
        display_name: Option<DisplayName>,
        /// First password.
        password: Secret<String>,
    },
    /// Give an account a new password and sign it out everywhere. Answer:
    /// [`super::Reply::Account`].
    ResetPassword {
        /// Whose.
        name: AccountName,
        /// The new password.
        password: Secret<String>,
    },
    /// Put on record what happened to a version of the system. Answer: [`super::Reply::Done`] once it
    /// is there.
    RecordUpdate {
        /// What.
        happened: Box<Happened>,
    },
    /// Make a session key for a representative. Answer: [`super::Reply::Key`].
    CreateKey {
        /// Whose queue the customer will wait in.
        representative: AccountName,
        /// Its life; the appliance's default if absent.
        #[serde(default)]
        seconds: Option<u32>,
    },
    /// Let so many machines become Jump Clients. Answer: [`super::Reply::Deployment`].
    Deploy {
        /// How many.
        machines: u32,
        /// For how long.
        seconds: u64,
    },
    /// Let so many Jump Clients in each second. Answer: [`super::Reply::Done`].
    SetAdmissionRate {
        /// None is as many as come.
        rate: AdmissionRate,
    },
    /// Tell everybody who is connected when the appliance restarts for an update, or that it does not
    /// after all. Root only. Answer: [`super::Reply::Done`].
    Announce {
        /// When; none takes it back.
        restart: Option<Stamp>,
    },
    /// The slot has proved itself: its store is the one that counts from now on, and changes are
    /// possible again. Root only. Answer: [`super::Reply::Done`], also where there is no trial.
    Proven,
    /// Get ready to carry a session of the appliance with itself, which nobody sees and nothing is
    /// recorded of. Root only. Answer: [`super::Reply::LoopBack`].
    LoopBack,
    /// Put a copy of the store away, before an update. Root only. Answer:
    /// [`super::Reply::BackedUp`], within [`crate::domain::limits::BACK_UP_WITHIN`].
    BackUp {
        /// What it is called: letters, digits, dots, dashes, underscores.
        label: Label,
    },
}

/// Who a ticket lets in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "holder", rename_all = "snake_case", deny_unknown_fields)]
pub enum TicketHolder {
    /// A signed-in representative's console.
    Console {
        /// Whose.
        account: AccountId,
        /// As customers see it.
        name: Label,
        /// The sign-in that asked, so that signing out closes the console.
        sign_in: Fingerprint,
    },
    /// A customer's browser. With `ak` it starts that session (its hello then carries no key);
    /// without, it can only resume one by its own token.
    Customer {
        /// Of the unique URL.
        #[serde(default)]
        ak: Option<Token>,
    },
}
