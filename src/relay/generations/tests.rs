//! Versions that follow one another in one folder, and what a fault leaves.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use rusqlite::types::Value;

use super::*;
use crate::domain::token::Fingerprint;
use crate::domain::{AccountId, PeerAddress, Token};
use crate::store::journal::line::Line;
use crate::store::journal::row::{AuditRow, EntryRow, Row, SessionRow, TranscriptRow};
use crate::store::session_keys::SessionKeyRow;
use crate::store::testing::{account, chat, child_file, new_account, read, session, spawn, write};
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

/// What relay and web do: a session with a key, a log, a shell; a sign-in. `number` tells them apart.
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
        audit::append(tx, at, &Actor::Appliance, &signed_in(owner))
    })
    .unwrap();
}

fn signed_in(account: AccountId) -> Event {
    Event::SignedIn {
        account,
        name: crate::domain::AccountName::new("ana").unwrap(),
        address: PeerAddress::new("203.0.113.9:4711".parse().unwrap()),
    }
}

/// Tables whose rows a journal has, audit last.
const JOURNALED: [&str; 7] = [
    "accounts",
    "entries",
    "session_keys",
    "sessions",
    "sign_ins",
    "transcripts",
    "audit",
];

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
    let others = |rows: &[Vec<String>]| rows[..6].iter().map(Vec::len).collect::<Vec<_>>();
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
    // One-time link and remembered browsers are made anew; the last two are the journal's own.
    let without = ["imported", "journal", "known_browsers", "settings"];
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

/// In a child process: opens version 2 or goes back to version 1, and dies after the step whose
/// number is the file's name.
fn die_if_child() {
    let Some(file) = child_file() else { return };
    let words = file.file_name().unwrap().to_str().unwrap();
    let (sequence, step) = words.split_once('.').unwrap();
    let (sequence, mut left): (u32, u32) = (sequence.parse().unwrap(), step.parse().unwrap());
    let trial = sequence == 2;
    let own = Generation { sequence, trial };
    open_generation(file.parent().unwrap(), own, AT, &mut |_| {
        if left == 0 {
            std::process::abort();
        }
        left -= 1;
        Ok(())
    })
    .unwrap();
    std::process::exit(0);
}

/// Whether version `sequence` died after step `step`; false if there was no such step.
fn died(place: &Place, test: &str, sequence: u32, step: u32) -> bool {
    let file = place.file(&format!("{sequence}.{step}"));
    let mut child = spawn(module_path!(), test, &file);
    !child.wait().unwrap().success()
}

#[test]
fn a_crash_after_any_step_of_copying_leaves_the_old_store_whole_and_the_next_start_goes_on() {
    die_if_child();
    let test =
        "a_crash_after_any_step_of_copying_leaves_the_old_store_whole_and_the_next_start_goes_on";
    let mut steps = 0;
    loop {
        let place = Place::with_version_1();
        let before = fs::read(place.file("appliance-1.db")).unwrap();
        let expected = place.rows(1);
        if !died(&place, test, 2, steps) {
            break;
        }
        assert_eq!(fs::read(place.file("appliance-1.db")).unwrap(), before);
        // The version before, or the same once more.
        if steps % 2 == 0 {
            assert_has_all_of(&place.open(1, GOOD).database, &expected);
        }
        let mut trial = place.open(2, TRIAL);
        assert!(trial.on_trial);
        assert_has_all_of(&trial.database, &expected);
        let owner = read(&trial.database, accounts::list)[0].id;
        serve(&mut trial.database, owner, 2);
        let expected = rows(&trial.database);
        drop(trial);
        assert_has_all_of(&place.open(1, GOOD).database, &expected);
        steps += 1;
    }
    assert_eq!(steps, 6, "cleared, copied, migrated, removed, named, begun");
}

