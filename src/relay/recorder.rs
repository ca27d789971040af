//! Puts what the hub decided on record: state and its audit rows in one transaction.
//!
//! A thread of its own, since SQLite blocks. Several batches share a transaction when they wait
//! together. What is on record is told by a number, so that the hub never has to wait to hear it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};

use super::clock::stamp;
use super::hub::Record;
use super::hub::event::{JumpClientRecord, Tap};
use crate::audit::{self, Actor};
use crate::domain::entry::What;
use crate::domain::limits::RECORDER_BATCH_MAX;
use crate::domain::text::label;
use crate::domain::token::Fingerprint;
use crate::domain::{Entry, SessionId, Stamp};
use crate::store::jump_clients::JumpClientRow;
use crate::store::open_shells::{Cut, OpenShell};
use crate::store::session_keys::SessionKeyRow;
use crate::store::sessions::{SavedState, SessionRow, Standing};
use crate::store::{
    Database, StoreError, entries, jump_clients, open_shells, session_keys, sessions, transcripts,
};

/// Something to put on record.
#[derive(Debug)]
pub enum Work {
    /// A batch of the hub's, to be acknowledged.
    Batch {
        /// Its number.
        number: u64,
        /// What, in order.
        records: Vec<Record>,
    },
    /// A transcript begins.
    TranscriptBegan {
        /// Whose.
        tap: Tap,
        /// Its file's name.
        file: String,
        /// When.
        at: Stamp,
    },
    /// A transcript is complete and on the disk.
    TranscriptEnded {
        /// Whose.
        tap: Tap,
        /// Its length.
        bytes: u64,
        /// Of the whole file.
        sha256: Fingerprint,
    },
    /// A transcript is on the disk as far as it goes, to be gone on with by the next relay.
    TranscriptSuspended {
        /// Whose.
        tap: Tap,
        /// How far it is.
        cut: Cut,
    },
}

/// How far the recorder got, and a bell that never blocks it.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// Number of the last batch on record.
    pub through: Arc<AtomicU64>,
    /// Rung after every transaction; holds one ring.
    pub bell: Sender<()>,
}

/// Wait after a transaction that failed for want of room or a lock.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Runs until every sender of `work` is gone, and has everything on record then.
pub fn run(mut database: Database, work: &Receiver<Work>, acknowledged: &Acknowledged) {
    while let Ok(first) = work.recv() {
        let mut batch = vec![first];
        batch.extend(work.try_iter().take(RECORDER_BATCH_MAX - 1));
        commit(&mut database, &batch);
        let numbers = batch.iter().filter_map(|work| match work {
            Work::Batch { number, .. } => Some(*number),
            Work::TranscriptBegan { .. }
            | Work::TranscriptEnded { .. }
            | Work::TranscriptSuspended { .. } => None,
        });
        if let Some(last) = numbers.max() {
            acknowledged.through.store(last, Ordering::Release);
            // Full means that the bell is rung already.
            let _ = acknowledged.bell.try_send(());
        }
    }
}

/// Commits all of `batch`. Nothing is acknowledged that is not on record: want of room is waited
/// out, while queues fill and peers are no longer read.
fn commit(database: &mut Database, batch: &[Work]) {
    loop {
        let done = database.write(|tx| {
            for work in batch {
                apply(tx, work)?;
            }
            Ok::<_, StoreError>(())
        });
        match done {
            Ok(()) => return,
            Err(error) if error.is_for_good() => return commit_singly(database, batch, &error),
            Err(error) => {
                tracing::error!(%error, "record_delayed");
                std::thread::sleep(RETRY_AFTER);
            }
        }
    }
}

