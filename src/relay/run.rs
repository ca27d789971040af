//! Puts the relay together, runs it, and takes it apart with nothing lost.

use std::collections::HashMap;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, bounded};

use super::ceiling::Ceiling;
use super::clock::{Clock, stamp};
use super::control::{self, Control};
use super::generations::{self, Opened};
use super::handover::{self, Executor, HandOverError, Heard, Predecessor, Successor, Testament};
use super::hub::event::{KeyRecord, SessionRecord, ShellRecord};
use super::hub::{Deployment, FleetMemory, Hub, Memory, PeerId, Reached, Turn};
use super::hub_thread::{Answers, HubThread, random};
use super::identities::{Identities, KeysError};
use super::recorder::{self, Acknowledged};
use super::shard::{self, Setting, Shard, ShardHandle};
use super::transcripts;
use crate::audit::{self, Actor};
use crate::config::{Config, Paths, Ready};
use crate::domain::limits::{
    ENTRIES_REPLAYED_MAX, HUB_QUEUE_MAX, RECORDER_QUEUE_MAX, SHARD_QUEUE_MAX, SOCKETS_PER_RING_MAX,
    TRANSCRIPT_QUEUE_MAX,
};
use crate::domain::text::label;
use crate::domain::token::Fingerprint;
use crate::domain::{Stamp, Token};
use crate::link::{ALPN, DEVICE_ALPN};
use crate::metrics::{Counters, Sandbox};
use crate::net::Waker;
use crate::store::jump_clients::{self, DeploymentRow};
use crate::store::open_shells::{self, Waiting};
use crate::store::sessions::SavedState;
use crate::store::{Database, StoreError, accounts, entries, session_keys, sessions, settings};
use crate::tls::{Configs, LinkIds, TlsError};

/// Sockets that the supervisor bound.
pub struct Sockets {
    /// One for each ring thread, on the same port.
    pub https: Vec<TcpListener>,
    /// The one that redirects.
    pub http: Option<TcpListener>,
    /// For our own programs.
    pub control: UnixListener,
    /// Of the relay before this one, if that one runs still.
    pub predecessor: Option<Predecessor>,
}

