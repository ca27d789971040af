//! Support sessions, running and over.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::column::{Json, Short, Word};
use crate::domain::entry::EndReason;
use crate::domain::facts::Kind;
use crate::domain::limits::{NAME_BYTES_MAX, PAGE_ROWS_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{AccountId, Facts, Label, SessionId, Stamp, Text, Tool};

/// Where a running session stood when it was last written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedState {
    /// Nobody has accepted it, or it was put back into the queue.
    Waiting,
    /// A representative has it.
    Accepted,
}

/// A session that is not over, with all that the relay needs to go on with it after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// In whose queue it waits, or who has it.
    pub owner: AccountId,
    /// The owner, as the customer was told.
    pub owner_name: Label,
    /// How the customer takes part.
    pub kind: Kind,
    /// What the customer's side says of itself.
    pub facts: Facts,
    /// The customer's address as the appliance saw it.
    pub public_address: Text<45>,
    /// Of the token the customer comes back with.
    pub resume: Fingerprint,
    /// When the customer arrived.
    pub started: Stamp,
    /// When it was accepted for the first time.
    pub accepted: Option<Stamp>,
    /// Where it stands.
    pub state: SavedState,
    /// What the customer has allowed.
    pub allowed: Vec<Tool>,
    /// Number of the next shell.
    pub next_shell: u32,
}

/// What changes while a session runs.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Where it stands.
    pub state: SavedState,
    /// What the customer has allowed.
    pub allowed: &'a [Tool],
    /// Number of the next shell.
    pub next_shell: u32,
}

/// A session as lists and reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// Which.
    pub id: SessionId,
    /// Who supported the customer.
    pub owner: AccountId,
    /// By the name the customer was told.
    pub owner_name: Label,
    /// How the customer took part.
    pub kind: Kind,
    /// What the customer's side said of itself.
    pub facts: Facts,
    /// The customer's address as the appliance saw it.
    pub public_address: Text<45>,
    /// When the customer arrived.
    pub started: Stamp,
    /// When it was accepted for the first time.
    pub accepted: Option<Stamp>,
    /// Where it stands, or stood when it ended.
    pub state: SavedState,
    /// When it ended; absent while it runs.
    pub ended: Option<Stamp>,
    /// Why it ended; present exactly if `ended` is.
    pub end_reason: Option<EndReason>,
    /// Lines of its log.
    pub entries: u32,
    /// Shells that were recorded.
    pub shells: u32,
}

/// Which sessions [`page`] lists.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only sessions older than this one: the last of the page before.
    pub before: Option<(Stamp, SessionId)>,
    /// Only this account's.
    pub owner: Option<AccountId>,
    /// Leave out so many of the latest: the pages before.
    pub skip: usize,
    /// At most so many, and at most [`PAGE_ROWS_MAX`].
    pub limit: usize,
    /// Part of the customer's, computer's or representative's name or of an address, in any case.
    /// All are listed if it is absent or blank.
    pub search: Option<&'a str>,
}

/// Writes down a new session.
pub fn start(tx: &Transaction<'_>, session: &SessionRow) -> Result<(), StoreError> {
    let facts = &session.facts;
    let found_by = found_by([
        session.owner_name.as_str(),
        &facts.customer,
        &facts.computer,
        &facts.private_address,
        &session.public_address,
    ]);
    tx.prepare_cached(
        "INSERT INTO sessions
             (id, owner, owner_name, kind, customer, computer, platform, private_address,
              public_address, resume, started, accepted, state, allowed, next_shell, found_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute((
        session.id,
        session.owner,
        session.owner_name.as_str(),
        Word(session.kind),
        facts.customer.as_str(),
        facts.computer.as_str(),
        facts.platform.as_str(),
        facts.private_address.as_str(),
        session.public_address.as_str(),
        session.resume,
        session.started,
        session.accepted,
        Word(session.state),
        Json(&session.allowed),
        session.next_shell,
        found_by,
    ))?;
    Ok(())
}

/// What a session is searched by. A line each: nobody can search for text that spans two of them.
pub(super) fn found_by(texts: [&str; 5]) -> String {
    texts.join("\n").to_lowercase()
}

/// A representative took the session. Only the first time is kept as its acceptance.
///
/// # Errors
///
/// [`StoreError::NoSuchSession`], here and below: no such session, or over.
pub fn accept(tx: &Transaction<'_>, session: SessionId, at: Stamp) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE sessions SET state = 'accepted', accepted = coalesce(accepted, ?2)
             WHERE id = ?1 AND ended IS NULL",
        )?
        .execute((session, at))?;
    changed_one(changed, session)
}

/// Writes down how a session goes on after a restart. [`accept`] also keeps the time.
///
/// # Errors
///
/// [`StoreError::NoSuchSession`].
pub fn save(
    tx: &Transaction<'_>,
    session: SessionId,
    standing: &Standing<'_>,
) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE sessions SET state = ?2, allowed = ?3, next_shell = ?4
             WHERE id = ?1 AND ended IS NULL",
        )?
        .execute((
            session,
            Word(standing.state),
            Json(standing.allowed),
            standing.next_shell,
        ))?;
    changed_one(changed, session)
}

