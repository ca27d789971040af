//! What can be asked of the machine itself: the supervisor's own socket, for root only.
//!
//! ```text
//! appliancectl console ─> MachineClient ─> Request ─> supervisor (appliance mode)
//!                                      <─ Reply   <─
//! udhcpc ─> appliancectl as its event program ─> Request::Lease
//! ```
//!
//! Framed like everything else in [`super`]. [`Facts`] are also what the supervisor writes to
//! [`crate::config::Paths::machine`], for pages.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stick::{StickFile, Sticks};
use super::update::Accept;
use super::wire::{self, WireError};
/// Words of the boot loader's, for those who show facts and otherwise know nothing of disks.
pub use crate::boot::order::State;
pub use crate::boot::release::{Backend, Channel};
pub use crate::boot::{Slot, System};
use crate::domain::limits::{
    ADDRESSES_SHOWN_MAX, BUNDLE_FILES_MAX, CONTROL_BYTES_MAX, INTERFACES_MAX, MACHINE_REPLY_WITHIN,
    NAME_SERVERS_MAX, NOTICE_BYTES_MAX, STICK_INSTALL_WITHIN, STICK_LIST_WITHIN,
    SUPPORT_BUNDLE_WITHIN, TIME_SERVERS_MAX, UPDATE_SILENCE_MAX,
};
use crate::domain::network::{HostName, InterfaceName, Network};
use crate::domain::token::Fingerprint;
use crate::domain::{Label, Model, Secret, Stamp, Text};

/// A line of plain words for a person: one fault, or one reason.
pub type Notice = Text<NOTICE_BYTES_MAX>;

/// One question or order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What machine this is and how it does. Answer: [`Reply::Facts`].
    Facts,
    /// The settings of its network. Answer: [`Reply::Network`].
    Network,
    /// Keep these settings and use them from now on. Answer: [`Reply::Done`] once they are kept;
    /// whether the network takes them shows in [`Facts`].
    SetNetwork {
        /// All of them.
        settings: Network,
    },
    /// Restart into the version that ran before this one, and stay there. Answer: [`Reply::Done`],
    /// then the machine restarts.
    PreviousVersion,
    /// What a support bundle would hold, and whether there is a stick to write it to. Answer:
    /// [`Reply::Bundle`].
    ListSupportBundle,
    /// Write it to the stick. Answer: [`Reply::Bundle`]; takes up to [`SUPPORT_BUNDLE_WITHIN`].
    WriteSupportBundle,
    /// Which updates are on USB sticks, and what each is worth. Answer: [`Reply::Sticks`]; takes up
    /// to [`STICK_LIST_WITHIN`].
    ListSticks,
    /// Install one of them. Answer: [`Reply::Done`] when it is ready to be started; how far it is
    /// says the update agent ([`super::update::Status`]).
    InstallFromStick {
        /// Which.
        file: StickFile,
        /// What the person at the console was told about it.
        accept: Accept,
    },
    /// The update agent has changed what is in the slots. Answer: [`Reply::Done`].
    LookAtSlots,
    /// Forget everything: accounts, keys, certificates, recordings, logs, network settings.
    /// Answer: [`Reply::Done`], then the machine restarts and wipes its disk.
    FactoryReset,
    /// End sessions in order and restart. Answer: [`Reply::Done`].
    Reboot,
    /// End sessions in order and switch off. Answer: [`Reply::Done`].
    PowerOff,
    /// The DHCP client's. Answer: [`Reply::Done`].
    Lease {
        /// Whose.
        interface: InterfaceName,
        /// What the network gave; nothing if it took everything back.
        lease: Option<Lease>,
    },
}

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// It is done, or under way.
    Done,
    /// To [`Request::Facts`].
    Facts {
        /// The machine.
        facts: Box<Facts>,
        /// What it serves; absent until it does.
        site: Option<Site>,
    },
    /// To [`Request::Network`].
    Network {
        /// As they are kept; defaults if nobody chose anything.
        settings: Box<Network>,
    },
    /// To [`Request::ListSupportBundle`] and [`Request::WriteSupportBundle`].
    Bundle(Bundle),
    /// To [`Request::ListSticks`].
    Sticks(Box<Sticks>),
    /// Not done; the words are for the person at the console.
    Refused {
        /// What was wrong and what to do about it.
        why: Notice,
    },
}

/// What people need to get to the site for the first time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// With a final slash.
    pub url: String,
    /// SHA-256 of the certificate that browsers see.
    pub certificate: Option<Fingerprint>,
    /// The one-time set-up link, until an administrator exists.
    pub setup_url: Option<Secret<String>>,
}

