//! What is removed, and copies for an administrator.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::*;
use crate::domain::Stamp;
use crate::domain::limits::{BACKUPS_KEPT, GENERATION_KEPT};
use crate::store::testing::{account, read};
use crate::store::{Database, accounts};

fn open(folder: &Path, own: u32) -> Database {
    let prepared = prepare(folder, own, false, Stamp(1), &mut |_| Ok(())).unwrap();
    prepared.database
}

fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect();
    names.sort();
    names
}

#[test]
fn generations_go_after_thirty_days_but_never_the_one_before() {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path();
    for own in 1..=4 {
        drop(open(folder, own));
    }
    put_aside(folder, 2).unwrap();
    let now = SystemTime::now();
    let almost = now + GENERATION_KEPT - Duration::from_secs(60);
    assert_eq!(sweep(folder, 4, almost).unwrap(), Vec::<String>::new());
    let later = now + GENERATION_KEPT + Duration::from_secs(60);
    sweep(folder, 4, later).unwrap();
    let left = [
        "appliance-3.db",
        "appliance-4.db",
        "current",
        "trial-4.journal",
    ];
    assert_eq!(names(folder), left);
    open(folder, 4);
    open(folder, 3);
}

#[test]
fn a_store_that_was_written_lately_stays() {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path();
    for own in 1..=3 {
        drop(open(folder, own));
    }
    let later = SystemTime::now() + GENERATION_KEPT * 2;
    let file = File::options()
        .write(true)
        .open(folder.join("appliance-1.db"))
        .unwrap();
    file.set_modified(later - Duration::from_secs(60)).unwrap();
    sweep(folder, 3, later).unwrap();
    assert!(folder.join("appliance-1.db").exists());
}

#[test]
fn a_backup_is_a_whole_store_and_the_oldest_go() {
    let kept = tempfile::tempdir().unwrap();
    let (folder, backups) = (kept.path().join("store"), kept.path().join("backups"));
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&backups).unwrap();
    drop(open(&folder, 1));
    // One that keeps a journal, and is being written.
    let mut store = open(&folder, 2);
    for number in 0..BACKUPS_KEPT + 2 {
        account(&mut store, &format!("rep{number}"));
        let bytes = back_up(store.path(), &backups, &number.to_string()).unwrap();
        let file = backups.join(format!("before-{number}.db"));
        assert_eq!(fs::metadata(&file).unwrap().len(), bytes);
        let older = SystemTime::now() - Duration::from_secs(60 * (9 - number as u64));
        let opened = File::options().write(true).open(&file).unwrap();
        opened.set_modified(older).unwrap();
    }
    assert_eq!(
        names(&backups),
        ["before-2.db", "before-3.db", "before-4.db"]
    );
    let journal = fs::read(folder.join("trial-2.journal")).unwrap();
    // Restored under the name of the store, it must not write what is the other's journal.
    let elsewhere = kept.path().join("appliance-2.db");
    fs::copy(backups.join("before-4.db"), &elsewhere).unwrap();
    fs::copy(
        folder.join("trial-2.journal"),
        kept.path().join("trial-2.journal"),
    )
    .unwrap();
    let mut restored = Database::create_or_migrate(&elsewhere).unwrap();
    assert_eq!(read(&restored, accounts::list).len(), BACKUPS_KEPT + 2);
    account(&mut restored, "new");
    assert_eq!(
        fs::read(kept.path().join("trial-2.journal")).unwrap(),
        journal
    );
}
