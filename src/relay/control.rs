//! Answers our own programs: one thread per connection, a few at a time.

mod jump_clients;

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crossbeam::channel::Sender;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;

use super::clock::{Clock, stamp};
use super::hub::Event;
use super::hub::event::{Answer, Figures, Order};
use super::hub::fleet::FleetFigures;
use super::hub_thread::{Answers, random};
use super::update_record;
use crate::audit::{self, Actor};
use crate::config::{Config, Generation, Paths};
use crate::control::update::Happened;
use crate::control::{Reply, Request, wire};
use crate::domain::limits::{CONTROL_CONNECTIONS_MAX, CONTROL_REPLY_WITHIN};
use crate::domain::password::Password;
use crate::domain::token::Fingerprint;
use crate::domain::{Account, AccountName, DisplayName, Moment, Secret, Stamp, text};
use crate::metrics::{
    Connections, Counters, JumpClients, Keys, Sandbox, Sessions, Snapshot, StoreState,
};
use crate::net::Waker;
use crate::store::accounts::{self, NewAccount};
use crate::store::{Database, StoreError, generation};

/// What answers are made of.
#[derive(Clone)]
pub struct Control {
    /// For orders.
    pub hub: Sender<Event>,
    /// For their answers.
    pub answers: Answers,
    /// The store is opened for each request that needs it: they are rare.
    pub paths: Paths,
    /// Another store than ours counts until this version has proved itself.
    pub on_trial: Arc<AtomicBool>,
    /// The store was read whole at the start, and is what this version expects.
    pub checked: bool,
    /// As it was at start.
    pub config: Config,
    /// Of the ring threads.
    pub counters: Arc<Counters>,
    /// For the uptime.
    pub clock: Clock,
    /// When the relay started.
    pub started: Stamp,
    /// Ring threads.
    pub threads: u16,
    /// How the relay is locked in.
    pub sandbox: Sandbox,
    /// Of the site.
    pub certificate: Fingerprint,
    /// Of the link key.
    pub link_key: Fingerprint,
    /// Of the certificate around it.
    pub link_certificate: Fingerprint,
}