/// Why the relay does not start. Ends the program with this line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// No store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys that TLS does not take.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No listener was handed over.
    #[error("no HTTPS listener was handed over; start this program through the supervisor")]
    NoListener,
    /// The relay before this one does not let go.
    #[error(transparent)]
    HandOver(#[from] HandOverError),
    /// The system refused a thread or an event.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// A relay that is ready to serve.
pub struct Relay {
    threads: Threads,
    ready: Ready,
}

struct Threads {
    shards: Vec<JoinHandle<()>>,
    hub: JoinHandle<HashMap<PeerId, Fingerprint>>,
    transcripts: JoinHandle<()>,
    recorder: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    stop_hub: crossbeam::channel::Sender<()>,
    stop_control: Waker,
    executor: Executor,
    handles: Vec<ShardHandle>,
    /// Rung when a thread ended that should not have.
    failed: Receiver<()>,
    store: std::path::PathBuf,
}

impl Relay {
    /// Opens keys and store and starts every thread. `sandbox` is what holds this program
    /// already.
    pub fn start(
        config: &Config,
        paths: &Paths,
        sockets: Sockets,
        sandbox: Sandbox,
    ) -> Result<Self, StartError> {
        if sockets.https.is_empty() {
            return Err(StartError::NoListener);
        }
        let clock = Clock::start();
        let identities = Identities::open_or_make(&paths.keys(), &names(config))?;
        let ids = LinkIds {
            endpoint: ALPN,
            device: DEVICE_ALPN,
        };
        let configs = Arc::new(Configs::new(&identities.link, &identities.web, ids)?);
        let predecessor = sockets.predecessor;
        let inherits = predecessor
            .map(|one| Ok::<_, HandOverError>(one.take_over()?.then_some(one)))
            .transpose()?
            .flatten();
        let Opened {
            mut database,
            on_trial,
            checked,
        } = generations::open(paths, stamp())?;
        let setup = begin(&mut database, stamp())?;
        let waiting = database.write(open_shells::take)?;
        let mut memory = remember(&database, &waiting, stamp())?;
        memory.fleet.active_max = config.model.active_jump_clients_max();
        let ready = Ready {
            error: None,
            certificate: Some(identities.web.certificate_fingerprint()),
            setup,
        };

        let count = u16::try_from(sockets.https.len()).unwrap_or(u16::MAX);
        let (to_hub, events) = bounded(HUB_QUEUE_MAX);
        let (to_recorder, work) = bounded(RECORDER_QUEUE_MAX);
        let (to_transcripts, mail) = tokio::sync::mpsc::channel(TRANSCRIPT_QUEUE_MAX);
        let (bell, rung) = bounded(1);
        let (stop_hub, hub_stopped) = bounded(1);
        let (fail, failed) = bounded(usize::from(count) + 3);
        let acknowledged = Acknowledged {
            through: Arc::new(AtomicU64::new(0)),
            bell,
        };
        let counters = Arc::new(Counters::default());
        let answers = Answers::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (parting, executor) = handover::parting(count);

        let mut handles = Vec::new();
        let mut queues = Vec::new();
        for _ in 0..count {
            let (mail, queue) = bounded(SHARD_QUEUE_MAX);
            let waker = Waker::new().map_err(std::io::Error::from)?;
            handles.push(ShardHandle { mail, waker });
            queues.push(queue);
        }

        let hub = Hub::restore(
            memory,
            &mut Turn {
                now: clock.now(),
                random: &mut random,
            },
        );
        let hub_thread = HubThread {
            events,
            bell: rung,
            acknowledged: acknowledged.clone(),
            shards: handles.clone(),
            recorder: to_recorder.clone(),
            transcripts: to_transcripts.clone(),
            answers: answers.clone(),
            stop: hub_stopped,
            clock,
        };
        let recorder = spawn("recorder", &fail, move || {
            recorder::run(database, &work, &acknowledged);
        })?;
        let transcripts = {
            let (folder, hub) = (paths.recordings(), to_hub.clone());
            spawn("transcripts", &fail, move || {
                transcripts::run(&folder, waiting, mail, &to_recorder, &hub);
            })?
        };
        let hub = spawn("hub", &fail, move || hub_thread.run(hub))?;

        let setting = Setting {
            clock,
            configs,
            hub: to_hub.clone(),
            transcripts: to_transcripts,
            shards: handles.clone(),
            counters: counters.clone(),
            web_socket: paths.web_socket(),
            site: config.site.clone(),
            https_port: config.https_port,
            sockets_max: SOCKETS_PER_RING_MAX,
            queued_bytes_max: config.model.queued_bytes_max() / usize::from(count),
            stop: stop.clone(),
            parting,
        };
        let mut http = sockets.http;
        let mut shards = Vec::new();
        for ((index, https), queue) in (0..count).zip(sockets.https).zip(queues) {
            let (setting, plain) = (setting.clone(), http.take());
            shards.push(spawn(&format!("shard-{index}"), &fail, move || {
                let shard = Shard::new(index, setting, queue, https, plain);
                if let Err(error) = shard.and_then(Shard::run) {
                    tracing::error!(%error, "shard_failed");
                }
            })?);
        }
        drop(setting);

        let control = Control {
            hub: to_hub,
            answers,
            paths: paths.clone(),
            on_trial: Arc::new(AtomicBool::new(on_trial)),
            checked,
            config: config.clone(),
            counters,
            clock,
            started: stamp(),
            threads: count,
            sandbox,
            certificate: identities.web.certificate_fingerprint(),
            link_key: identities.link.key_fingerprint(),
            link_certificate: identities.link.certificate_fingerprint(),
        };
        let listener = sockets.control;
        let stop_control = Waker::new().map_err(std::io::Error::from)?;
        let control_stopped = stop_control.clone();
        thread::Builder::new()
            .name("control-accept".into())
            .spawn(move || control::run(&control, &listener, &control_stopped))?;
        if let Some(predecessor) = inherits {
            let shards = handles.clone();
            thread::Builder::new()
                .name("inheritance".into())
                .spawn(move || inherit(&predecessor, &shards))?;
        }
        let memory_ceiling = Ceiling::of(config.model, count);
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            threads = count,
            on_trial,
            memory_ceiling_mib = memory_ceiling.bytes() >> 20,
            ?memory_ceiling,
            "relay_started"
        );
        let store = paths.store();
        Ok(Self {
            threads: Threads {
                shards,
                hub,
                transcripts,
                recorder,
                stop,
                stop_hub,
                stop_control,
                executor,
                handles,
                failed,
                store,
            },
            ready,
        })
    }

    /// What the supervisor is told.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Rung when a thread ended that should not have.
    pub fn failed(&self) -> Receiver<()> {
        self.threads.failed.clone()
    }

    /// Stops reading from peers, then puts everything that was decided on record. What can go on
    /// is given to `successor`.
    pub fn stop(self, successor: Option<Arc<Successor>>) {
        let Threads {
            shards,
            hub,
            transcripts,
            recorder,
            stop,
            stop_hub,
            stop_control,
            executor,
            handles,
            failed,
            store,
        } = self.threads;
        drop(failed);
        stop_control.wake();
        if successor.is_some() {
            executor.ask();
        }
        stop.store(true, Ordering::Relaxed);
        for handle in &handles {
            handle.waker.wake();
        }
        executor.await_parted();
        // Dropping the hub drops the last sender of transcripts, and theirs the recorder's.
        let _ = stop_hub.send(());
        let machines = hub.join().unwrap_or_default();
        for thread in [transcripts, recorder] {
            let _ = thread.join();
        }
        let stopped = Database::open(&store).and_then(|mut database| {
            let event = audit::Event::RelayStopped;
            database.write(|tx| audit::append(tx, stamp(), &Actor::Appliance, &event))
        });
        if let Err(error) = stopped {
            tracing::error!(%error, "stop_not_recorded");
        }
        let closed = successor.filter(|to| to.store_is_closed().is_ok());
        match closed.clone() {
            Some(to) => executor.execute(&Testament {
                to,
                machines: Arc::new(machines),
            }),
            None => drop(executor),
        }
        for shard in shards {
            let _ = shard.join();
        }
        if let Some(given) = closed.and_then(|to| to.end().ok()) {
            tracing::info!(given, "handed_over");
        }
        tracing::info!("relay_stopped");
    }
}

