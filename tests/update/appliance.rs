//! An appliance that runs version 5 in slot A, as far as its update agent can see.

use std::fs;
use std::net::IpAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use jumpgate::boot::{Environment, Slot, System};
use jumpgate::control::machine::{
    Boot, Channel, Clock, ClockSource, Facts, Hardware, Health, Image, NetworkFacts, Storage,
};
use jumpgate::control::update::{Accept, Happened, Reply, Request, Status, Verdict, Who};
use jumpgate::control::wire;
use jumpgate::domain::limits::ENVIRONMENT_BYTES;
use jumpgate::domain::{Model, Stamp, Text};
use jumpgate::esp::Esp;
use jumpgate::update::fetch::{self, Authorities, Plaintext, Transport};
use jumpgate::update::verify::link::Link;
use jumpgate::update::verify::serve::{Head, Origin};
use jumpgate::update::write::facts::Machine;
use jumpgate::update::write::serve::{Others, Writer};

use crate::server::Server;
use crate::vendor::{Vendor, Version, folder};

/// The version that runs.
pub const RUNNING: u32 = 5;
/// Bytes of a slot's partition.
pub const PARTITION: usize = 4 << 20;

pub struct Appliance {
    folder: tempfile::TempDir,
    socket: PathBuf,
    head: Arc<Head>,
    /// What reached the audit record.
    pub audit: Receiver<Happened>,
    /// When people were told that the machine restarts, or that it does not.
    pub announced: Receiver<Option<Stamp>>,
    no_backup: Arc<Mutex<Option<String>>>,
}

impl Appliance {
    pub fn new(vendor: &Vendor) -> Self {
        let folder = folder();
        lay_out(folder.path(), PARTITION);
        Self::started(folder, vendor)
    }