/// What a machine is and how it does. Written for pages too, so it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// What it is.
    pub hardware: Hardware,
    /// What runs on it.
    pub image: Image,
    /// From where it was started.
    pub boot: Boot,
    /// How it does.
    pub health: Health,
    /// How it is reached.
    pub network: NetworkFacts,
    /// How far its clock can be trusted.
    pub clock: Clock,
    /// What is left of its disk.
    pub storage: Storage,
    /// Why it runs without its data, if it does. Then there are no accounts and no keys.
    pub rescue: Option<Notice>,
}

impl Facts {
    /// What the supervisor last wrote to `file` ([`crate::config::Paths::machine`]); nothing where
    /// there is no such file, which is everywhere but on an appliance image.
    ///
    /// # Errors
    ///
    /// If the file is there but cannot be read, or is of another version.
    pub fn read(file: &Path) -> Result<Option<Self>, WireError> {
        let file = match std::fs::File::open(file) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        file.take(CONTROL_BYTES_MAX as u64).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }
}

/// What a machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Whose limits apply.
    pub model: Model,
    /// Why they are not those of the machine's own name or size.
    pub shortfall: Option<Notice>,
    /// The firmware's name for it.
    pub product: Label,
    /// The firmware's number for it, if it has one.
    pub serial: Option<Label>,
    /// Memory that the kernel manages.
    pub memory_mib: u64,
    /// What of it was in use a while ago, without what the kernel would give back at once.
    pub memory_used_mib: u64,
    /// Processors in use.
    pub cores: u32,
}

/// What runs on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// As people read it.
    pub version: Label,
    /// When it was built.
    pub built: Stamp,
    /// From what, as far as known.
    pub commit: Label,
    /// Whom it is meant for. Development has to be seen wherever the version is.
    pub channel: Channel,
    /// What made it.
    pub backend: Option<Backend>,
}

/// From where a machine was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// What runs.
    pub slot: Slot,
    /// The disk, as the kernel calls it.
    pub disk: Label,
    /// Both places for a version, as the boot loader sees them; empty if that cannot be read.
    pub slots: heapless::Vec<SlotFacts, 2>,
    /// Watchdogs that watch the supervisor.
    pub watchdogs: u32,
}

/// One place for a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotFacts {
    /// Which.
    pub system: System,
    /// What is in it, if anything that can be started.
    pub version: Option<Label>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
}

/// How a machine does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", rename_all = "snake_case", deny_unknown_fields)]
pub enum Health {
    /// Not all programs serve yet.
    Starting,
    /// They serve; the slot has not proved itself yet in this boot.
    Serving,
    /// The slot has proved itself, and the boot loader knows.
    Good,
    /// They serve, but the boot loader could not be told.
    Unconfirmed {
        /// Why.
        why: Notice,
    },
    /// A program keeps crashing.
    Failing {
        /// Which, and how.
        why: Notice,
    },
}

/// How a machine is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFacts {
    /// Every interface there is.
    pub interfaces: heapless::Vec<Interface, INTERFACES_MAX>,
    /// The one in use (the tagged one, with a VLAN).
    pub used: Option<InterfaceName>,
    /// Its addresses, those that others can use first.
    pub addresses: heapless::Vec<IpAddr, ADDRESSES_SHOWN_MAX>,
    /// The routers.
    pub gateways: heapless::Vec<IpAddr, 2>,
    /// Servers that resolve names.
    pub dns: heapless::Vec<IpAddr, NAME_SERVERS_MAX>,
    /// Servers that know the time.
    pub ntp: heapless::Vec<HostName, TIME_SERVERS_MAX>,
    /// What is wrong and what to do about it.
    pub trouble: Option<Notice>,
}

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// As the kernel calls it.
    pub name: InterfaceName,
    /// As it says itself on the wire.
    pub hardware_address: Text<17>,
    /// Whether there is a cable in it, with somebody at the other end.
    pub has_link: bool,
    /// Its addresses.
    pub addresses: heapless::Vec<IpAddr, ADDRESSES_SHOWN_MAX>,
}

/// How far a clock can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Where the time comes from.
    pub source: ClockSource,
    /// When a time server last agreed, ever.
    pub confirmed: Option<Stamp>,
    /// The time cannot have been earlier than this.
    pub floor: Stamp,
}

/// Where everything that lasts is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Of the data partition.
    pub bytes: u64,
    /// Left on it.
    pub free_bytes: u64,
    /// What is wrong and what to do about it.
    pub trouble: Option<Notice>,
}

/// Where the time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockSource {
    /// The machine's own clock, unconfirmed.
    Hardware,
    /// That one was before the floor; it was set to the floor.
    Floor,
    /// A time server.
    Ntp,
}

