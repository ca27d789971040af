//! Programs and power that go at any moment, and two programs at once.

use super::*;
use crate::store::testing::{child_file, spawn};

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
