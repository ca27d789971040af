//! What is printed.

use std::fmt::Write as _;

use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use super::{machine, update};
use crate::config::Config;
use crate::control::Snapshot;
use crate::control::machine::Facts;
use crate::domain::{Account, AdmissionRate, Stamp, Text, Token};

/// The result of a command.
#[derive(Debug)]
pub(super) enum Outcome {
    Status {
        now: Box<Snapshot>,
        /// On an appliance image.
        machine: Option<Box<Facts>>,
    },
    PasswordReset(Account),
    Created(Account),
    Key {
        key: Text<16>,
        url: String,
        expires: Stamp,
    },
    Deployment {
        token: Token,
        expires: Stamp,
    },
    AdmissionRate(AdmissionRate),
    Config(Config),
    Machine(Box<Facts>),
    Update(update::Told),
    /// The machine restarts or switches off.
    Ending,
    /// A page came.
    Served,
    /// A session of the appliance with itself was carried.
    Carried,
    /// Its terminal went away, or somebody ended it.
    /// The clock has to be set forward by so many milliseconds.
    Offset(i64),
    ConsoleLeft,
}

impl Outcome {
    /// One object and a newline.
    pub(super) fn to_json(&self) -> String {
        let value = match self {
            Self::Status { now, machine } => {
                let mut value = json!(now);
                if let (Some(fields), Some(facts)) = (value.as_object_mut(), machine) {
                    fields.insert("machine".to_owned(), json!(facts));
                }
                value
            }
            Self::PasswordReset(account) | Self::Created(account) => json!(account),
            Self::Key { key, url, expires } => {
                json!({ "key": key, "url": url, "expires": rfc3339(*expires) })
            }
            Self::Deployment { token, expires } => {
                json!({ "token": token, "expires": rfc3339(*expires) })
            }
            Self::AdmissionRate(rate) => json!({ "admission_rate": rate }),
            Self::Config(config) => json!(config),
            Self::Machine(facts) => json!(facts),
            Self::Update(told) => told.to_json(),
            Self::Ending => json!({ "ending": true }),
            Self::Offset(millis) => json!({ "offset_millis": millis }),
            Self::Carried => json!({ "carried": true }),
            Self::Served => json!({ "served": true }),
            Self::ConsoleLeft => return String::new(),
        };
        line(&value)
    }

    /// For a person.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Status { now, machine } => {
                let mut rows = machine.as_deref().map_or_else(Vec::new, machine::rows);
                rows.extend(status(now));
                table(&rows)
            }
            Self::PasswordReset(account) => {
                let name = &account.name;
                format!("{name} has a new password and is signed out everywhere.\n")
            }
            Self::Created(account) => {
                let (name, seen_as) = (&account.name, &account.display_name);
                format!("Representative {name} may sign in; customers see \"{seen_as}\".\n")
            }
            Self::Key { key, url, expires } => table(&[
                ("Session key", key.to_string()),
                ("Address", url.clone()),
                ("Expires", rfc3339(*expires)),
            ]),
            Self::Deployment { token, expires } => table(&[
                ("Deployment", token.reveal()),
                ("Expires", rfc3339(*expires)),
            ]),
            Self::AdmissionRate(rate) => match rate.limit() {
                Some(rate) => format!("{rate} Jump Clients a second are let in.\n"),
                None => "As many Jump Clients as come are let in.\n".to_owned(),
            },
            Self::Config(config) => table(&[
                ("Site", config.site.clone()),
                ("Model", config.model.to_string()),
                ("HTTPS port", config.https_port.to_string()),
                ("HTTP port", config.http_port.to_string()),
            ]),
            Self::Machine(facts) => {
                let mut text = serde_json::to_string_pretty(facts).unwrap_or_default();
                text.push('\n');
                text
            }
            Self::Update(told) => match told.to_rows() {
                Ok(rows) => table(&rows),
                Err(sentence) => sentence.to_owned(),
            },
            Self::Ending => "The appliance ends its sessions and stops.\n".to_owned(),
            Self::Offset(millis) => format!("{millis}\n"),
            Self::Carried => "A session is carried.\n".to_owned(),
            Self::Served => "A page is served.\n".to_owned(),
            Self::ConsoleLeft => String::new(),
        }
    }
}

