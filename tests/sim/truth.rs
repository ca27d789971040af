//! What the relay may do, checked on every effect of its hub: the promises of this simulation that
//! concern who learns what, and when.

use std::collections::{BTreeMap, HashMap};

use jumpgate::domain::entry::What;
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{AccountId, Entry, SessionId, Token, Tool};
use jumpgate::link::connection::decode;
use jumpgate::link::message::{Status, ToConsole, ToCustomer, ToJumpClient};
use jumpgate::relay::hub::event::{SessionRecord, Tap};
use jumpgate::relay::hub::{Effect, Memory, PeerId, Record};

use crate::store::Store;
use crate::stream::Stream;

/// A session as the hub has handed it to the recorder, on record or not.
#[derive(Clone, Debug)]
struct Handed {
    record: SessionRecord,
    ended: bool,
    entries: Vec<Entry>,
}

impl Handed {
    fn consents_to_shells(&self) -> bool {
        !self.ended && self.record.accepted && self.record.allowed.contains(&Tool::Shell)
    }
}

/// What a connected peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Console(AccountId),
    Customer(Option<SessionId>),
    Machine(Fingerprint),
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Truth {
    sessions: BTreeMap<SessionId, Handed>,
    peers: BTreeMap<PeerId, Known>,
    /// One per customer's side of an open route.
    routes: BTreeMap<(PeerId, u16), Tap>,
    consoles: BTreeMap<(PeerId, u16), (PeerId, u16)>,
    transcripts: HashMap<Tap, u64>,
    /// Every customer's connection that was joined, also those that are gone.
    joined: BTreeMap<PeerId, SessionId>,
}

/// The representative who means no good: what its own sessions carry is nobody's loss.
pub const HOSTILE_ACCOUNT: AccountId = AccountId(66);

impl Truth {
    /// The relay started again with this memory.
    pub fn restart(&mut self, memory: &Memory) {
        let sessions = memory.sessions.iter().map(|(record, entries)| {
            let handed = Handed {
                record: record.clone(),
                ended: false,
                entries: entries.clone(),
            };
            (record.session, handed)
        });
        *self = Self {
            sessions: sessions.collect(),
            ..Self::default()
        };
    }

    pub fn console_is(&mut self, peer: PeerId, account: AccountId) {
        self.peers.insert(peer, Known::Console(account));
    }

    pub fn customer_is(&mut self, peer: PeerId) {
        self.peers.insert(peer, Known::Customer(None));
    }

    pub fn machine_is(&mut self, peer: PeerId, device: Fingerprint) {
        self.peers.insert(peer, Known::Machine(device));
    }

    /// The relay has closed this connection, and every channel with it.
    pub fn gone(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.routes.retain(|(whose, _), _| *whose != peer);
        self.consoles.retain(|(whose, _), _| *whose != peer);
    }

    /// The session a customer's connection was joined to.
    pub fn session_of(&self, peer: PeerId) -> Option<SessionId> {
        self.joined.get(&peer).copied()
    }

    pub fn owner(&self, session: SessionId) -> Option<AccountId> {
        self.sessions
            .get(&session)
            .map(|handed| handed.record.owner)
    }

    /// Sessions that are not over, as the hub sees it.
    pub fn living(&self) -> Vec<SessionId> {
        let living = self.sessions.iter().filter(|(_, handed)| !handed.ended);
        living.map(|(session, _)| *session).collect()
    }

    pub fn open_routes(&self) -> usize {
        self.routes.len()
    }

    /// Checks one turn of the hub.
    pub fn check(&mut self, effects: &[Effect], store: &Store) {
        for effect in effects {
            match effect {
                Effect::Record { records, .. } => records.iter().for_each(|r| self.record(r)),
                Effect::Say { peer, json } => self.say(*peer, json, store),
                Effect::OpenChannel {
                    peer,
                    channel,
                    to,
                    tap,
                    announcement,
                    ..
                } => {
                    self.open((*peer, *channel), *to, *tap, store);
                    self.say(*peer, announcement, store);
                }
                Effect::CloseChannel { peer, channel } => {
                    self.routes.remove(&(*peer, *channel));
                    self.consoles.remove(&(*peer, *channel));
                }
                Effect::HangUp { peer } => {
                    self.routes.retain(|(whose, _), _| whose != peer);
                    self.consoles.retain(|(whose, _), _| whose != peer);
                }
                Effect::Admit { .. }
                | Effect::Move { .. }
                | Effect::Transcript(_)
                | Effect::Answer { .. } => {}
            }
        }
        for tap in self.routes.values() {
            let handed = &self.sessions[&tap.session];
            assert!(
                handed.consents_to_shells(),
                "{tap:?} is open without consent: {handed:?}"
            );
        }
        for (here, there) in &self.consoles {
            // Its other side may be closed already; while it is not, it must be the same shell.
            if let Some(tap) = self.routes.get(there) {
                let owner = self.sessions[&tap.session].record.owner;
                assert_eq!(self.peers.get(&here.0), Some(&Known::Console(owner)));
            }
        }
    }

