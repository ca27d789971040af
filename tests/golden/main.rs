//! One of every message of the link protocol, as it is on the wire, and frames of every kind.
//!
//! They hold us to what other versions speak: a file that no longer decodes, or that we would
//! write differently, is another protocol. README.md says how to renew them.

#![allow(clippy::unwrap_used)]

mod examples;
mod jump_client;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;

use jumpgate::domain::limits::{PAYLOAD_BYTES_MAX, WINDOW_BYTES};
use jumpgate::link::connection::{decode, encode};
use jumpgate::link::frame::{FrameKind, push_frame, split_frame};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// Compares `files` with what `folder` holds, or writes them there if `GOLDEN` says `renew`.
fn compare(name: &str, files: &BTreeMap<String, Vec<u8>>) {
    let folder = folder(name);
    if std::env::var("GOLDEN").is_ok_and(|wish| wish == "renew") {
        std::fs::create_dir_all(&folder).unwrap();
        for file in std::fs::read_dir(&folder).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        for (file, bytes) in files {
            std::fs::write(folder.join(file), bytes).unwrap();
        }
    }
    let found: BTreeMap<String, Vec<u8>> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(files), "one file for each");
    for (file, bytes) in files {
        let (found, expected) = (&found[file], String::from_utf8_lossy(bytes));
        assert_eq!(String::from_utf8_lossy(found), expected, "{name}/{file}");
    }
}

/// The examples of one vocabulary as files, each after being read back.
fn files<T>(vocabulary: &str, examples: Vec<(String, T)>, into: &mut BTreeMap<String, Vec<u8>>)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    for (name, message) in examples {
        let json = encode(&message);
        let again: T = decode(&json).unwrap();
        assert_eq!(again, message, "{vocabulary}.{name}");
        assert_eq!(encode(&again), json, "{vocabulary}.{name}");
        let before = into.insert(format!("{vocabulary}.{name}.json"), json);
        assert_eq!(before, None, "{vocabulary}.{name} twice");
    }
}

fn messages() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    files("hello", examples::hellos(), &mut all);
    files("from_customer", examples::from_customer(), &mut all);
    files("to_customer", examples::to_customer(), &mut all);
    files("from_console", examples::from_console(), &mut all);
    files("to_console", examples::to_console(), &mut all);
    files("from_jump_client", jump_client::from(), &mut all);
    files("to_jump_client", jump_client::to(), &mut all);
    all
}

#[test]
fn every_message_decodes_and_is_written_the_same_again() {
    compare("messages", &messages());
}

#[test]
fn every_frame_is_split_off_as_it_was_pushed() {
    let mut frames = BTreeMap::new();
    let mut add = |name: &str, kind, channel, payload: &[u8]| {
        let mut bytes = Vec::new();
        push_frame(&mut bytes, kind, channel, payload);
        let (frame, taken) = split_frame(&bytes).unwrap().unwrap();
        assert_eq!(
            (frame.kind, frame.channel, taken),
            (kind, channel, bytes.len())
        );
        assert_eq!(frame.payload, payload);
        frames.insert(format!("{name}.bin"), bytes);
    };
    add("data", FrameKind::Data, 1, b"$ ls\r\n");
    add("credit", FrameKind::Credit, 1, &WINDOW_BYTES.to_be_bytes());
    add("ping", FrameKind::Ping, 0, &[0; 8]);
    add("pong", FrameKind::Pong, 0, &[0; 8]);
    for (name, json) in messages() {
        let name = name.strip_suffix(".json").unwrap().to_owned();
        add(&name, FrameKind::Control, 0, &json);
    }
    compare("frames", &frames);
}

#[test]
fn the_longest_messages_fit_a_frame() {
    for (name, json) in messages() {
        assert!(json.len() <= PAYLOAD_BYTES_MAX, "{name}");
    }
    for (name, json) in examples::longest() {
        assert!(
            json.len() <= PAYLOAD_BYTES_MAX,
            "{name} has {} bytes",
            json.len()
        );
    }
}
