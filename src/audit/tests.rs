//! The chain in a real file, and what happens to those who change it.

use rusqlite::Connection;

use super::chain::GENESIS;
use super::*;
use crate::domain::{Account, AccountName, PeerAddress, Stamp};
use crate::store::testing::{Folder, account, chat, child_file, read, session, spawn, write};
use crate::store::{Database, StoreError, entries, sessions};

/// A store with `rows` on record.
fn recorded(folder: &Folder, rows: i64) -> Database {
    let mut store = folder.store();
    write(&mut store, |tx| {
        begin(tx, Stamp(0))?;
        (1..rows).try_for_each(|at| append(tx, Stamp(at), &Actor::Appliance, &signed_in(at)))
    })
    .unwrap();
    store
}

fn signed_in(number: i64) -> Event {
    Event::SignInFailed {
        name: Some(AccountName::new(&format!("rep{number}")).unwrap()),
        address: PeerAddress::new("203.0.113.9:4711".parse().unwrap()),
    }
}

fn verified(store: &Database) -> Result<u64, VerifyError> {
    store.read(verify)
}

/// The first row that does not fit after somebody did `sql` to the file, with the triggers gone.
fn first_bad_row_after(rows: i64, sql: &str) -> (u64, VerifyError) {
    let folder = Folder::new();
    drop(recorded(&folder, rows));
    let raw = Connection::open(folder.file()).unwrap();
    for trigger in [
        "audit_never_changes",
        "audit_never_forgets",
        "audit_in_order",
    ] {
        raw.execute_batch(&format!("DROP TRIGGER {trigger}"))
            .unwrap();
    }
    raw.execute_batch(sql).unwrap();
    drop(raw);
    let error = verified(&folder.store()).unwrap_err();
    let VerifyError::Broken(broken) = error else {
        panic!("{error}");
    };
    (broken.row(), error)
}

#[test]
fn an_untouched_record_verifies() {
    let folder = Folder::new();
    let mut store = folder.store();
    assert_eq!(verified(&store).unwrap(), 0);
    assert!(write(&mut store, |tx| begin(tx, Stamp(1))).unwrap());
    assert!(!write(&mut store, |tx| begin(tx, Stamp(2))).unwrap());
    drop(store);
    let store = recorded(&folder, 5);
    assert_eq!(verified(&store).unwrap(), 5);
    assert_eq!(read(&store, head).number, 5);
    let first = read(&store, |c| page(c, Some(2), 10)).remove(0);
    let schema = crate::store::SCHEMA_VERSION;
    assert_eq!(first.event, Event::StoreCreated { schema });
    assert_eq!((first.number, first.at), (1, Stamp(1)));
}

#[test]
fn what_was_put_on_record_is_read_again() {
    let folder = Folder::new();
    let mut store = folder.store();
    let ana: Account = account(&mut store, "ana");
    let row = session(1, ana.id, "Kim");
    let entry = chat(1, "hello");
    let customer = Actor::Customer { session: row.id };
    write(&mut store, |tx| {
        sessions::start(tx, &row)?;
        entries::append(tx, row.id, &entry)?;
        append(tx, Stamp(1), &customer, &Event::entry(row.id, &entry))?;
        let accepted = Event::SessionAccepted {
            session: row.id,
            owner: ana.id,
        };
        append(tx, Stamp(-2), &Actor::account(&ana), &accepted)
    })
    .unwrap();
    let rows = read(&store, |c| page(c, None, 10));
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].actor, Actor::account(&ana));
    assert_eq!(rows[1].actor, customer);
    // The line that was read from the log still has the hash that was put on record.
    let kept = read(&store, |c| entries::of(c, row.id)).remove(0);
    assert_eq!(rows[1].event, Event::entry(row.id, &kept));
    assert_eq!(read(&store, |c| page(c, Some(2), 10)), rows[1..]);
    assert_eq!(verified(&store).unwrap(), 2);
}

