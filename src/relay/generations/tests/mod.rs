//! Versions that follow one another in one folder, and what a fault leaves.

mod crash;
mod journal;

use std::fs;
use std::path::PathBuf;

use rusqlite::types::Value;

use super::*;
use crate::domain::token::Fingerprint;
use crate::domain::{AccountId, JumpClientId, PeerAddress, ShellId, Token};
use crate::store::jump_clients::{self, JumpClientRow};
use crate::store::open_shells::OpenShell;
use crate::store::session_keys::SessionKeyRow;
use crate::store::testing::{account, chat, new_account, read, session, write};
use crate::store::{accounts, entries, session_keys, sessions, sign_ins, transcripts};

const TRIAL: bool = true;
const GOOD: bool = false;
const AT: Stamp = Stamp(1_000);

/// A store's folder.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With version 1, which served a session of a representative.
    fn with_version_1() -> Self {
        let place = Self::new();
        let mut store = place.open(1, GOOD).database;
        let owner = account(&mut store, "ana").id;
        serve(&mut store, owner, 1);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn open(&self, sequence: u32, trial: bool) -> Opened {
        self.try_open(sequence, trial).unwrap()
    }

    fn try_open(&self, sequence: u32, trial: bool) -> Result<Opened, StoreError> {
        let own = Generation { sequence, trial };
        open_generation(self.path(), own, AT, &mut |_| Ok(()))
    }

    /// What version `sequence` has, as it stands.
    fn rows(&self, sequence: u32) -> Vec<Vec<String>> {
        rows(&Database::open(&self.file(&format!("appliance-{sequence}.db"))).unwrap())
    }
}

/// What relay and web do: a session with a key, a log, a shell; a sign-in; a machine. `number` tells
/// them apart.
fn serve(store: &mut Database, owner: AccountId, number: u8) {
    let row = session(number, owner, "Kim");
    let at = Stamp(i64::from(number) * 10);
    let token = |kind: u8| Token::from_random([number + 16 * kind; 16]);
    let key = |kind, digits: &str| SessionKeyRow {
        digits: format!("{digits}{number}"),
        ak: token(kind),
        account: owner,
        created: at,
        expires: Stamp(i64::MAX),
    };
    let (used, unused) = (key(0, "100"), key(4, "200"));
    write(store, |tx| session_keys::put(tx, &used)).unwrap();
    write(store, |tx| {
        session_keys::put(tx, &unused)?;
        session_keys::take(tx, &used.ak, at)?;
        sessions::start(tx, &row)?;
        audit::append(tx, at, &Actor::Appliance, &signed_in(owner))
    })
    .unwrap();
    for line in 1..=3 {
        let entry = chat(line, "\"ä\n€\"");
        write(store, |tx| {
            entries::append(tx, row.id, &entry)?;
            audit::append(tx, at, &Actor::Appliance, &Event::entry(row.id, &entry))
        })
        .unwrap();
    }
    let file = format!("{}-shell-1.cast", row.id);
    let shell = crate::domain::ShellId(1);
    write(store, |tx| {
        sessions::accept(tx, row.id, at)?;
        transcripts::start(tx, row.id, shell, &file, at)
    })
    .unwrap();
    write(store, |tx| {
        transcripts::end(tx, row.id, shell, 5, &Fingerprint::of(b"bytes"), at)?;
        let csrf = token(1);
        sign_ins::open(tx, &token(2).fingerprint(), owner, &csrf, at)?;
        sign_ins::open(tx, &token(3).fingerprint(), owner, &csrf, at)?;
        sign_ins::close(tx, &token(2).fingerprint())?;
        jump_clients::enrol(tx, &machine(number))?;
        audit::append(tx, at, &Actor::Appliance, &signed_in(owner))
    })
    .unwrap();
}

fn machine(number: u8) -> JumpClientRow {
    JumpClientRow {
        id: JumpClientId::from_random([number; 8]),
        device: Fingerprint::of(&[number]),
        computer: format!("till-{number}"),
        platform: "Debian".into(),
        deployment: Fingerprint::of(b"a deployment"),
        enrolled: Stamp(i64::from(number)),
    }
}

fn signed_in(account: AccountId) -> Event {
    Event::SignedIn {
        account,
        name: crate::domain::AccountName::new("ana").unwrap(),
        address: PeerAddress::new("203.0.113.9:4711".parse().unwrap()),
    }
}

