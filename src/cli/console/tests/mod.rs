//! The console without a terminal: somebody presses keys, somebody else answers, time goes by.

mod properties;
mod scenes;
mod updates;

use std::path::PathBuf;
use std::time::Duration;

use super::key::{Key, Keys};
use super::screen::Screen;
use super::state::{Console, Event};
use super::world::{Answer, News, Order, Silence};
use crate::control::Sessions;
use crate::control::machine::{
    Backend, Boot, Bundle, BundleFile, Channel, Clock, ClockSource, Facts, Hardware, Health, Image,
    Interface, NetworkFacts, Reply, Request, Site, Slot, SlotFacts, State, Storage, System, notice,
};
use crate::domain::text::label;
use crate::domain::token::Fingerprint;
use crate::domain::{Model, Moment, Now, Secret, Stamp, Text};

/// 24 November 2025, 16:00 UTC.
const AFTERNOON: Stamp = Stamp(1_764_000_000_000);

/// A console and what was ordered at it.
struct Desk {
    console: Console,
    now: Now,
    ordered: Vec<Order>,
}

impl Desk {
    /// Nobody has answered yet.
    fn new() -> Self {
        let now = Now {
            moment: Moment::from_millis(1_000),
            stamp: AFTERNOON,
        };
        Self {
            console: Console::new(now),
            now,
            ordered: Vec::new(),
        }
    }

    /// The supervisor answers, and so does the relay.
    fn at(facts: Facts, site: Option<Site>) -> Self {
        let mut desk = Self::new();
        desk.news(facts, site);
        desk.event(Event::News(News::Sessions(Some(Sessions {
            running: 3,
            waiting: 1,
        }))));
        desk
    }

    fn news(&mut self, facts: Facts, site: Option<Site>) {
        self.event(Event::News(News::Facts(Box::new(facts), site)));
    }

    fn event(&mut self, event: Event) {
        let order = self.console.event(event, self.now);
        self.ordered.extend(order);
    }

    fn press(&mut self, keys: &[Key]) {
        for key in keys {
            self.event(Event::Key(*key));
        }
    }

    fn type_in(&mut self, text: &str) {
        let keys = Keys::default().feed(text.as_bytes());
        self.press(&keys);
    }

    fn answer(&mut self, reply: Reply) {
        self.event(Event::Answer(Answer::Machine(reply)));
    }

    fn wait(&mut self, time: Duration) {
        self.now.moment = self.now.moment + time;
        self.event(Event::Tick);
    }

    /// What the supervisor was asked last.
    fn asked(&self) -> &Request {
        match self.ordered.last() {
            Some(Order::Machine(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    /// What is to be seen, kept for people as well.
    fn see(&self, name: &str) -> String {
        let text = text(&self.console.screen());
        let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"),
            PathBuf::from,
        );
        let folder = folder.join("console");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.txt")), &text).unwrap();
        text
    }
}

/// 24 lines, without the blanks at their ends.
fn text(screen: &Screen) -> String {
    let rows = screen.rows().iter().map(|row| {
        let row: String = row.iter().map(|cell| char::from(cell.byte)).collect();
        row.trim_end().to_owned() + "\n"
    });
    rows.collect()
}

fn interface(name: &str, has_link: bool, addresses: &[&str]) -> Interface {
    Interface {
        name: name.parse().unwrap(),
        hardware_address: Text::try_from("52:54:00:12:34:56").unwrap(),
        has_link,
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
    }
}

/// A healthy machine, as customers have it.
fn facts() -> Facts {
    let slot = |system, version: &str, state| SlotFacts {
        system,
        version: (!version.is_empty()).then(|| label(version)),
        state,
    };
    Facts {
        hardware: Hardware {
            model: Model::B300,
            shortfall: None,
            product: label("B300"),
            serial: Some(label("JG3-004711")),
            memory_mib: 32_100,
            memory_used_mib: 91,
            cores: 16,
        },
        image: Image {
            version: label("1.4.0"),
            built: Stamp(AFTERNOON.0 - 3_600_000),
            commit: label("a8b32d9c41e0"),
            channel: Channel::Release,
            backend: Some(Backend::Buildroot),
        },
        boot: Boot {
            slot: Slot::System(System::A),
            disk: label("nvme0n1"),
            slots: [
                slot(System::A, "1.4.0", State::Good { tries_left: 3 }),
                slot(System::B, "1.3.2", State::Good { tries_left: 3 }),
            ]
            .into_iter()
            .collect(),
            watchdogs: 1,
        },
        health: Health::Good,
        network: NetworkFacts {
            interfaces: [
                interface("eth0", true, &["192.0.2.10", "2001:db8::10", "fe80::1"]),
                interface("eth1", false, &[]),
            ]
            .into_iter()
            .collect(),
            used: Some("eth0".parse().unwrap()),
            addresses: ["192.0.2.10", "2001:db8::10", "fe80::1"]
                .iter()
                .map(|address| address.parse().unwrap())
                .collect(),
            gateways: ["192.0.2.1".parse().unwrap()].into_iter().collect(),
            dns: ["192.0.2.53".parse().unwrap()].into_iter().collect(),
            ntp: ["ntp.example.com".parse().unwrap()].into_iter().collect(),
            trouble: None,
        },
        clock: Clock {
            source: ClockSource::Ntp,
            confirmed: Some(AFTERNOON),
            floor: Stamp(AFTERNOON.0 - 3_600_000),
        },
        storage: Storage {
            bytes: 900 << 30,
            free_bytes: 850 << 30,
            trouble: None,
        },
        rescue: None,
    }
}

/// The same, made by a developer for a virtual machine that has too little of everything.
fn development() -> Facts {
    let mut facts = facts();
    facts.hardware.model = Model::VaS;
    facts.hardware.product = label("Standard PC (Q35 + ICH9, 2009)");
    facts.hardware.shortfall = Some(notice(
        "Virtual L needs 4096 MiB of memory and 4 cores, this machine has 967 and 2",
    ));
    facts.image.channel = Channel::Development;
    facts.image.backend = Some(Backend::Debian);
    facts
}

fn site(is_set_up: bool) -> Site {
    let link = "https://192.0.2.10/login/setup?token=0123456789abcdef0123456789abcdef";
    Site {
        url: "https://192.0.2.10/".to_owned(),
        certificate: Some(Fingerprint::of(b"certificate")),
        setup_url: (!is_set_up).then(|| Secret::new(link.to_owned())),
    }
}

fn bundle(stick: Option<&str>, written: Option<&str>) -> Bundle {
    let file = |name: &str, what: &str, bytes| BundleFile {
        name: label(name),
        what: label(what),
        bytes,
    };
    Bundle {
        files: [
            file(
                "machine.json",
                "what this machine is and how it does",
                1_800,
            ),
            file("log/relay.log", "what the relay wrote", 7_654_321),
            file("log/kernel.log", "what the kernel wrote", 12_345),
        ]
        .into_iter()
        .collect(),
        stick: stick.map(label),
        written: written.map(label),
    }
}

fn nobody_there() -> Event {
    Event::News(News::Silence(Silence::NotThere { doing: None }))
}
