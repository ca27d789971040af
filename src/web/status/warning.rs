//! What an administrator should know before anything else.

use super::{Known, machine};
use crate::control::update::{Phase, Status};
use crate::domain::limits::{GUESSES_BEFORE_PUZZLE, SESSIONS_MAX};
use crate::metrics::Snapshot;
use crate::web::format;
use crate::web::login::updates::went_back;
use crate::web::words;

/// One thing that is wrong, or about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Warning {
    /// Class of the notice.
    pub(super) level: &'static str,
    /// What.
    pub(super) title: String,
    /// What it means and what to do.
    pub(super) text: String,
    /// Where to do it; empty if nowhere.
    pub(super) link: &'static str,
    /// What that is called.
    pub(super) link_title: &'static str,
}

impl Warning {
    pub(super) fn new(
        level: &'static str,
        title: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            level,
            title: title.into(),
            text: text.into(),
            link: "",
            link_title: "",
        }
    }
}

/// Below this a full disk is near: a day of recordings.
const FREE_BYTES_LOW: u64 = 1024 * 1024 * 1024;

/// Worst first.
pub(super) fn all(known: &Known) -> Vec<Warning> {
    let machine = known.machine.as_ref();
    let mut warnings = machine.map_or_else(Vec::new, machine::warnings);
    if let Some(status) = &known.updates {
        updates(status, &mut warnings);
    }
    match &known.snapshot {
        None => warnings.push(Warning::new(
            "bad",
            "The relay does not answer.",
            "It runs the support sessions and is started again by itself. Below is what is known \
             without it. If this stays for more than a minute, look into the relay's log.",
        )),
        Some(snapshot) => relay(snapshot, &mut warnings),
    }
    if known.free_bytes.is_some_and(|free| free < FREE_BYTES_LOW) {
        warnings.push(Warning::new(
            "bad",
            "The disk is almost full.",
            "Without room, sessions cannot be put on record and no new ones start. Make room on \
             the disk that holds the state directory.",
        ));
    }
    if !known.client_installed {
        warnings.push(Warning::new(
            "warn",
            "The customer client is not installed.",
            "Customers can only chat in their browser. Build the endpoint program and start the \
             appliance again.",
        ));
    }
    if known.representatives == 0 {
        warnings.push(Warning {
            link: "/login/representatives#new",
            link_title: "Create the first representative",
            ..Warning::new(
                "live",
                "Nobody can support customers yet.",
                "Representatives sign in to the console with an account of their own.",
            )
        });
    }
    warnings.sort_by_key(|warning| match warning.level {
        "bad" => 0,
        "warn" => 1,
        _ => 2,
    });
    warnings
}

/// Which version waits or proves itself, and what became of the last one.
fn updates(status: &Status, warnings: &mut Vec<Warning>) {
    let page = |level, title: &str, text| Warning {
        link: "/login/updates",
        link_title: "Updates",
        ..Warning::new(level, title, text)
    };
    if let Phase::Ready { .. } | Phase::Proving { .. } = status.phase
        && let Some((title, text)) = words::update::phase(&status.phase)
    {
        warnings.push(page("live", &format!("{title}."), text));
    }
    if let Some((title, text, _)) = went_back(status) {
        warnings.push(page("warn", &title, text));
    }
}

fn relay(snapshot: &Snapshot, warnings: &mut Vec<Warning>) {
    if snapshot.version != env!("CARGO_PKG_VERSION") {
        warnings.push(Warning::new(
            "warn",
            "The programs have different versions.",
            format!(
                "The relay is {}, these pages are {}. Start the appliance again to finish the \
                 update.",
                snapshot.version,
                env!("CARGO_PKG_VERSION")
            ),
        ));
    }
    if snapshot.keys.wrong_lately >= GUESSES_BEFORE_PUZZLE {
        warnings.push(Warning::new(
            "warn",
            "Somebody is guessing session keys.",
            format!(
                "{} wrong keys were typed within ten minutes. New keys have {} digits and browsers \
                 must compute a puzzle while this goes on; links work as always.",
                snapshot.keys.wrong_lately, snapshot.keys.digits
            ),
        ));
    }
    let open = snapshot.sessions.waiting + snapshot.sessions.running;
    if open * 10 >= SESSIONS_MAX as u64 * 9 {
        warnings.push(Warning::new(
            "warn",
            "The appliance is almost full.",
            format!("{open} of {SESSIONS_MAX} sessions are open. Beyond that, none start."),
        ));
    }
    let (active, most) = (
        u64::from(snapshot.jump_clients.active),
        u64::from(snapshot.active_jump_clients_max),
    );
    if active * 10 >= most * 9 {
        warnings.push(Warning::new(
            "warn",
            "Almost all Jump Clients that this appliance may have are connected.",
            format!(
                "{} of {} are; beyond that, further ones are turned away. Make some of them \
                 passive, or move to a larger model. Customers and representatives always get in.",
                format::count(active),
                format::count(most)
            ),
        ));
    }
    if snapshot.jump_clients.waiting > 0 {
        warnings.push(Warning::new(
            "live",
            "Jump Clients are coming back.",
            format!(
                "{} wait for their turn; all of them are back in {}.",
                format::count(snapshot.jump_clients.waiting),
                format::seconds(snapshot.jump_clients.done_in_seconds)
            ),
        ));
    }
    let sandbox = snapshot.sandbox;
    let open_doors: Vec<&str> = [
        (sandbox.own_user, "it runs under another program's user"),
        (sandbox.seccomp, "its system calls are not filtered"),
        (sandbox.landlock, "files outside its folders are in reach"),
    ]
    .into_iter()
    .filter_map(|(locked, open)| (!locked).then_some(open))
    .collect();
    if !open_doors.is_empty() {
        warnings.push(Warning::new(
            "warn",
            "The relay is not fully locked in:",
            format!(
                "{}. On a developer's machine that is expected; elsewhere start the appliance as \
                 root on a current kernel.",
                open_doors.join(", ")
            ),
        ));
    }
}
