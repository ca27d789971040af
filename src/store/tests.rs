//! The file: what survives, who may write when, what is refused.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::testing::{Folder, account, chat, child_file, new_account, read, session, spawn, write};
use super::{Database, SCHEMA_VERSION, StoreError, accounts, entries, sessions, size_bytes};

/// Sets the file's schema version as a later release would.
fn set_version(file: &Path, version: u32) {
    let raw = Connection::open(file).unwrap();
    raw.pragma_update(None, "user_version", version).unwrap();
}

fn refused(file: &Path) -> StoreError {
    let before = fs::read(file).unwrap();
    let error = Database::create_or_migrate(file).unwrap_err();
    assert_eq!(fs::read(file).unwrap(), before, "the file was touched");
    error
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let id = session(1, crate::domain::AccountId(1), "").id;
    if let Some(file) = child_file() {
        let mut store = Database::open(&file).unwrap();
        for number in 1.. {
            write(&mut store, |tx| {
                entries::append(tx, id, &chat(number, "still there?"))
            })
            .unwrap();
            writeln!(std::io::stdout(), "acknowledged {number}").unwrap();
        }
    }
    let folder = Folder::new();
    let mut store = folder.store();
    let owner = account(&mut store, "ana").id;
    write(&mut store, |tx| {
        sessions::start(tx, &session(1, owner, "Kim"))
    })
    .unwrap();
    drop(store);
    let name = "what_was_acknowledged_survives_kill_9";
    let mut child = spawn(module_path!(), name, &folder.file());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = 0_u32;
    for line in lines.map(Result::unwrap) {
        // The first one shares its line with the test runner's words.
        if let Some((_, number)) = line.split_once("acknowledged ") {
            acknowledged = number.parse().unwrap();
        }
        if acknowledged == 30 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged >= 30);
    let log = read(&folder.store(), |c| entries::of(c, id));
    let kept = u32::try_from(log.len()).unwrap();
    // One may have been committed and not yet told.
    assert!(
        kept == acknowledged || kept == acknowledged + 1,
        "{kept} of {acknowledged}"
    );
}

#[test]
fn an_error_undoes_the_whole_transaction() {
    let folder = Folder::new();
    let mut store = folder.store();
    let outcome: Result<(), StoreError> = store.write(|tx| {
        accounts::create(tx, &new_account("ana"))?;
        accounts::create(tx, &new_account("ana"))?;
        Ok(())
    });
    assert!(outcome.is_err());
    assert_eq!(read(&store, accounts::list), []);
    account(&mut store, "ana");
}

/// Each reads before it writes: with transactions that begin by reading, one of two would be
/// refused at once, whatever the busy timeout.
#[test]
fn two_processes_write_in_turn() {
    const EACH: u32 = 40;
    let name = "two_processes_write_in_turn";
    if let Some(file) = child_file() {
        let mut store = Database::open(&file).unwrap();
        for _ in 0..EACH {
            write(&mut store, |tx| {
                let count = accounts::list(tx)?.len();
                thread::yield_now();
                accounts::create(tx, &new_account(&format!("rep{count}")))
            })
            .unwrap();
        }
        return;
    }
    let folder = Folder::new();
    let store = folder.store();
    let children = [(); 2].map(|()| spawn(module_path!(), name, &folder.file()));
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let count = read(&store, accounts::list).len();
    assert_eq!(count, 2 * EACH as usize);
}

#[test]
fn a_reader_neither_waits_nor_sees_half_of_a_change() {
    let folder = Folder::new();
    let mut writer = folder.store();
    let reader = Database::open(&folder.file()).unwrap();
    account(&mut writer, "ana");
    write(&mut writer, |tx| {
        accounts::create(tx, &new_account("bea"))?;
        let before = Instant::now();
        assert_eq!(read(&reader, accounts::list).len(), 1);
        assert!(before.elapsed() < Duration::from_secs(2));
        accounts::create(tx, &new_account("cid"))
    })
    .unwrap();
    assert_eq!(read(&reader, accounts::list).len(), 3);
    read(&reader, |c| {
        assert_eq!(accounts::list(c)?.len(), 3);
        account(&mut writer, "dan");
        assert_eq!(accounts::list(c)?.len(), 3, "a snapshot changed");
        Ok(())
    });
}

#[test]
fn a_store_is_kept_and_found_again() {
    let folder = Folder::new();
    let ana = account(&mut folder.store(), "ana");
    assert_eq!(
        read(&folder.store(), accounts::list),
        std::slice::from_ref(&ana)
    );
    let other = Database::open(&folder.file()).unwrap();
    assert_eq!(read(&other, accounts::list), [ana]);
    assert!(size_bytes(&folder.file()) > 4096);
    assert_eq!(size_bytes(Path::new("/nowhere/appliance.db")), 0);
}

#[test]
fn the_settings_that_promises_rest_on_are_in_force() {
    let folder = Folder::new();
    folder.store();
    let store = Database::open(&folder.file()).unwrap();
    let pragma = |name: &str| {
        read(&store, |c| {
            Ok(c.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?)
        })
    };
    assert_eq!(pragma("synchronous"), 2, "FULL");
    assert_eq!(pragma("foreign_keys"), 1);
    assert_eq!(pragma("trusted_schema"), 0);
    assert_eq!(pragma("secure_delete"), 1);
    assert_eq!(pragma("user_version"), i64::from(SCHEMA_VERSION));
    let (mode, strict): (String, i64) = read(&store, |c| {
        let mode = c.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        let lax = "SELECT count(*) FROM pragma_table_list
                   WHERE type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'";
        Ok((mode, c.query_row(lax, [], |row| row.get(0))?))
    });
    assert_eq!(mode, "wal");
    assert_eq!(strict, 0, "tables that are not STRICT");
}

