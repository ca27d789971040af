//! Versions of the system at the console: what is known, sticks, and when to restart.

use super::scenes::{assert_says, at_home};
use super::*;
use crate::control::stick::{StickFile, StickUpdate, Sticks, Worth};
use crate::control::update::{
    self, Accept, Expired, Happened, Offer, Phase, Settings, Status, Verdict, Way, What, When, Who,
};

const MIB: u64 = 1 << 20;
const DAY: i64 = 24 * 60 * 60 * 1_000;

pub(super) fn offer(version: &str, sequence: u32) -> Offer {
    Offer {
        version: Text::try_from(version).unwrap(),
        sequence,
        model: Model::B300,
        channel: Channel::Release,
        built: Stamp(AFTERNOON.0 - DAY),
        notes: "Sessions come back faster after an outage.".to_owned(),
        bytes: 48 * MIB,
        failed_before: false,
    }
}

pub(super) fn verdict(version: &str, sequence: u32) -> Verdict {
    Verdict {
        offer: offer(version, sequence),
        needs: Accept::default(),
        expired: heapless::Vec::new(),
        refused: None,
    }
}

fn old_and_expired() -> Verdict {
    let mut verdict = verdict("1.3.2", 3);
    verdict.needs = Accept {
        older: true,
        expired: true,
    };
    let since = Stamp(AFTERNOON.0 - 40 * DAY);
    let role = Text::try_from("targets").unwrap();
    verdict.expired.push(Expired { role, since }).unwrap();
    verdict
}

pub(super) fn sticks(worths: Vec<Worth>) -> Sticks {
    let update = |(number, worth)| StickUpdate {
        file: StickFile {
            device: Text::try_from("sdb1").unwrap(),
            name: label(&format!("jumpgate-{number}.update")),
        },
        bytes: 48 * MIB,
        worth,
    };
    Sticks {
        sticks: [label("Acme Flash Disk (8053 MB)")].into_iter().collect(),
        updates: (1..).zip(worths).map(update).collect(),
        trouble: None,
    }
}

pub(super) fn judged(verdict: Verdict) -> Worth {
    let verdict = Box::new(verdict);
    Worth::Judged { verdict }
}

fn happened(what: What, version: &str, why: Option<&str>) -> Happened {
    Happened {
        at: Stamp(AFTERNOON.0 - 3_600_000),
        who: Who {
            way: Way::Stick,
            ..Who::default()
        },
        version: Some(Text::try_from(version).unwrap()),
        from: Text::try_from("1.4.0").unwrap(),
        what,
        why: why.map(notice),
        manifest: None,
        keys: heapless::Vec::new(),
    }
}

pub(super) fn status(phase: Phase) -> Status {
    Status {
        phase,
        offer: None,
        checked: None,
        settings: Settings::default(),
        source: None,
        news: None,
        history: vec![
            happened(What::Ready, "1.5.0", None),
            happened(What::Stopped, "1.5.0", Some("the update broke off")),
            happened(What::Proved, "1.4.0", None),
            happened(What::Began, "1.4.0", None),
        ],
        root_version: 2,
        security_epoch: 1,
        blocked: None,
    }
}

fn writing(bytes: u64) -> Phase {
    Phase::Writing {
        version: Text::try_from("1.5.0").unwrap(),
        bytes,
        of: 48 * MIB,
        millis: 2_000,
    }
}

fn ready(restart: Option<Stamp>) -> Phase {
    Phase::Ready {
        version: Text::try_from("1.5.0").unwrap(),
        slot: System::B,
        restart,
    }
}

fn hears(desk: &mut Desk, status: Status) {
    desk.event(Event::News(News::Update(Some(Box::new(status)))));
}

/// In front of what is on the sticks.
fn at_sticks(worths: Vec<Worth>) -> Desk {
    let mut desk = at_home();
    hears(&mut desk, status(Phase::Idle));
    desk.type_in("9\r");
    assert!(matches!(desk.asked(), Request::ListSticks));
    desk.answer(Reply::Sticks(Box::new(sticks(worths))));
    desk
}

#[test]
fn versions_slots_and_what_is_on_its_way_are_on_one_screen() {
    let mut desk = at_home();
    desk.type_in("9");
    assert_says(
        &desk.see("60-updates-silent"),
        &["The update agent does not answer"],
    );
    hears(&mut desk, status(ready(Some(Stamp(AFTERNOON.0 + DAY)))));
    let seen = desk.see("61-updates");
    assert_says(
        &seen,
        &[
            "1.4.0 (release), slot A",
            "Slot A 1.4.0, RUNS, good, 3 tries left",
            "Slot B 1.3.2, good, 3 tries left",
            "1.5.0 is ready and starts 2025-11-25 16:00 UTC.",
            "daily 02:00 UTC",
            "1.5.0 broke off: the update broke off.",
            "1.4.0 proved itself",
            "> 1 When to restart <",
            "2 Install from a USB stick",
        ],
    );
    assert!(
        !seen.contains("began to be written"),
        "three of four: {seen}"
    );
    desk.press(&[Key::Escape]);
    assert_says(
        &desk.see("62-home-ready"),
        &[
            "Update 1.5.0 is ready and starts 2025-11-25 16:00 UTC.",
            "9 Updates",
        ],
    );
    hears(&mut desk, status(Phase::Idle));
    assert!(!desk.see("02-home").contains("1.5.0"));
}