/// The session is over; what the customer allowed is withdrawn with it.
///
/// # Errors
///
/// [`StoreError::NoSuchSession`].
pub fn end(
    tx: &Transaction<'_>,
    session: SessionId,
    reason: EndReason,
    at: Stamp,
) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE sessions SET ended = ?3, end_reason = ?2, allowed = '[]'
             WHERE id = ?1 AND ended IS NULL",
        )?
        .execute((session, Word(reason), at))?;
    changed_one(changed, session)
}

/// Sessions that are not over, oldest first.
pub fn unended(c: &Connection) -> Result<Vec<SessionRow>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT id, owner, owner_name, kind, customer, computer, platform, private_address,
                public_address, started, accepted, state, resume, allowed, next_shell
         FROM sessions WHERE ended IS NULL ORDER BY started, id",
    )?;
    let sessions = statement.query_map([], |row| {
        Ok(SessionRow {
            id: row.get(0)?,
            owner: row.get(1)?,
            owner_name: row.get::<_, Short<NAME_BYTES_MAX>>(2)?.0,
            kind: row.get::<_, Word<Kind>>(3)?.0,
            facts: facts(row)?,
            public_address: row.get::<_, Short<45>>(8)?.0,
            started: row.get(9)?,
            accepted: row.get(10)?,
            state: row.get::<_, Word<SavedState>>(11)?.0,
            resume: row.get(12)?,
            allowed: row.get::<_, Json<Vec<Tool>>>(13)?.0,
            next_shell: row.get(14)?,
        })
    })?;
    Ok(sessions.collect::<Result<_, _>>()?)
}

/// Sessions, latest first.
pub fn page(c: &Connection, filter: &Filter<'_>) -> Result<Vec<SessionSummary>, StoreError> {
    let (started, id) = filter.newest();
    let limit = filter.limit.min(PAGE_ROWS_MAX).cast_signed();
    let skip = i64::try_from(filter.skip).unwrap_or(i64::MAX);
    let mut statement = c.prepare_cached(
        "SELECT id, owner, owner_name, kind, customer, computer, platform, private_address,
                public_address, started, accepted, state, ended, end_reason,
                (SELECT count(*) FROM entries e WHERE e.session = s.id),
                (SELECT count(*) FROM transcripts t WHERE t.session = s.id)
         FROM sessions s
         WHERE (started, id) < (?1, ?2) AND instr(found_by, ?3) > 0
             AND (?4 IS NULL OR owner = ?4)
         ORDER BY started DESC, id DESC LIMIT ?5 OFFSET ?6",
    )?;
    let wanted = (started, id, filter.words(), filter.owner, limit, skip);
    let sessions = statement.query_map(wanted, summary)?;
    Ok(sessions.collect::<Result<_, _>>()?)
}

/// How many sessions [`page`] would list with neither `skip` nor `limit`.
pub fn count(c: &Connection, filter: &Filter<'_>) -> Result<usize, StoreError> {
    let (started, id) = filter.newest();
    let count: u32 = c
        .prepare_cached(
            "SELECT count(*) FROM sessions
             WHERE (started, id) < (?1, ?2) AND instr(found_by, ?3) > 0
                 AND (?4 IS NULL OR owner = ?4)",
        )?
        .query_row((started, id, filter.words(), filter.owner), |row| {
            row.get(0)
        })?;
    Ok(count as usize)
}