/// Commits what can be, when the store refuses something of `batch` for good: a batch holds what
/// many sessions did in one turn, and what is wrong with one must not cost the others their record.
fn commit_singly(database: &mut Database, batch: &[Work], error: &StoreError) {
    match batch {
        [Work::Batch { number, records }] if records.len() > 1 => {
            for record in records {
                let (number, records) = (*number, vec![record.clone()]);
                commit(database, &[Work::Batch { number, records }]);
            }
        }
        // Our own inconsistency: retrying for ever would stop the appliance for one row.
        [_] => tracing::error!(%error, "record_refused"),
        _ => {
            for work in batch {
                commit(database, std::slice::from_ref(work));
            }
        }
    }
}

type Tx<'a> = rusqlite::Transaction<'a>;

fn apply(tx: &Tx<'_>, work: &Work) -> Result<(), StoreError> {
    match work {
        Work::Batch { records, .. } => records.iter().try_for_each(|record| put(tx, record)),
        Work::TranscriptBegan { tap, file, at } => {
            transcripts::start(tx, tap.session, tap.shell, file, *at)
        }
        Work::TranscriptSuspended { tap, cut } => {
            open_shells::transcript(tx, tap.session, tap.shell, cut)
        }
        Work::TranscriptEnded { tap, bytes, sha256 } => {
            let at = stamp();
            transcripts::end(tx, tap.session, tap.shell, *bytes, sha256, at)?;
            let event = audit::Event::ShellClosed {
                session: tap.session,
                shell: tap.shell,
                bytes: *bytes,
                sha256: *sha256,
            };
            audit::append(tx, at, &Actor::Appliance, &event)
        }
    }
}

fn put(tx: &Tx<'_>, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::KeyCreated(key) => {
            session_keys::put(
                tx,
                &SessionKeyRow {
                    digits: key.digits.as_str().to_owned(),
                    ak: key.ak.clone(),
                    account: key.account,
                    created: key.created,
                    expires: key.expires,
                },
            )?;
            let event = audit::Event::KeyCreated {
                account: key.account,
                digits: u8::try_from(key.digits.len()).unwrap_or(u8::MAX),
                expires: key.expires,
            };
            let actor = Actor::Account {
                id: key.account,
                name: key.name.clone(),
            };
            audit::append(tx, key.created, &actor, &event)
        }
        Record::Started { session, ak } => {
            if !session_keys::take(tx, ak, session.started)? {
                // It expired between the hub's look and this one; the hub's is what counts.
                tracing::warn!(session = %session.session, "key_gone_at_start");
            }
            let row = SessionRow {
                id: session.session,
                owner: session.owner,
                owner_name: session.owner_name.clone(),
                kind: session.kind,
                facts: session.facts.clone(),
                public_address: session.public_address.clone(),
                resume: session.resume,
                started: session.started,
                accepted: None,
                state: SavedState::Waiting,
                allowed: session.allowed.clone(),
                next_shell: session.next_shell,
            };
            sessions::start(tx, &row)?;
            let event = audit::Event::SessionStarted {
                session: row.id,
                owner: row.owner,
                kind: row.kind,
                customer: row.facts.customer,
                address: row.public_address,
            };
            audit::append(
                tx,
                row.started,
                &Actor::Customer { session: row.id },
                &event,
            )
        }
        Record::Entry { session, entry } => put_entry(tx, *session, entry),
        Record::Changed {
            session,
            accepted,
            allowed,
            next_shell,
            at,
        } => {
            let state = if *accepted {
                sessions::accept(tx, *session, *at)?;
                SavedState::Accepted
            } else {
                SavedState::Waiting
            };
            let standing = Standing {
                state,
                allowed,
                next_shell: *next_shell,
            };
            sessions::save(tx, *session, &standing)
        }
        Record::Ended {
            session,
            reason,
            at,
        } => {
            sessions::end(tx, *session, *reason, *at)?;
            let event = audit::Event::SessionEnded {
                session: *session,
                reason: *reason,
            };
            audit::append(tx, *at, &Actor::Appliance, &event)
        }
        Record::Enrolled { client, deployment } => enrol(tx, client, *deployment),
        Record::ShellSuspended(shell) => open_shells::put(
            tx,
            &OpenShell {
                session: shell.session,
                shell: shell.shell,
                size: shell.size,
                input: (shell.customer.acknowledged, shell.customer.sent),
                output: (shell.console.acknowledged, shell.console.sent),
            },
        ),
    }
}

