//! What is known of the machine, for `appliancectl status`.

use super::outcome::rfc3339;
use crate::control::machine::{Channel, ClockSource, Facts, Health, Slot, SlotFacts, State};

/// Names and values, as the other figures have them.
pub(super) fn rows(facts: &Facts) -> Vec<(&'static str, String)> {
    let Facts {
        hardware, image, ..
    } = facts;
    let channel = match image.channel {
        Channel::Development => "DEVELOPMENT IMAGE, not for real customers",
        Channel::Release => "release",
    };
    let built = rfc3339(image.built);
    let mut rows = vec![
        (
            "Image",
            format!("{}, {channel}, built {built}", image.version),
        ),
        ("Serial number", known(hardware.serial.as_deref())),
        (
            "Machine",
            format!(
                "{} ({} MiB, {} cores)",
                known(Some(&hardware.product)),
                hardware.memory_mib,
                hardware.cores
            ),
        ),
    ];
    if let Some(why) = &hardware.shortfall {
        rows.push(("Lower limits", why.to_string()));
    }
    rows.extend([
        ("Running slot", facts.boot.slot.to_string()),
        (
            "Slots",
            facts
                .boot
                .slots
                .iter()
                .map(slot)
                .collect::<Vec<_>>()
                .join("; "),
        ),
        ("Health", health(&facts.health)),
        ("Addresses", addresses(facts)),
        ("Clock", clock(facts)),
    ]);
    let troubles = [
        facts.rescue.as_ref(),
        facts.storage.trouble.as_ref(),
        facts.network.trouble.as_ref(),
    ];
    let troubles = troubles.into_iter().flatten();
    rows.extend(troubles.map(|trouble| ("Trouble", trouble.to_string())));
    rows
}

fn known(text: Option<&str>) -> String {
    match text.map(str::trim) {
        None | Some("") => "unknown".to_owned(),
        Some(text) => text.to_owned(),
    }
}

fn slot(facts: &SlotFacts) -> String {
    let state = match facts.state {
        State::Empty => "empty".to_owned(),
        State::OnTrial { tries_left } => format!("on trial, {tries_left} left"),
        State::Good { .. } => "good".to_owned(),
        State::Untried { tries_left } => format!("not tried, {tries_left} left"),
        State::Exhausted => "failed".to_owned(),
    };
    let system = Slot::System(facts.system);
    match &facts.version {
        Some(version) => format!("{system} {version} ({state})"),
        None => format!("{system} {state}"),
    }
}

fn health(health: &Health) -> String {
    match health {
        Health::Starting => "starting".to_owned(),
        Health::Serving => "serving, proving itself".to_owned(),
        Health::Good => "good".to_owned(),
        Health::Unconfirmed { why } => format!("serving, unknown to the boot loader: {why}"),
        Health::Failing { why } => format!("FAILING: {why}"),
    }
}

fn addresses(facts: &Facts) -> String {
    let network = &facts.network;
    let addresses: Vec<_> = network.addresses.iter().map(ToString::to_string).collect();
    match (&network.used, addresses.is_empty()) {
        (_, true) => "none".to_owned(),
        (Some(used), false) => format!("{} on {used}", addresses.join(", ")),
        (None, false) => addresses.join(", "),
    }
}

fn clock(facts: &Facts) -> String {
    let source = match facts.clock.source {
        ClockSource::Ntp => "from a time server",
        ClockSource::Hardware => "the machine's own, not confirmed",
        ClockSource::Floor => "a guess: the machine's own was wrong",
    };
    match facts.clock.confirmed {
        Some(at) => format!("{source}; last confirmed {}", rfc3339(at)),
        None => source.to_owned(),
    }
}