    /// Output that goes into a transcript.
    pub fn tapped(&mut self, tap: Tap, offset: u64, bytes: &[u8]) {
        if self.owner(tap.session) == Some(HOSTILE_ACCOUNT) {
            return;
        }
        Stream::output(tap).check(offset, bytes, "transcript");
        let written = self.transcripts.entry(tap).or_default();
        assert!(
            offset <= *written,
            "the transcript of {tap:?} misses bytes {written} to {offset}"
        );
        *written = (*written).max(offset + bytes.len() as u64);
    }

    fn record(&mut self, record: &Record) {
        match record {
            Record::KeyCreated(_) | Record::Enrolled { .. } => {}
            Record::Started { session, .. } => {
                let handed = Handed {
                    record: (**session).clone(),
                    ended: false,
                    entries: Vec::new(),
                };
                self.sessions.insert(session.session, handed);
            }
            Record::Entry { session, entry } => {
                self.handed(*session).entries.push(entry.clone());
            }
            Record::Changed {
                session,
                accepted,
                allowed,
                ..
            } => {
                let handed = self.handed(*session);
                handed.record.accepted = *accepted;
                handed.record.allowed.clone_from(allowed);
            }
            Record::Ended { session, .. } => self.handed(*session).ended = true,
            Record::ShellSuspended(_) => {}
        }
    }

    fn handed(&mut self, session: SessionId) -> &mut Handed {
        self.sessions
            .get_mut(&session)
            .expect("a session that was started")
    }

    fn open(&mut self, at: (PeerId, u16), to: (PeerId, u16), tap: Option<Tap>, store: &Store) {
        let Some(tap) = tap else {
            if self.peers.contains_key(&at.0) {
                self.consoles.insert(at, to);
            }
            return;
        };
        // A connection that is gone meanwhile opens nothing.
        if let Some(known) = self.peers.get(&at.0) {
            assert_eq!(*known, Known::Customer(Some(tap.session)));
            self.routes.insert(at, tap);
        }
        if let Some(known) = self.peers.get(&to.0) {
            assert_eq!(
                *known,
                Known::Console(self.sessions[&tap.session].record.owner)
            );
        }
        let saved = &store.sessions[&tap.session];
        let on_record = saved.record.allowed.contains(&Tool::Shell) && saved.was_accepted;
        assert!(on_record, "{tap:?} opens before its consent is on record");
    }

    fn say(&mut self, peer: PeerId, json: &[u8], store: &Store) {
        match self.peers.get(&peer).copied() {
            None => {}
            Some(Known::Console(account)) => {
                // What a refused ticket hears is the same in both vocabularies.
                let message = decode(json).expect("consoles are told what they understand");
                self.to_console(account, &message, store);
            }
            Some(Known::Customer(session)) => {
                let message = decode(json).expect("customers are told what they understand");
                self.to_customer(peer, session, message, store);
            }
            Some(Known::Machine(device)) => {
                let message = decode(json).expect("machines are told what they understand");
                if let ToJumpClient::JumpClient { client, .. } = message {
                    let on_record = store.machine(&device);
                    assert_eq!(on_record, Some(client), "let in before it is on record");
                }
            }
        }
    }

