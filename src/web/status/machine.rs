//! What the page says of the machine itself, on an appliance image.

use super::card::{Card, Fact, badge, card, mono, time, words};
use super::warning::Warning;
use crate::control::machine::{
    Backend, Channel, ClockSource, Facts, Health, Interface, NetworkFacts, Slot, SlotFacts, State,
};
use crate::domain::Stamp;
use crate::web::format::{self, count};
use crate::web::words::{self as said, plural};

/// What an administrator should know of the machine, worst first.
pub(super) fn warnings(facts: &Facts) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |level, title: &str, text: String| {
        warnings.push(Warning::new(level, title, text));
    };
    if facts.image.channel == Channel::Development {
        warn(
            "bad",
            "This is a development image, not a release.",
            "Anybody can make one like it, so nothing proves where this one comes from. Do not \
             support real customers with it; install a release."
                .to_owned(),
        );
    }
    if facts.boot.slot == Slot::Recovery {
        warn(
            "bad",
            "The recovery system runs.",
            "Neither slot A nor slot B could be started, so this is the version that the factory \
             put there. Data and settings are in place. Install a current version."
                .to_owned(),
        );
    }
    match &facts.health {
        Health::Failing { why } => warn(
            "bad",
            "A program keeps failing.",
            format!(
                "{} If this goes on, the machine restarts.",
                said::sentence(why)
            ),
        ),
        Health::Unconfirmed { why } => warn(
            "warn",
            "The boot loader does not know that this version is good.",
            format!(
                "{} After some restarts the other slot is started.",
                said::sentence(why)
            ),
        ),
        Health::Starting | Health::Serving | Health::Good => {}
    }
    if let Some(trouble) = &facts.storage.trouble {
        warn(
            "bad",
            "Something is wrong with the disk.",
            said::sentence(trouble),
        );
    }
    if let Some(trouble) = &facts.network.trouble {
        warn(
            "warn",
            "Something is wrong with the network.",
            said::sentence(trouble),
        );
    }
    for slot in &facts.boot.slots {
        if slot.state == State::Exhausted {
            warn(
                "warn",
                "A version failed to start.",
                format!(
                    "{} in slot {} was tried and given up; the appliance went on with another one.",
                    version(slot),
                    Slot::System(slot.system)
                ),
            );
        }
    }
    if let Some(why) = &facts.hardware.shortfall {
        warn(
            "warn",
            "This machine gets lower limits.",
            said::sentence(why),
        );
    }
    if facts.clock.source != ClockSource::Ntp {
        warn(
            "warn",
            "No time server has confirmed the clock.",
            "Times in reports may be wrong, and so may be the life of session keys. Name a time \
             server that can be reached in the network settings on the machine's own screen."
                .to_owned(),
        );
    }
    warnings
}

/// What is known, in cards.
pub(super) fn cards(facts: &Facts, when: impl Fn(Stamp) -> format::When) -> Vec<Card> {
    vec![
        hardware(facts),
        software(facts, &when),
        network(&facts.network),
        clock(facts, &when),
    ]
}

fn hardware(facts: &Facts) -> Card {
    let hardware = &facts.hardware;
    let mut model = vec![words("Model", hardware.model.to_string())];
    if let Some(why) = &hardware.shortfall {
        model.push(words("Because", said::sentence(why)));
    }
    let serial = hardware.serial.as_deref().unwrap_or(said::UNKNOWN);
    model.extend([
        mono("Serial number", serial),
        words("Product", or_unknown(&hardware.product)),
        words("Memory", format::size(hardware.memory_mib << 20)),
        words("In use", format::size(hardware.memory_used_mib << 20)),
        words("Cores", count(hardware.cores.into())),
        words("Disk", or_unknown(&facts.boot.disk)),
        match facts.boot.watchdogs {
            0 => badge("Watchdog", "warn", "None"),
            1 => badge("Watchdog", "good", "Armed"),
            _ => badge("Watchdogs", "good", "Armed"),
        },
    ]);
    card("Machine", model)
}

fn or_unknown(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { said::UNKNOWN } else { text }.to_owned()
}