/// What a DHCP server gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Ours now.
    pub address: Ipv4Addr,
    /// Of its network.
    pub prefix: u8,
    /// The way out.
    pub gateway: Option<Ipv4Addr>,
    /// Servers that resolve names.
    pub dns: heapless::Vec<Ipv4Addr, NAME_SERVERS_MAX>,
    /// Servers that know the time.
    pub ntp: heapless::Vec<Ipv4Addr, TIME_SERVERS_MAX>,
}

/// A support bundle: what somebody who helps from afar needs to know, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// What it holds, or would hold.
    pub files: heapless::Vec<BundleFile, BUNDLE_FILES_MAX>,
    /// The stick that was found, in plain words; none if there is none.
    pub stick: Option<Label>,
    /// The name of the file on the stick, once it is written.
    pub written: Option<Label>,
}

/// One file of a support bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleFile {
    /// With its folder in the bundle.
    pub name: Label,
    /// What is in it, in plain words.
    pub what: Label,
    /// Its length; an estimate until it is written.
    pub bytes: u64,
}

/// Where the supervisor listens. Each question makes a connection of its own.
#[derive(Clone, Debug)]
pub struct MachineClient {
    socket: PathBuf,
}

impl MachineClient {
    /// A client of the supervisor that listens at `socket`.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Asks and waits, at most [`MACHINE_REPLY_WITHIN`], longer where a stick is read or
    /// written.
    pub fn ask(&self, request: &Request) -> Result<Reply, WireError> {
        let within = patience(request);
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(within))?;
        stream.set_write_timeout(Some(MACHINE_REPLY_WITHIN))?;
        wire::write(&mut stream, request)?;
        wire::read(&mut stream)?
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
    }
}

/// How long an answer may take.
fn patience(request: &Request) -> Duration {
    match request {
        Request::ListSupportBundle | Request::WriteSupportBundle => SUPPORT_BUNDLE_WITHIN,
        // What has to be said of a stick that does not answer comes after its time.
        Request::ListSticks => STICK_LIST_WITHIN + MACHINE_REPLY_WITHIN,
        Request::InstallFromStick { .. } => STICK_INSTALL_WITHIN + UPDATE_SILENCE_MAX,
        Request::Facts
        | Request::Network
        | Request::SetNetwork { .. }
        | Request::PreviousVersion
        | Request::LookAtSlots
        | Request::FactoryReset
        | Request::Reboot
        | Request::PowerOff
        | Request::Lease { .. } => MACHINE_REPLY_WITHIN,
    }
}

/// As much of `text` as a [`Notice`] holds, on one line.
pub fn notice(text: &str) -> Notice {
    let mut kept = Notice::new();
    for char in text.chars().filter(|c| !c.is_control()) {
        if kept.push(char).is_err() {
            break;
        }
    }
    kept
}

