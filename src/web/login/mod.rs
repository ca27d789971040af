//! The administrator's pages below `/login`, and signing in and out.
//!
//! One sign-in serves `/login` and `/console`, according to the account's rights. Start at
//! [`sign_in`]. Not here: Status ([`crate::web::status`]) and Reports ([`crate::web::reports`]).

pub(crate) mod account;
pub(crate) mod news;
pub(crate) mod representative;
pub(crate) mod representatives;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod updates;

use crate::control::{Reply, Request};
use crate::domain::password::{BadPassword, Password};
use crate::domain::token::Fingerprint;
use crate::domain::{Account, AccountId};
use crate::web::site::Site;
use crate::web::view::Field;

/// What an account may do, as a list.
fn rights(account: &Account) -> &'static str {
    match (account.administrator, account.representative) {
        (true, true) => "Administer this appliance, support customers",
        (true, false) => "Administer this appliance",
        (false, true) => "Support customers",
        (false, false) => "Nothing yet",
    }
}

/// A new password, typed twice. What is wrong goes into the fields.
fn new_password(typed: &str, repeated: &str) -> Result<Password, (Field, Field)> {
    let (mut password, mut again) = (Field::default(), Field::default());
    match Password::new(typed) {
        Ok(new) if typed == repeated => return Ok(new),
        Ok(_) => again.refuse("the two passwords differ"),
        Err(why @ (BadPassword::TooShort { .. } | BadPassword::TooLong { .. })) => {
            password.refuse(why);
        }
    }
    Err((password, again))
}

/// Tells the relay to close consoles: those of one sign-in, or all of an account's. Returns
/// whether it did; the store has been told already, so nobody gets a new ticket.
async fn close_consoles(site: &Site, account: AccountId, sign_in: Option<Fingerprint>) -> bool {
    let request = Request::SignOut { account, sign_in };
    match site.ask(&request).await {
        Ok(Reply::Done) => true,
        Ok(_) => false,
        Err(error) => {
            tracing::warn!(event = "sign_out_not_passed_on", account = account.0, %error);
            false
        }
    }
}