/// Wait after an accept that failed.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Accepts until the program ends.
pub fn run(control: &Control, listener: &UnixListener, stop: &Waker) {
    let busy = Arc::new(AtomicUsize::new(0));
    // Another relay may listen on the same socket already, and be quicker.
    if let Err(error) = listener.set_nonblocking(true) {
        tracing::warn!(%error, "control_blocks");
    }
    while stop.await_or_readable(listener) {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => {
                // Out of descriptors or memory: asking again at once would only keep a core busy.
                std::thread::sleep(ACCEPT_AGAIN_AFTER);
                continue;
            }
        };
        if busy.load(Ordering::Relaxed) >= CONTROL_CONNECTIONS_MAX {
            tracing::warn!(limit = CONTROL_CONNECTIONS_MAX, "control_busy");
            continue;
        }
        busy.fetch_add(1, Ordering::Relaxed);
        let (control, ours) = (control.clone(), busy.clone());
        let started = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                if let Err(error) = control.serve(stream) {
                    tracing::debug!(%error, "control_closed");
                }
                ours.fetch_sub(1, Ordering::Relaxed);
            });
        if started.is_err() {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Control {
    fn serve(&self, mut stream: UnixStream) -> Result<(), wire::WireError> {
        stream.set_read_timeout(Some(CONTROL_REPLY_WITHIN))?;
        stream.set_write_timeout(Some(CONTROL_REPLY_WITHIN))?;
        let caller = Caller::of(&stream);
        while let Some(request) = wire::read::<Request>(&mut stream)? {
            wire::write(&mut stream, &self.answer(request, caller))?;
        }
        Ok(())
    }

    fn answer(&self, request: Request, caller: Caller) -> Reply {
        match request {
            Request::Status => self.status(),
            Request::LookUpKey {
                key,
                address,
                puzzle,
            } => self.ask(Order::LookUpKey {
                key,
                address,
                puzzle,
            }),
            Request::IssueTicket { holder } => self.ask(Order::IssueTicket(holder)),
            Request::SignOut { account, sign_in } => self.ask(Order::SignOut { account, sign_in }),
            Request::CreateRepresentative {
                name,
                display_name,
                password,
            } => refusing(self.create_representative(&name, display_name, &password)),
            Request::ResetPassword { name, password } => {
                refusing(self.reset_password(&name, &password))
            }
            Request::CreateKey {
                representative,
                seconds,
            } => refusing(self.create_key(&representative, seconds)),
            Request::Deploy { machines, seconds } => refusing(self.deploy(machines, seconds)),
            Request::SetAdmissionRate { rate } => refusing(self.set_admission_rate(rate)),
            Request::Proven
            | Request::LoopBack
            | Request::BackUp { .. }
            | Request::RecordUpdate { .. }
            | Request::Announce { .. }
                if caller == Caller::Stranger =>
            {
                refusing(Err(Refusal("only root may ask for this".into())))
            }
            Request::RecordUpdate { happened } => refusing(self.record_update(&happened)),
            Request::Announce { restart } => self.ask(Order::Announce { restart }),
            Request::Proven => refusing(self.proven()),
            Request::LoopBack => self.ask(Order::LoopBack),
            Request::BackUp { label } => refusing(self.back_up(&label)),
        }
    }

    /// Asks the hub and passes its reply on.
    fn ask(&self, order: Order) -> Reply {
        match self.answers.ask(&self.hub, order, CONTROL_REPLY_WITHIN) {
            Some(Answer::Reply(reply)) => reply,
            Some(Answer::Key { .. } | Answer::Figures(_)) | None => busy(),
        }
    }

    fn status(&self) -> Reply {
        let answer = self
            .answers
            .ask(&self.hub, Order::Figures, CONTROL_REPLY_WITHIN);
        let Some(Answer::Figures(figures)) = answer else {
            return busy();
        };
        Reply::Status(Box::new(self.snapshot(figures)))
    }

    fn snapshot(&self, figures: Figures) -> Snapshot {
        let model = self.config.model;
        Snapshot {
            version: env!("CARGO_PKG_VERSION").into(),
            model,
            active_jump_clients_max: model.active_jump_clients_max(),
            passive_jump_clients_max: model.passive_jump_clients_max(),
            started: self.started,
            uptime_seconds: self.clock.moment().since(Moment::default()).as_secs(),
            threads: self.threads,
            connections: Connections {
                arriving: self.counters.arriving.value(),
                consoles: figures.consoles,
                customer_clients: figures.customer_clients,
                chats: figures.chats,
                pages: self.counters.pages.value(),
                accepted_in_all: self.counters.accepted.value(),
                closed_for_fault_in_all: self.counters.closed_for_fault.value(),
            },
            sessions: Sessions {
                waiting: figures.waiting,
                running: figures.running,
            },
            keys: Keys {
                unused: figures.keys_unused,
                digits: figures.key_digits,
                wrong_lately: figures.wrong_keys_lately,
            },
            jump_clients: jump_clients(figures.fleet),
            sandbox: self.sandbox,
            store: self.store_state(),
            certificate: self.certificate,
            link_key: self.link_key,
            link_certificate: Some(self.link_certificate),
        }
    }

    fn create_representative(
        &self,
        name: &AccountName,
        display_name: Option<DisplayName>,
        password: &Secret<String>,
    ) -> Result<Reply, Refusal> {
        self.must_not_be_on_trial()?;
        let hash = hashed(password)?;
        let display_name = match display_name {
            Some(display_name) => display_name,
            None => DisplayName::new(name.as_str()).map_err(|error| Refusal(error.to_string()))?,
        };
        let at = stamp();
        let account = self.store()?.write(|tx| {
            let new = NewAccount {
                name: name.clone(),
                display_name,
                administrator: false,
                representative: true,
                password_hash: &hash,
                at,
            };
            let account = accounts::create(tx, &new)?;
            let event = audit::Event::AccountCreated {
                account: account.id,
                name: account.name.clone(),
                display_name: account.display_name.clone(),
                administrator: account.administrator,
                representative: account.representative,
            };
            audit::append(tx, at, &Actor::CommandLine, &event)?;
            Ok::<_, StoreError>(account)
        })?;
        Ok(Reply::Account(account))
    }

    fn reset_password(
        &self,
        name: &AccountName,
        password: &Secret<String>,
    ) -> Result<Reply, Refusal> {
        self.must_not_be_on_trial()?;
        let hash = hashed(password)?;
        let at = stamp();
        let account = self.store()?.write(|tx| {
            let Some((account, _)) = accounts::by_name(tx, name)? else {
                return Ok(None);
            };
            accounts::set_password(tx, account.id, &hash)?;
            let event = audit::Event::PasswordChanged {
                account: account.id,
                name: account.name.clone(),
            };
            audit::append(tx, at, &Actor::CommandLine, &event)?;
            Ok::<_, StoreError>(Some(account))
        })?;
        let account = account.ok_or_else(|| no_account(name))?;
        self.ask(Order::SignOut {
            account: account.id,
            sign_in: None,
        });
        Ok(Reply::Account(account))
    }

    fn record_update(&self, happened: &Happened) -> Result<Reply, Refusal> {
        update_record::append(&mut self.store()?, happened)?;
        Ok(Reply::Done)
    }

    fn store(&self) -> Result<Database, StoreError> {
        Database::open(&self.paths.store())
    }

    fn store_state(&self) -> StoreState {
        StoreState {
            generation: self.paths.generation().map(|own| own.sequence),
            on_trial: self.on_trial.load(Ordering::Relaxed),
            checked: self.checked,
        }
    }

    /// What is changed now would be gone if the version before had to take over.
    fn must_not_be_on_trial(&self) -> Result<(), Refusal> {
        if self.on_trial.load(Ordering::Relaxed) {
            return Err(Refusal(ON_TRIAL.into()));
        }
        Ok(())
    }

    /// This version's store counts from now on. Asked again, it is done already.
    fn proven(&self) -> Result<Reply, Refusal> {
        let Some(Generation { sequence, .. }) = self.paths.generation() else {
            return Ok(Reply::Done);
        };
        if !self.on_trial.load(Ordering::Relaxed) {
            return Ok(Reply::Done);
        }
        let folder = self.paths.store_folder();
        let event = audit::Event::StoreProved {
            generation: sequence,
        };
        self.store()?
            .write(|tx| audit::append(tx, stamp(), &Actor::Appliance, &event))?;
        generation::point_to(&folder, sequence)
            .map_err(|error| Refusal(format!("cannot write down which store counts: {error}")))?;
        self.on_trial.store(false, Ordering::Relaxed);
        tracing::info!(generation = sequence, "store_proved");
        match generation::sweep(&folder, sequence, SystemTime::now()) {
            Ok(gone) => tracing::info!(?gone, "old_stores_removed"),
            Err(error) => tracing::error!(%error, "old_stores_stay"),
        }
        Ok(Reply::Done)
    }

    fn back_up(&self, label: &str) -> Result<Reply, Refusal> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if label.is_empty() || label.starts_with('.') || !label.bytes().all(plain) {
            let why = "a backup's label has letters, digits, dots, dashes and underscores";
            return Err(Refusal(why.into()));
        }
        let bytes = generation::back_up(&self.paths.store(), &self.paths.backups(), label)?;
        let event = audit::Event::StoreBackedUp {
            label: text::label(label),
            bytes,
        };
        self.store()?
            .write(|tx| audit::append(tx, stamp(), &Actor::Appliance, &event))?;
        Ok(Reply::BackedUp { bytes })
    }

    fn create_key(
        &self,
        representative: &AccountName,
        seconds: Option<u32>,
    ) -> Result<Reply, Refusal> {
        let found = self
            .store()?
            .read(|c| accounts::by_name(c, representative))?;
        let account: Account = found
            .map(|(account, _)| account)
            .ok_or_else(|| no_account(representative))?;
        if account.disabled || !account.representative {
            let why = format!("'{representative}' may not support customers");
            return Err(Refusal(why));
        }
        let name = account.display_name.to_label();
        let order = Order::CreateKey {
            account: account.id,
            name,
            seconds,
        };
        match self.answers.ask(&self.hub, order, CONTROL_REPLY_WITHIN) {
            Some(Answer::Key {
                digits,
                ak,
                expires,
            }) => {
                let url = format!("{}/?ak={}", self.config.url(), ak.reveal());
                Ok(Reply::Key {
                    key: digits,
                    ak,
                    url,
                    expires,
                })
            }
            Some(Answer::Reply(reply)) => Ok(reply),
            Some(Answer::Figures(_)) | None => Ok(busy()),
        }
    }
}