/// For `tests/fuzz` and the smoke run below: any bytes end in a message or an error, and what was
/// understood can be said again.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    wire::fuzz_message::<Request>(data);
    wire::fuzz_message::<Reply>(data);
    if let Ok(facts) = serde_json::from_slice::<Facts>(data) {
        let again = serde_json::to_vec(&facts).expect("plain fields always have a JSON form");
        let read: Facts = serde_json::from_slice(&again).expect("what we write is understood");
        assert_eq!(read, facts);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> Facts {
        let interface = Interface {
            name: "eth0".parse().unwrap(),
            hardware_address: Text::try_from("52:54:00:12:34:56").unwrap(),
            has_link: true,
            addresses: heapless::Vec::from_slice(&["10.0.2.15".parse().unwrap()]).unwrap(),
        };
        let slot = SlotFacts {
            system: System::A,
            version: Some(Label::try_from("0.3.0").unwrap()),
            state: State::OnTrial { tries_left: 2 },
        };
        let empty = SlotFacts {
            system: System::B,
            version: None,
            state: State::Empty,
        };
        Facts {
            hardware: Hardware {
                model: Model::B200,
                shortfall: Some(notice("unknown hardware ''")),
                product: Label::new(),
                serial: None,
                memory_mib: 967,
                memory_used_mib: 90,
                cores: 2,
            },
            image: Image {
                version: Label::try_from("0.3.0").unwrap(),
                built: Stamp(1_764_000_000_000),
                commit: Label::new(),
                channel: Channel::Development,
                backend: Some(Backend::Debian),
            },
            boot: Boot {
                slot: Slot::System(System::A),
                disk: Label::try_from("vda").unwrap(),
                slots: heapless::Vec::from_slice(&[slot, empty]).unwrap(),
                watchdogs: 1,
            },
            health: Health::Failing {
                why: notice("web ended 5 times"),
            },
            network: NetworkFacts {
                interfaces: [interface].into_iter().collect(),
                ..NetworkFacts::default()
            },
            clock: Clock {
                source: ClockSource::Floor,
                confirmed: None,
                floor: Stamp(1_764_000_000_000),
            },
            storage: Storage {
                bytes: 1 << 30,
                free_bytes: 0,
                trouble: Some(notice("the data partition is full")),
            },
            rescue: None,
        }
    }

    /// Some of each kind, as they cross the socket.
    #[allow(clippy::useless_vec, reason = "too large for the stack")]
    fn messages() -> Vec<Vec<u8>> {
        let lease = Lease {
            address: Ipv4Addr::new(10, 0, 2, 15),
            prefix: 24,
            gateway: Some(Ipv4Addr::new(10, 0, 2, 2)),
            dns: heapless::Vec::new(),
            ntp: heapless::Vec::new(),
        };
        let requests = [
            Request::Facts,
            Request::SetNetwork {
                settings: Network::default(),
            },
            Request::Lease {
                interface: "eth0".parse().unwrap(),
                lease: Some(lease),
            },
        ];
        let file = BundleFile {
            name: Label::try_from("log/relay.log").unwrap(),
            what: Label::try_from("what the relay wrote").unwrap(),
            bytes: 7,
        };
        let replies: Vec<Reply> = vec![
            Reply::Done,
            Reply::Facts {
                facts: Box::new(facts()),
                site: Some(Site {
                    url: "https://10.0.2.15/".to_owned(),
                    certificate: None,
                    setup_url: Some(Secret::new("https://10.0.2.15/login/setup".to_owned())),
                }),
            },
            Reply::Bundle(Bundle {
                files: [file].into_iter().collect(),
                stick: None,
                written: None,
            }),
            Reply::Refused {
                why: notice("no\nstick"),
            },
        ];
        let requests = requests
            .iter()
            .map(|request| wire::encode(request).unwrap());
        requests
            .chain(replies.iter().map(|reply| wire::encode(reply).unwrap()))
            .chain([serde_json::to_vec(&facts()).unwrap()])
            .collect()
    }

    #[test]
    fn facts_are_read_as_they_are_written() {
        let text = serde_json::to_string(&facts()).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts());
        assert!(
            text.contains(r#""state":"on_trial","tries_left":2"#),
            "{text}"
        );
    }

    #[test]
    fn facts_are_absent_where_nobody_wrote_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("machine.json");
        assert!(Facts::read(&file).unwrap().is_none());
        std::fs::write(&file, serde_json::to_vec(&facts()).unwrap()).unwrap();
        assert_eq!(Facts::read(&file).unwrap(), Some(facts()));
        std::fs::write(&file, b"{\"hardware\":").unwrap();
        assert!(matches!(Facts::read(&file), Err(WireError::BadJson(_))));
    }

    #[test]
    fn the_longest_facts_fit_a_message() {
        let mut long = facts();
        let mut interface = long.network.interfaces[0].clone();
        interface.name = "n".repeat(15).parse().unwrap();
        let address = IpAddr::V6("2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap());
        interface.addresses = (0..ADDRESSES_SHOWN_MAX).map(|_| address).collect();
        long.network.interfaces = (0..INTERFACES_MAX).map(|_| interface.clone()).collect();
        let facts = Box::new(long);
        wire::encode(&Reply::Facts { facts, site: None }).unwrap();
        let long = crate::domain::text::label(&"x".repeat(500));
        let file = BundleFile {
            name: long.clone(),
            what: long,
            bytes: u64::MAX,
        };
        let files = (0..BUNDLE_FILES_MAX).map(|_| file.clone()).collect();
        wire::encode(&Reply::Bundle(Bundle {
            files,
            stick: None,
            written: None,
        }))
        .unwrap();
    }

    #[test]
    fn nothing_but_the_promised_words_is_an_order() {
        let refused = serde_json::from_str::<Request>(r#"{"request":"run","program":"/bin/sh"}"#);
        refused.unwrap_err();
        let settings = r#"{"request":"set_network","settings":{},"then":"/bin/sh"}"#;
        serde_json::from_str::<Request>(settings).unwrap_err();
    }

    proptest! {
        #[test]
        fn fuzz_smoke(
            which in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut data = which.get(&messages()).clone();
            fuzz(&data);
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
            fuzz(&data);
            fuzz(&data[..cut.index(data.len())]);
        }
    }
}