/// Gives what the relay before this one hands over to the ring threads in turn.
fn inherit(predecessor: &Predecessor, shards: &[ShardHandle]) {
    let mut turns = shards.iter().cycle();
    let mut taken = 0_u32;
    loop {
        match predecessor.next() {
            Ok(Some(Heard::Connections(connections))) => {
                let Some(shard) = turns.next() else { return };
                for connection in connections {
                    taken += 1;
                    let mail = shard::Mail::Inherited(Box::new(connection));
                    drop(shard.mail.send(mail));
                }
                shard.waker.wake();
            }
            Ok(Some(Heard::End(given))) => {
                return tracing::info!(given, taken, "taken_over");
            }
            Ok(Some(Heard::StoreIsClosed)) => {}
            // The others come back by themselves.
            Ok(None) => return tracing::warn!(taken, "hand_over_cut_short"),
            Err(error) => return tracing::warn!(%error, taken, "hand_over_cut_short"),
        }
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    fail: &crossbeam::channel::Sender<()>,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    let fail = fail.clone();
    thread::Builder::new().name(name.into()).spawn(move || {
        // Rings also while a panic unwinds: a relay that lost a thread must not pretend to serve.
        let _ring = Ring(fail);
        work()
    })
}

struct Ring(crossbeam::channel::Sender<()>);

impl Drop for Ring {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// What the site is called, for its certificate.
fn names(config: &Config) -> Vec<String> {
    let mut names = vec![config.site.clone()];
    let always = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    names.extend(always.into_iter().filter(|name| *name != config.site));
    names
}

/// First records of a start; a one-time set-up token while there is no administrator.
fn begin(database: &mut Database, at: Stamp) -> Result<Option<Token>, StoreError> {
    database.write(|tx| {
        audit::begin(tx, at)?;
        let version = label(env!("CARGO_PKG_VERSION"));
        audit::append(
            tx,
            at,
            &Actor::Appliance,
            &audit::Event::RelayStarted { version },
        )?;
        if accounts::any_administrator(tx)? {
            return Ok(None);
        }
        let mut bytes = [0; 16];
        random(&mut bytes);
        let token = Token::from_random(bytes);
        settings::put_setup_token(tx, &token.fingerprint())?;
        audit::append(tx, at, &Actor::Appliance, &audit::Event::SetupLinkCreated)?;
        Ok(Some(token))
    })
}

/// Keys and sessions that are not over.
fn remember(database: &Database, waiting: &[Waiting], at: Stamp) -> Result<Memory, StoreError> {
    database.read(|c| {
        let reached = |(acknowledged, sent)| Reached { acknowledged, sent };
        let shells = waiting.iter().map(|one| ShellRecord {
            session: one.shell.session,
            shell: one.shell.shell,
            size: one.shell.size,
            customer: reached(one.shell.input),
            console: reached(one.shell.output),
        });
        let deployment = |row: DeploymentRow| Deployment {
            token: row.token,
            left: row.machines,
            expires: row.expires,
        };
        let deployments = jump_clients::deployments(c, at)?;
        let mut memory = Memory {
            shells: shells.collect(),
            fleet: FleetMemory {
                rate: settings::admission_rate(c)?,
                clients: jump_clients::devices(c)?,
                deployments: deployments.into_iter().map(deployment).collect(),
                ..FleetMemory::default()
            },
            ..Memory::default()
        };
        for row in session_keys::unused(c, at)? {
            let Some((account, _)) = accounts::by_id(c, row.account)? else {
                continue;
            };
            memory.keys.push(KeyRecord {
                digits: row.digits.as_str().try_into().unwrap_or_default(),
                ak: row.ak,
                account: row.account,
                name: account.display_name.to_label(),
                created: row.created,
                expires: row.expires,
            });
        }
        for row in sessions::unended(c)? {
            let log = entries::last(c, row.id, ENTRIES_REPLAYED_MAX)?;
            let record = SessionRecord {
                session: row.id,
                owner: row.owner,
                owner_name: row.owner_name,
                kind: row.kind,
                facts: row.facts,
                public_address: row.public_address,
                resume: row.resume,
                started: row.started,
                accepted: row.state == SavedState::Accepted,
                allowed: row.allowed,
                next_shell: row.next_shell,
            };
            memory.sessions.push((record, log));
        }
        Ok(memory)
    })
}
