//! What is said about a machine.

use std::net::IpAddr;

use jiff::Timestamp;

use super::super::world::World;
use super::{network, plural, sentence, stopped};
use crate::control::machine::{
    Backend, ClockSource, Facts, Health, NetworkFacts, Slot, SlotFacts, State,
};
use crate::domain::Stamp;
use crate::domain::network::InterfaceName;

/// Date and time in UTC, the same in every language.
pub(super) fn time(stamp: Stamp) -> String {
    let at = Timestamp::from_millisecond(stamp.0).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Digits in groups of three.
fn count(number: u32) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", count(number / 1_000), number % 1_000),
    }
}

/// Whose limits apply.
pub(in super::super) fn model(facts: &Facts) -> String {
    let model = facts.hardware.model;
    let most = count(model.active_jump_clients_max());
    format!("{model}, up to {most} active Jump Clients")
}

/// What runs, and from where.
pub(in super::super) fn version(facts: &Facts) -> String {
    let image = &facts.image;
    let from = match facts.boot.slot {
        Slot::System(system) => format!("slot {}", Slot::System(system)),
        Slot::Recovery => "RECOVERY, because neither slot A nor slot B could be started".to_owned(),
    };
    format!("{} ({}), {from}", image.version, image.channel)
}

/// How it does.
pub(in super::super) fn health(world: &World, facts: &Facts) -> String {
    let sessions = world.sessions.map_or_else(String::new, |sessions| {
        let running = plural(sessions.running, "session runs", "sessions run");
        let waiting = plural(sessions.waiting, "customer waits", "customers wait");
        format!(" {running}, {waiting}.")
    });
    match &facts.health {
        Health::Starting => "Starting: not all programs serve yet.".to_owned(),
        Health::Serving => {
            format!("Serving; this version is still proving itself.{sessions}")
        }
        Health::Good => format!("Serving.{sessions}"),
        Health::Unconfirmed { why } => format!(
            "Serving.{sessions} The boot loader could not be told that this version is good: {}",
            stopped(why)
        ),
        Health::Failing { why } => format!(
            "FAILING: {} If this goes on, the machine restarts, in the end into the other version.",
            stopped(why)
        ),
    }
}

/// What is worth saying of the clock: nothing if a time server agrees.
pub(in super::super) fn doubtful_clock(facts: &Facts, now: Stamp) -> Option<String> {
    let now = time(now);
    match facts.clock.source {
        ClockSource::Ntp => None,
        ClockSource::Hardware => Some(format!("{now}, not confirmed by a time server")),
        ClockSource::Floor => Some(format!(
            "{now}, a guess: the machine's clock was wrong and no time server has answered yet"
        )),
    }
}

/// Whether other networks can reach it.
fn is_far_reaching(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback(),
    }
}

/// The interface in use with its addresses; `None` if it has none that anybody could type.
pub(in super::super) fn addresses(network: &NetworkFacts) -> Option<String> {
    let addresses: Vec<String> = network
        .addresses
        .iter()
        .filter(|address| is_far_reaching(address))
        .map(ToString::to_string)
        .collect();
    let addresses = (!addresses.is_empty()).then(|| addresses.join(", "))?;
    Some(match &network.used {
        Some(used) => format!("{used}: {addresses}"),
        None => addresses,
    })
}

/// What to do without an address, if the supervisor does not know better.
pub(in super::super) fn no_address(network: &NetworkFacts) -> String {
    let interfaces = &network.interfaces;
    if interfaces.is_empty() {
        return "NO NETWORK INTERFACE was found in this machine. Without one nobody can reach it."
            .to_owned();
    }
    let names: Vec<&str> = interfaces.iter().map(|i| i.name.as_str()).collect();
    let names = names.join(", ");
    if interfaces.iter().all(|interface| !interface.has_link) {
        return format!(
            "NO CABLE: there is no link on {names}. Plug in a network cable; this screen changes \
             by itself."
        );
    }
    "NO ADDRESS: no DHCP server has answered yet. Choose 1 to set a fixed address, or switch on \
     DHCP in this network."
        .to_owned()
}

/// What is chosen but not there.
pub(in super::super) fn missing_interface(name: &InterfaceName) -> String {
    format!("{name} (not in this machine now)")
}