fn enrol(tx: &Tx<'_>, new: &JumpClientRecord, deployment: Fingerprint) -> Result<(), StoreError> {
    let row = JumpClientRow {
        id: new.client,
        device: new.device,
        computer: new.computer.as_str().to_owned(),
        platform: new.platform.as_str().to_owned(),
        deployment,
        enrolled: new.enrolled,
    };
    jump_clients::enrol(tx, &row)?;
    let event = audit::Event::JumpClientEnrolled {
        client: new.client,
        device: new.device,
        computer: new.computer.clone(),
        deployment,
    };
    audit::append(tx, new.enrolled, &Actor::Appliance, &event)
}

/// A line of a log, pinned by the chain; steps that change who may do what stand there by name.
fn put_entry(tx: &Tx<'_>, session: SessionId, entry: &Entry) -> Result<(), StoreError> {
    entries::append(tx, session, entry)?;
    let actor = Actor::Appliance;
    audit::append(tx, entry.at, &actor, &audit::Event::entry(session, entry))?;
    let step = match &entry.what {
        What::Allowed { tool } => audit::Event::ConsentGiven {
            session,
            tool: *tool,
        },
        What::Refused { tool } => audit::Event::ConsentRefused {
            session,
            tool: *tool,
            unanswered: false,
        },
        What::Unanswered { tool } => audit::Event::ConsentRefused {
            session,
            tool: *tool,
            unanswered: true,
        },
        What::ShellOpened { shell } => audit::Event::ShellOpened {
            session,
            shell: *shell,
        },
        What::SharingStopped => audit::Event::SharingStopped { session },
        What::Held | What::Requeued => audit::Event::SessionQueued { session },
        What::Accepted => {
            let owner = sessions::one(tx, session)?.map(|summary| summary.owner);
            let Some(owner) = owner else { return Ok(()) };
            audit::Event::SessionAccepted { session, owner }
        }
        What::Arrived
        | What::Chat { .. }
        | What::Asked { .. }
        | What::Withdrawn { .. }
        | What::ShellClosed { .. }
        | What::ShellFailed { .. }
        | What::CustomerLost
        | What::CustomerBack
        | What::RepresentativeLost
        | What::RepresentativeBack
        | What::ApplianceRestarted
        | What::Ended { .. } => return Ok(()),
    };
    let actor = match &entry.by {
        crate::domain::Author::Customer(_) => Actor::Customer { session },
        crate::domain::Author::Representative(name) => {
            let owner = sessions::one(tx, session)?.map(|summary| summary.owner);
            owner.map_or(Actor::Appliance, |id| Actor::Account {
                id,
                name: label(name),
            })
        }
        crate::domain::Author::Appliance => Actor::Appliance,
    };
    audit::append(tx, entry.at, &actor, &step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Folder, account, chat, read, session, write};

    #[test]
    fn what_is_refused_of_one_session_costs_no_other_session_its_record() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let rows = [session(1, owner, "Kim"), session(2, owner, "Lee")];
        for row in &rows {
            write(&mut store, |tx| sessions::start(tx, row)).unwrap();
        }
        write(&mut store, |tx| audit::begin(tx, Stamp(1))).unwrap();
        let entry = |row: &SessionRow, number| Record::Entry {
            session: row.id,
            entry: chat(number, "hello"),
        };
        // The first session's line does not follow the one before.
        let records = vec![entry(&rows[0], 7), entry(&rows[1], 1)];
        commit(&mut store, &[Work::Batch { number: 1, records }]);
        assert_eq!(read(&store, |c| entries::of(c, rows[0].id)), []);
        assert_eq!(read(&store, |c| entries::of(c, rows[1].id)).len(), 1);
    }
}
