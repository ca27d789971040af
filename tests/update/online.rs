//! From a server of versions to a slot that is marked to be tried.

use std::time::{Duration, SystemTime};

use jumpgate::boot::System;
use jumpgate::control::machine::Health;
use jumpgate::control::update::{
    Accept, Automatic, Phase, Reply, Request, Settings, Status, Way, What, Who,
};
use jumpgate::domain::Text;
use jumpgate::domain::limits::CHUNK_BYTES;

use crate::appliance::Appliance;
use crate::install::holds;
use crate::server::{Lie, Server};
use crate::vendor::{Vendor, Version, payload_at};

/// A vendor, his server, and an appliance that asks it when it is told to.
fn all() -> (Vendor, Server, Appliance) {
    let vendor = Vendor::new();
    let server = Server::new(vendor.repository());
    let appliance = Appliance::new(&vendor);
    appliance.fetches_from(&server);
    let settings = Settings {
        source: Some(Text::try_from(&*server.address("localhost")).unwrap()),
        ..Settings::default()
    };
    let who = Who::default();
    let reply = appliance.ask(&Request::Set { who, settings }, &[]);
    assert!(matches!(reply, Reply::Done), "{reply:?}");
    (vendor, server, appliance)
}

/// Asks for what is new, or for it to be installed. Returns why that was refused.
fn order(appliance: &Appliance, request: &Request) -> Result<Status, String> {
    match appliance.ask(request, &[]) {
        Reply::Done => Ok(appliance.status()),
        Reply::Refused { why } => Err(why.to_string()),
        other => panic!("{other:?}"),
    }
}

fn check(appliance: &Appliance) -> Result<Status, String> {
    let who = Who::default();
    order(appliance, &Request::Check { who })
}

fn install(appliance: &Appliance) -> Result<Status, String> {
    let who = Who::default();
    order(appliance, &Request::InstallOffered { who })
}

#[test]
fn what_is_new_at_the_source_is_offered_and_installed_from_there() {
    let (vendor, server, appliance) = all();
    let file = vendor.make(&Version::new(6));
    let status = check(&appliance).unwrap();
    let offer = status.offer.unwrap();
    assert_eq!(
        (offer.version.as_str(), &*offer.notes),
        ("0.6.0", "Faster.\nSafer.\n")
    );
    assert_eq!(status.checked.unwrap().trouble, None);
    assert!(server.payloads().is_empty(), "looking is not fetching");
    assert_eq!(status.phase, Phase::Idle);

    let status = install(&appliance).unwrap();
    assert!(
        matches!(status.phase, Phase::Ready { .. }),
        "{:?}",
        status.phase
    );
    holds(&appliance, &file);
    let fetched = server.payloads();
    assert_eq!(fetched.len(), 1, "{fetched:?}");
    assert_eq!(fetched[0].sent, file.len() - payload_at(&file));
}

#[test]
fn a_source_with_nothing_newer_offers_nothing_and_says_so() {
    let (vendor, server, appliance) = all();
    vendor.make(&Version::new(5));
    let status = check(&appliance).unwrap();
    assert_eq!(
        (status.offer, status.checked.unwrap().trouble),
        (None, None)
    );
    let why = install(&appliance).unwrap_err();
    assert!(why.contains("no newer version"), "{why}");
    // Another model's, and the line that this appliance does not follow.
    vendor.make(&Version {
        model: "b300",
        ..Version::new(7)
    });
    vendor.make(&Version {
        line: "early",
        ..Version::new(7)
    });
    assert_eq!(check(&appliance).unwrap().offer, None);
    assert!(server.payloads().is_empty());
}

#[test]
fn a_transfer_that_breaks_off_is_taken_up_again_where_it_stopped() {
    let (vendor, server, appliance) = all();
    let file = vendor.make(&Version::new(6));
    let payload = file.len() - payload_at(&file);
    server.trouble().breaks = vec![1_500_000, 0];
    install(&appliance).unwrap();
    holds(&appliance, &file);
    let fetched = server.payloads();
    let from: Vec<usize> = fetched.iter().map(|asked| asked.from).collect();
    assert_eq!(from[0], 0);
    assert!(
        from.len() == 3 && from[1] >= CHUNK_BYTES && from[2] == from[1],
        "{fetched:?}"
    );
    let sent: usize = fetched.iter().map(|asked| asked.sent).sum();
    assert!(sent < payload + CHUNK_BYTES, "{fetched:?}");
}

#[test]
fn a_server_that_knows_no_parts_serves_as_well() {
    let (vendor, server, appliance) = all();
    let file = vendor.make(&Version::new(6));
    *server.trouble() = crate::server::Trouble {
        breaks: vec![1_500_000],
        knows_no_parts: true,
        instead: None,
    };
    install(&appliance).unwrap();
    holds(&appliance, &file);
}

#[test]
fn what_is_on_the_disk_already_is_not_fetched() {
    let (vendor, server, appliance) = all();
    let file = vendor.make(&Version::new(6));
    // Somebody began to hand it in, and went.
    let nothing = Accept::default();
    let cut = payload_at(&file) + 3 * CHUNK_BYTES;
    appliance.install(&file[..cut], nothing).unwrap_err();
    install(&appliance).unwrap();
    holds(&appliance, &file);
    let fetched = server.payloads();
    assert!(
        fetched.iter().all(|asked| asked.from >= 2 * CHUNK_BYTES),
        "{fetched:?}"
    );
}