    /// Another start of its update agent, with everything that lies on the disk.
    pub fn restarted(self, vendor: &Vendor, server: &Server) -> Self {
        fs::remove_file(&self.socket).unwrap();
        let appliance = Self::started(self.folder, vendor);
        appliance.fetches_from(server);
        appliance
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the supervisor says.
    pub fn runs(&self, system: System, health: Health) {
        write_facts(self.folder.path(), system, health);
    }

    /// The machine was started again.
    pub fn boots(&self, number: u8) {
        fs::write(
            self.place("boot"),
            format!("{number:08}-1111-1111-1111-111111111111"),
        )
        .unwrap();
    }

    fn started(folder: tempfile::TempDir, vendor: &Vendor) -> Self {
        let (told, audit) = channel();
        let (announce, announced) = channel();
        let no_backup = Arc::default();
        let programs = Programs {
            told,
            announce,
            no_backup: Arc::clone(&no_backup),
        };
        let head = serve(folder.path(), vendor.first_root(), programs);
        let socket = folder.path().join("update.sock");
        Self {
            folder,
            socket,
            head,
            audit,
            announced,
            no_backup,
        }
    }

    /// Has a fetcher that trusts `server` and nobody else.
    pub fn fetches_from(&self, server: &Server) {
        let socket = self.place("fetch.sock");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let mut verifier = UnixStream::connect(&socket).unwrap();
        let transport = Transport::new(&fetch::Settings {
            proxy: None,
            plaintext: Plaintext::Refuse,
            authorities: Authorities::Own(vec![server.certificate.clone()]),
            stall_max: std::time::Duration::from_secs(5),
        })
        .unwrap();
        thread::spawn(move || fetch::serve(&mut verifier, &transport));
        let head = self.head.clone();
        thread::spawn(move || head.fetcher.welcome(&listener, |_| true));
        while self.head.fetcher.is_away() {
            thread::yield_now();
        }
    }

    /// What it does by itself now and then.
    pub fn looks(&self) {
        self.head.look();
    }

    /// From now on the relay refuses to make backups, in these words.
    pub fn cannot_back_up(&self, why: &str) {
        *self.no_backup.lock().unwrap() = Some(why.to_owned());
    }

    /// The boot partition's folder.
    pub fn esp(&self) -> PathBuf {
        self.place("esp")
    }

    /// Hands in the first bytes of a file, and is gone. Returns why that is no version.
    pub fn breaks_off(&self, file: &[u8], cut: usize) -> String {
        let request = Request::Install {
            who: Who::default(),
            bytes: file.len() as u64,
            accept: Accept::default(),
        };
        match self.ask(&request, &file[..cut]) {
            Reply::Refused { why } => why.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Where its agent listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.socket).unwrap()
    }

    /// Sends a request with what follows it, and waits for the answer.
    pub fn ask(&self, request: &Request, follows: &[u8]) -> Reply {
        let mut stream = self.connect();
        wire::write(&mut stream, request).unwrap();
        // It may have been refused before all of it was read.
        let _ = std::io::Write::write_all(&mut stream, follows);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        wire::read(&mut stream).unwrap().unwrap()
    }

    /// Hands a file in. Returns why it was refused.
    pub fn install(&self, file: &[u8], accept: Accept) -> Result<(), String> {
        let request = Request::Install {
            who: Who::default(),
            bytes: file.len() as u64,
            accept,
        };
        match self.ask(&request, file) {
            Reply::Done => Ok(()),
            Reply::Refused { why } => Err(why.to_string()),
            other => panic!("{other:?}"),
        }
    }

    pub fn examine(&self, file: &[u8]) -> Result<Verdict, String> {
        let begin = &file[..crate::vendor::payload_at(file)];
        let bytes = u32::try_from(begin.len()).unwrap();
        match self.ask(&Request::Examine { bytes }, begin) {
            Reply::Verdict(verdict) => Ok(*verdict),
            Reply::Refused { why } => Err(why.to_string()),
            other => panic!("{other:?}"),
        }
    }

    pub fn status(&self) -> Status {
        match self.ask(&Request::Status, &[]) {
            Reply::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    pub fn environment(&self) -> Environment {
        let bytes = fs::read(self.place("esp/jumpgate/env")).unwrap();
        assert_eq!(bytes.len(), ENVIRONMENT_BYTES);
        Environment::decode(&bytes).unwrap()
    }

    /// A partition, by its slot.
    pub fn partition(&self, system: System) -> PathBuf {
        self.place("disk").join(system.letter())
    }

    /// A file of a slot on the boot partition.
    pub fn boot_file(&self, system: System, name: &str) -> PathBuf {
        self.place("esp/jumpgate").join(system.letter()).join(name)
    }

    /// Everything that lies on the disk, to compare with later.
    pub fn disk(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.place("esp"), self.place("disk")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    files.push((path, bytes));
                }
            }
        }
        files.sort();
        files
    }
}

/// The disk of an appliance on which version [`RUNNING`] runs in slot A. Partitions of `bytes`.
pub fn lay_out(folder: &Path, bytes: usize) {
    let place = |name: &str| folder.join(name);
    for name in [
        "esp/jumpgate/a",
        "esp/jumpgate/b",
        "esp/jumpgate/r",
        "disk",
        "state",
    ] {
        fs::create_dir_all(place(name)).unwrap();
    }
    for name in ["a", "b"] {
        fs::write(place("disk").join(name), vec![0; bytes]).unwrap();
    }
    fs::write(place("boot"), "11111111-1111-1111-1111-111111111111\n").unwrap();
    fs::write(place("esp/jumpgate/a/good"), "").unwrap();
    describe(&place("esp/jumpgate/a/slot.cfg"), &Version::new(RUNNING));
    let mut environment = Environment::default();
    environment.set("a_good", "1").unwrap();
    fs::write(place("esp/jumpgate/env"), environment.encode().unwrap()).unwrap();
    fs::write(
        place("esp/jumpgate/spare"),
        Environment::default().encode().unwrap(),
    )
    .unwrap();
    write_facts(folder, System::A, Health::Good);
}