#[test]
fn a_crash_after_any_step_of_going_back_loses_nothing() {
    die_if_child();
    let test = "a_crash_after_any_step_of_going_back_loses_nothing";
    let mut steps = 0;
    loop {
        let place = Place::with_version_1();
        let mut trial = place.open(2, TRIAL).database;
        let owner = read(&trial, accounts::list)[0].id;
        serve(&mut trial, owner, 2);
        drop(trial);
        if !died(&place, test, 1, steps) {
            break;
        }
        // Perhaps the firmware tries the other slot once more.
        let expected = if steps == 0 {
            let mut trial = place.open(2, TRIAL).database;
            serve(&mut trial, owner, 3);
            rows(&trial)
        } else {
            place.rows(2)
        };
        let back = place.open(1, GOOD).database;
        let found = rows(&back);
        for expected in expected.iter().flatten() {
            assert!(found.iter().flatten().any(|row| row == expected) || steps == 0);
        }
        read(&back, |c| entries::of(c, session(2, owner, "").id));
        assert_eq!(found[3].len(), expected[3].len(), "sessions");
        assert_eq!(found[1].len(), expected[1].len(), "lines");
        back.read(audit::verify).unwrap();
        steps += 1;
    }
    assert_eq!(steps, 3, "imported, pointed, cleared");
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
fn an_old_store_that_a_power_cut_left_is_copied_with_its_wal_and_not_touched() {
    let place = Place::with_version_1();
    let mut store = place.open(1, GOOD).database;
    let owner = read(&store, accounts::list)[0].id;
    serve(&mut store, owner, 2);
    let expected = rows(&store);
    // As the disk has it while the program runs.
    let cut = Place::new();
    let files = ["appliance-1.db", "appliance-1.db-wal", "current"];
    for file in files {
        fs::copy(place.file(file), cut.file(file)).unwrap();
    }
    assert!(!fs::read(cut.file("appliance-1.db-wal")).unwrap().is_empty());
    assert_has_all_of(&cut.open(2, TRIAL).database, &expected);
    for file in files {
        let (now, before) = (cut.file(file), place.file(file));
        assert!(
            fs::read(now).unwrap() == fs::read(before).unwrap(),
            "{file}"
        );
    }
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
    let expected = place.rows(3);
    assert_has_all_of(&place.open(2, GOOD).database, &expected);
}

#[test]
fn what_a_crash_kept_from_being_committed_is_not_in_the_journal_of_the_next() {
    let place = Place::with_version_1();
    let mut trial = place.open(2, TRIAL).database;
    let owner = read(&trial, accounts::list)[0].id;
    serve(&mut trial, owner, 2);
    let journal = place.file("trial-2.journal");
    let whole = fs::read(&journal).unwrap();
    // Written, fsynced, and then the power went: whole transactions, or half a line.
    let last: Vec<u8> = whole
        .split_inclusive(|b| *b == b'\n')
        .next_back()
        .unwrap()
        .into();
    for lost in [&last[..], &last[..last.len() / 2], b"\n"] {
        let mut longer = fs::read(&journal).unwrap();
        longer.extend(lost);
        fs::write(&journal, longer).unwrap();
        write(&mut trial, |tx| {
            accounts::create(tx, &new_account(&format!("n{}", lost.len())))
        })
        .unwrap();
    }
    let expected = rows(&trial);
    drop(trial);
    let back = place.open(1, GOOD).database;
    assert_has_all_of(&back, &expected);
    let event = last_event(&back);
    assert!(
        matches!(event, Event::StoreImported { left_out: 0, .. }),
        "{event:?}"
    );
}

#[test]
fn two_processes_append_to_one_journal_in_the_order_of_their_commits() {
    let test = "two_processes_append_to_one_journal_in_the_order_of_their_commits";
    if let Some(file) = child_file() {
        let mut store = Database::open(&file).unwrap();
        for _ in 0..40 {
            write(&mut store, |tx| {
                audit::append(tx, AT, &Actor::CommandLine, &Event::RelayStopped)
            })
            .unwrap();
        }
        return;
    }
    let place = Place::with_version_1();
    drop(place.open(2, TRIAL));
    let file = place.file("appliance-2.db");
    let children = [(); 2].map(|()| spawn(module_path!(), test, &file));
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let expected = place.rows(2);
    assert_has_all_of(&place.open(1, GOOD).database, &expected);
}

/// The journal of a trial in which everything happened, and version 1's store beside it.
fn trial_journal() -> (Place, Vec<u8>) {
    let place = Place::with_version_1();
    let mut trial = place.open(2, TRIAL).database;
    let owner = read(&trial, accounts::list)[0].id;
    serve(&mut trial, owner, 2);
    serve(&mut trial, owner, 3);
    drop(trial);
    let journal = fs::read(place.file("trial-2.journal")).unwrap();
    (place, journal)
}

fn import_bytes(store: &mut Database, journal: &[u8]) -> Told {
    import(store, Reader::new(journal), 1).unwrap()
}

/// Version 1's store as it was before the trial.
fn version_1(place: &Place) -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("appliance-1.db");
    fs::copy(place.file("appliance-1.db"), &file).unwrap();
    let store = Database::create_or_migrate(&file).unwrap();
    (folder, store)
}

