//! A stand-in for the recorder and its store: takes batches in order, late, several at once, or
//! not at all for a while. What it took survives the relay.

use std::collections::{BTreeMap, VecDeque};

use jumpgate::domain::entry::What;
use jumpgate::domain::limits::ENTRIES_REPLAYED_MAX;
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{AdmissionRate, Entry, JumpClientId, Moment, SessionId, Stamp, Token};
use jumpgate::relay::hub::event::{KeyRecord, SessionRecord};
use jumpgate::relay::hub::{Deployment, FleetMemory, Memory, Record};

/// Jump Clients that may be connected at once here.
pub const ACTIVE_MAX: u32 = 3;

/// A session as it is on record.
#[derive(Clone, Debug)]
pub struct Saved {
    pub record: SessionRecord,
    pub entries: Vec<Entry>,
    pub ended: bool,
    pub was_accepted: bool,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Store {
    keys: BTreeMap<String, (KeyRecord, bool)>,
    pub sessions: BTreeMap<SessionId, Saved>,
    deployments: Vec<Deployment>,
    machines: BTreeMap<Fingerprint, JumpClientId>,
    waiting: VecDeque<(u64, Vec<Record>)>,
    committed: u64,
    told: u64,
    pub stalled_until: Moment,
}

impl Store {
    pub fn take(&mut self, number: u64, records: Vec<Record>) {
        let expected = self
            .waiting
            .back()
            .map_or(self.committed, |(last, _)| *last)
            + 1;
        assert_eq!(number, expected, "batches are numbered without gaps");
        self.waiting.push_back((number, records));
    }

    /// Batches not on record yet.
    pub fn backlog(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is something to commit or to tell.
    pub fn has_work(&self, now: Moment) -> bool {
        now >= self.stalled_until && (!self.waiting.is_empty() || self.told < self.committed)
    }

    /// Commits up to `most` batches in one transaction.
    pub fn commit(&mut self, most: usize) {
        for _ in 0..most {
            let Some((number, records)) = self.waiting.pop_front() else {
                return;
            };
            let mut ended_here = None;
            for record in records {
                self.put(record, &mut ended_here);
            }
            self.committed = number;
        }
    }

    /// The number the hub is told.
    pub fn tell(&mut self) -> u64 {
        self.told = self.committed;
        self.told
    }

    /// What a relay that starts now is given. What was not committed is lost.
    pub fn restart(&mut self, now: Stamp) -> Memory {
        self.waiting.clear();
        (self.committed, self.told) = (0, 0);
        let keys = self.keys.values();
        let keys = keys.filter(|(key, used)| !used && now <= key.expires);
        let sessions = self.sessions.values().filter(|saved| !saved.ended);
        Memory {
            keys: keys.map(|(key, _)| key.clone()).collect(),
            sessions: sessions
                .map(|saved| {
                    let skip = saved.entries.len().saturating_sub(ENTRIES_REPLAYED_MAX);
                    (saved.record.clone(), saved.entries[skip..].to_vec())
                })
                .collect(),
            // Killed, so nothing is known of shells.
            shells: Vec::new(),
            fleet: self.fleet(),
        }
    }

    /// What is known of Jump Clients.
    pub fn fleet(&self) -> FleetMemory {
        FleetMemory {
            active_max: ACTIVE_MAX,
            rate: AdmissionRate::per_second(1).unwrap(),
            clients: self.machines.iter().map(|(key, id)| (*key, *id)).collect(),
            deployments: self.deployments.clone(),
        }
    }

    pub fn deploy(&mut self, deployment: Deployment) {
        self.deployments.push(deployment);
    }

    /// Who a device is on record.
    pub fn machine(&self, device: &Fingerprint) -> Option<JumpClientId> {
        self.machines.get(device).copied()
    }

    pub fn has_key(&self, ak: &Token) -> bool {
        self.keys.contains_key(&ak.reveal())
    }

    /// Whether a key can still start a session.
    pub fn is_good_key(&self, ak: &Token, now: Stamp) -> bool {
        let found = self.keys.get(&ak.reveal());
        found.is_some_and(|(key, used)| !used && now <= key.expires)
    }

    fn put(&mut self, record: Record, ended_here: &mut Option<SessionId>) {
        match record {
            Record::Enrolled { client, deployment } => {
                let mut all = self.deployments.iter_mut();
                let found = all.find(|one| one.token == deployment);
                let found = found.expect("the deployment is on record");
                assert!(found.left > 0, "one more than the deployment lets in");
                assert!(client.enrolled <= found.expires);
                found.left -= 1;
                let before = self.machines.insert(client.device, client.client);
                assert!(before.is_none(), "a machine is there twice");
            }
            Record::KeyCreated(key) => {
                let taken = self.keys.insert(key.ak.reveal(), (key, false));
                assert!(taken.is_none(), "a token was drawn twice");
            }
            Record::Started { session, ak } => {
                let (key, used) = self
                    .keys
                    .get_mut(&ak.reveal())
                    .expect("the key is on record");
                assert!(!*used, "a key started two sessions");
                assert!(
                    session.started <= key.expires,
                    "an expired key started a session"
                );
                assert_eq!(key.account, session.owner);
                *used = true;
                let saved = Saved {
                    record: *session,
                    entries: Vec::new(),
                    ended: false,
                    was_accepted: false,
                };
                self.sessions.insert(saved.record.session, saved);
            }
            Record::Entry { session, entry } => {
                let saved = self
                    .sessions
                    .get_mut(&session)
                    .expect("its start is on record");
                let is_last_word =
                    *ended_here == Some(session) && matches!(entry.what, What::Ended { .. });
                assert!(
                    !saved.ended || is_last_word,
                    "{session} goes on after its end: {entry:?}"
                );
                let last = saved.entries.last().map_or(0, |entry| entry.number);
                assert_eq!(entry.number, last + 1, "{session} has a gap in its log");
                saved.entries.push(entry);
            }
            Record::Changed {
                session,
                accepted,
                allowed,
                next_shell,
                at: _,
            } => {
                let saved = self
                    .sessions
                    .get_mut(&session)
                    .expect("its start is on record");
                assert!(!saved.ended, "{session} changes after its end");
                assert!(
                    next_shell >= saved.record.next_shell,
                    "a shell's number is used again"
                );
                saved.was_accepted |= accepted;
                saved.record.accepted = accepted;
                saved.record.allowed = allowed;
                saved.record.next_shell = next_shell;
            }
            Record::Ended { session, .. } => {
                let saved = self
                    .sessions
                    .get_mut(&session)
                    .expect("its start is on record");
                assert!(!saved.ended, "{session} ends twice");
                saved.ended = true;
                *ended_here = Some(session);
            }
            Record::ShellSuspended(_) => unreachable!("the relay never stops in order here"),
        }
    }
}