#[test]
fn the_first_screen_says_what_is_written_and_what_went_back() {
    let mut desk = at_home();
    hears(&mut desk, status(writing(12 * MIB)));
    assert_says(
        &desk.see("63-home-writing"),
        &["1.5.0 is being written, 25 %."],
    );
    let mut failed = status(Phase::Idle);
    failed.history.insert(
        0,
        happened(What::WentBack, "1.5.0", Some("web did not start")),
    );
    hears(&mut desk, failed);
    assert_says(
        &desk.see("64-home-went-back"),
        &["1.5.0 did not prove itself; the version before runs: web did not start."],
    );
}

#[test]
fn an_update_is_installed_from_a_stick_after_one_question_and_started_when_somebody_says() {
    let mut desk = at_sticks(vec![judged(verdict("1.5.0", 9))]);
    assert_says(
        &desk.see("65-sticks"),
        &[
            "USB stick: Acme Flash Disk (8053 MB)",
            "> 1 1.5.0 newer jumpgate-1.update <",
            "for B300, built 2025-11-23",
            "New: Sessions come back faster",
        ],
    );
    desk.press(&[Key::Enter]);
    let seen = desk.see("66-install");
    assert_says(
        &seen,
        &[
            "Install 1.5.0",
            "> 1 No, go back <",
            "Support sessions and everything",
        ],
    );
    desk.type_in("2\r");
    let Request::InstallFromStick { file, accept } = desk.asked() else {
        panic!("{:?}", desk.asked());
    };
    assert_eq!((file.device.as_str(), *accept), ("sdb1", Accept::default()));
    hears(&mut desk, status(writing(16 * MIB)));
    desk.wait(Duration::from_secs(2));
    assert_says(
        &desk.see("67-installing"),
        &[
            "[################----",
            "16.0 of 48.0 MiB, 8.0 MiB/s, 4 s left",
            "Leave the stick",
        ],
    );
    desk.answer(Reply::Done);
    hears(&mut desk, status(ready(Some(Stamp(AFTERNOON.0 + DAY)))));
    assert_says(
        &desk.see("68-when"),
        &[
            "Version 1.5.0 is complete",
            "it starts 2025-11-25 16:00 UTC. The window: daily 02:00 UTC.",
            "4 support sessions are open. A restart interrupts them",
            "> 1 No, go back <",
        ],
    );
    desk.type_in("2\r");
    let Some(Order::Update(update::Request::Restart { who, when })) = desk.ordered.last() else {
        panic!("{:?}", desk.ordered);
    };
    assert_eq!((who.way, *when), (Way::Console, When::Now));
    desk.event(Event::Answer(Answer::Update(update::Reply::Done)));
    assert_says(
        &desk.see("69-restarts"),
        &["The machine restarts into 1.5.0 in 15 seconds."],
    );
}

#[test]
fn what_speaks_against_an_update_is_said_with_its_dates_and_confirmed_as_a_whole() {
    let mut desk = at_sticks(vec![judged(old_and_expired())]);
    assert_says(&desk.see("70-sticks-old"), &["OLDER, and its time is over"]);
    desk.press(&[Key::Enter]);
    assert_says(
        &desk.see("71-install-old"),
        &[
            "It is OLDER than 1.4.0, which runs",
            "TIME IS OVER (targets since 2025-10-15 16:00 UTC; it is 2025-11-24 16:00 UTC now)",
        ],
    );
    let orders = desk.ordered.len();
    desk.press(&[Key::Enter]);
    assert!(matches!(desk.asked(), Request::ListSticks), "no, go back");
    assert_eq!(desk.ordered.len(), orders + 1);
    desk.answer(Reply::Sticks(Box::new(sticks(vec![judged(
        old_and_expired(),
    )]))));
    desk.type_in("\r2\r");
    let Request::InstallFromStick { accept, .. } = desk.asked() else {
        panic!("{:?}", desk.asked());
    };
    assert!(accept.older && accept.expired);
}

#[test]
fn what_cannot_be_installed_says_why_and_asks_nothing() {
    let mut other_model = verdict("1.5.0", 9);
    other_model.refused = Some(notice("This update is for the model B400."));
    let unfit = Worth::Unfit {
        why: notice("this is not an update file"),
    };
    let mut desk = at_sticks(vec![judged(other_model), unfit]);
    assert_says(
        &desk.see("72-sticks-unfit"),
        &["NOT POSSIBLE", "no update for this appliance"],
    );
    let orders = desk.ordered.len();
    desk.press(&[Key::Enter]);
    assert_says(&desk.see("73-other-model"), &["is for the model B400."]);
    desk.type_in("\r2\r");
    assert_says(&desk.see("74-no-update"), &["This is not an update file."]);
    assert_eq!(desk.ordered.len(), orders);
}

#[test]
fn a_stick_that_is_pulled_out_is_asked_for_again() {
    let mut desk = at_sticks(vec![judged(verdict("1.5.0", 9))]);
    desk.type_in("\r2\r");
    let why =
        notice("The stick cannot be read (I/O error). Put it back and choose the update again");
    desk.answer(Reply::Refused { why });
    assert_says(
        &desk.see("75-pulled-out"),
        &["Put it back and choose the update again."],
    );
    desk.press(&[Key::Enter]);
    assert_says(&desk.see("76-updates-again"), &["Install from a USB stick"]);
}

#[test]
fn without_a_stick_or_an_update_on_it_it_says_what_to_do() {
    let mut desk = at_sticks(Vec::new());
    assert_says(
        &desk.see("77-no-update"),
        &["no file there ends in .update"],
    );
    desk.press(&[Key::Enter]);
    desk.answer(Reply::Sticks(Box::default()));
    assert_says(
        &desk.see("78-no-stick"),
        &["No USB stick was found.", "> 1 Look again <"],
    );
    desk.type_in("2\r");
    assert_says(&desk.see("79-back"), &["Nothing is on its way."]);
}
