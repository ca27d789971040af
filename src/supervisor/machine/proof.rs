//! What a version on trial shows before it may stay, besides pages: looked at away from the main loop,
//! which hears of it by [`Elsewhere::Looked`].
//!
//! ```text
//! root:    every block through dm-verity, at leisure
//! store:   the relay says that it migrated and checked it
//! session: one of the appliance with itself, through the relay's front door
//! network: compared with what the version before wrote down
//! ```
//!
//! A version that proved itself before has nothing to show. What all this decides is in
//! [`super::health`].

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use tokio::sync::mpsc;

use super::facts;
use super::health::{Missing, Part};
use super::journal::note;
use super::life::Elsewhere;
use super::places::{self, Places};
use super::probe;
use super::reach::{self, Reach};
use crate::config::Generation;
use crate::control::machine::NetworkFacts;
use crate::control::{Client, Reply, Request};
use crate::domain::limits::{
    DATA_FREE_BYTES_MIN, LOOP_BACK_WITHIN, ROOT_READ_AT_ONCE, ROOT_READ_REST_MAX,
};

/// As `init` calls the device that checks every block.
const ROOT: &str = "jumpgate-root";

/// How far a version on trial is.
#[derive(Debug)]
pub(super) struct Proof {
    on_trial: bool,
    generation: Option<Generation>,
    before: Option<Reach>,
    /// What it has not shown yet.
    pub(super) missing: Missing,
    reads_root: bool,
    asks_relay: bool,
}

/// Whom the relay is asked by.
pub(super) struct Asking {
    /// At its control socket.
    pub(super) client: Client,
    /// `appliancectl`.
    pub(super) program: PathBuf,
    /// Where it serves.
    pub(super) port: u16,
}

impl Proof {
    /// Of the running version, which opens the store of `generation`.
    pub(super) fn new(places: &Places, on_trial: bool, generation: Option<Generation>) -> Self {
        let before = places::text(&places.state(reach::FILE)).ok();
        Self {
            on_trial,
            generation,
            before: before.and_then(|text| serde_json::from_str(&text).ok()),
            missing: Missing::at_start(on_trial),
            reads_root: false,
            asks_relay: false,
        }
    }

    /// Whether an update has brought it, and it did not prove itself before this start.
    pub(super) fn is_on_trial(&self) -> bool {
        self.on_trial
    }

    /// Whether nothing reads the root yet, and something should: once.
    pub(super) fn begin_root(&mut self) -> bool {
        !std::mem::replace(&mut self.reads_root, true) && self.missing.has(Part::Root)
    }

    /// Asks the relay for what only it can show, one question at a time.
    pub(super) fn ask_relay(
        &mut self,
        places: &Places,
        asking: Asking,
        elsewhere: &mpsc::Sender<Elsewhere>,
    ) {
        let is_done = !self.missing.has(Part::Store) && !self.missing.has(Part::Session);
        if is_done || std::mem::replace(&mut self.asks_relay, true) {
            return;
        }
        let (elsewhere, generation) = (elsewhere.clone(), self.generation);
        let disk = Disk {
            is_lost: facts::rescue(places).is_some(),
            is_full: facts::storage(places).free_bytes < DATA_FREE_BYTES_MIN,
        };
        tokio::spawn(async move {
            let (store, session) = match asking.client.ask_async(&Request::Status).await {
                Ok(Reply::Status(snapshot)) => {
                    let store = Store {
                        generation: snapshot.store.generation,
                        checked: snapshot.store.checked,
                    };
                    let certificates = [Some(snapshot.certificate), snapshot.link_certificate];
                    (
                        judge_store(store, generation, disk),
                        carry(&asking, certificates).await,
                    )
                }
                Ok(other) => both(&format!("the relay answered {other:?}")),
                Err(error) => both(&format!("the relay does not answer: {error}")),
            };
            for (part, shown) in [(Part::Store, store), (Part::Session, session)] {
                drop(elsewhere.send(Elsewhere::Looked { part, shown }).await);
            }
        });
    }

