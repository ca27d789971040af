//! The command as scripts use it: what it prints, and its exit status.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

use jumpgate::config::{Config, Paths};
use jumpgate::control::{Reply, Request, Snapshot, wire};
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{Account, AccountId, AccountName, DisplayName, Model, Stamp, Text, Token};
use jumpgate::metrics::{Connections, JumpClients, Keys, Sandbox, Sessions};
use serde_json::{Value, json};

/// A relay's socket that answers as `answer` says.
fn relay(answer: impl Fn(Request) -> Reply + Send + 'static) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path());
    std::fs::create_dir(paths.sockets()).unwrap();
    let listener = UnixListener::bind(paths.control_socket()).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = wire::read(&mut stream).unwrap().unwrap();
            wire::write(&mut stream, &answer(request)).unwrap();
        }
    });
    folder
}

fn ask(folder: &tempfile::TempDir, words: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_appliancectl"))
        .arg("--state")
        .arg(folder.path())
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child.wait_with_output().unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_session_key_is_one_object_with_three_fields() {
    let folder = relay(|request| match request {
        Request::CreateKey {
            representative,
            seconds,
        } => {
            assert_eq!(representative.as_str(), "ana");
            assert_eq!(seconds, Some(300));
            Reply::Key {
                key: Text::try_from("1234567").unwrap(),
                ak: Token::from_random([1; 16]),
                url: "https://localhost:8443/?ak=01".into(),
                expires: Stamp(0),
            }
        }
        other => panic!("{other:?}"),
    });
    let words = "--json session-key create --representative ana --minutes 5";
    let words: Vec<&str> = words.split(' ').collect();
    let output = ask(&folder, &words, "");
    assert!(output.status.success(), "{output:?}");
    let expected = json!({
        "key": "1234567",
        "url": "https://localhost:8443/?ak=01",
        "expires": "1970-01-01T00:00:00Z",
    });
    assert_eq!(json_of(&output), expected);
}

#[test]
fn a_representative_is_made_with_a_password_from_standard_input() {
    let folder = relay(|request| match request {
        Request::CreateRepresentative {
            name,
            display_name,
            password,
        } => {
            assert_eq!(password.expose(), "correct horse");
            Reply::Account(Account {
                id: AccountId(2),
                display_name: display_name.unwrap(),
                name,
                administrator: false,
                representative: true,
                disabled: false,
            })
        }
        other => panic!("{other:?}"),
    });
    let words = [
        "--json",
        "representative",
        "create",
        "Ana",
        "--display-name",
        "Ana B.",
    ];
    let words = [&words[..], &["--password-stdin"]].concat();
    let output = ask(&folder, &words, "correct horse\n");
    assert!(output.status.success(), "{output:?}");
    let made = json_of(&output);
    assert_eq!(
        (&made["name"], &made["display_name"]),
        (&json!("ana"), &json!("Ana B."))
    );

    let output = ask(&folder, &words, "short\n");
    assert_eq!(output.status.code(), Some(1));
    let error = json_of(&output)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("5 characters"), "{error}");
}

#[test]
fn what_the_relay_refuses_is_said_in_its_words() {
    let folder = relay(|_| Reply::Refused {
        why: "no account is called 'admin'".into(),
    });
    let words = ["admin", "reset-password", "--password-stdin"];
    let output = ask(&folder, &words, "correct horse\n");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text, "appliancectl: no account is called 'admin'\n");
    assert!(output.stdout.is_empty());
}

#[test]
fn without_a_relay_it_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = ask(&folder, &["--json", "status"], "");
    assert_eq!(output.status.code(), Some(1));
    let error = json_of(&output)["error"].as_str().unwrap().to_owned();
    let hint = format!("scripts/run --state {}", folder.path().display());
    assert!(
        error.contains("is not running") && error.contains(&hint),
        "{error}"
    );
    assert!(output.stderr.is_empty());
}

#[test]
fn a_mistake_in_the_words_is_json_too_for_who_asked_for_json() {
    let folder = tempfile::tempdir().unwrap();
    let output = ask(&folder, &["--json", "session-key", "create"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(json_of(&output)["error"].is_string());
}

#[test]
fn the_start_up_file_is_shown_without_a_relay() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::default();
    let path = Paths::new(folder.path()).config();
    std::fs::write(path, config.to_toml()).unwrap();
    let output = ask(&folder, &["config", "show", "--json"], "");
    assert_eq!(json_of(&output), json!(config));
}

#[test]
fn status_holds_what_is_known_of_the_machine_where_there_is_one() {
    let folder = relay(|_| Reply::Status(Box::new(snapshot())));
    let before = json_of(&ask(&folder, &["--json", "status"], ""));
    assert!(before.get("machine").is_none());
    let machine = json!({
        "hardware": { "model": "b300", "shortfall": null, "product": "B300",
                      "serial": "JG3-004711", "memory_mib": 32_100, "memory_used_mib": 91, "cores": 16 },
        "image": { "version": "1.4.0", "built": 1_764_000_000_000_i64, "commit": "a8b32d9c",
                   "channel": "development", "backend": "debian" },
        "boot": { "slot": { "system": "a" }, "disk": "vda", "slots": [], "watchdogs": 1 },
        "health": { "health": "good" },
        "network": { "interfaces": [], "used": "eth0", "addresses": ["192.0.2.10"],
                     "gateways": [], "dns": [], "ntp": [], "trouble": null },
        "clock": { "source": "ntp", "confirmed": 1_764_000_000_000_i64,
                   "floor": 1_764_000_000_000_i64 },
        "storage": { "bytes": 0, "free_bytes": 0, "trouble": null },
        "rescue": null,
    });
    let file = Paths::new(folder.path()).machine();
    std::fs::write(file, machine.to_string()).unwrap();
    let after = json_of(&ask(&folder, &["--json", "status"], ""));
    assert_eq!(after["machine"], machine);
    assert_eq!(after["version"], before["version"]);
    let text = String::from_utf8(ask(&folder, &["status"], "").stdout).unwrap();
    for words in [
        "DEVELOPMENT IMAGE",
        "JG3-004711",
        "192.0.2.10 on eth0",
        "from a time server",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        version: "1.4.0".into(),
        model: Model::B300,
        active_jump_clients_max: 10_000,
        jump_clients: JumpClients::default(),
        passive_jump_clients_max: 50_000,
        started: Stamp(0),
        uptime_seconds: 60,
        threads: 2,
        connections: Connections::default(),
        sessions: Sessions::default(),
        keys: Keys::default(),
        sandbox: Sandbox {
            own_user: true,
            seccomp: true,
            landlock: true,
        },
        store: jumpgate::metrics::StoreState::default(),
        certificate: Fingerprint::of(b"certificate"),
        link_key: Fingerprint::of(b"link key"),
        link_certificate: None,
    }
}

#[test]
fn names_are_checked_before_anybody_is_asked() {
    let folder = relay(|request| panic!("{request:?}"));
    for words in [
        vec!["representative", "create", "a b", "--password-stdin"],
        vec!["session-key", "create", "--representative", ""],
    ] {
        let output = ask(&folder, &words, "correct horse\n");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
    assert!(AccountName::new("a b").is_err());
    assert!(DisplayName::new("").is_err());
}