impl Filter<'_> {
    /// Listed sessions come before this one.
    fn newest(&self) -> (Stamp, i64) {
        match self.before {
            Some((started, id)) => (started, id.to_row()),
            None => (Stamp(i64::MAX), i64::MAX),
        }
    }

    /// Blank searches for the empty text, which is everywhere.
    fn words(&self) -> String {
        self.search.unwrap_or_default().trim().to_lowercase()
    }
}

/// One session, running or over.
pub fn one(c: &Connection, session: SessionId) -> Result<Option<SessionSummary>, StoreError> {
    let found = c
        .prepare_cached(
            "SELECT id, owner, owner_name, kind, customer, computer, platform, private_address,
                    public_address, started, accepted, state, ended, end_reason,
                    (SELECT count(*) FROM entries e WHERE e.session = s.id),
                    (SELECT count(*) FROM transcripts t WHERE t.session = s.id)
             FROM sessions s WHERE id = ?1",
        )?
        .query_row([session], summary)
        .optional()?;
    Ok(found)
}

fn summary(row: &Row<'_>) -> rusqlite::Result<SessionSummary> {
    Ok(SessionSummary {
        id: row.get(0)?,
        owner: row.get(1)?,
        owner_name: row.get::<_, Short<NAME_BYTES_MAX>>(2)?.0,
        kind: row.get::<_, Word<Kind>>(3)?.0,
        facts: facts(row)?,
        public_address: row.get::<_, Short<45>>(8)?.0,
        started: row.get(9)?,
        accepted: row.get(10)?,
        state: row.get::<_, Word<SavedState>>(11)?.0,
        ended: row.get(12)?,
        end_reason: row
            .get::<_, Option<Word<EndReason>>>(13)?
            .map(|word| word.0),
        entries: row.get(14)?,
        shells: row.get(15)?,
    })
}

/// Columns 4 to 7 of `row`.
fn facts(row: &Row<'_>) -> rusqlite::Result<Facts> {
    Ok(Facts {
        customer: row.get::<_, Short<NAME_BYTES_MAX>>(4)?.0,
        computer: row.get::<_, Short<NAME_BYTES_MAX>>(5)?.0,
        platform: row.get::<_, Short<NAME_BYTES_MAX>>(6)?.0,
        private_address: row.get::<_, Short<45>>(7)?.0,
    })
}