/// Who asks, as the kernel says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// Root, or whoever runs this program: the supervisor and the command line.
    Root,
    /// The web side, which strangers talk to.
    Stranger,
}

impl Caller {
    fn of(stream: &UnixStream) -> Self {
        let caller = getsockopt(stream, PeerCredentials).map(|caller| caller.uid());
        caller.map_or(Self::Stranger, |user| {
            Self::by_user(user, geteuid().as_raw())
        })
    }

    /// `own` is this program's user.
    fn by_user(user: u32, own: u32) -> Self {
        if user == 0 || user == own {
            Self::Root
        } else {
            Self::Stranger
        }
    }
}

/// Said to whoever asks for a change during a trial; pages word it in the same way.
const ON_TRIAL: &str =
    "a new version is proving itself; changes are possible again in a few minutes";

/// Why something was not done, in the administrator's words.
struct Refusal(String);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

fn refusing(done: Result<Reply, Refusal>) -> Reply {
    done.unwrap_or_else(|Refusal(why)| Reply::Refused { why })
}

fn busy() -> Reply {
    Reply::Refused {
        why: "the relay is busy; try again in a moment".into(),
    }
}

fn no_account(name: &AccountName) -> Refusal {
    Refusal(format!("there is no account '{name}'"))
}

fn hashed(password: &Secret<String>) -> Result<String, Refusal> {
    let password = Password::new(password.expose()).map_err(|error| Refusal(error.to_string()))?;
    let mut salt = [0; 16];
    random(&mut salt);
    Ok(password.hash(salt))
}

/// As the status page has it.
fn jump_clients(fleet: FleetFigures) -> JumpClients {
    JumpClients {
        active: fleet.active,
        known: fleet.known as u64,
        statistics_in_all: fleet.statistics,
        admission_rate: fleet.rate,
        waiting: fleet.queue.waiting as u64,
        done_in_seconds: fleet
            .queue
            .done_in
            .as_millis()
            .div_ceil(1_000)
            .try_into()
            .unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::users::{RELAY, WEB};

    #[test]
    fn the_web_side_neither_ends_a_trial_nor_copies_the_store() {
        assert_eq!(Caller::by_user(WEB, RELAY), Caller::Stranger);
        assert_eq!(Caller::by_user(1_000, RELAY), Caller::Stranger);
        assert_eq!(Caller::by_user(0, RELAY), Caller::Root);
        // On a developer's machine everything runs under one user.
        assert_eq!(Caller::by_user(1_000, 1_000), Caller::Root);
    }
}
