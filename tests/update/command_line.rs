//! `appliancectl update`, as scripts use it, against the agent.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use jumpgate::boot::System;
use jumpgate::config::Paths;
use jumpgate::control::update::Way;
use serde_json::{Value, json};

use crate::appliance::{Appliance, RUNNING};
use crate::vendor::{Vendor, Version, folder, payload_at};

/// A state directory whose update agent is the appliance's, and what lies in it for the command.
struct Machine {
    state: tempfile::TempDir,
    appliance: Appliance,
}

impl Machine {
    fn new(vendor: &Vendor) -> Self {
        let (state, appliance) = (folder(), Appliance::new(vendor));
        let paths = Paths::new(state.path());
        fs::create_dir(paths.sockets()).unwrap();
        symlink(appliance.socket(), paths.update_socket()).unwrap();
        Self { state, appliance }
    }

    fn file(&self, bytes: &[u8]) -> String {
        let path = self.state.path().join("version.update");
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn ask(&self, words: &[&str]) -> Output {
        ask(self.state.path(), words)
    }

    /// The one object that it answers with, whatever its exit status.
    fn json(&self, words: &[&str]) -> Value {
        let output = self.ask(&[&["--json"], words].concat());
        assert!(output.stderr.is_empty(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn ask(state: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_appliancectl"))
        .args(["--state", state.to_str().unwrap(), "update"])
        .args(words)
        .output()
        .unwrap()
}

#[test]
fn a_file_is_installed_from_the_command_line_and_the_status_says_so() {
    let vendor = Vendor::new();
    let machine = Machine::new(&vendor);
    let file = machine.file(&vendor.make(&Version::new(6)));
    assert_eq!(machine.json(&["status"])["phase"]["phase"], "idle");
    assert_eq!(machine.json(&["install", &file]), json!({ "done": true }));
    let status = machine.json(&["status"]);
    assert_eq!(status["phase"]["phase"], "ready");
    assert_eq!(status["history"][0]["what"], "ready");
    assert_eq!(machine.appliance.environment().trial(), Some(System::B));
    let who = machine.appliance.audit.try_iter().next().unwrap().who;
    assert_eq!((who.way, who.account), (Way::CommandLine, None));
    let text = String::from_utf8(machine.ask(&["status"]).stdout).unwrap();
    for words in [
        "0.6.0 is ready and starts at 20",
        "daily 02:00 UTC",
        "0.6.0 is complete",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    // What is asked twice is refused in the agent's words, with an exit status.
    let again = machine.ask(&["install", &file]);
    assert_eq!(again.status.code(), Some(1));
    let why = String::from_utf8(again.stderr).unwrap();
    assert!(
        why.starts_with("appliancectl: A version is ready already"),
        "{why}"
    );
}

#[test]
fn what_has_to_be_confirmed_is_named_with_its_option() {
    let vendor = Vendor::new();
    let machine = Machine::new(&vendor);
    let before = machine.appliance.disk();
    let file = machine.file(&vendor.make(&Version::new(RUNNING - 1)));
    let why = machine.json(&["install", &file])["error"].to_string();
    assert!(
        why.contains("version 0.4.0 is not newer") && why.contains("--older"),
        "{why}"
    );
    assert!(before == machine.appliance.disk());
    let done = machine.json(&["install", &file, "--older"]);
    assert_eq!(done, json!({ "done": true }));
}

#[test]
fn a_file_that_is_no_update_or_a_damaged_one_is_refused_in_words() {
    let vendor = Vendor::new();
    let machine = Machine::new(&vendor);
    let mut damaged = vendor.make(&Version::new(6));
    let payload = payload_at(&damaged);
    damaged[payload + 5] ^= 1;
    let mut deceiving = damaged.clone();
    deceiving[payload - 5] ^= 1;
    for (bytes, said) in [
        (&b"PK"[..], "did not arrive"),
        (&[b'x'; 5_000], "not an update file"),
        (&deceiving, "the file is damaged"),
        (&damaged, "damaged at byte 0 of its payload"),
    ] {
        let why = machine.json(&["install", &machine.file(bytes)])["error"].to_string();
        assert!(why.contains(said), "{said}: {why}");
    }
    let why = machine.json(&["install", "/nowhere.update"])["error"].to_string();
    assert!(why.contains("cannot read /nowhere.update"), "{why}");
    assert_eq!(machine.appliance.environment().trial(), None);
}

#[test]
fn settings_that_are_not_named_stay() {
    let vendor = Vendor::new();
    let machine = Machine::new(&vendor);
    let changed = machine.json(&["settings", "--window", "sun 23:30", "--automatic", "off"]);
    let expected = json!({
        "automatic": "off", "window": { "day": 6, "minute": 1_410 }, "line": "stable",
        "source": null,
    });
    assert_eq!(changed, expected);
    let changed = machine.json(&[
        "settings",
        "--line",
        "early",
        "--source",
        "https://u.example",
    ]);
    assert_eq!(changed["window"], expected["window"]);
    assert_eq!(changed["source"], "https://u.example/");
    assert_eq!(machine.json(&["settings"]), changed);
    assert_eq!(machine.json(&["status"])["settings"], changed);
    assert!(machine.json(&["settings", "--source", "none"])["source"].is_null());
    for wrong in [
        ["settings", "--window", "someday 02:00"],
        ["settings", "--source", "http://u.example"],
        ["restart", "--at", "tonight"],
    ] {
        assert_eq!(machine.ask(&wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn without_an_agent_it_says_that_updates_are_for_images() {
    let state = folder();
    let output = ask(state.path(), &["status"]);
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("updates are for appliance images"), "{why}");
}
