//! Orders, one after the other, from the first to the last.

use std::path::{Path, PathBuf};

use tokio_uring::buf::BoundedBuf as _;
use tokio_uring::net::UnixStream;

use super::buffer::Buffer;
use super::facts::{Known, Machine, UnknownMachine};
use super::kept::KeptError;
use super::record::{Attempt, Journal, Record, Step, settle};
use super::slot::{Incoming, SlotError};
use crate::control::machine::notice;
use crate::control::update::{Happened, KeyId, Phase, What, Who};
use crate::domain::Stamp;
use crate::domain::limits::UPDATE_KEYS_MAX;
use crate::domain::token::Fingerprint;
use crate::update::manifest::{Manifest, ManifestError};
use crate::update::now;
use crate::update::wire::{self, Answer, Kind, Order, Told, WireError};

/// Why an order was not followed. The words go to a person.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// What is kept cannot be read or written.
    #[error(
        "what is known of updates cannot be trusted any more: {0}. Export the settings, reset the \
         appliance to its factory state and install the update from a stick"
    )]
    Kept(#[from] KeptError),
    /// Too early.
    #[error("{0}; wait a minute and try again")]
    Machine(#[from] UnknownMachine),
    /// `verify` hands on what it should have refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The disk.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// Something before it has to be done first.
    #[error("{0}")]
    NotNow(String),
}

/// Other programs that the writer has something done by.
pub trait Others {
    /// Restarts the machine in order.
    fn restart(&self) -> Result<(), String>;
    /// Tells everybody who is connected when that is, or that it does not come after all.
    fn announce(&self, restart: Option<Stamp>) -> Result<(), String>;
    /// Backs the store up under this label.
    fn back_up(&self, label: &str) -> Result<(), String>;
    /// The slots are not what they were.
    fn slots_changed(&self);
    /// Puts something in the audit record. Returns whether it is there.
    fn record(&self, happened: &Happened) -> bool;
}

/// Everything an order can reach.
pub struct Writer {
    machine: Machine,
    record: Record,
    others: Box<dyn Others>,
    incoming: Option<Coming>,
}

/// A version that comes in.
struct Coming {
    slot: Incoming,
    /// What went wrong first. Nothing is written any more.
    trouble: Option<SlotError>,
}

impl Writer {
    /// Keeps what it keeps in `folder`.
    pub fn new(machine: Machine, folder: &Path, others: Box<dyn Others>) -> Self {
        Self {
            machine,
            record: Record::new(folder),
            others,
            incoming: None,
        }
    }

    /// Follows orders until `verify` is gone.
    pub async fn serve(&mut self, socket: &UnixStream) -> Result<(), WireError> {
        while let Some(order) = receive(socket).await? {
            if let Order::Chunk { number } = order {
                let coming = self.incoming.as_mut();
                let mut buffer = coming.map_or_else(Buffer::new, |coming| coming.slot.buffer());
                receive_chunk(socket, &mut buffer).await?;
                self.chunk(number, buffer).await;
                continue;
            }
            let answer = match self.follow(order, socket).await? {
                Ok(answer) => answer,
                Err(error) => Answer::Failed {
                    why: notice(&error.to_string()),
                },
            };
            send(socket, &answer).await?;
            if matches!(answer, Answer::Told(_)) {
                let trust = self.record.trust().unwrap_or_default();
                send_bytes(socket, trust).await?;
            }
        }
        Ok(())
    }

    async fn follow(
        &mut self,
        order: Order,
        socket: &UnixStream,
    ) -> Result<Result<Answer, WriteError>, WireError> {
        Ok(match order {
            Order::Tell => self.told().map(|told| Answer::Told(Box::new(told))),
            Order::KeepTrust => {
                let bytes = receive_bytes(socket).await?;
                let kept = self.record.keep_trust(&bytes);
                kept.map(|()| Answer::Done).map_err(WriteError::from)
            }
            Order::KeepSettings { settings } => {
                let kept = self.record.keep_settings(&settings);
                kept.map(|()| Answer::Done).map_err(WriteError::from)
            }
            Order::Note { happened } => self.note(happened).map(|()| Answer::Done),
            Order::Begin { who, keys } => {
                let manifest = receive_bytes(socket).await?;
                self.begin(who, keys, &manifest).await
            }
            Order::Chunk { .. } => unreachable!("taken before"),
            Order::Finish => {
                let done = self.finish(socket).await?;
                if let Err(error) = &done {
                    let why = error.to_string();
                    drop(self.note_attempt(What::Stopped, Some(&why)));
                }
                done
            }
            Order::Stop { why } => {
                self.let_go().await;
                let noted = self.note_attempt(What::Stopped, Some(why.as_str()));
                noted.map(|()| Answer::Done)
            }
            Order::Announce { restart } => {
                let told = self.others.announce(restart);
                told.map(|()| Answer::Done).map_err(WriteError::NotNow)
            }
            Order::Restart { who } => self.restart(who),
        })
    }

    /// What is known, after looking at how the version on its way did.
    fn told(&mut self) -> Result<Told, WriteError> {
        let known = self.machine.look(now())?;
        let journal = self.settled(&known)?;
        let phase = phase(&journal, &known);
        let mut blocked = known.blocked;
        if let Err(error) = self.record.trust() {
            blocked = Some(notice(&WriteError::from(error).to_string()));
        }
        let news = journal.news_of(known.seen.sequence);
        Ok(Told {
            running: known.running,
            settings: self.record.settings(),
            history: journal.history,
            failed: journal.failed,
            phase,
            security_epoch: journal.security_epoch.max(known.seen.security_epoch),
            blocked,
            news,
        })
    }

    fn settled(&self, known: &Known) -> Result<Journal, WriteError> {
        let mut journal = self.record.journal()?;
        let tried = journal.attempt.as_ref().map(|attempt| attempt.slot);
        if settle(&mut journal, &known.seen) {
            self.record.keep_journal(&journal)?;
            self.machine.forget_last_words();
            let left = journal.attempt.is_none() && journal.newest() == Some(What::WentBack);
            if let Some(slot) = tried.filter(|_| left) {
                self.machine.abandon(slot);
                self.others.slots_changed();
            }
        }
        self.tell_audit(&mut journal)?;
        Ok(journal)
    }

    /// Puts in the audit record what is not there yet, oldest first.
    fn tell_audit(&self, journal: &mut Journal) -> Result<(), WriteError> {
        let before = journal.unrecorded;
        while journal.unrecorded > 0 {
            if !self.others.record(&journal.history[journal.unrecorded - 1]) {
                break;
            }
            journal.unrecorded -= 1;
        }
        if journal.unrecorded != before {
            self.record.keep_journal(journal)?;
        }
        Ok(())
    }

    fn note(&self, happened: Happened) -> Result<(), WriteError> {
        let mut journal = self.record.journal()?;
        journal.note(happened);
        self.record.keep_journal(&journal)?;
        self.tell_audit(&mut journal)
    }

    fn note_attempt(&self, what: What, why: Option<&str>) -> Result<(), WriteError> {
        let Some(attempt) = self.record.journal()?.attempt else {
            return Ok(());
        };
        self.note(happened(&attempt, what, why))
    }

    async fn begin(
        &mut self,
        who: Who,
        keys: heapless::Vec<KeyId, UPDATE_KEYS_MAX>,
        manifest: &[u8],
    ) -> Result<Answer, WriteError> {
        let fingerprint = Fingerprint::of(manifest);
        let manifest = Manifest::decode(manifest)?;
        let known = self.machine.look(now())?;
        if let Some(why) = &known.blocked {
            return Err(WriteError::NotNow(why.to_string()));
        }
        let mut journal = self.settled(&known)?;
        if phase(&journal, &known) != Phase::Idle {
            let why = "A version is ready already. Start it, or go back to it later from here.";
            return Err(WriteError::NotNow(why.into()));
        }
        let floor = journal.security_epoch.max(known.seen.security_epoch);
        if manifest.security_epoch < floor {
            let what = "security epochs of update and appliance";
            return Err(SlotError::Mixed { what }.into());
        }
        self.back_up(&manifest.version)?;
        let slot = known.running.target;
        let attempt = Attempt {
            manifest: fingerprint,
            version: manifest.version.clone(),
            sequence: manifest.sequence,
            notes: manifest.notes.clone(),
            slot,
            who,
            keys,
            from: known.running.version,
            step: Step::Writing,
        };
        journal.note(happened(&attempt, What::Began, None));
        journal.attempt = Some(attempt);
        self.record.keep_journal(&journal)?;
        self.tell_audit(&mut journal)?;
        self.let_go().await;
        self.machine.look_again();
        let incoming = Incoming::open(self.machine.place(slot), manifest).await?;
        self.others.slots_changed();
        let chunks = incoming.missing().await?;
        self.incoming = Some(Coming {
            slot: incoming,
            trouble: None,
        });
        Ok(Answer::Missing { chunks })
    }

    /// Whatever the new version does, there is a way back that nobody has to think of.
    fn back_up(&self, version: &str) -> Result<(), WriteError> {
        // In a file's name.
        let version = version.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
        let done = self.others.back_up(&format!("before-{version}"));
        done.map_err(|why| {
            WriteError::NotNow(format!("There is no backup, so nothing was written: {why}"))
        })
    }

    /// Writes a chunk while the next one is on its way. What goes wrong is told by the next answer.
    async fn chunk(&mut self, number: u32, buffer: Buffer) {
        let Some(coming) = &mut self.incoming else {
            return;
        };
        if coming.trouble.is_none() {
            coming.trouble = coming.slot.put(number, buffer).await.err();
        }
    }

    /// Of what came in so far. Nothing is being written any more afterwards.
    async fn let_go(&mut self) {
        if let Some(mut coming) = self.incoming.take() {
            // Whatever came of it: it is not wanted any more.
            let _ = coming.slot.settle().await;
        }
    }

    async fn finish(
        &mut self,
        socket: &UnixStream,
    ) -> Result<Result<Answer, WriteError>, WireError> {
        let Some(mut coming) = self.incoming.take() else {
            let why = "No version is on its way.".into();
            return Ok(Err(WriteError::NotNow(why)));
        };
        let settled = coming.slot.settle().await;
        if let Some(trouble) = coming.trouble.or(settled.err()) {
            return Ok(Err(trouble.into()));
        }
        let mut slot = coming.slot;
        let journal = match self.record.journal() {
            Ok(journal) => journal,
            Err(error) => return Ok(Err(error.into())),
        };
        let told = async |bytes| {
            let _ = send(socket, &Answer::ReadBack { bytes }).await;
        };
        if let Err(error) = slot.finish(journal.security_epoch, told).await {
            return Ok(Err(error.into()));
        }
        Ok(self.ready(journal, &slot).map(|()| Answer::Done))
    }

    /// First the journal knows, then the boot loader: what the boot loader tries must never be
    /// something that nobody remembers.
    fn ready(&self, mut journal: Journal, slot: &Incoming) -> Result<(), WriteError> {
        if let Some(attempt) = &mut journal.attempt {
            attempt.step = Step::Ready {
                boot: self.machine.boot_id(),
            };
            let ready = happened(attempt, What::Ready, None);
            journal.note(ready);
        }
        self.record.keep_journal(&journal)?;
        slot.mark()?;
        self.machine.look_again();
        self.others.slots_changed();
        self.tell_audit(&mut journal)
    }

    fn restart(&self, who: Who) -> Result<Answer, WriteError> {
        let journal = self.record.journal()?;
        let attempt = journal
            .attempt
            .filter(|attempt| attempt.step != Step::Writing);
        let Some(mut attempt) = attempt else {
            return Err(WriteError::NotNow(
                "No version is ready to be started.".into(),
            ));
        };
        if !self.machine.is_due(attempt.slot) {
            let why = "The version that was ready is not marked to be started any more. Install it again.";
            return Err(WriteError::NotNow(why.into()));
        }
        attempt.who = who;
        self.note(happened(&attempt, What::Restarted, None))?;
        self.others.restart().map_err(WriteError::NotNow)?;
        Ok(Answer::Done)
    }
}

/// Where the version on its way stands.
fn phase(journal: &Journal, known: &Known) -> Phase {
    let Some(attempt) = &journal.attempt else {
        return Phase::Idle;
    };
    let version = attempt.version.clone();
    let Step::Ready { .. } = attempt.step else {
        return Phase::Idle;
    };
    if known.seen.slot == Some(attempt.slot) {
        return Phase::Proving { version };
    }
    Phase::Ready {
        version,
        slot: attempt.slot,
        restart: None,
    }
}

fn happened(attempt: &Attempt, what: What, why: Option<&str>) -> Happened {
    attempt.happened(what, why.map(notice), now())
}

/// The next `bytes`. `None` if the other side closed before the first.
async fn read_exact(socket: &UnixStream, bytes: usize) -> Result<Option<Vec<u8>>, WireError> {
    let mut read = Vec::with_capacity(bytes);
    while read.len() < bytes {
        let from = read.len();
        let (done, rest) = socket.read(read.slice(from..bytes)).await;
        read = rest.into_inner();
        if done? == 0 {
            if read.is_empty() {
                return Ok(None);
            }
            return Err(ended());
        }
    }
    Ok(Some(read))
}

/// How long the next frame is. `None` if the other side closed.
async fn announced(socket: &UnixStream, expected: Kind) -> Result<Option<usize>, WireError> {
    let Some(header) = read_exact(socket, wire::HEADER_BYTES).await? else {
        return Ok(None);
    };
    let header = header[..].try_into().expect("as many as were asked for");
    let (kind, bytes) = wire::announced(header)?;
    if kind == expected {
        Ok(Some(bytes))
    } else {
        Err(WireError::OutOfTurn)
    }
}

async fn frame(socket: &UnixStream, expected: Kind) -> Result<Option<Vec<u8>>, WireError> {
    let Some(bytes) = announced(socket, expected).await? else {
        return Ok(None);
    };
    let body = read_exact(socket, bytes).await?;
    Ok(Some(body.ok_or_else(ended)?))
}

async fn receive_chunk(socket: &UnixStream, buffer: &mut Buffer) -> Result<(), WireError> {
    let bytes = announced(socket, Kind::Bytes).await?.ok_or_else(ended)?;
    let resized = buffer.resize(bytes);
    resized.map_err(|most| WireError::TooLong { bytes, most })?;
    let mut read = 0;
    while read < bytes {
        let done = buffer.lend(read, async |into| socket.read(into).await);
        match done.await? {
            0 => return Err(ended()),
            count => read += count,
        }
    }
    Ok(())
}

fn ended() -> WireError {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}

async fn receive(socket: &UnixStream) -> Result<Option<Order>, WireError> {
    let body = frame(socket, Kind::Message).await?;
    Ok(body.map(|body| serde_json::from_slice(&body)).transpose()?)
}

async fn receive_bytes(socket: &UnixStream) -> Result<Vec<u8>, WireError> {
    frame(socket, Kind::Bytes)
        .await?
        .ok_or(WireError::OutOfTurn)
}

async fn send(socket: &UnixStream, answer: &Answer) -> Result<(), WireError> {
    let (done, _) = socket.write_all(wire::message(answer)?).await;
    Ok(done?)
}

async fn send_bytes(socket: &UnixStream, bytes: Vec<u8>) -> Result<(), WireError> {
    let header = wire::header(Kind::Bytes, bytes.len())?;
    let (done, _) = socket.write_all([&header[..], &bytes].concat()).await;
    Ok(done?)
}

/// Where the writer keeps what it keeps, on an appliance image.
pub const FOLDER: &str = "/state/update";

/// The supervisor's file about the machine, on an appliance image.
pub fn facts_file() -> PathBuf {
    crate::config::Paths::new(Path::new(crate::config::paths::ON_APPLIANCE)).machine()
}