#[test]
fn the_table_refuses_to_change_or_forget() {
    let folder = Folder::new();
    let mut store = recorded(&folder, 3);
    for sql in [
        "UPDATE audit SET at = 7 WHERE number = 2",
        "DELETE FROM audit WHERE number = 3",
        "INSERT OR REPLACE INTO audit VALUES (2, 0, '{}', '{}', zeroblob(32))",
        "INSERT INTO audit VALUES (5, 0, '{}', '{}', zeroblob(32))",
        "INSERT INTO audit (at, actor, event, hash) VALUES (0, '{}', '{}', zeroblob(32))",
    ] {
        let outcome = write(&mut store, |tx| Ok(tx.execute(sql, [])?));
        assert!(matches!(outcome, Err(StoreError::Sqlite(_))), "{sql}");
    }
    assert_eq!(verified(&store).unwrap(), 3);
}

#[test]
fn a_change_behind_the_triggers_is_found_at_its_row() {
    for sql in [
        "UPDATE audit SET at = at + 1 WHERE number = 4",
        "UPDATE audit SET actor = '{\"actor\":\"command_line\"}' WHERE number = 4",
        "UPDATE audit SET event = replace(event, 'rep3', 'rep4') WHERE number = 4",
        "UPDATE audit SET hash = zeroblob(32) WHERE number = 4",
        // Two rows change places, each with its own hash.
        "UPDATE audit SET number = -1 WHERE number = 4;
         UPDATE audit SET number = 4 WHERE number = 5;
         UPDATE audit SET number = 5 WHERE number = -1",
    ] {
        let (row, error) = first_bad_row_after(9, sql);
        assert_eq!(row, 4, "{sql}");
        assert!(error.to_string().contains("row 4"), "{error}");
    }
}

#[test]
fn a_row_that_was_made_to_fit_is_found_by_the_next() {
    // Somebody who knows the format gives row 4 the right hash for its new content.
    let folder = Folder::new();
    let store = recorded(&folder, 9);
    let rows = read(&store, |c| page(c, None, 10));
    let previous = rows.iter().find(|row| row.number == 3).unwrap().hash;
    let forged = chain::Row {
        number: 4,
        at: Stamp(3),
        actor: "{}",
        event: "{}",
    };
    let hash = forged.hash(&previous);
    let (row, _) = first_bad_row_after(
        9,
        &format!(
            "UPDATE audit SET actor = '{{}}', event = '{{}}', hash = x'{hash}' WHERE number = 4"
        ),
    );
    assert_eq!(row, 5);
}

#[test]
fn a_missing_row_is_named() {
    for (sql, expected) in [
        ("DELETE FROM audit WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number IN (4, 5)", 4),
        (
            "INSERT INTO audit VALUES (0, 0, '{}', '{}', zeroblob(32))",
            1,
        ),
    ] {
        let (row, error) = first_bad_row_after(9, sql);
        assert_eq!(row, expected, "{sql}");
        let broken = matches!(error, VerifyError::Broken(ChainBroken::Missing { .. }));
        assert!(broken, "{error}");
    }
}

#[test]
fn a_row_that_is_no_text_is_named() {
    let (row, error) = first_bad_row_after(
        9,
        "UPDATE audit SET event = CAST(x'ff' AS TEXT) WHERE number = 4",
    );
    assert_eq!(row, 4);
    let unreadable = matches!(error, VerifyError::Broken(ChainBroken::Unreadable { .. }));
    assert!(unreadable, "{error}");
}

#[test]
fn two_processes_share_one_chain() {
    const EACH: i64 = 40;
    let name = "two_processes_share_one_chain";
    if let Some(file) = child_file() {
        let mut store = Database::open(&file).unwrap();
        for at in 0..EACH {
            write(&mut store, |tx| {
                append(tx, Stamp(at), &Actor::CommandLine, &signed_in(at))
            })
            .unwrap();
        }
        return;
    }
    let folder = Folder::new();
    let store = recorded(&folder, 1);
    let children = [(); 2].map(|()| spawn(module_path!(), name, &folder.file()));
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(verified(&store).unwrap(), 1 + 2 * EACH.cast_unsigned());
}

#[test]
fn nothing_is_on_record_of_what_was_undone() {
    let folder = Folder::new();
    let mut store = recorded(&folder, 2);
    let before = read(&store, head);
    let outcome: Result<(), StoreError> = write(&mut store, |tx| {
        append(tx, Stamp(9), &Actor::CommandLine, &Event::RelayStopped)?;
        Err(StoreError::Full {
            what: "tests",
            limit: 1,
        })
    });
    assert!(outcome.is_err());
    assert_eq!(read(&store, head), before);
    assert_ne!(before.hash, GENESIS);
}