    /// Something was looked at.
    pub(super) fn hear(&mut self, part: Part, shown: Result<(), String>) {
        if part == Part::Session {
            self.asks_relay = false;
        }
        self.missing.look(part, shown);
    }

    /// Compares the network with the one before.
    pub(super) fn look_at_network(&mut self, places: &Places, facts: &NetworkFacts) {
        if !self.on_trial {
            return;
        }
        let now = reached(places, facts);
        let shown = self.before.as_ref().map_or(Ok(()), |it| it.compare(&now));
        self.missing.look(Part::Network, shown);
    }
}

fn both(why: &str) -> (Result<(), String>, Result<(), String>) {
    (Err(why.to_owned()), Err(why.to_owned()))
}

/// What the relay says of its store.
#[derive(Clone, Copy, Debug)]
struct Store {
    /// Whose it is.
    generation: Option<u32>,
    /// It was migrated, read whole and in order.
    checked: bool,
}

/// The data partition.
#[derive(Clone, Copy, Debug, Default)]
struct Disk {
    /// It cannot be read: perhaps it is this version that cannot.
    is_lost: bool,
    /// Nothing more can be recorded.
    is_full: bool,
}

/// Pure: whether the relay's store is the running version's, in order, and has room.
fn judge_store(store: Store, own: Option<Generation>, disk: Disk) -> Result<(), String> {
    if store.generation != own.map(|own| own.sequence) {
        return Err("the relay uses another version's store".to_owned());
    }
    if disk.is_lost {
        return Err("the data partition cannot be read".to_owned());
    }
    // An older version that is gone back to opens what it left, and copies nothing.
    if own.is_some_and(|own| own.trial) && !store.checked {
        return Err("the relay has not checked its copy".to_owned());
    }
    if disk.is_full {
        return Err("the data partition is full".to_owned());
    }
    Ok(())
}

/// Has a session of the appliance with itself carried, by a program without any right.
async fn carry<T: std::fmt::Display>(
    asking: &Asking,
    certificates: [Option<T>; 2],
) -> Result<(), String> {
    let [Some(certificate), Some(link_certificate)] = certificates else {
        return Err("the relay does not say by what it is known".to_owned());
    };
    let (customer, console) = match asking.client.ask_async(&Request::LoopBack).await {
        Ok(Reply::LoopBack { customer, console }) => (customer, console),
        Ok(other) => return Err(format!("the relay answered {other:?}")),
        Err(error) => return Err(format!("the relay does not answer: {error}")),
    };
    let words = [
        ("--port", asking.port.to_string()),
        ("--certificate", certificate.to_string()),
        ("--link-certificate", link_certificate.to_string()),
        ("--customer", customer.reveal()),
        ("--console", console.reveal()),
    ];
    let words = words
        .into_iter()
        .flat_map(|(name, value)| [name.into(), value.into()]);
    let words = std::iter::once("loop-back".into()).chain(words);
    let mut command = probe::command(&asking.program, words);
    match tokio::time::timeout(LOOP_BACK_WITHIN, command.status()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(_)) => Err("nothing came through from one end to the other".to_owned()),
        Ok(Err(error)) => Err(format!("its two ends do not start: {error}")),
        Err(_) => Err("nothing came through in time".to_owned()),
    }
}

/// What the network reaches now.
fn reached(places: &Places, facts: &NetworkFacts) -> Reach {
    let read = |path| places::text(&places.path(path)).unwrap_or_default();
    Reach::of(facts, &read("proc/net/route"), &read("proc/net/ipv6_route"))
}

/// For the version that may run after a restart.
pub(super) fn remember_network(places: &Places, facts: &NetworkFacts) {
    let path = places.state(reach::FILE);
    let text = serde_json::to_string(&reached(places, facts)).expect("plain data");
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    if let Err(error) = folder.and_then(|()| places::replace(&path, &text)) {
        note(&format!("{}: {error}", path.display()));
    }
}