#[test]
fn a_journal_cut_anywhere_gives_its_whole_transactions_and_the_rest_follows_later() {
    let (place, journal) = trial_journal();
    let (_kept, mut whole) = version_1(&place);
    let all = import_bytes(&mut whole, &journal);
    assert_eq!(
        (all.appended, all.left_out, all.damaged, all.missing),
        (0, 0, 0, 0)
    );
    let expected = rows(&whole);
    let ends: Vec<usize> = ends_of_transactions(&journal);
    assert_eq!(ends.len() as u64, all.transactions);
    for cut in (0..journal.len()).step_by(173) {
        let (_kept, mut store) = version_1(&place);
        let told = import_bytes(&mut store, &journal[..cut]);
        let before = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(told.transactions, before as u64, "cut at {cut}");
        store.read(audit::verify).unwrap();
        let head_is_whole = journal[..cut].contains(&b'\n');
        if head_is_whole {
            import_bytes(&mut store, &journal);
            assert_eq!(rows(&store), expected, "cut at {cut}");
        }
    }
}

fn ends_of_transactions(journal: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let mut ends = Vec::new();
    for line in journal.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if let Some(Line::End { .. }) = Line::decode(&line[..line.len() - 1]) {
            ends.push(at);
        }
    }
    ends
}

#[test]
fn a_damaged_line_costs_its_row_alone_and_later_audit_rows_are_kept_at_the_end() {
    let (place, mut journal) = trial_journal();
    let (_kept, mut whole) = version_1(&place);
    import_bytes(&mut whole, &journal);
    let expected = rows(&whole);
    let first = journal
        .windows(13)
        .position(|it| it == b"\"row\":\"audit\"")
        .unwrap();
    journal[first] ^= 1;
    let (_kept, mut store) = version_1(&place);
    let told = import_bytes(&mut store, &journal);
    assert_eq!((told.damaged, told.missing, told.left_out), (1, 1, 0));
    let found = rows(&store);
    assert_eq!(found[..6], expected[..6]);
    assert_eq!(found[6].len(), expected[6].len() - 1);
    assert!(told.appended > 0);
    store.read(audit::verify).unwrap();
    let last = read(&store, |c| audit::page(c, None, 1)).remove(0);
    assert!(matches!(last.event, Event::RowImported { .. }), "{last:?}");
}

#[test]
fn a_damaged_first_line_costs_no_row() {
    let (place, mut journal) = trial_journal();
    journal[40] ^= 1;
    let (_kept, mut store) = version_1(&place);
    let told = import_bytes(&mut store, &journal);
    assert_eq!((told.damaged, told.missing, told.left_out), (1, 0, 0));
    let expected = place.rows(2);
    assert_has_all_of(&store, &expected);
    fs::write(place.file("trial-2.journal"), journal).unwrap();
    assert_has_all_of(&place.open(1, GOOD).database, &expected);
}

#[test]
fn a_store_that_went_on_without_the_journal_keeps_its_own_rows_and_gets_the_others() {
    let (place, journal) = trial_journal();
    let (_kept, mut store) = version_1(&place);
    let own = Event::RelayStopped;
    write(&mut store, |tx| {
        audit::append(tx, AT, &Actor::Appliance, &own)
    })
    .unwrap();
    let told = import_bytes(&mut store, &journal);
    assert!(told.appended > 0);
    assert_eq!(told.left_out, 0);
    store.read(audit::verify).unwrap();
    let events = read(&store, |c| audit::page(c, None, 500));
    assert!(events.iter().any(|row| row.event == own));
}