#[test]
fn nothing_of_a_source_that_lies_is_written() {
    let (vendor, server, appliance) = all();
    vendor.make(&Version::new(6));
    let before = appliance.disk();
    let lies: [(&str, Lie); 6] = [
        ("a changed timestamp", |path, bytes| {
            change(path, bytes, "timestamp.json")
        }),
        ("a changed snapshot", |path, bytes| {
            change(path, bytes, "snapshot.json")
        }),
        ("changed targets", |path, bytes| {
            change(path, bytes, "targets.json")
        }),
        ("a changed manifest", |path, bytes| {
            change(path, bytes, "b200.json")
        }),
        ("files without end", |_, _| vec![b'['; 3_000_000]),
        ("empty files", |_, _| Vec::new()),
    ];
    for (what, lie) in lies {
        server.trouble().instead = Some(lie);
        install(&appliance).expect_err(what);
        let status = appliance.status();
        assert!(status.checked.unwrap().trouble.is_some(), "{what}");
        assert!(status.offer.is_none(), "{what}");
    }
    assert!(appliance.disk() == before, "something was written");
    server.trouble().instead = None;
    install(&appliance).unwrap();
}

/// Flips a bit in the middle of the file named `which`.
fn change(path: &str, mut bytes: Vec<u8>, which: &str) -> Vec<u8> {
    if path.ends_with(which) {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }
    bytes
}

#[test]
fn a_payload_that_was_changed_on_its_way_is_never_started() {
    let (vendor, server, appliance) = all();
    let file = vendor.make(&Version::new(6));
    server.trouble().instead = Some(|path, bytes| change(path, bytes, ".payload"));
    let why = install(&appliance).unwrap_err();
    assert!(why.contains("damaged"), "{why}");
    assert_eq!(appliance.environment().trial(), None);
    assert_eq!(appliance.status().history[0].what, What::Stopped);
    server.trouble().instead = None;
    install(&appliance).unwrap();
    holds(&appliance, &file);
}

#[test]
fn a_source_whose_time_is_over_is_refused_if_the_clock_is_known_to_be_right() {
    let (vendor, _server, appliance) = all();
    let long_ago = SystemTime::now() - Duration::from_secs(400 * 24 * 60 * 60);
    let file = vendor.make_at(&Version::new(6), long_ago);
    let why = check(&appliance).unwrap_err();
    assert!(why.contains("expired") || why.contains("over"), "{why}");
    // Carried in, the same is a person's to decide.
    let verdict = appliance.examine(&file).unwrap();
    assert!(verdict.needs.expired && verdict.refused.is_none());
}

#[test]
fn an_older_state_of_the_source_is_refused_once_a_newer_one_was_seen() {
    let (vendor, server, appliance) = all();
    vendor.make(&Version::new(6));
    let old = vendor.folder.path().join("old");
    copy(&vendor.repository(), &old);
    vendor.make(&Version::new(7));
    assert_eq!(check(&appliance).unwrap().offer.unwrap().sequence, 7);
    std::fs::remove_dir_all(vendor.repository()).unwrap();
    std::fs::rename(old, vendor.repository()).unwrap();
    check(&appliance).unwrap_err();
    assert!(server.payloads().is_empty());
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(copied.unwrap().success());
}

#[test]
fn an_appliance_fetches_what_is_new_by_itself_and_leaves_alone_what_failed() {
    let (vendor, server, appliance) = all();
    let file = vendor.make(&Version::new(6));
    appliance.looks();
    holds(&appliance, &file);
    let status = appliance.status();
    assert_eq!(status.history[0].who.way, Way::Schedule);
    assert!(
        matches!(
            status.phase,
            Phase::Ready {
                restart: Some(_),
                ..
            }
        ),
        "it starts in the window: {:?}",
        status.phase
    );
    // Once a day is enough.
    let asked = server.asked().len();
    appliance.looks();
    assert_eq!(server.asked().len(), asked);

    // It was tried and left; the day after it is still the newest one.
    appliance.boots(2);
    appliance.runs(System::A, Health::Good);
    assert_eq!(appliance.status().history[0].what, What::WentBack);
    let appliance = appliance.restarted(&vendor, &server);
    appliance.looks();
    let status = appliance.status();
    assert!(status.offer.unwrap().failed_before);
    assert_eq!(status.phase, Phase::Idle);
}

#[test]
fn an_appliance_that_is_to_do_nothing_by_itself_asks_nobody() {
    let (vendor, server, appliance) = all();
    vendor.make(&Version::new(6));
    let settings = Settings {
        automatic: Automatic::Off,
        ..appliance.status().settings
    };
    let who = Who::default();
    order(&appliance, &Request::Set { who, settings }).unwrap();
    appliance.looks();
    assert!(server.asked().is_empty());
}

#[test]
fn without_a_source_or_a_fetcher_people_are_told_what_to_do() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let why = check(&appliance).unwrap_err();
    assert!(why.contains("No source of versions is set"), "{why}");
    let mut settings = Settings {
        source: Some(Text::try_from("http://localhost/").unwrap()),
        ..Settings::default()
    };
    let set = |settings: &Settings| {
        let (who, settings) = (Who::default(), settings.clone());
        order(&appliance, &Request::Set { who, settings })
    };
    set(&settings).unwrap_err();
    settings.source = Some(Text::try_from("https://localhost/").unwrap());
    set(&settings).unwrap();
    let why = check(&appliance).unwrap_err();
    assert!(why.contains("try again in a minute"), "{why}");
}
