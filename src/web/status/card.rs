//! What is, in cards of facts.

use super::{Known, machine};
use crate::domain::Stamp;
use crate::domain::limits::{ACCOUNTS_MAX, SESSIONS_MAX};
use crate::metrics::Snapshot;
use crate::web::format::{self, When};
use crate::web::site::Site;

/// Facts that belong together.
pub(super) struct Card {
    /// Heading.
    pub(super) title: &'static str,
    /// Takes the whole row.
    pub(super) wide: bool,
    /// In order.
    pub(super) facts: Vec<Fact>,
}

/// A name and its value.
pub(super) struct Fact {
    pub(super) title: &'static str,
    pub(super) value: Value,
    pub(super) mono: bool,
    /// Where it can be changed or looked into; empty if nowhere.
    pub(super) link: &'static str,
}

/// How a value is shown.
pub(super) enum Value {
    /// As it is.
    Words(String),
    /// With the whole truth on hover.
    Time(When),
    /// Good or not, in colour and words.
    Badge(&'static str, &'static str),
    /// Against a limit.
    Bar(Bar),
}

/// So much of so much.
pub(super) struct Bar {
    /// "3 of 1,000".
    pub(super) words: String,
    /// Now.
    pub(super) value: u64,
    /// From here on it is a lot.
    pub(super) high: u64,
    /// The limit.
    pub(super) most: u64,
}

pub(super) fn words(title: &'static str, value: impl Into<String>) -> Fact {
    Fact {
        title,
        value: Value::Words(value.into()),
        mono: false,
        link: "",
    }
}

fn linked(link: &'static str, fact: Fact) -> Fact {
    Fact { link, ..fact }
}

pub(super) fn mono(title: &'static str, value: impl Into<String>) -> Fact {
    Fact {
        mono: true,
        ..words(title, value)
    }
}

fn number(title: &'static str, value: u64) -> Fact {
    words(title, format::count(value))
}

fn bar(title: &'static str, value: u64, most: u64) -> Fact {
    let words = format!("{} of {}", format::count(value), format::count(most));
    let high = most - most / 10;
    Fact {
        title,
        value: Value::Bar(Bar {
            words,
            value,
            high,
            most,
        }),
        mono: false,
        link: "",
    }
}

pub(super) fn badge(title: &'static str, level: &'static str, words: &'static str) -> Fact {
    Fact {
        title,
        value: Value::Badge(level, words),
        mono: false,
        link: "",
    }
}

fn yes_or_no(title: &'static str, is_yes: bool) -> Fact {
    if is_yes {
        badge(title, "good", "Yes")
    } else {
        badge(title, "warn", "No")
    }
}

pub(super) fn time(title: &'static str, when: When) -> Fact {
    Fact {
        title,
        value: Value::Time(when),
        mono: false,
        link: "",
    }
}

pub(super) fn card(title: &'static str, facts: Vec<Fact>) -> Card {
    Card {
        title,
        wide: false,
        facts,
    }
}

/// Every card that there are figures for.
pub(super) fn all(site: &Site, known: &Known, now: Stamp) -> Vec<Card> {
    let snapshot = known.snapshot.as_ref();
    let mut cards = vec![appliance(site, known, now)];
    if let Some(facts) = &known.machine {
        cards.extend(machine::cards(facts, |at| When::new(at, now, &site.zone)));
    }
    if let Some(snapshot) = snapshot {
        cards.push(capacity(snapshot, known));
        cards.push(admission(snapshot));
        cards.push(connections(snapshot));
        cards.push(sessions(snapshot));
    }
    cards.push(storage(known));
    if let Some(snapshot) = snapshot {
        cards.push(sandbox(snapshot));
        cards.push(Card {
            wide: true,
            ..card(
                "Certificate and link key",
                vec![
                    mono(
                        "Certificate that browsers see, SHA-256",
                        snapshot.certificate.to_string(),
                    ),
                    mono(
                        "Link key that customer clients trust, SHA-256",
                        snapshot.link_key.to_string(),
                    ),
                ],
            )
        });
    }
    cards
}