#[test]
fn a_session_needs_an_owner() {
    let folder = Folder::new();
    let mut store = folder.store();
    let nobody = crate::domain::AccountId(9);
    let outcome = write(&mut store, |tx| {
        sessions::start(tx, &session(1, nobody, "Kim"))
    });
    assert!(matches!(outcome, Err(StoreError::Sqlite(_))));
}

#[test]
fn the_group_may_write_unless_the_umask_says_otherwise() {
    let folder = Folder::new();
    let mut store = folder.store();
    account(&mut store, "ana");
    let file = folder.file();
    let model = file.with_extension("model");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o660);
    options.open(&model).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&file), mode(&model));
    assert_eq!(mode(&file.with_extension("db-wal")), mode(&model));
    assert_eq!(mode(&file.with_extension("db-shm")), mode(&model));
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = Folder::new();
    fs::write(folder.file(), "Dear diary, ".repeat(1000)).unwrap();
    let error = refused(&folder.file());
    assert!(matches!(error, StoreError::Corrupt { .. }));
    let text = error.to_string();
    assert!(text.contains(folder.file().to_str().unwrap()), "{text}");
    assert!(text.contains("restore it from a backup"), "{text}");
}

#[test]
fn a_damaged_store_is_refused() {
    let folder = Folder::new();
    let mut store = folder.store();
    write(&mut store, |tx| {
        (0..500).try_for_each(|number| {
            accounts::create(tx, &new_account(&format!("rep{number}"))).map(drop)
        })
    })
    .unwrap();
    drop(store);
    let whole = fs::read(folder.file()).unwrap();

    let mut holed = whole.clone();
    let middle = whole.len() / 2 / 4096 * 4096;
    holed[middle..middle + 4096].fill(0xa5);
    fs::write(folder.file(), &holed).unwrap();
    assert!(matches!(
        refused(&folder.file()),
        StoreError::Corrupt { .. }
    ));

    fs::write(folder.file(), &whole[..middle]).unwrap();
    assert!(matches!(
        refused(&folder.file()),
        StoreError::Corrupt { .. }
    ));

    fs::write(folder.file(), &whole).unwrap();
    assert_eq!(read(&folder.store(), accounts::list).len(), 500);
}

#[test]
fn a_newer_store_is_refused_with_both_versions() {
    let folder = Folder::new();
    folder.store();
    set_version(&folder.file(), SCHEMA_VERSION + 4);
    for error in [
        refused(&folder.file()),
        Database::open(&folder.file()).unwrap_err(),
    ] {
        let StoreError::NewerSchema { found, known, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((found, known), (SCHEMA_VERSION + 4, SCHEMA_VERSION));
        let text = error.to_string();
        for part in [
            folder.file().to_str().unwrap(),
            &format!("version {}", SCHEMA_VERSION + 4),
            &format!("up to {SCHEMA_VERSION}"),
            "newer release",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn the_first_release_s_store_keeps_its_rows_and_gets_what_is_new() {
    let folder = Folder::new();
    let raw = Connection::open(folder.file()).unwrap();
    raw.execute_batch(include_str!("migrations/0001_first.sql"))
        .unwrap();
    raw.execute_batch(
        "INSERT INTO accounts VALUES (7, 'ana', 'Ana', 0, 1, 0, 'hash', 1);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(raw);
    let early = Database::open(&folder.file()).unwrap_err();
    assert!(matches!(early, StoreError::OlderSchema { found: 1, .. }));
    let mut store = folder.store();
    let ana = read(&store, accounts::list).remove(0);
    let browser = crate::domain::token::Fingerprint::of(b"cookie");
    let at = crate::domain::Stamp(5);
    write(&mut store, |tx| {
        super::known_browsers::remember(tx, ana.id, &browser, at)
    })
    .unwrap();
}

#[test]
fn a_store_that_is_not_up_to_date_is_not_opened() {
    let folder = Folder::new();
    fs::write(folder.file(), "").unwrap();
    let error = Database::open(&folder.file()).unwrap_err();
    assert!(matches!(error, StoreError::OlderSchema { found: 0, .. }));
    // An empty file is what a power cut may leave of a store that was being made.
    folder.store();
    Database::open(&folder.file()).unwrap();
}

#[test]
fn another_programs_database_is_refused() {
    let folder = Folder::new();
    let raw = Connection::open(folder.file()).unwrap();
    raw.execute_batch("CREATE TABLE notes (text)").unwrap();
    drop(raw);
    assert!(matches!(
        refused(&folder.file()),
        StoreError::Foreign { found: 0, .. }
    ));
}

#[test]
fn a_store_that_cannot_be_made_or_found_says_where() {
    let folder = Folder::new();
    let nowhere = folder.file().join("appliance.db");
    fs::write(folder.file(), "").unwrap();
    for error in [
        Database::create_or_migrate(&nowhere).unwrap_err(),
        Database::open(&nowhere).unwrap_err(),
        Database::open(&folder.file().with_extension("none")).unwrap_err(),
        Database::create_or_migrate(folder.file().parent().unwrap()).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
        assert!(error.to_string().contains('/'), "{error}");
    }
}