    fn to_console(&self, account: AccountId, message: &ToConsole, store: &Store) {
        let own = |session: &SessionId| {
            let owner = self.owner(*session);
            assert_eq!(
                owner,
                Some(account),
                "account {account:?} hears of {session}"
            );
        };
        // Whose acceptance is on record.
        let joined = |session: &SessionId| {
            own(session);
            let saved = store.sessions.get(session);
            let was_accepted = saved.is_some_and(|saved| saved.was_accepted);
            assert!(was_accepted, "joined before it is on record: {message:?}");
        };
        match message {
            ToConsole::Welcome(_)
            | ToConsole::Turned(_)
            | ToConsole::Failed { .. }
            | ToConsole::Restart { .. }
            | ToConsole::Replaced
            | ToConsole::SignedOut => {}
            ToConsole::Desk { sessions, .. } => sessions.iter().for_each(own),
            ToConsole::Session(overview) => match overview.status {
                Status::Waiting => own(&overview.session),
                Status::InProgress | Status::CustomerAbsent => joined(&overview.session),
            },
            ToConsole::Gone { session, .. } => own(session),
            ToConsole::Key { ak, .. } => assert!(store.has_key(ak), "a key not on record is shown"),
            ToConsole::Log { session, entries } => {
                joined(session);
                for entry in entries {
                    self.entry(*session, entry, store);
                }
            }
            ToConsole::Entry { session, entry } => {
                joined(session);
                self.entry(*session, entry, store);
            }
            ToConsole::Recorded { session, number } => {
                joined(session);
                recorded(*session, *number, store);
            }
            ToConsole::Asking { session, .. }
            | ToConsole::AskOver { session, .. }
            | ToConsole::Shell { session, .. }
            | ToConsole::ShellPause { session, .. }
            | ToConsole::ShellClosed { session, .. } => joined(session),
        }
    }

    fn to_customer(
        &mut self,
        peer: PeerId,
        joined: Option<SessionId>,
        message: ToCustomer,
        store: &Store,
    ) {
        match message {
            ToCustomer::Session { session, token, .. } => {
                assert_eq!(joined, None, "a customer is joined twice");
                self.check_token(session, &token);
                assert!(
                    store.sessions.contains_key(&session),
                    "joined before it is on record"
                );
                self.peers.insert(peer, Known::Customer(Some(session)));
                self.joined.insert(peer, session);
            }
            ToCustomer::Entry(entry) => {
                let session = joined.expect("entries follow the session");
                self.entry(session, &entry, store);
            }
            ToCustomer::Recorded { number } => {
                recorded(joined.expect("it follows the session"), number, store);
            }
            ToCustomer::Welcome(_) | ToCustomer::Turned(_) => assert_eq!(joined, None),
            ToCustomer::Representative { .. }
            | ToCustomer::Ask { .. }
            | ToCustomer::AskOver { .. }
            | ToCustomer::ShellOpen { .. }
            | ToCustomer::ShellResume { .. }
            | ToCustomer::ShellPause { .. }
            | ToCustomer::ShellResize { .. }
            | ToCustomer::ShellClose { .. }
            | ToCustomer::Restart { .. }
            | ToCustomer::Ended { .. } => assert!(joined.is_some()),
        }
    }

    fn check_token(&self, session: SessionId, token: &Token) {
        let resume = self.sessions[&session].record.resume;
        assert_eq!(
            resume,
            token.fingerprint(),
            "a customer in somebody else's session"
        );
    }

    /// An entry that a side is shown is the one the recorder was given, and a step that changes
    /// who may do what is on record.
    fn entry(&self, session: SessionId, entry: &Entry, store: &Store) {
        let handed = &self.sessions[&session].entries;
        let index = usize::try_from(entry.number - 1).unwrap();
        let first = handed.first().map_or(1, |entry| entry.number);
        let at = index - usize::try_from(first - 1).unwrap();
        assert_eq!(handed.get(at), Some(entry), "{session} has two logs");
        let must_be_on_record = matches!(
            entry.what,
            What::Accepted
                | What::Allowed { .. }
                | What::SharingStopped
                | What::Held
                | What::Requeued
                | What::Ended { .. }
        );
        if must_be_on_record {
            let saved = store.sessions[&session].entries.get(index);
            assert_eq!(saved, Some(entry), "shown before it is on record");
        }
    }
}

fn recorded(session: SessionId, number: u32, store: &Store) {
    let saved = &store.sessions[&session].entries;
    let last = saved.last().map_or(0, |entry| entry.number);
    assert!(
        number <= last,
        "{session}: {number} is shown as recorded, {last} is the last"
    );
}