fn slot(slot: &SlotFacts, running: Slot) -> String {
    let tries = |left: u8| plural(left.into(), "try left", "tries left");
    let state = match slot.state {
        State::Empty => "empty".to_owned(),
        State::OnTrial { tries_left } => format!("on trial, {}", tries(tries_left)),
        State::Good { tries_left } => format!("good, {}", tries(tries_left)),
        State::Untried { tries_left } => format!("not tried, {}", tries(tries_left)),
        State::Exhausted => "failed: no tries left".to_owned(),
    };
    let runs = if running == Slot::System(slot.system) {
        "RUNS, "
    } else {
        ""
    };
    match &slot.version {
        Some(version) => format!("{version}, {runs}{state}"),
        None => format!("{runs}{state}"),
    }
}

/// Both places for a version.
pub(super) fn slot_lines(facts: &Facts) -> impl Iterator<Item = (&'static str, String)> {
    facts.boot.slots.iter().map(|shown| {
        let name = match Slot::System(shown.system).letter() {
            "a" => "Slot A",
            _ => "Slot B",
        };
        (name, slot(shown, facts.boot.slot))
    })
}

/// Everything, as names and values; lines without a name belong to the one before.
pub(in super::super) fn details(world: &World) -> Vec<(&'static str, String)> {
    let Some(facts) = &world.facts else {
        return vec![(super::STATE, super::not_heard_yet(world))];
    };
    let mut lines = vec![(super::MODEL, model(facts))];
    let Facts {
        hardware,
        image,
        boot,
        network,
        clock,
        storage,
        ..
    } = &**facts;
    if let Some(why) = &hardware.shortfall {
        lines.push(("", sentence(why)));
    }
    let serial = world.serial().unwrap_or(super::NO_SERIAL_NUMBER);
    let or_unknown = |text: &str| match text {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    };
    lines.extend([
        ("Product", or_unknown(&hardware.product)),
        (super::SERIAL_NUMBER, serial.to_owned()),
        (
            "Size",
            format!(
                "{} MiB of memory, {} in use; {}",
                hardware.memory_mib,
                hardware.memory_used_mib,
                plural(hardware.cores.into(), "core", "cores")
            ),
        ),
        ("", String::new()),
        (super::VERSION, version(facts)),
        ("Built", time(image.built)),
        ("Commit", or_unknown(&image.commit)),
        (
            "Made by",
            match image.backend {
                Some(Backend::Buildroot) => "Buildroot".to_owned(),
                Some(Backend::Debian) => "Debian packages, for development".to_owned(),
                None => "unknown".to_owned(),
            },
        ),
        (super::DISK, boot.disk.to_string()),
        (
            "Data",
            match storage.bytes {
                0 => "unknown".to_owned(),
                bytes => format!(
                    "{} free of {}",
                    super::size(storage.free_bytes),
                    super::size(bytes)
                ),
            },
        ),
    ]);
    if let Some(trouble) = &storage.trouble {
        lines.push(("", sentence(trouble)));
    }
    lines.extend(slot_lines(facts));
    lines.push((
        "Watchdog",
        match boot.watchdogs {
            0 => "NONE: a machine that hangs has to be restarted by hand".to_owned(),
            1 => "armed".to_owned(),
            watchdogs => format!("{watchdogs} armed"),
        },
    ));
    lines.push(("", String::new()));
    network_details(network, &mut lines);
    lines.extend([
        ("", String::new()),
        (super::CLOCK, time(world.now.stamp)),
        (
            "",
            match clock.source {
                ClockSource::Ntp => "from a time server",
                ClockSource::Hardware => "from the machine's own clock, not confirmed",
                ClockSource::Floor => "a guess: the machine's own clock was wrong",
            }
            .to_owned(),
        ),
        (
            "Confirmed",
            clock.confirmed.map_or_else(|| "never".to_owned(), time),
        ),
        ("Not before", time(clock.floor)),
    ]);
    lines
}

fn network_details(network: &NetworkFacts, lines: &mut Vec<(&'static str, String)>) {
    for found in &network.interfaces {
        let used = if network.used.as_ref() == Some(&found.name) {
            ", in use"
        } else {
            ""
        };
        lines.push((super::INTERFACE, network::interface(found) + used));
        lines.extend(
            found
                .addresses
                .iter()
                .map(|address| ("", address.to_string())),
        );
    }
    let named = [
        ("Gateway", network::list(&network.gateways)),
        ("Name servers", network::list(&network.dns)),
        ("Time servers", network::list(&network.ntp)),
    ];
    for (name, list) in named {
        let list = if list.is_empty() {
            "none".to_owned()
        } else {
            list
        };
        lines.push((name, list));
    }
    if let Some(trouble) = &network.trouble {
        lines.push(("Trouble", sentence(trouble)));
    }
}
