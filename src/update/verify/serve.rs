//! Who asks, and what he gets.

use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use super::install::{InstallError, Stream, install};
use super::judge::{Judged, Situation, Unfit, believe};
use super::link::{Conversation, Link, LinkError};
use super::online::Asked;
use super::remote::{Fetcher, RemoteError};
use super::schedule::{self, Step};
use super::source::{Bundle, MANIFEST};
use crate::control::machine::notice;
use crate::control::update::{
    Accept, Checked, Happened, Offer, Phase, Reply, Request, Settings, Status, Verdict, Way, What,
    When, Who,
};
use crate::control::wire::{self, WireError};
use crate::domain::limits::{
    UPDATE_CONNECTIONS_MAX, UPDATE_SOURCE_BYTES_MAX, UPDATE_SUBMIT_STALL_MAX,
};
use crate::domain::{Stamp, Text};
use crate::update::bundle::{self, BundleError, Header, Metadata};
use crate::update::now;
use crate::update::trust::TrustedSet;
use crate::update::wire::{Order, Told};

/// Why a request was not followed. The words are for a person.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The hands.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The socket.
    #[error("the file did not arrive: {0}")]
    Input(#[from] io::Error),
    /// Not a file of ours.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The source of versions.
    #[error("the source cannot be read: {0}")]
    Remote(#[from] RemoteError),
    /// Not believed, or not for this appliance.
    #[error("this update is not installed: {0}")]
    Unfit(#[from] Unfit),
    /// On its way it failed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Believed, and still not installed.
    #[error("{0}")]
    Judged(String),
    /// One after the other.
    #[error("another update is being looked for or installed; wait until that is done")]
    Busy,
}

/// What an appliance begins with that never saw an update.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Whom it believes: `root.json`.
    pub root: Vec<u8>,
    /// Where its maker's versions are.
    pub source: Option<Text<UPDATE_SOURCE_BYTES_MAX>>,
}

/// The head.
pub struct Head {
    pub(super) link: Link,
    /// Whoever asks the source.
    pub fetcher: Fetcher,
    first_root: Vec<u8>,
    pub(super) source: Option<Text<UPDATE_SOURCE_BYTES_MAX>>,
    shared: Mutex<Shared>,
    /// Held while something is looked for or installed: what is trusted afterwards follows from
    /// what was trusted before.
    one: Mutex<()>,
}

/// What everybody may know.
pub(super) struct Shared {
    /// What goes on here; the hands know the rest.
    pub(super) phase: Phase,
    /// As last told.
    told: Option<Told>,
    root_version: u64,
    pub(super) offer: Option<Offer>,
    pub(super) checked: Option<Checked>,
    /// The same by a clock that nobody sets.
    pub(super) asked: Option<Asked>,
    /// What somebody decided about the version that is ready, and when that is.
    decided: Option<(Who, Option<Stamp>)>,
    /// When the machine restarts, once everybody was told.
    announced: Option<Stamp>,
}

impl Head {
    /// With hands at the other end of `link`.
    pub fn new(link: Link, origin: Origin) -> Self {
        Self {
            link,
            fetcher: Fetcher::default(),
            first_root: origin.root,
            source: origin.source,
            shared: Mutex::new(Shared {
                phase: Phase::Idle,
                told: None,
                root_version: 0,
                offer: None,
                checked: None,
                asked: None,
                decided: None,
                announced: None,
            }),
            one: Mutex::new(()),
        }
    }

    /// Nobody else looks for or installs anything meanwhile.
    pub(super) fn alone(&self) -> Result<MutexGuard<'_, ()>, Refusal> {
        self.one.try_lock().map_err(|_| Refusal::Busy)
    }

    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("nobody panics holding it")
    }

    /// Everything that is known, fresh unless the hands are busy.
    fn status(&self) -> Result<Status, Refusal> {
        if let Some(mut hands) = self.link.try_take() {
            self.ask(&mut hands)?;
        }
        let shared = self.shared();
        let told = shared.told.as_ref().ok_or(Refusal::Busy)?;
        let phase = match &shared.phase {
            Phase::Idle => match told.phase.clone() {
                Phase::Ready { version, slot, .. } => Phase::Ready {
                    version,
                    slot,
                    restart: shared
                        .announced
                        .or_else(|| shared.restart(&told.settings, now()).1),
                },
                other => other,
            },
            busy => busy.clone(),
        };
        Ok(Status {
            phase,
            offer: shared
                .offer
                .clone()
                .filter(|offer| offer.sequence > told.running.sequence),
            checked: shared.checked.clone(),
            settings: told.settings.clone(),
            source: told.settings.source.clone().or(self.source.clone()),
            history: told.history.clone(),
            root_version: shared.root_version,
            security_epoch: told.security_epoch,
            blocked: told.blocked.clone(),
            news: told.news.clone(),
        })
    }

    /// The hands, unless they are busy for longer than anybody wants to wait.
    fn hands(&self) -> Result<Conversation<'_>, Refusal> {
        let is_busy = matches!(
            self.shared().phase,
            Phase::Writing { .. } | Phase::ReadingBack { .. }
        );
        if is_busy {
            return Err(Refusal::Busy);
        }
        Ok(self.link.take())
    }

    /// What the hands know, and what is trusted.
    pub(super) fn ask(&self, hands: &mut Conversation<'_>) -> Result<(Told, TrustedSet), Refusal> {
        let (told, set) = hands.tell()?;
        let set = set.unwrap_or_else(|| TrustedSet::of_root(self.first_root.clone()));
        let mut shared = self.shared();
        shared.told = Some(told.clone());
        shared.root_version = version(&set.root);
        Ok((told, set))
    }

    /// What a file's beginning is worth.
    fn examine(&self, from: &mut impl Read) -> Result<Verdict, Refusal> {
        let metadata = read_metadata(from)?;
        // Nothing is kept of what was only looked at.
        let (judged, _) = self.judge(metadata)?;
        Ok(judged?.verdict)
    }

    /// What a file is worth, and what is to be kept as trusted if it is installed, or was meant to be.
    fn judge(&self, metadata: Metadata) -> Result<(Result<Judged, Unfit>, TrustedSet), Refusal> {
        let (told, kept) = self.ask(&mut self.hands()?)?;
        let mut newest = kept.clone();
        let situation = Situation {
            told: &told,
            kept: &kept,
            now: now(),
            online: false,
        };
        let judged = metadata.file(MANIFEST).map(<[u8]>::to_vec);
        let judged = judged.ok_or(Unfit::NoManifest).and_then(|manifest| {
            let mut bundle = Bundle(metadata);
            let believed = believe(situation, &mut bundle, &mut newest)?;
            believed.judge(situation, &mut bundle, manifest)
        });
        Ok((judged, newest))
    }

    /// What is meant to be installed, if it may be.
    fn approve(&self, accept: Accept, from: &mut impl Read) -> Result<Judged, Refusal> {
        let (judged, newest) = self.judge(read_metadata(from)?)?;
        let mut hands = self.link.take();
        let (_, kept) = self.ask(&mut hands)?;
        if newest != kept {
            hands.keep_trust(&newest)?;
        }
        check(judged?, accept)
    }

    /// Installs a file.
    fn install(&self, who: &Who, accept: Accept, from: &mut impl Read) -> Result<(), Refusal> {
        let _one = self.alone()?;
        let judged = self
            .approve(accept, from)
            .inspect_err(|refusal| self.note_refused(who, refusal))?;
        let mut hands = self.link.take();
        let show = |phase| self.shared().phase = phase;
        let done = install(&judged, who, &mut hands, &mut Stream(from), show);
        self.shared().phase = Phase::Idle;
        self.ask(&mut hands)?;
        Ok(done?)
    }

    /// Somebody says when the version that is ready is started.
    fn decide(&self, who: Who, when: When) -> Result<(), Refusal> {
        let (told, _) = self.ask(&mut self.hands()?)?;
        if !matches!(told.phase, Phase::Ready { .. }) {
            return Err(Refusal::Judged("No version is ready to be started.".into()));
        }
        let at = schedule::restart_at(Some(when), &told.settings, now());
        self.shared().decided = Some((who, at));
        self.take_back(&mut self.link.take());
        // Whoever waits for it is told at once.
        self.tick();
        Ok(())
    }

    /// What was announced does not hold any more.
    fn take_back(&self, hands: &mut Conversation<'_>) {
        if self.shared().announced.take().is_some() {
            announce(hands, None);
        }
    }

    fn set(&self, who: Who, settings: Settings) -> Result<(), Refusal> {
        let source = settings.source.as_deref();
        if source.is_some_and(|source| !source.starts_with("https://")) {
            let why = "The address of a source of versions begins with https://.";
            return Err(Refusal::Judged(why.into()));
        }
        let mut hands = self.hands()?;
        hands.order(&Order::KeepSettings { settings })?;
        let (told, _) = self.ask(&mut hands)?;
        // What was decided before went by the old settings.
        self.shared().decided = None;
        self.take_back(&mut hands);
        Ok(hands.note(Happened {
            at: now(),
            who,
            version: None,
            from: told.running.version,
            what: What::Set,
            why: None,
            manifest: None,
            keys: heapless::Vec::new(),
        })?)
    }

    /// Says when the version that is ready is about to be started, and starts it when it is time. To
    /// be called now and then.
    pub fn tick(&self) {
        let Some(mut hands) = self.link.try_take() else {
            return;
        };
        let Ok((told, _)) = self.ask(&mut hands) else {
            return;
        };
        let now = now();
        let (who, at) = self.shared().restart(&told.settings, now);
        let announced = self.shared().announced;
        let ready = matches!(told.phase, Phase::Ready { .. });
        match schedule::step(at.filter(|_| ready), announced, now) {
            Step::Wait => {}
            Step::Announce(restart) => {
                self.shared().announced = Some(restart);
                announce(&mut hands, Some(restart));
            }
            Step::TakeBack => self.take_back(&mut hands),
            Step::Restart => {
                self.shared().decided = Some((who.clone(), None));
                if let Err(error) = hands.order(&Order::Restart { who }) {
                    tracing::error!(%error, "not_restarted");
                    self.take_back(&mut hands);
                }
            }
        }
    }

    /// What was refused is on record as well.
    fn note_refused(&self, who: &Who, refusal: &Refusal) {
        let mut hands = self.link.take();
        let Ok((told, _)) = self.ask(&mut hands) else {
            return;
        };
        let happened = Happened {
            at: now(),
            who: who.clone(),
            version: None,
            from: told.running.version,
            what: What::Refused,
            why: Some(notice(&refusal.to_string())),
            manifest: None,
            keys: heapless::Vec::new(),
        };
        if let Err(error) = hands.note(happened) {
            tracing::warn!(%error, "refusal_not_recorded");
        }
    }

    fn answer(&self, request: Request, stream: &mut UnixStream) -> Result<Reply, Refusal> {
        match request {
            Request::Status => Ok(Reply::Status(Box::new(self.status()?))),
            Request::Examine { bytes } => {
                let verdict = self.examine(&mut stream.take(u64::from(bytes)))?;
                Ok(Reply::Verdict(Box::new(verdict)))
            }
            Request::Install { who, bytes, accept } => {
                self.install(&who, accept, &mut stream.take(bytes))?;
                Ok(Reply::Done)
            }
            Request::Set { who, settings } => {
                self.set(who, settings)?;
                Ok(Reply::Done)
            }
            Request::Restart { who, when } => {
                self.decide(who, when)?;
                Ok(Reply::Done)
            }
            Request::Check { .. } => {
                self.check()?;
                Ok(Reply::Done)
            }
            Request::InstallOffered { who } => {
                self.install_offered(&who)?;
                Ok(Reply::Done)
            }
        }
    }

    /// Answers whoever connects, some at a time.
    pub fn serve(self: &Arc<Self>, listener: &UnixListener, may_ask: impl Fn(u32) -> bool) {
        let connections = Arc::new(());
        for stream in listener.incoming() {
            let stream = match stream {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "update_socket");
                    continue;
                }
            };
            let user = getsockopt(&stream, PeerCredentials).map(|peer| peer.uid());
            let full = Arc::strong_count(&connections) > UPDATE_CONNECTIONS_MAX;
            if full || !user.is_ok_and(&may_ask) {
                continue;
            }
            let (head, connection) = (self.clone(), connections.clone());
            thread::spawn(move || {
                if let Err(error) = head.talk(stream) {
                    tracing::info!(%error, "update_connection");
                }
                drop(connection);
            });
        }
    }

    fn talk(&self, mut stream: UnixStream) -> Result<(), WireError> {
        stream.set_read_timeout(Some(UPDATE_SUBMIT_STALL_MAX))?;
        stream.set_write_timeout(Some(UPDATE_SUBMIT_STALL_MAX))?;
        let Some(request) = wire::read(&mut stream)? else {
            return Ok(());
        };
        let reply = self.answer(request, &mut stream);
        let reply = reply.unwrap_or_else(|refusal| Reply::Refused {
            why: notice(&refusal.to_string()),
        });
        wire::write(&mut stream, &reply)
    }
}

