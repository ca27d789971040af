//! What every page can reach, built once by `main`.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use jiff::tz::TimeZone;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::Semaphore;

use super::database::Store;
use super::http::Failure;
use super::puzzles::Puzzles;
use super::throttle::Throttle;
use crate::config::{Config, Paths};
use crate::control::{Client, Reply, Request, UpdateClient};
use crate::domain::limits::HASHES_AT_ONCE_MAX;
use crate::domain::password::{self, Password};
use crate::domain::{Moment, Now, Stamp};
use crate::metrics::Snapshot;
use crate::store::generation;

/// The web side of one appliance.
#[derive(Debug)]
pub struct Site {
    /// Start-up choices.
    pub(crate) config: Config,
    /// Folders.
    pub(crate) paths: Paths,
    /// The relay.
    pub(crate) control: Client,
    /// The update agent, on an appliance image.
    pub(crate) updates: UpdateClient,
    /// The store.
    pub(crate) store: Store,
    /// The customer client, if this appliance has it.
    pub(crate) endpoint: Option<Endpoint>,
    /// The appliance's zone, read before the sandbox closes its folder.
    pub(crate) zone: TimeZone,
    throttle: Mutex<Throttle>,
    puzzles: Mutex<Puzzles>,
    hashing: Semaphore,
    random: SystemRandom,
    started: Instant,
}

/// The executable that customers download.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Opened at start, so that its folder may be out of reach afterwards.
    pub(crate) file: Arc<File>,
    /// Its length then.
    pub(crate) bytes: u64,
}

impl Endpoint {
    /// Opens it.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            file: Arc::new(file),
            bytes,
        })
    }
}

impl Site {
    /// Puts the parts together.
    pub fn new(
        config: Config,
        paths: Paths,
        store: Store,
        endpoint: Option<Endpoint>,
        zone: TimeZone,
    ) -> Self {
        let random = SystemRandom::new();
        Self {
            control: Client::new(&paths.control_socket()),
            updates: UpdateClient::new(&paths.update_socket()),
            config,
            paths,
            store,
            endpoint,
            zone,
            throttle: Mutex::default(),
            puzzles: Mutex::new(Puzzles::new(bytes(&random))),
            hashing: Semaphore::new(HASHES_AT_ONCE_MAX),
            random,
            started: Instant::now(),
        }
    }

    /// Both clocks.
    pub(crate) fn now(&self) -> Now {
        let uptime = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now {
            moment: Moment::from_millis(uptime),
            stamp: Stamp::of(SystemTime::now()),
        }
    }

    /// Bytes that nobody can guess.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        bytes(&self.random)
    }

    /// Wrong passwords of late.
    pub(crate) fn throttle<T>(&self, work: impl FnOnce(&mut Throttle) -> T) -> T {
        // Poisoned only by a panic between two counts: they are still counts.
        let lock = self.throttle.lock();
        work(&mut lock.unwrap_or_else(PoisonError::into_inner))
    }

    /// Puzzles that signing in may cost.
    pub(crate) fn puzzles<T>(&self, work: impl FnOnce(&mut Puzzles) -> T) -> T {
        // As above.
        let lock = self.puzzles.lock();
        work(&mut lock.unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether accounts and settings are held, because this version has not proved itself: what was
    /// changed now would be gone if the version before had to take over.
    pub(crate) fn is_held(&self) -> bool {
        self.paths.generation().is_some_and(|own| {
            own.trial && generation::is_on_trial(&self.paths.store_folder(), own.sequence)
        })
    }

    /// Which programs these are: another one after every update.
    pub(crate) fn version(&self) -> String {
        let image = self.paths.generation().map_or(0, |own| own.sequence);
        format!("{}-{image}", env!("CARGO_PKG_VERSION"))
    }

    /// Asks the relay.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Reply, Failure> {
        Ok(self.control.ask_async(request).await?)
    }

    /// The relay's figures.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Failure> {
        match self.ask(&Request::Status).await? {
            Reply::Status(snapshot) => Ok(*snapshot),
            other => Err(out_of_turn(&other)),
        }
    }

    /// Whether `typed` is the password behind `stored`; with no hash, takes as long and says no.
    pub(crate) async fn password_matches(
        &self,
        typed: String,
        stored: Option<String>,
    ) -> Result<bool, Failure> {
        self.hashing(move || password::matches(&typed, stored.as_deref()))
            .await
    }

    /// The PHC string to store.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, Failure> {
        let salt = self.random();
        self.hashing(move || password.hash(salt)).await
    }

    /// Away from the runtime's threads, and never more than [`HASHES_AT_ONCE_MAX`] at once.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let _permit = self.hashing.acquire().await;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Failure::Internal(format!("hashing: {error}")))
    }
}

/// The relay's answer belongs to another question.
pub(crate) fn out_of_turn(reply: &Reply) -> Failure {
    match reply {
        Reply::Refused { why } => Failure::OutOfTurn(why.clone()),
        Reply::Turned(reason) => Failure::OutOfTurn(format!("{reason:?}")),
        _ => Failure::OutOfTurn("another question's answer".into()),
    }
}

fn bytes<const N: usize>(random: &SystemRandom) -> [u8; N] {
    let mut bytes = [0; N];
    random
        .fill(&mut bytes)
        .expect("Linux gives random bytes once it has booted");
    bytes
}