#[test]
fn a_format_that_is_not_known_is_counted_and_left_alone() {
    let (place, journal) = trial_journal();
    let (_kept, mut store) = version_1(&place);
    let before = rows(&store);
    let head = crate::store::journal::line::Head {
        format: crate::store::journal::line::FORMAT + 1,
        generation: 2,
        from: Some(1),
        at: AT,
    };
    let (_, rest) = journal.split_at(journal.iter().position(|it| *it == b'\n').unwrap() + 1);
    let journal = [Line::Head(head).encode().as_bytes(), rest].concat();
    let told = import_bytes(&mut store, &journal);
    assert!(told.left_out > 20 && told.rows == 0, "{told:?}");
    assert_eq!(rows(&store), before);
}

/// Whatever can be read by the relay's start and by Reports.
fn everything_is_readable(store: &Database) {
    store.read(audit::verify).unwrap();
    read(store, |c| {
        audit::page(c, None, 500)?;
        for row in sessions::unended(c)? {
            entries::of(c, row.id)?;
            transcripts::of(c, row.id)?;
        }
        let all = sessions::Filter {
            limit: 500,
            ..sessions::Filter::default()
        };
        sessions::page(c, &all)?;
        session_keys::unused(c, AT)?;
        accounts::list(c)
    });
}

/// Rows that say what they like, with sums that fit.
fn hostile_row() -> impl Strategy<Value = Row> {
    let id = (0_u8..4).prop_map(|id| crate::domain::SessionId::from_random([id; 8]));
    let text = prop_oneof![
        Just(String::new()),
        Just("client".to_owned()),
        Just("[]".to_owned()),
        Just("{\"what\":\"of_tomorrow\",\"role\":\"appliance\"}".to_owned()),
        Just("../../relay/link.key".to_owned()),
        "\\PC{0,300}",
    ];
    let number = prop_oneof![0_u32..4, Just(u32::MAX)];
    let at = prop_oneof![Just(0_i64), Just(i64::MAX), Just(i64::MIN)].prop_map(Stamp);
    (id, text.clone(), text, number, at, 0..4).prop_map(|(id, one, two, number, at, kind)| {
        match kind {
            0 => Row::Audit(AuditRow {
                number: number.into(),
                at,
                actor: one,
                event: two,
                hash: Fingerprint::of(b"?"),
            }),
            1 => Row::Entry(EntryRow {
                session: id,
                number,
                at,
                author: one,
                what: two,
            }),
            2 => Row::Transcript(TranscriptRow {
                session: id,
                shell: crate::domain::ShellId(number),
                file: one,
                started: at,
                ended: Some(at),
                bytes: Some(-1),
                sha256: None,
            }),
            _ => Row::Session(SessionRow {
                id,
                owner: AccountId(i64::from(number)),
                owner_name: one.clone(),
                kind: two.clone(),
                customer: one.clone(),
                computer: two.clone(),
                platform: one.clone(),
                private_address: "10.0.0.1".into(),
                public_address: "::1".into(),
                resume: Fingerprint::of(b"?"),
                started: at,
                accepted: None,
                state: one.clone(),
                allowed: two,
                next_shell: number,
                ended: (number > 1).then_some(at),
                end_reason: Some(one),
            }),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_journal_stops_the_start_or_breaks_the_chain(
        rows in prop::collection::vec((0_u64..6, hostile_row()), 0..30),
        ends in prop::collection::vec((0_u64..6, 0_u64..4), 0..6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let (place, mut journal) = trial_journal();
        for (at, byte) in changes {
            let at = at.index(journal.len());
            journal[at] = byte;
        }
        journal.push(b'\n');
        for (n, row) in rows {
            let n = n + 8;
            journal.extend(Line::Row { n, row }.encode().bytes());
        }
        for (n, rows) in ends {
            let n = n + 8;
            journal.extend(Line::End { n, rows }.encode().bytes());
        }
        fs::write(place.file("trial-2.journal"), journal).unwrap();
        everything_is_readable(&place.open(1, GOOD).database);
    }
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