/// Starts the hands of an appliance that was laid out in `folder`. Returns the head's end.
pub fn hands(folder: &Path, programs: Programs) -> UnixStream {
    let place = |name: &str| folder.join(name);
    let machine = Machine {
        facts: place("machine.json"),
        partitions: place("disk"),
        esp: Esp {
            device: None,
            at: place("esp"),
            turn: place("turn"),
        },
        last_words: place("last-words"),
        boot: place("boot"),
        said: std::cell::RefCell::default(),
    };
    let state = place("state");
    let (head, hands) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let others = Box::new(programs);
        let mut writer = Writer::new(machine, &state, others);
        hands.set_nonblocking(true).unwrap();
        tokio_uring::start(async {
            let socket = tokio_uring::net::UnixStream::from_std(hands);
            writer.serve(&socket).await
        })
    });
    head
}

/// Starts the agent of an appliance that was laid out in `folder`.
pub fn serve(folder: &Path, root: Vec<u8>, programs: Programs) -> Arc<Head> {
    let head = hands(folder, programs);
    let listener = UnixListener::bind(folder.join("update.sock")).unwrap();
    let origin = Origin { root, source: None };
    let head = Arc::new(Head::new(Link::new(head), origin));
    let serving = head.clone();
    thread::spawn(move || serving.serve(&listener, |_| true));
    head
}

/// The programs beside the agent.
pub struct Programs {
    pub told: Sender<Happened>,
    pub announce: Sender<Option<Stamp>>,
    /// Why the relay makes no backup, if it does not.
    pub no_backup: Arc<Mutex<Option<String>>>,
}

impl Others for Programs {
    fn restart(&self) -> Result<(), String> {
        Ok(())
    }

    fn announce(&self, restart: Option<Stamp>) -> Result<(), String> {
        self.announce
            .send(restart)
            .map_err(|error| error.to_string())
    }

    fn back_up(&self, label: &str) -> Result<(), String> {
        assert!(label.starts_with("before-0."), "{label}");
        self.no_backup.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn slots_changed(&self) {}

    fn record(&self, happened: &Happened) -> bool {
        self.told.send(happened.clone()).is_ok()
    }
}

pub fn describe(path: &Path, version: &Version) {
    let text = format!(
        "set slot_version=0.{0}.0\nset slot_built=1764000000\nset slot_sequence={0}\nset slot_epoch=1\n\
         set slot_root={1}\nset slot_salt=00ff\nset slot_blocks={2}\nset slot_channel=development\n\
         set slot_profile=hardware\n",
        version.sequence,
        "ab".repeat(32),
        version.blocks
    );
    fs::write(path, text).unwrap();
}

fn write_facts(folder: &Path, system: System, health: Health) {
    let facts = serde_json::to_vec(&facts(Slot::System(system), health)).unwrap();
    fs::write(folder.join("machine.json"), facts).unwrap();
}

fn facts(slot: Slot, health: Health) -> Facts {
    Facts {
        hardware: Hardware {
            model: Model::B200,
            shortfall: None,
            product: Text::try_from("B200").unwrap(),
            serial: None,
            memory_mib: 2_048,
            memory_used_mib: 60,
            cores: 2,
        },
        image: Image {
            version: Text::try_from("0.5.0").unwrap(),
            built: Stamp(1_764_000_000_000),
            commit: Text::new(),
            channel: Channel::Development,
            backend: None,
        },
        boot: Boot {
            slot,
            disk: Text::try_from("vda").unwrap(),
            slots: heapless::Vec::new(),
            watchdogs: 1,
        },
        health,
        network: NetworkFacts {
            addresses: heapless::Vec::from_slice(&[IpAddr::from([192, 0, 2, 7])]).unwrap(),
            ..NetworkFacts::default()
        },
        clock: Clock {
            source: ClockSource::Ntp,
            confirmed: Some(Stamp(1_764_000_000_000)),
            floor: Stamp(1_764_000_000_000),
        },
        storage: Storage {
            bytes: 1 << 30,
            free_bytes: 1 << 29,
            trouble: None,
        },
        rescue: None,
    }
}