/// What was written down concerns no later update.
pub(super) fn forget_network(places: &Places) {
    if let Err(error) = places::remove(&places.state(reach::FILE)) {
        note(&format!(
            "what was reached before the update stays: {error}"
        ));
    }
}

/// Reads every block of the root on a thread of its own. One that is not what was signed restarts the
/// machine there and then; one that cannot be read is told.
pub(super) fn read_root(places: &Places, elsewhere: &mpsc::Sender<Elsewhere>) {
    let (places, elsewhere) = (places.clone(), elsewhere.clone());
    thread::spawn(move || {
        let shown = root(&places)
            .and_then(|mut file| read_at_leisure(&mut file))
            .map_err(|error| error.to_string());
        match &shown {
            Ok(bytes) => note(&format!("the root was read whole, {} MiB", bytes >> 20)),
            Err(error) => note(&format!("the root cannot be read: {error}")),
        }
        let shown = shown.map(|_| ());
        let part = Part::Root;
        drop(elsewhere.blocking_send(Elsewhere::Looked { part, shown }));
    });
}

/// The device by its name: which number it has depends on the start.
fn root(places: &Places) -> io::Result<File> {
    for entry in fs::read_dir(places.path("sys/block"))?.flatten() {
        let name = places::line(&entry.path().join("dm/name"));
        if name.as_deref() == Some(ROOT) {
            return File::open(places.path("dev").join(entry.file_name()));
        }
    }
    Err(io::Error::other("there is no device that checks it"))
}

/// Reads to the end, and rests after each piece for about as long as that took: whoever asks for a
/// page meanwhile comes first.
fn read_at_leisure(file: &mut File) -> io::Result<u64> {
    let mut bytes = 0;
    let mut part = vec![0; ROOT_READ_AT_ONCE];
    loop {
        let began = Instant::now();
        match file.read(&mut part)? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
        thread::sleep(began.elapsed().min(ROOT_READ_REST_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_counts_if_it_is_this_versions_checked_and_has_room() {
        let own = |trial| Some(Generation { sequence: 7, trial });
        let store = |generation, checked| Store {
            generation: Some(generation),
            checked,
        };
        let fine = Disk::default();
        assert_eq!(judge_store(store(7, true), own(true), fine), Ok(()));
        assert_eq!(judge_store(store(7, false), own(false), fine), Ok(()));
        let [full, lost] =
            [(true, false), (false, true)].map(|(is_full, is_lost)| Disk { is_lost, is_full });
        for (store, disk, why) in [
            (store(6, true), fine, "another version's store"),
            (store(7, false), fine, "not checked"),
            (store(7, true), full, "full"),
            (store(7, true), lost, "cannot be read"),
        ] {
            let refused = judge_store(store, own(true), disk).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn the_root_is_the_device_of_its_name_and_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        assert!(root(&places).is_err());
        for (device, name) in [("dm-0", "other"), ("dm-1", ROOT)] {
            let about = places.path("sys/block").join(device).join("dm");
            fs::create_dir_all(&about).unwrap();
            fs::write(about.join("name"), format!("{name}\n")).unwrap();
        }
        fs::create_dir_all(places.path("dev")).unwrap();
        let length = 2 * ROOT_READ_AT_ONCE + 5;
        fs::write(places.path("dev/dm-1"), vec![7; length]).unwrap();
        let read = read_at_leisure(&mut root(&places).unwrap()).unwrap();
        assert_eq!(read, length as u64);
    }

    #[test]
    fn a_network_is_remembered_until_a_version_has_proved_itself() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        remember_network(&places, &NetworkFacts::default());
        assert_eq!(
            Proof::new(&places, true, None).before,
            Some(Reach::default())
        );
        forget_network(&places);
        assert_eq!(Proof::new(&places, true, None).before, None);
    }
}