fn appliance(site: &Site, known: &Known, now: Stamp) -> Card {
    let snapshot = known.snapshot.as_ref();
    let mut facts = vec![words("Site", site.config.authority())];
    // Where there is a machine, its own cards say it better.
    if known.machine.is_none() {
        let model = snapshot.map_or(site.config.model, |snapshot| snapshot.model);
        facts.push(words("Model", model.to_string()));
        facts.push(words("Version", env!("CARGO_PKG_VERSION")));
    }
    if let Some(snapshot) = snapshot {
        let started = When::new(snapshot.started, now, &site.zone);
        facts.push(words("Uptime", format::seconds(snapshot.uptime_seconds)));
        facts.push(time("Started", started));
        facts.push(number("Relay threads", snapshot.threads.into()));
    }
    card("Appliance", facts)
}

fn capacity(snapshot: &Snapshot, known: &Known) -> Card {
    let open = snapshot.sessions.waiting + snapshot.sessions.running;
    let (active, passive) = (
        snapshot.active_jump_clients_max,
        snapshot.passive_jump_clients_max,
    );
    card(
        "Capacity",
        vec![
            linked("/login/reports", bar("Sessions", open, SESSIONS_MAX as u64)),
            bar(
                "Active Jump Clients",
                snapshot.jump_clients.active.into(),
                active.into(),
            ),
            // None can be installed so far; the limit is the model's already.
            bar("Passive Jump Clients", 0, passive.into()),
            linked(
                "/login/representatives",
                bar("Accounts", known.accounts, ACCOUNTS_MAX as u64),
            ),
        ],
    )
}

fn connections(snapshot: &Snapshot) -> Card {
    let open = &snapshot.connections;
    card(
        "Connections",
        vec![
            number("Consoles", open.consoles),
            number("Customer clients", open.customer_clients),
            number("Click-to-chat", open.chats),
            number("Pages", open.pages),
            number("Arriving", open.arriving),
            number("Accepted in all", open.accepted_in_all),
            number("Faulty in all", open.closed_for_fault_in_all),
        ],
    )
}

/// Who comes back after a restart or an outage (GX-14).
fn admission(snapshot: &Snapshot) -> Card {
    let fleet = &snapshot.jump_clients;
    let rate = match fleet.admission_rate.limit() {
        Some(rate) => format!("{rate} a second"),
        None => "as many as come".to_owned(),
    };
    let until = if fleet.waiting == 0 {
        "nobody is waiting".to_owned()
    } else {
        format!("in {}", format::seconds(fleet.done_in_seconds))
    };
    card(
        "Jump Clients",
        vec![
            number("Installed", fleet.known),
            number("Connected", fleet.active.into()),
            words("Let in", rate),
            number("Waiting for their turn", fleet.waiting),
            words("All back", until),
        ],
    )
}

fn sessions(snapshot: &Snapshot) -> Card {
    let (sessions, keys) = (snapshot.sessions, snapshot.keys);
    card(
        "Sessions and keys",
        vec![
            number("Waiting", sessions.waiting),
            number("Running", sessions.running),
            number("Unused keys", keys.unused),
            words(
                "New keys",
                crate::web::words::plural(keys.digits.into(), "digit", "digits"),
            ),
            words(
                "Wrong keys",
                format!("{} in ten minutes", keys.wrong_lately),
            ),
        ],
    )
}

fn storage(known: &Known) -> Card {
    let mut facts = vec![words("Store", format::size(known.store_bytes))];
    if let Some(free) = known.free_bytes {
        facts.push(words("Free on its disk", format::size(free)));
    }
    card("Storage", facts)
}

fn sandbox(snapshot: &Snapshot) -> Card {
    let sandbox = snapshot.sandbox;
    card(
        "Sandbox of the relay",
        vec![
            yes_or_no("User of its own", sandbox.own_user),
            yes_or_no("Calls filtered", sandbox.seccomp),
            yes_or_no("Files restricted", sandbox.landlock),
        ],
    )
}