impl Shared {
    /// On whose behalf, and when, the version that is ready is started; by the settings unless
    /// somebody decided.
    fn restart(&self, settings: &Settings, now: Stamp) -> (Who, Option<Stamp>) {
        let by_itself = Who {
            way: Way::Schedule,
            ..Who::default()
        };
        let settled = || (by_itself, schedule::restart_at(None, settings, now));
        self.decided.clone().unwrap_or_else(settled)
    }
}

/// Has people told when the machine restarts. It restarts whether or not they could be.
fn announce(hands: &mut Conversation<'_>, restart: Option<Stamp>) {
    if let Err(error) = hands.order(&Order::Announce { restart }) {
        tracing::warn!(%error, "restart_not_announced");
    }
}

/// Whether it is installed, now that people confirmed what they confirmed.
pub(super) fn check(judged: Judged, accept: Accept) -> Result<Judged, Refusal> {
    let verdict = &judged.verdict;
    if let Some(why) = &verdict.refused {
        return Err(Refusal::Judged(why.to_string()));
    }
    if !accept.covers(verdict.needs) {
        let version = &verdict.offer.version;
        let why = if verdict.needs.older && !accept.older {
            format!(
                "Version {version} is not newer than the running one. Confirm that you want to go back."
            )
        } else {
            format!(
                "The time of version {version} is over. Look for a newer one, or confirm that you want \
                 this one."
            )
        };
        return Err(Refusal::Judged(why));
    }
    Ok(judged)
}

/// What a root of trust that was checked says of itself.
fn version(root: &[u8]) -> u64 {
    let root: serde_json::Value = serde_json::from_slice(root).unwrap_or_default();
    root["signed"]["version"].as_u64().unwrap_or_default()
}

fn read_metadata(from: &mut impl Read) -> Result<Metadata, Refusal> {
    let mut header = [0; bundle::HEADER_BYTES];
    from.read_exact(&mut header)?;
    let header = Header::decode(header)?;
    let mut metadata = vec![0; header.bytes];
    from.read_exact(&mut metadata)?;
    Ok(Metadata::decode(header, &metadata)?)
}