fn software(facts: &Facts, when: &impl Fn(Stamp) -> format::When) -> Card {
    let image = &facts.image;
    let channel = match image.channel {
        Channel::Development => badge("Channel", "bad", "DEVELOPMENT"),
        Channel::Release => badge("Channel", "good", "Release"),
    };
    let running = match facts.boot.slot {
        Slot::System(system) => Slot::System(system).to_string(),
        Slot::Recovery => "Recovery".to_owned(),
    };
    let mut software = vec![
        words("Version", image.version.as_str()),
        channel,
        words("Running slot", running),
    ];
    for slot in &facts.boot.slots {
        let title = match slot.system.letter() {
            "a" => "Slot A",
            _ => "Slot B",
        };
        software.push(words(title, slot_words(slot)));
    }
    software.push(match &facts.health {
        Health::Starting => badge("Health", "live", "Starting"),
        Health::Serving => badge("Health", "live", "Proving itself"),
        Health::Good => badge("Health", "good", "Good"),
        Health::Unconfirmed { .. } => badge("Health", "warn", "Unconfirmed"),
        Health::Failing { .. } => badge("Health", "bad", "Failing"),
    });
    software.extend([
        time("Built", when(image.built)),
        mono("Commit", or_unknown(&image.commit)),
        words(
            "Made by",
            match image.backend {
                Some(Backend::Buildroot) => "Buildroot",
                Some(Backend::Debian) => "Debian packages",
                None => said::UNKNOWN,
            },
        ),
    ]);
    card("Software", software)
}

fn version(slot: &SlotFacts) -> String {
    slot.version.as_deref().map_or_else(
        || "A version".to_owned(),
        |version| format!("Version {version}"),
    )
}

fn slot_words(slot: &SlotFacts) -> String {
    let tries = |left: u8| plural(left.into(), "try left", "tries left");
    let state = match slot.state {
        State::Empty => return "Empty".to_owned(),
        State::OnTrial { tries_left } => format!("on trial, {}", tries(tries_left)),
        State::Good { .. } => "good".to_owned(),
        State::Untried { tries_left } => format!("not tried, {}", tries(tries_left)),
        State::Exhausted => "failed".to_owned(),
    };
    match &slot.version {
        Some(version) => format!("{version}, {state}"),
        None => state,
    }
}

fn network(network: &NetworkFacts) -> Card {
    let list = |items: Vec<String>| {
        if items.is_empty() {
            "none".to_owned()
        } else {
            items.join(", ")
        }
    };
    let texts = |items: &[std::net::IpAddr]| items.iter().map(ToString::to_string).collect();
    let used = network.used.as_ref().map_or("none", |used| used.as_str());
    let mut facts = vec![
        words("Interface", used),
        mono("Addresses", list(texts(&network.addresses))),
        mono("Gateway", list(texts(&network.gateways))),
        mono("Name servers", list(texts(&network.dns))),
        words(
            "Time servers",
            list(network.ntp.iter().map(ToString::to_string).collect()),
        ),
    ];
    if !network.interfaces.is_empty() {
        let all = network.interfaces.iter().map(interface).collect();
        facts.push(words("All interfaces", list(all)));
    }
    card("Network", facts)
}

fn interface(interface: &Interface) -> String {
    let link = if interface.has_link {
        "cable"
    } else {
        "no cable"
    };
    format!("{} {} ({link})", interface.name, interface.hardware_address)
}

fn clock(facts: &Facts, when: &impl Fn(Stamp) -> format::When) -> Card {
    let clock = facts.clock;
    let source = match clock.source {
        ClockSource::Ntp => badge("Source", "good", "Time server"),
        ClockSource::Hardware => badge("Source", "warn", "Machine's own clock"),
        ClockSource::Floor => badge("Source", "warn", "A guess"),
    };
    let confirmed: Fact = match clock.confirmed {
        Some(at) => time("Last confirmed", when(at)),
        None => words("Last confirmed", "never"),
    };
    card(
        "Time",
        vec![source, confirmed, time("Not before", when(clock.floor))],
    )
}

/// Beside the heading, so that nobody overlooks it.
pub(crate) fn mark(facts: Option<&Facts>) -> Option<&'static str> {
    let is_development = |facts: &Facts| facts.image.channel == Channel::Development;
    facts
        .is_some_and(is_development)
        .then_some("DEVELOPMENT IMAGE")
}
