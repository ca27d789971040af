//! Starts that cannot succeed: one clear line, a non-zero exit, and nothing harmed.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Output;

use nix::sys::signal::Signal;

use super::programs;
use super::support::Appliance;

/// A free port is asked for, so that nothing but the reason under test stands in the way.
const FREE: [&str; 4] = ["--https-port", "0", "--http-port", "0"];

fn the_line(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// Whoever closed the store last may have left its pages in the journal beside the file, where
/// they are as good.
fn in_one_file(store: &Path) {
    let store = rusqlite::Connection::open(store).unwrap();
    store
        .pragma_update(None, "wal_checkpoint", "TRUNCATE")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named() {
    let appliance = Appliance::prepare(programs());
    let other = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let output = appliance.refused(&["--https-port", &port, "--http-port", "0"]);
    let line = the_line(&output);
    assert!(line.contains(&port) && line.contains("in use"), "{line}");
    assert!(!appliance.paths().ready().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_that_cannot_be_written_is_named() {
    // Root writes almost everywhere, but not below a file and not into /proc.
    let appliance = Appliance::prepare(programs());
    let file = appliance.beside("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("state").display().to_string();
    for state in [below.as_str(), "/proc/jumpgate"] {
        let arguments = [["--state", state].as_slice(), &FREE].concat();
        let mut command = std::process::Command::new(programs().join("supervisor"));
        let output = command.args(&arguments).output().unwrap();
        let line = the_line(&output);
        assert!(line.contains(state), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_store_is_refused_and_left_as_it_is() {
    let mut appliance = Appliance::start(programs()).await;
    appliance.stop(Signal::SIGINT);
    let path = appliance.paths().store();
    in_one_file(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    for byte in &mut bytes[..4_096] {
        *byte ^= 0x5a;
    }
    std::fs::write(&path, &bytes).unwrap();
    let line = the_line(&appliance.refused(&[]));
    assert!(line.contains("store/appliance.db"), "{line}");
    assert!(line.contains("backup"), "it says what to do: {line}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "it was changed");
    assert!(!appliance.paths().ready().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_the_store_that_was_damaged_is_found_at_start() {
    let mut appliance = Appliance::start(programs()).await;
    appliance.representative("ada").await;
    appliance.stop(Signal::SIGINT);
    let path = appliance.paths().store();
    in_one_file(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    // The header stays, so SQLite opens it; a page behind it is noise.
    for byte in &mut bytes[4_096..8_192] {
        *byte = 0xa5;
    }
    std::fs::write(&path, &bytes).unwrap();
    let line = the_line(&appliance.refused(&[]));
    assert!(line.contains("store/appliance.db"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_store_is_refused_with_both_versions() {
    let mut appliance = Appliance::start(programs()).await;
    appliance.stop(Signal::SIGINT);
    let path = appliance.paths().store();
    let store = rusqlite::Connection::open(&path).unwrap();
    let known: i64 = store
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let found = known + 7;
    store.pragma_update(None, "user_version", found).unwrap();
    store.close().unwrap();
    let line = the_line(&appliance.refused(&[]));
    for word in ["store/appliance.db", &known.to_string(), &found.to_string()] {
        assert!(line.contains(word), "no '{word}' in {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_program_is_named() {
    let appliance = Appliance::prepare(programs());
    let empty = appliance.beside("programs");
    std::fs::create_dir(&empty).unwrap();
    let folder = empty.display().to_string();
    let arguments = [FREE.as_slice(), &["--programs", &folder]].concat();
    let line = the_line(&appliance.refused(&arguments));
    assert!(line.contains("relay"), "{line}");
    // Half of it is no better.
    std::fs::copy(programs().join("relay"), empty.join("relay")).unwrap();
    let line = the_line(&appliance.refused(&arguments));
    assert!(line.contains("web"), "{line}");
    assert!(!appliance.paths().ready().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_up_file_nobody_understands_is_named() {
    let appliance = Appliance::prepare(programs());
    std::fs::write(appliance.paths().config(), "site = 7\n").unwrap();
    let line = the_line(&appliance.refused(&FREE));
    assert!(line.contains("appliance.toml"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_key_is_refused_and_not_replaced() {
    let mut appliance = Appliance::start(programs()).await;
    appliance.stop(Signal::SIGINT);
    let path = appliance.paths().keys().join("link.pem");
    std::fs::write(&path, "torn").unwrap();
    let line = the_line(&appliance.refused(&[]));
    assert!(line.contains("link.pem"), "{line}");
    assert_eq!(std::fs::read(&path).unwrap(), b"torn");
}
