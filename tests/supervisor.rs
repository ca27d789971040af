//! The supervisor with stand-ins for relay and web: this test program, started by a two-line
//! script, plays them in [`stand_in`]. What they do is read from files in the state directory.

#![allow(clippy::unwrap_used)]

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use jumpgate::config::{Paths, Ready, ready};
use jumpgate::control::{Reply, Request, wire};
use jumpgate::domain::limits::STOP_WITHIN;
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{Model, Stamp, Token};
use jumpgate::metrics::{Connections, JumpClients, Keys, Sandbox, Sessions, Snapshot};
use jumpgate::sandbox::{self, Handed};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Long enough for a loaded machine; nothing waits for it when all is well.
const SOON: Duration = Duration::from_secs(30);

/// A state directory, a folder with stand-ins, and the supervisor that uses them.
struct Site {
    folder: tempfile::TempDir,
    supervisor: Option<Child>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        // A copy beside the scripts: under a user of its own, a stand-in may not reach ours.
        let played = programs.join("stand-in");
        std::fs::copy(std::env::current_exe().unwrap(), played).unwrap();
        for name in ["relay", "web"] {
            let script = format!(
                "#!/bin/sh\n\
                 STAND_IN={name} STAND_IN_STATE=\"$2\" exec \"${{0%/*}}/stand-in\" \
                 --exact stand_in --ignored --nocapture\n"
            );
            write_executable(&programs.join(name), &script);
        }
        std::fs::create_dir(folder.path().join("state")).unwrap();
        Self {
            folder,
            supervisor: None,
        }
    }

    fn paths(&self) -> Paths {
        Paths::new(&self.folder.path().join("state"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
        command
            .arg("--state")
            .arg(self.paths().root())
            .arg("--programs")
            .arg(self.folder.path().join("programs"))
            .args(["--https-port", "0", "--http-port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it and waits for `ready.json`.
    fn start(&mut self) -> serde_json::Value {
        self.supervisor = Some(self.command().spawn().unwrap());
        self.await_ready()
    }

    fn await_ready(&mut self) -> serde_json::Value {
        let path = self.paths().ready();
        eventually("ready.json is written", || {
            let supervisor = self.supervisor.as_mut().unwrap();
            if let Some(status) = supervisor.try_wait().unwrap() {
                let mut text = String::new();
                let stderr = supervisor.stderr.as_mut().unwrap();
                stderr.read_to_string(&mut text).unwrap();
                panic!("the supervisor ended, {status}: {text}");
            }
            let text = std::fs::read_to_string(&path).ok()?;
            Some(serde_json::from_str(&text).unwrap())
        })
    }

    /// A start that is expected to fail.
    fn refused(&self, more: &[&str]) -> Output {
        let output = self.command().args(more).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        output
    }

    fn pid(&self) -> Pid {
        pid_of(self.supervisor.as_ref().unwrap().id())
    }

    /// Sends `signal` and waits for the end.
    fn stop(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        kill(self.pid(), signal).unwrap();
        let status = self.supervisor.take().unwrap().wait().unwrap();
        (status, asked.elapsed())
    }

    /// The process that plays `name`, once there is one other than `before`.
    fn player(&self, name: &str, before: Option<Pid>) -> Pid {
        let path = self.notes().join(format!("{name}.pid"));
        eventually("the program runs", || {
            let pid = std::fs::read_to_string(&path).ok()?.parse().ok()?;
            let pid = Pid::from_raw(pid);
            (Some(pid) != before).then_some(pid)
        })
    }

    /// A folder that relay and web may write, and we read.
    fn notes(&self) -> PathBuf {
        self.paths().store_folder()
    }

    /// Tells the stand-ins how to behave.
    fn instruct(&self, name: &str) {
        std::fs::create_dir_all(self.notes()).unwrap();
        std::fs::write(self.notes().join(name), "").unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            let _ = kill(pid_of(supervisor.id()), Signal::SIGTERM);
            drop(supervisor.wait());
        }
    }
}

fn write_executable(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn pid_of(id: u32) -> Pid {
    Pid::from_raw(id.try_into().unwrap())
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_owned()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_site_is_announced_served_and_withdrawn() {
    let mut site = Site::new();
    let ready = site.start();
    let url = ready["url"].as_str().unwrap();
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
    assert_eq!(ready["fingerprint"], "ab".repeat(32));
    let setup = ready["setup_url"].as_str().unwrap();
    assert_eq!(setup, format!("{url}login/setup?token={}", "01".repeat(16)));

    let (status, took) = site.stop(Signal::SIGINT);
    assert!(status.success(), "{status}");
    assert!(took < STOP_WITHIN, "{took:?}");
    assert!(!site.paths().ready().exists());
    assert!(!site.paths().control_socket().exists());
}

#[test]
fn a_program_that_does_not_stop_is_killed_in_time() {
    let mut site = Site::new();
    site.instruct("deaf");
    site.start();
    let relay = site.player("relay", None);
    let (status, took) = site.stop(Signal::SIGTERM);
    assert!(status.success(), "{status}");
    assert!(took < STOP_WITHIN, "{took:?}");
    assert!(kill(relay, None).is_err(), "it still runs");
}

#[test]
fn a_crashed_program_is_started_again_and_nobody_is_refused_meanwhile() {
    let mut site = Site::new();
    let ready = site.start();
    let web = site.player("web", None);
    let relay = site.player("relay", None);
    kill(relay, Signal::SIGKILL).unwrap();
    let port = ready["url"].as_str().unwrap().trim_end_matches('/');
    let port: u16 = port.rsplit(':').next().unwrap().parse().unwrap();
    for _ in 0..10 {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
    let again = site.player("relay", Some(relay));
    assert!(kill(again, None).is_ok());
    assert_eq!(site.player("web", None), web, "web went on");

    kill(web, Signal::SIGABRT).unwrap();
    site.player("web", Some(web));
    assert_eq!(site.player("relay", None), again, "relay went on");
}

#[test]
fn programs_die_with_a_killed_supervisor_and_the_next_start_succeeds() {
    let mut site = Site::new();
    site.start();
    let relay = site.player("relay", None);
    site.stop(Signal::SIGKILL);
    eventually("relay is gone", || kill(relay, None).is_err().then_some(()));
    std::fs::remove_file(site.paths().ready()).unwrap();
    site.start();
}

#[test]
fn a_second_start_is_told_who_runs() {
    let mut site = Site::new();
    site.start();
    let error = one_line(&site.refused(&[]).stderr);
    assert!(error.contains(&site.pid().to_string()), "{error}");
    assert!(site.paths().ready().exists(), "the first goes on");
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_left_behind() {
    let site = Site::new();
    let other = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
    command.arg("--state").arg(site.paths().root());
    command.args(["--http-port", "0", "--https-port", &port]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = one_line(&output.stderr);
    assert!(error.contains(&format!("port {port} is in use")), "{error}");
    assert!(
        !site.paths().config().exists(),
        "a choice that failed is not kept"
    );
    assert!(!site.paths().ready().exists());
}

#[test]
fn a_developers_machine_is_no_appliance_and_stays_as_it_is() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
    let output = command.arg("--appliance").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = one_line(&output.stderr);
    assert!(error.contains("an appliance image"), "{error}");
    assert!(!Path::new("/data/jumpgate").exists());
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named() {
    let site = Site::new();
    // Below a file, so that root fails as well.
    let path = site.folder.path().join("programs/relay/state");
    let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
    let output = command.arg("--state").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = one_line(&output.stderr);
    assert!(error.contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn what_keeps_a_program_from_serving_is_said_in_its_words() {
    let site = Site::new();
    site.instruct("refuse");
    let error = one_line(&site.refused(&[]).stderr);
    assert!(error.contains("relay: the store is newer"), "{error}");
}

#[test]
fn a_program_that_crashes_at_once_is_reported_with_its_log() {
    let site = Site::new();
    write_executable(
        &site.folder.path().join("programs/web"),
        "#!/bin/sh\necho broken >&2; exit 7\n",
    );
    let error = one_line(&site.refused(&[]).stderr);
    assert!(error.contains("exit status 7"), "{error}");
    let log = site.paths().logs().join("web.log");
    assert!(error.contains(log.to_str().unwrap()), "{error}");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "broken\n");
}

#[test]
fn a_missing_program_is_named() {
    let site = Site::new();
    std::fs::remove_file(site.folder.path().join("programs/relay")).unwrap();
    let error = one_line(&site.refused(&[]).stderr);
    assert!(error.contains("cannot start relay"), "{error}");
}

#[test]
fn choices_are_kept_and_broken_ones_refused() {
    let mut site = Site::new();
    let error = one_line(&site.refused(&["--site", "a b"]).stderr);
    assert!(error.contains("'a b' is no site name"), "{error}");

    let named = ["--site", "support.example.com", "--model", "b300"];
    let child = site.command().args(named).spawn().unwrap();
    site.supervisor = Some(child);
    site.await_ready();
    site.stop(Signal::SIGTERM);
    let ready = site.start();
    let url = ready["url"].as_str().unwrap();
    assert!(url.starts_with("https://support.example.com:"), "{url}");
    let text = std::fs::read_to_string(site.paths().config()).unwrap();
    assert!(text.contains("\"b300\""), "{text}");

    site.stop(Signal::SIGTERM);
    std::fs::write(site.paths().config(), "site = 3\n").unwrap();
    let refused = site.refused(&[]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("appliance.toml"), "{error}");
}

#[test]
fn programs_have_nothing_but_what_they_were_given() {
    let mut site = Site::new();
    site.start();
    let relay = site.player("relay", None);
    let text = std::fs::read_to_string(site.notes().join("relay.facts")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&str> = facts["variables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    for unknown in ["HOME", "USER", "CARGO", "CARGO_MANIFEST_DIR"] {
        assert!(!names.contains(&unknown), "{unknown} was passed on");
    }
    assert_eq!(facts["own_user"], is_root());
    assert_ne!(
        nix::unistd::getpgid(Some(relay)).unwrap(),
        nix::unistd::getpgrp()
    );
    if is_root() {
        let mode = |path: PathBuf| path.metadata().unwrap().mode() & 0o7777;
        assert_eq!(mode(site.paths().keys()), 0o700);
        assert_eq!(mode(site.paths().store_folder()), 0o2770);
        assert_eq!(mode(site.paths().control_socket()), 0o660);
        assert_eq!(mode(site.paths().ready()), 0o600);
        let owner = site.paths().keys().metadata().unwrap().uid();
        assert_eq!(owner, sandbox::users::RELAY);
    }
}

/// Not a test: relay or web, as far as the supervisor can tell.
#[test]
#[ignore = "started by the supervisor of the tests above"]
fn stand_in() {
    let Ok(name) = std::env::var("STAND_IN") else {
        return;
    };
    let paths = Paths::new(std::env::var("STAND_IN_STATE").unwrap().as_ref());
    let notes = paths.store_folder();
    sandbox::tie_to_parent().unwrap();
    if notes.join("refuse").exists() {
        ready::announce(&Ready::failed(&"the store is newer")).unwrap();
        std::process::exit(1);
    }
    let variables: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
    let mut handed = Handed::take().unwrap();
    let facts = serde_json::json!({
        "variables": variables,
        "own_user": sandbox::users::is_own(nix::unistd::geteuid().as_raw()),
    });
    std::fs::write(notes.join(format!("{name}.facts")), facts.to_string()).unwrap();
    let new = notes.join(format!("{name}.new"));
    std::fs::write(&new, std::process::id().to_string()).unwrap();
    std::fs::rename(new, notes.join(format!("{name}.pid"))).unwrap();

    let control = (name == "relay").then(|| {
        handed.tcp("https").unwrap();
        handed.tcp("http").unwrap();
        handed.unix("control").unwrap()
    });
    if control.is_none() {
        handed.unix("web").unwrap();
    }
    let said = Ready {
        certificate: control.is_some().then_some(Fingerprint([0xab; 32])),
        setup: control.is_some().then(|| Token::from_random([1; 16])),
        ..Ready::default()
    };
    ready::announce(&said).unwrap();
    if let Some(control) = control {
        std::thread::spawn(move || {
            for stream in control.incoming() {
                let mut stream = stream.unwrap();
                let _: Request = wire::read(&mut stream).unwrap().unwrap();
                wire::write(&mut stream, &Reply::Status(Box::new(snapshot()))).unwrap();
            }
        });
    }
    let deaf = notes.join("deaf").exists();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let kind = tokio::signal::unix::SignalKind::terminate();
        let mut asked = tokio::signal::unix::signal(kind).unwrap();
        asked.recv().await;
        if deaf {
            tokio::time::sleep(SOON).await;
        }
    });
    std::io::stderr().write_all(b"stopped\n").unwrap();
}

fn snapshot() -> Snapshot {
    Snapshot {
        version: "0".into(),
        model: Model::VaS,
        active_jump_clients_max: 0,
        jump_clients: JumpClients::default(),
        passive_jump_clients_max: 0,
        started: Stamp(0),
        uptime_seconds: 0,
        threads: 1,
        connections: Connections::default(),
        sessions: Sessions::default(),
        keys: Keys::default(),
        sandbox: Sandbox::default(),
        store: jumpgate::metrics::StoreState::default(),
        certificate: Fingerprint([0xab; 32]),
        link_key: Fingerprint([0xcd; 32]),
        link_certificate: None,
    }
}