/// `{"error":"…"}` and a newline.
pub(super) fn error_json(error: &impl ToString) -> String {
    line(&json!({ "error": error.to_string() }))
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn status(now: &Snapshot) -> Vec<(&'static str, String)> {
    let with = |number: u64, what: &str| format!("{number} {what}");
    let connections = &now.connections;
    let kept_in = match (
        now.sandbox.seccomp,
        now.sandbox.landlock,
        now.sandbox.own_user,
    ) {
        (true, true, true) => "own user, system calls, files".to_owned(),
        (seccomp, landlock, own_user) => {
            let parts = [
                (own_user, "own user"),
                (seccomp, "system calls"),
                (landlock, "files"),
            ];
            let (on, off): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(on, _)| *on);
            let names = |parts: Vec<(bool, &'static str)>| {
                let names: Vec<&str> = parts.into_iter().map(|(_, name)| name).collect();
                if names.is_empty() {
                    "nothing".to_owned()
                } else {
                    names.join(", ")
                }
            };
            format!("{}; not: {}", names(on), names(off))
        }
    };
    vec![
        ("Version", now.version.clone()),
        (
            "Model",
            format!(
                "{}, {} active Jump Clients",
                now.model, now.active_jump_clients_max
            ),
        ),
        (
            "Up",
            format!(
                "{} since {}",
                duration(now.uptime_seconds),
                rfc3339(now.started)
            ),
        ),
        ("Ring threads", now.threads.to_string()),
        (
            "Sessions",
            [
                with(now.sessions.running, "running"),
                with(now.sessions.waiting, "waiting"),
            ]
            .join(", "),
        ),
        (
            "Connections",
            [
                with(connections.consoles, "consoles"),
                with(connections.customer_clients, "customer clients"),
                with(connections.chats, "chats"),
                with(connections.pages, "pages"),
                with(connections.arriving, "arriving"),
            ]
            .join(", "),
        ),
        ("Jump Clients", jump_clients(now)),
        (
            "Session keys",
            format!(
                "{} unused, {} digits, {} wrong lately",
                now.keys.unused, now.keys.digits, now.keys.wrong_lately
            ),
        ),
        ("Locked in", kept_in),
        ("Certificate", format!("SHA-256 {}", now.certificate)),
        ("Link key", format!("SHA-256 {}", now.link_key)),
    ]
}

fn jump_clients(now: &Snapshot) -> String {
    let fleet = &now.jump_clients;
    let connected = format!(
        "{} of {} connected, {} installed",
        fleet.active, now.active_jump_clients_max, fleet.known
    );
    if fleet.waiting == 0 {
        return connected;
    }
    let (waiting, left) = (fleet.waiting, duration(fleet.done_in_seconds));
    format!("{connected}, {waiting} waiting, done in {left}")
}

/// Names and values in two columns.
fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows {
        writeln!(text, "{name:<width$}  {value}").expect("writing to a String cannot fail");
    }
    text
}

/// Days, hours and minutes; seconds only below an hour.
fn duration(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min {seconds} s"),
        (0, hours) => format!("{hours} h {minutes} min"),
        (days, hours) => format!("{days} d {hours} h {minutes} min"),
    }
}

/// In UTC, to the second.
pub(super) fn rfc3339(stamp: Stamp) -> String {
    let at = Timestamp::from_millisecond(stamp.0)
        .and_then(|at| at.round(Unit::Second))
        .unwrap_or_default();
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_exactly_the_promised_fields() {
        let outcome = Outcome::Key {
            key: Text::try_from("1234567").unwrap(),
            url: "https://localhost:8443/?ak=00".into(),
            expires: Stamp(1_700_000_000_000),
        };
        let found: Value = serde_json::from_str(&outcome.to_json()).unwrap();
        let expected = json!({
            "key": "1234567",
            "url": "https://localhost:8443/?ak=00",
            "expires": "2023-11-14T22:13:20Z",
        });
        assert_eq!(found, expected);
        let text = outcome.to_text();
        assert!(
            text.starts_with("Session key  1234567\nAddress      https"),
            "{text}"
        );
    }

    #[test]
    fn an_error_is_an_object_too() {
        let found: Value = serde_json::from_str(&error_json(&"a \"quoted\" word")).unwrap();
        assert_eq!(found, json!({ "error": "a \"quoted\" word" }));
    }

    #[test]
    fn a_duration_has_two_or_three_figures() {
        assert_eq!(duration(59), "0 min 59 s");
        assert_eq!(duration(3_600), "1 h 0 min");
        assert_eq!(duration(90_061), "1 d 1 h 1 min");
    }
}