/// Tables whose rows a journal has, audit last.
const JOURNALED: [&str; 8] = [
    "accounts",
    "entries",
    "jump_clients",
    "session_keys",
    "sessions",
    "sign_ins",
    "transcripts",
    "audit",
];

/// Where the audit chain is among them.
const AUDIT: usize = JOURNALED.len() - 1;

/// All rows of all those tables.
fn rows(store: &Database) -> Vec<Vec<String>> {
    let of = |table: &str| {
        read(store, |c| {
            let mut all = c.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))?;
            let columns = all.column_count();
            let rows = all.query_map([], |row| {
                let values: Result<Vec<Value>, _> = (0..columns).map(|n| row.get(n)).collect();
                Ok(format!("{table}: {:?}", values?))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    };
    JOURNALED.map(of).into()
}

/// The same but for the last rows of the audit chain, which say what was taken over.
fn assert_has_all_of(store: &Database, expected: &[Vec<String>]) {
    let found = rows(store);
    for (found, expected) in found.iter().zip(expected) {
        let found = &found[..expected.len().min(found.len())];
        assert_eq!(found, expected);
    }
    let others = |rows: &[Vec<String>]| rows[..AUDIT].iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(others(&found), others(expected), "rows that nobody wrote");
    store.read(audit::verify).unwrap();
}

fn last_event(store: &Database) -> Event {
    read(store, |c| audit::page(c, None, 1)).remove(0).event
}

#[test]
fn going_back_finds_all_that_was_acknowledged_in_a_file_that_nobody_touched() {
    let place = Place::with_version_1();
    let before = fs::read(place.file("appliance-1.db")).unwrap();

    let mut trial = place.open(2, TRIAL);
    assert!(trial.on_trial);
    let owner = read(&trial.database, accounts::list)[0].id;
    serve(&mut trial.database, owner, 2);
    // Another process, such as web.
    let mut web = Database::open(&place.file("appliance-2.db")).unwrap();
    serve(&mut web, owner, 3);
    serve(&mut trial.database, owner, 4);
    let expected = rows(&web);
    drop((trial, web));
    assert_eq!(fs::read(place.file("appliance-1.db")).unwrap(), before);

    let back = place.open(1, GOOD);
    assert!(!back.on_trial);
    assert_has_all_of(&back.database, &expected);
    let (generation, left_out) = (2, 0);
    let event = last_event(&back.database);
    assert!(
        matches!(event, Event::StoreImported { generation: g, left_out: l, .. }
            if (g, l) == (generation, left_out)),
        "{event:?}"
    );
    // Once is enough.
    let after = rows(&back.database);
    drop(back);
    assert_eq!(rows(&place.open(1, GOOD).database), after);
}

#[test]
fn whatever_table_is_added_somebody_has_thought_of_the_journal() {
    // Deployments count down by the machines that they let in; one-time link and remembered browsers
    // are made anew, news are read once more, and shells that
    // run on are for the very next start; the others are the journal's own.
    let without = [
        "deployments",
        "imported",
        "journal",
        "known_browsers",
        "news",
        "open_shells",
        "settings",
    ];
    let place = Place::with_version_1();
    let store = place.open(2, TRIAL).database;
    let tables: Vec<String> = read(&store, |c| {
        let mut all = c.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        )?;
        let names = all.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    });
    let unknown =
        |name: &&String| !without.contains(&name.as_str()) && !JOURNALED.contains(&name.as_str());
    assert_eq!(tables.iter().find(unknown), None);
}

#[test]
fn a_shell_that_the_next_version_went_on_with_is_not_gone_on_with_by_the_one_before() {
    let place = Place::with_version_1();
    let mut old = place.open(1, GOOD).database;
    let owner = read(&old, accounts::list)[0].id;
    let row = session(9, owner, "Kim");
    let open = OpenShell {
        session: row.id,
        shell: ShellId(1),
        size: (80, 24),
        input: (1, 2),
        output: (3, 4),
    };
    write(&mut old, |tx| {
        sessions::start(tx, &row)?;
        open_shells::put(tx, &open)
    })
    .unwrap();
    drop(old);
    let noted = |store: &Database| {
        read(store, |c| {
            let count = "SELECT count(*) FROM open_shells";
            Ok(c.query_row(count, [], |row| row.get::<_, u32>(0))?)
        })
    };
    assert_eq!(noted(&place.open(2, TRIAL).database), 1);
    assert_eq!(noted(&place.open(1, GOOD).database), 0);
}

#[test]
fn what_an_earlier_failed_trial_left_is_made_anew() {
    let place = Place::with_version_1();
    drop(place.open(2, TRIAL));
    let mut back = place.open(1, GOOD).database;
    let owner = read(&back, accounts::list)[0].id;
    serve(&mut back, owner, 7);
    let expected = rows(&back);
    drop(back);
    let again = place.open(2, TRIAL);
    assert!(again.on_trial);
    assert_has_all_of(&again.database, &expected);
}

#[test]
fn after_the_proof_going_back_still_loses_nothing_and_brings_nobody_in_again() {
    let place = Place::with_version_1();
    drop(place.open(2, TRIAL));
    let mut proved = place.open(2, GOOD);
    assert!(!proved.on_trial);
    let store = &mut proved.database;
    let ana = read(store, accounts::list).remove(0);
    let bea = account(store, "bea");
    serve(store, bea.id, 2);
    write(store, |tx| accounts::set_disabled(tx, ana.id, true)).unwrap();
    let expected = rows(store);
    drop(proved);
    // And a version later.
    let mut third = place.open(3, GOOD).database;
    serve(&mut third, bea.id, 3);
    let also_expected = rows(&third);
    drop(third);
    let back = place.open(1, GOOD).database;
    assert_has_all_of(&back, &also_expected);
    assert_eq!(expected[0], rows(&back)[0], "accounts");
    assert!(read(&back, accounts::list)[0].disabled);
}

#[test]
fn a_store_from_before_generations_is_copied_and_can_be_gone_back_to() {
    let place = Place::new();
    let mut old = Database::create_or_migrate(&place.file("appliance.db")).unwrap();
    write(&mut old, |tx| audit::begin(tx, AT)).unwrap();
    let owner = account(&mut old, "ana").id;
    serve(&mut old, owner, 1);
    let expected = rows(&old);
    drop(old);
    let before = fs::read(place.file("appliance.db")).unwrap();
    let trial = place.open(9, TRIAL);
    assert!(trial.on_trial);
    assert_has_all_of(&trial.database, &expected);
    drop(trial);
    assert_eq!(fs::read(place.file("appliance.db")).unwrap(), before);
}

#[test]
fn a_downgrade_on_trial_costs_no_other_version_its_way_back() {
    let place = Place::with_version_1();
    for version in [2, 3] {
        let mut store = place.open(version, GOOD).database;
        let owner = read(&store, accounts::list)[0].id;
        serve(&mut store, owner, u8::try_from(version).unwrap());
    }
    drop(place.open(1, TRIAL));
    assert!(place.file("trial-3.journal").exists());
    let expected = place.rows(3);
    assert_has_all_of(&place.open(2, GOOD).database, &expected);
}

#[test]
fn without_room_for_a_copy_the_old_store_stays_and_the_error_says_so() {
    let place = Place::with_version_1();
    let expected = place.rows(1);
    // As long as no disk is; nothing of it is written.
    let file = fs::File::options()
        .write(true)
        .open(place.file("appliance-1.db"))
        .unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(1 << 43).unwrap();
    let error = place.try_open(2, TRIAL).unwrap_err();
    assert!(matches!(error, StoreError::NoRoom { .. }), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    file.set_len(length).unwrap();
    assert!(!place.file("appliance-2.db.new").exists());
    assert_has_all_of(&place.open(1, GOOD).database, &expected);
}

#[test]
fn a_lost_store_is_not_replaced_by_an_empty_one() {
    let place = Place::with_version_1();
    fs::remove_file(place.file("appliance-1.db")).unwrap();
    for _ in 0..2 {
        let error = place.try_open(1, GOOD).unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    }
}

#[test]
fn a_journal_at_its_limit_ends_and_says_so() {
    let place = Place::with_version_1();
    let mut trial = place.open(2, TRIAL).database;
    let long = crate::domain::limits::JOURNAL_BYTES_MAX + 1;
    let journal = place.file("trial-2.journal");
    fs::File::options()
        .write(true)
        .open(&journal)
        .unwrap()
        .set_len(long)
        .unwrap();
    write(&mut trial, |tx| {
        tx.execute("UPDATE journal SET bytes = ?1", [long.cast_signed()])?;
        accounts::create(tx, &new_account("bea"))
    })
    .unwrap();
    let length = || fs::metadata(&journal).unwrap().len();
    let ended = length();
    assert!(ended > long, "it says so");
    account(&mut trial, "cid");
    assert_eq!(length(), ended);
}
