//! Reports > Support (RP-02, CS-02): the list, one session, and its shells' recordings.
//!
//! Administrators see every session, representatives their own. To anybody else a session's
//! address says the same as one that never existed.

mod list;
mod report;
mod shell;

pub(crate) use list::show as list;
pub(crate) use report::show as report;
pub(crate) use shell::show as shell;

use super::format;
use super::http::{Failure, SignedIn};
use super::site::Site;
use super::words;
use crate::domain::{Account, AccountId, SessionId, Stamp};
use crate::store::sessions::{self, SavedState, SessionSummary};

/// A session as both pages word it.
struct Row {
    id: String,
    customer: String,
    computer: String,
    representative: String,
    kind: &'static str,
    duration: String,
    end: &'static str,
    running: bool,
}

impl Row {
    fn new(session: &SessionSummary, now: Stamp) -> Self {
        let end = match (session.end_reason, session.state) {
            (Some(reason), _) => words::end_reason(reason),
            (None, SavedState::Waiting) => "Waiting",
            (None, SavedState::Accepted) => "In progress",
        };
        Self {
            id: session.id.to_string(),
            customer: or(&session.facts.customer, words::UNNAMED),
            computer: or(&session.facts.computer, "–"),
            representative: session.owner_name.to_string(),
            kind: words::kind(session.kind),
            duration: format::between(session.started, session.ended.unwrap_or(now)),
            end,
            running: session.end_reason.is_none(),
        }
    }
}

fn or(text: &str, instead: &str) -> String {
    if text.is_empty() { instead } else { text }.to_owned()
}

/// Whose sessions an account may see; everybody's if none.
fn owner(account: &Account) -> Option<AccountId> {
    (!account.administrator).then_some(account.id)
}

/// The session in an address, if the account may see it.
async fn find(site: &Site, who: &SignedIn, session: &str) -> Result<SessionSummary, Failure> {
    let id: SessionId = session.parse().map_err(|_| Failure::NotFound)?;
    let found = site.store.read(move |c| sessions::one(c, id)).await?;
    let visible =
        |session: &SessionSummary| owner(&who.account).is_none_or(|owner| owner == session.owner);
    found.filter(visible).ok_or(Failure::NotFound)
}
