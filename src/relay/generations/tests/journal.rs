//! Journals that are cut, damaged, or say what they like.

use proptest::prelude::*;

use super::*;
use crate::audit::chain;
use crate::store::journal::line::Line;
use crate::store::journal::row::{AuditRow, EntryRow, Row, SessionRow, TranscriptRow};

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
    assert_eq!(found[..AUDIT], expected[..AUDIT]);
    assert_eq!(found[AUDIT].len(), expected[AUDIT].len() - 1);
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

#[test]
fn what_only_a_later_version_says_is_kept_and_stops_nothing() {
    let place = Place::with_version_1();
    let mut trial = place.open(2, TRIAL).database;
    let owner = read(&trial, accounts::list)[0].id;
    serve(&mut trial, owner, 2);
    let id = session(2, owner, "").id;
    write(&mut trial, |tx| {
        tx.execute(
            "INSERT INTO entries VALUES (?1, 4, 5, '{\"role\":\"robot\"}', '{\"what\":\"flew\"}')",
            [id],
        )?;
        let head = audit::head(tx)?;
        let row = chain::Row {
            number: head.number + 1,
            at: AT,
            actor: "{\"actor\":\"robot\",\"wings\":2}",
            event: "{\"event\":\"flew\",\"to\":[1]}",
        };
        audit::restore(tx, &row, &row.hash(&head.hash))
    })
    .unwrap();
    let expected = rows(&trial);
    drop(trial);
    let back = place.open(1, GOOD).database;
    assert_has_all_of(&back, &expected);
    everything_is_readable(&back);
    let log = read(&back, |c| entries::of(c, id));
    assert_eq!(log.len(), 4);
    let chain = read(&back, |c| audit::page(c, None, 2));
    assert_eq!(
        (&chain[1].actor, &chain[1].event),
        (&Actor::Later, &Event::Later)
    );
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
            let n = n + 100;
            journal.extend(Line::Row { n, row }.encode().bytes());
        }
        for (n, rows) in ends {
            let n = n + 100;
            journal.extend(Line::End { n, rows }.encode().bytes());
        }
        fs::write(place.file("trial-2.journal"), journal).unwrap();
        everything_is_readable(&place.open(1, GOOD).database);
    }
}