fn changed_one(changed: usize, session: SessionId) -> Result<(), StoreError> {
    (changed == 1)
        .then_some(())
        .ok_or(StoreError::NoSuchSession { session })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Folder, account, read, session, write};

    #[test]
    fn a_running_session_comes_back_as_it_was_saved() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let mut row = session(1, owner, "Kim");
        write(&mut store, |tx| start(tx, &row)).unwrap();
        assert_eq!(read(&store, unended), [row.clone()]);
        write(&mut store, |tx| {
            accept(tx, row.id, Stamp(50))?;
            let standing = Standing {
                state: SavedState::Accepted,
                allowed: &[Tool::Shell],
                next_shell: 3,
            };
            save(tx, row.id, &standing)
        })
        .unwrap();
        row.state = SavedState::Accepted;
        row.accepted = Some(Stamp(50));
        row.allowed = vec![Tool::Shell];
        row.next_shell = 3;
        assert_eq!(read(&store, unended), [row.clone()]);
        let held = Standing {
            state: SavedState::Waiting,
            allowed: &[],
            next_shell: 4,
        };
        write(&mut store, |tx| save(tx, row.id, &held)).unwrap();
        row.state = SavedState::Waiting;
        row.allowed = Vec::new();
        row.next_shell = 4;
        assert_eq!(read(&store, unended), [row.clone()]);
        write(&mut store, |tx| accept(tx, row.id, Stamp(70))).unwrap();
        row.state = SavedState::Accepted;
        assert_eq!(read(&store, unended), [row], "the first acceptance stays");
    }

    #[test]
    fn nothing_changes_a_session_that_is_over() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let id = session(1, owner, "Kim").id;
        write(&mut store, |tx| {
            start(tx, &session(1, owner, "Kim"))?;
            end(tx, id, EndReason::Customer, Stamp(9))
        })
        .unwrap();
        assert_eq!(read(&store, unended), []);
        let before = read(&store, |c| one(c, id)).unwrap();
        assert_eq!(before.ended, Some(Stamp(9)));
        assert_eq!(before.end_reason, Some(EndReason::Customer));
        let standing = Standing {
            state: SavedState::Waiting,
            allowed: &[Tool::Shell],
            next_shell: 9,
        };
        for outcome in [
            write(&mut store, |tx| accept(tx, id, Stamp(10))),
            write(&mut store, |tx| save(tx, id, &standing)),
            write(&mut store, |tx| end(tx, id, EndReason::Limit, Stamp(10))),
        ] {
            let refused =
                matches!(outcome, Err(StoreError::NoSuchSession { session }) if session == id);
            assert!(refused);
        }
        assert_eq!(read(&store, |c| one(c, id)), Some(before));
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        write(&mut store, |tx| {
            (1..=10).try_for_each(|number| {
                let mut row = session(number, owner, "Kim");
                // Several at the same time.
                row.started = Stamp(i64::from(number / 4));
                start(tx, &row)
            })
        })
        .unwrap();
        let mut seen = Vec::new();
        let mut filter = Filter {
            limit: 3,
            ..Filter::default()
        };
        loop {
            let found = read(&store, |c| page(c, &filter));
            let Some(last) = found.last() else { break };
            filter.before = Some((last.started, last.id));
            seen.extend(found.iter().map(|row| (row.started, row.id)));
        }
        assert_eq!(seen.len(), 10);
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    }

    #[test]
    fn search_finds_parts_of_names_and_addresses_in_any_case() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let id = session(1, owner, "").id;
        write(&mut store, |tx| {
            start(tx, &session(1, owner, "Jörg MÜLLER"))
        })
        .unwrap();
        write(&mut store, |tx| start(tx, &session(2, owner, "100%_sure"))).unwrap();
        let found = |text| {
            let filter = Filter {
                limit: 10,
                search: Some(text),
                ..Filter::default()
            };
            let rows = read(&store, |c| page(c, &filter));
            assert_eq!(read(&store, |c| count(c, &filter)), rows.len());
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(found("müller"), [id]);
        assert_eq!(found(" JÖRG "), [id]);
        for text in ["", "  ", "LAPTOP", "rep ana", "10.0.0", "203.0.113.9"] {
            assert_eq!(found(text).len(), 2, "{text}");
        }
        // What LIKE would take for wildcards is text.
        assert_eq!(found("%_s").len(), 1);
        for text in ["%", "_"] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
        for text in ["nobody", "ana\nkim", "rep anajörg"] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_list_shows_how_much_there_is_to_a_session() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let row = session(1, owner, "Kim");
        write(&mut store, |tx| {
            start(tx, &row)?;
            for number in 1..=3 {
                let entry = crate::store::testing::chat(number, "hello");
                crate::store::entries::append(tx, row.id, &entry)?;
            }
            let shell = crate::domain::ShellId(1);
            crate::store::transcripts::start(tx, row.id, shell, "a.cast", Stamp(2))
        })
        .unwrap();
        let listed = read(&store, |c| {
            page(
                c,
                &Filter {
                    limit: 9,
                    ..Filter::default()
                },
            )
        });
        assert_eq!((listed[0].entries, listed[0].shells), (3, 1));
        assert_eq!(listed[0].facts, row.facts);
        assert_eq!(listed[0].public_address, row.public_address);
    }

    #[test]
    fn an_owner_s_list_has_pages_and_a_count_of_its_own() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana").id;
        let ben = account(&mut store, "ben").id;
        write(&mut store, |tx| {
            (1..=9).try_for_each(|number| {
                let owner = if number % 3 == 0 { ana } else { ben };
                start(tx, &session(number, owner, "Kim"))
            })
        })
        .unwrap();
        let filter = Filter {
            owner: Some(ana),
            skip: 1,
            limit: 1,
            ..Filter::default()
        };
        let rows = read(&store, |c| page(c, &filter));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].id, session(6, ana, "").id);
        assert_eq!(read(&store, |c| count(c, &filter)), 3);
        assert_eq!(read(&store, |c| count(c, &Filter::default())), 9);
    }
}
