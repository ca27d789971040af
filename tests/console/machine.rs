//! The other side: a supervisor and a relay, as far as the console talks to them.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jumpgate::config::Paths;
use jumpgate::control::machine::{
    Backend, Boot, Bundle, BundleFile, Channel, Clock, ClockSource, Facts, Hardware, Health, Image,
    Interface, NetworkFacts, Reply, Request, Site, Slot, SlotFacts, State, Storage, System,
};
use jumpgate::control::stick::{StickFile, StickUpdate, Sticks, Worth};
use jumpgate::control::update::{self, Accept, Offer, Phase, Settings, Status, Verdict};
use jumpgate::control::{Reply as RelayReply, Request as RelayRequest, Snapshot, wire};
use jumpgate::domain::text::label;
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{Account, AccountId, DisplayName, Model, Network, Secret, Stamp, Text};
use jumpgate::metrics::{Connections, JumpClients, Keys, Sandbox, Sessions};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// A state directory whose sockets are served.
pub struct Machine {
    folder: TempDir,
    told: Arc<Mutex<Told>>,
}

struct Told {
    facts: Facts,
    is_set_up: bool,
    asked: Vec<Request>,
    passwords: Vec<(String, String)>,
    phase: Phase,
    restarts: Vec<update::When>,
}

impl Machine {
    /// Nobody serves yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(Paths::new(folder.path()).sockets()).unwrap();
        let told = Told {
            facts: facts(&[]),
            is_set_up: false,
            asked: Vec::new(),
            passwords: Vec::new(),
            phase: Phase::Idle,
            restarts: Vec::new(),
        };
        Self {
            folder,
            told: Arc::new(Mutex::new(told)),
        }
    }

    /// Everything serves, and there is an administrator.
    pub fn running() -> Self {
        let machine = Self::new();
        machine.told.lock().unwrap().is_set_up = true;
        machine.supervise(facts(&["192.0.2.10"]));
        machine.relay();
        machine
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A supervisor begins to answer.
    pub fn supervise(&self, facts: Facts) {
        self.set_facts(facts);
        let told = self.told.clone();
        let socket = Paths::new(self.folder()).machine_socket();
        serve(&socket, move |request: Request| {
            let mut told = told.lock().unwrap();
            let reply = answer(&request, &told);
            if !matches!(request, Request::Facts) {
                told.asked.push(request);
            }
            reply
        });
    }

    /// A relay begins to answer.
    pub fn relay(&self) {
        let told = self.told.clone();
        let socket = Paths::new(self.folder()).control_socket();
        serve(&socket, move |request: RelayRequest| match request {
            RelayRequest::Status => RelayReply::Status(Box::new(snapshot())),
            RelayRequest::ResetPassword { name, password } => {
                let typed = (name.to_string(), password.expose().clone());
                told.lock().unwrap().passwords.push(typed);
                RelayReply::Account(Account {
                    id: AccountId(1),
                    name,
                    display_name: DisplayName::new("Administrator").unwrap(),
                    administrator: true,
                    representative: false,
                    disabled: false,
                })
            }
            other => panic!("{other:?}"),
        });
    }

    /// An update agent begins to answer.
    pub fn update(&self) {
        let told = self.told.clone();
        let socket = Paths::new(self.folder()).update_socket();
        serve(&socket, move |request: update::Request| match request {
            update::Request::Status => {
                let phase = told.lock().unwrap().phase.clone();
                update::Reply::Status(Box::new(Status {
                    phase,
                    offer: None,
                    checked: None,
                    settings: Settings::default(),
                    source: None,
                    news: None,
                    history: Vec::new(),
                    root_version: 1,
                    security_epoch: 1,
                    blocked: None,
                }))
            }
            update::Request::Restart { when, .. } => {
                told.lock().unwrap().restarts.push(when);
                update::Reply::Done
            }
            other => panic!("{other:?}"),
        });
    }

    /// The update agent is that far.
    pub fn set_phase(&self, phase: Phase) {
        self.told.lock().unwrap().phase = phase;
    }

    /// When the version that is ready was to be started.
    pub fn restarts(&self) -> Vec<update::When> {
        self.told.lock().unwrap().restarts.clone()
    }

    /// Nobody answers any more.
    pub fn vanish(&self) {
        let paths = Paths::new(self.folder());
        drop(std::fs::remove_file(paths.machine_socket()));
        drop(std::fs::remove_file(paths.control_socket()));
    }

    pub fn set_facts(&self, facts: Facts) {
        self.told.lock().unwrap().facts = facts;
    }

    /// What the supervisor was asked, beside the facts.
    pub fn asked(&self) -> Vec<Request> {
        self.told.lock().unwrap().asked.clone()
    }

    /// Names and passwords that the relay was given.
    pub fn passwords(&self) -> Vec<(String, String)> {
        self.told.lock().unwrap().passwords.clone()
    }
}

fn serve<Q: DeserializeOwned, A: Serialize>(
    socket: &Path,
    mut answer: impl FnMut(Q) -> A + Send + 'static,
) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Whoever asks may be gone before its question is whole.
            if let Ok(Some(request)) = wire::read(&mut stream) {
                drop(wire::write(&mut stream, &answer(request)));
            }
        }
    });
}

