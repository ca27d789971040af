//! What happens to versions of the system, as rows of the audit record.

use crate::audit::{self, Actor};
use crate::control::update::{Happened, Way, What};
use crate::domain::text::label;
use crate::store::{Database, StoreError, accounts};

/// Appends what happened, in the name of whoever wanted it.
pub(super) fn append(store: &mut Database, happened: &Happened) -> Result<(), StoreError> {
    let who = &happened.who;
    let event = audit::Event::Update {
        what: label(what(happened.what)),
        version: happened.version.as_ref().map(|version| label(version)),
        from: label(&happened.from),
        way: label(way(who.way)),
        address: who.address,
        manifest: happened.manifest,
        keys: happened.keys.clone(),
        why: happened.why.clone(),
    };
    store.write(|tx| {
        let account = match &who.account {
            Some(name) => accounts::by_name(tx, name)?.map(|(account, _)| account),
            None => None,
        };
        let actor = match (account, who.way) {
            (Some(account), _) => Actor::account(&account),
            (None, Way::CommandLine | Way::Stick | Way::Console) => Actor::CommandLine,
            (None, Way::Page | Way::Schedule) => Actor::Appliance,
        };
        audit::append(tx, happened.at, &actor, &event)
    })
}

/// Stored for ever, so written here and not derived.
fn what(what: What) -> &'static str {
    match what {
        What::Refused => "refused",
        What::Began => "began",
        What::Stopped => "stopped",
        What::Ready => "ready",
        What::Restarted => "restarted",
        What::Proved => "proved",
        What::WentBack => "went_back",
        What::Set => "set",
    }
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Page => "page",
        Way::CommandLine => "command_line",
        Way::Stick => "stick",
        Way::Console => "console",
        Way::Schedule => "schedule",
    }
}