fn answer(request: &Request, told: &Told) -> Reply {
    let file = |name: &str, what: &str, bytes| BundleFile {
        name: label(name),
        what: label(what),
        bytes,
    };
    let bundle = |written: Option<&str>| {
        let files = [
            file(
                "machine.json",
                "what this machine is and how it does",
                1_800,
            ),
            file("log/relay.log", "what the relay wrote", 123_456),
        ];
        Reply::Bundle(Bundle {
            files: files.into_iter().collect(),
            stick: Some(label("Flash Disk, 14.9 GiB")),
            written: written.map(label),
        })
    };
    match request {
        Request::Facts => Reply::Facts {
            facts: Box::new(told.facts.clone()),
            site: told.facts.network.interfaces[0]
                .has_link
                .then(|| site(told.is_set_up)),
        },
        Request::Network => Reply::Network {
            settings: Box::new(Network::default()),
        },
        Request::ListSupportBundle => bundle(None),
        Request::WriteSupportBundle => bundle(Some("bundle.tar.gz")),
        Request::ListSticks => Reply::Sticks(Box::new(sticks())),
        Request::SetNetwork { .. }
        | Request::InstallFromStick { .. }
        | Request::PreviousVersion
        | Request::FactoryReset
        | Request::Reboot
        | Request::PowerOff => Reply::Done,
        Request::Lease { .. } | Request::LookAtSlots => panic!("{request:?}"),
    }
}

/// One stick with one update on it.
fn sticks() -> Sticks {
    let verdict = Box::new(Verdict {
        offer: Offer {
            version: Text::try_from("0.4.0").unwrap(),
            sequence: 4,
            model: Model::B200,
            channel: Channel::Development,
            built: Stamp(1_764_000_000_000),
            notes: "Shells start faster.".into(),
            bytes: 48 << 20,
            failed_before: false,
        },
        needs: Accept::default(),
        expired: heapless::Vec::new(),
        refused: None,
    });
    let update = StickUpdate {
        file: StickFile {
            device: Text::try_from("sda1").unwrap(),
            name: label("jumpgate.update"),
        },
        bytes: 48 << 20,
        worth: Worth::Judged { verdict },
    };
    Sticks {
        sticks: [label("Flash Disk (8053 MB)")].into_iter().collect(),
        updates: [update].into_iter().collect(),
        trouble: None,
    }
}

fn site(is_set_up: bool) -> Site {
    let link = "https://192.0.2.10/login/setup?token=0123456789abcdef0123456789abcdef";
    Site {
        url: "https://192.0.2.10/".to_owned(),
        certificate: Some(Fingerprint::of(b"certificate")),
        setup_url: (!is_set_up).then(|| Secret::new(link.to_owned())),
    }
}

/// A machine with one interface; with a cable in it if it has addresses.
pub fn facts(addresses: &[&str]) -> Facts {
    let interface = Interface {
        name: "eth0".parse().unwrap(),
        hardware_address: Text::try_from("52:54:00:12:34:56").unwrap(),
        has_link: !addresses.is_empty(),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
    };
    let slot = |system, version| SlotFacts {
        system,
        version: Some(label(version)),
        state: State::Good { tries_left: 3 },
    };
    let built = Stamp(1_764_000_000_000);
    Facts {
        hardware: Hardware {
            model: Model::B200,
            shortfall: None,
            product: label("B200"),
            serial: Some(label("TEST-1")),
            memory_mib: 967,
            memory_used_mib: 90,
            cores: 2,
        },
        image: Image {
            version: label("0.3.0"),
            built,
            commit: label("0897722"),
            channel: Channel::Development,
            backend: Some(Backend::Debian),
        },
        boot: Boot {
            slot: Slot::System(System::A),
            disk: label("vda"),
            slots: [slot(System::A, "0.3.0"), slot(System::B, "0.2.9")]
                .into_iter()
                .collect(),
            watchdogs: 1,
        },
        health: Health::Good,
        network: NetworkFacts {
            used: Some(interface.name.clone()),
            addresses: interface.addresses.clone(),
            interfaces: [interface].into_iter().collect(),
            ..NetworkFacts::default()
        },
        clock: Clock {
            source: ClockSource::Ntp,
            confirmed: Some(built),
            floor: built,
        },
        storage: Storage {
            bytes: 1 << 33,
            free_bytes: 1 << 32,
            trouble: None,
        },
        rescue: None,
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        version: "0.3.0".into(),
        model: Model::B200,
        active_jump_clients_max: 1_000,
        jump_clients: JumpClients::default(),
        passive_jump_clients_max: 50_000,
        started: Stamp(0),
        uptime_seconds: 60,
        threads: 2,
        connections: Connections::default(),
        sessions: Sessions {
            running: 2,
            waiting: 1,
        },
        keys: Keys::default(),
        sandbox: Sandbox {
            own_user: true,
            seccomp: true,
            landlock: true,
        },
        store: jumpgate::metrics::StoreState::default(),
        certificate: Fingerprint::of(b"certificate"),
        link_key: Fingerprint::of(b"link key"),
        link_certificate: None,
    }
}
