//! Asks time servers, every now and then.
//!
//! A program without any right does it and prints one number; see `appliancectl time`. A clock that
//! is off by more than a trifle is set; in between the machine's own oscillator is good enough.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::mpsc;

use super::journal::note;
use super::life::Elsewhere;
use super::places::Places;
use crate::domain::Moment;
use crate::domain::limits::{
    TIME_ASKED_AGAIN_AFTER, TIME_ASKED_EVERY, TIME_ASKED_WITHIN, TIME_SERVERS_MAX, TOOL_WITHIN,
};
use crate::domain::network::HostName;
use crate::sandbox::users::TIME;

/// Whom to ask.
pub(super) type Servers = heapless::Vec<HostName, TIME_SERVERS_MAX>;

/// When to ask whom.
#[derive(Debug)]
pub(super) struct TimeServers {
    /// `appliancectl`.
    program: PathBuf,
    servers: Servers,
    busy: bool,
    next: Moment,
    /// Before asking again when nobody answers.
    patience: Duration,
}

impl TimeServers {
    pub(super) fn new(program: PathBuf) -> Self {
        Self {
            program,
            servers: Servers::new(),
            busy: false,
            next: Moment::default(),
            patience: TIME_ASKED_AGAIN_AFTER,
        }
    }

    /// Whether to ask `servers` now. New ones are asked at once.
    fn is_due(&mut self, servers: &Servers, at: Moment) -> bool {
        if self.servers != *servers {
            self.servers = servers.clone();
            self.next = at;
            self.patience = TIME_ASKED_AGAIN_AFTER;
        }
        !self.busy && !self.servers.is_empty() && at >= self.next
    }

    /// Asks `servers` if it is time to, and tells `elsewhere`.
    pub(super) fn ask(
        &mut self,
        servers: &Servers,
        since: i64,
        at: Moment,
        elsewhere: &mpsc::Sender<Elsewhere>,
    ) {
        if !self.is_due(servers, at) {
            return;
        }
        self.busy = true;
        let mut command = Command::new(&self.program);
        command
            .args(["time", "--since", &since.to_string(), "--"])
            .args(self.servers.iter().map(HostName::as_str))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .uid(TIME)
            .gid(TIME)
            .kill_on_drop(true);
        let elsewhere = elsewhere.clone();
        tokio::spawn(async move {
            let asked = tokio::time::timeout(TIME_ASKED_WITHIN, command.output()).await;
            let said = asked.ok().and_then(Result::ok);
            let said = said.filter(|output| output.status.success());
            let offset = said.and_then(|output| number(&output.stdout));
            drop(elsewhere.send(Elsewhere::Time(offset)).await);
        });
    }

    /// An answer has come, and was of use or not.
    pub(super) fn answered(&mut self, was_of_use: bool, at: Moment) {
        self.busy = false;
        if was_of_use {
            self.next = at + TIME_ASKED_EVERY;
            self.patience = TIME_ASKED_AGAIN_AFTER;
        } else {
            self.next = at + self.patience;
            self.patience = (self.patience * 2).min(TIME_ASKED_EVERY);
        }
    }
}

/// A line with one number.
fn number(bytes: &[u8]) -> Option<i64> {
    str::from_utf8(bytes).ok()?.trim_end().parse().ok()
}

/// Writes the time into the machine's own clock, for the next start.
pub(super) fn write_hardware_clock(places: &Places) {
    let mut command = Command::new(places.tool("hwclock"));
    command
        .args(["-u", "-w"])
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    tokio::spawn(async move {
        match tokio::time::timeout(TOOL_WITHIN, command.status()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => note(&format!("hwclock: {status}")),
            Ok(Err(error)) => note(&format!("hwclock: {error}")),
            Err(_) => note("hwclock: no answer"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(names: &[&str]) -> Servers {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    #[test]
    fn one_question_at_a_time_and_the_next_after_a_while() {
        let mut asking = TimeServers::new("appliancectl".into());
        let one = servers(&["192.0.2.1"]);
        assert!(
            !asking.is_due(&Servers::new(), at(0)),
            "there is nobody to ask"
        );
        assert!(asking.is_due(&one, at(0)));
        asking.busy = true;
        assert!(!asking.is_due(&one, at(0)));
        asking.answered(true, at(1));
        assert!(!asking.is_due(&one, at(2)));
        assert!(asking.is_due(&one, at(1) + TIME_ASKED_EVERY));
        assert!(
            asking.is_due(&servers(&["192.0.2.2"]), at(2)),
            "a new one at once"
        );
    }

    #[test]
    fn silent_servers_are_asked_less_and_less() {
        let mut asking = TimeServers::new("appliancectl".into());
        let one = servers(&["192.0.2.1"]);
        assert!(asking.is_due(&one, at(0)));
        let (mut now, mut asked) = (at(0), 0);
        while now < at(24 * 60 * 60) {
            asking.answered(false, now);
            now = asking.next;
            asked += 1;
        }
        assert!((80..110).contains(&asked), "{asked}");
        asking.answered(true, now);
        assert_eq!(asking.patience, TIME_ASKED_AGAIN_AFTER);
    }

    #[test]
    fn only_a_number_is_an_answer() {
        assert_eq!(number(b"-37\n"), Some(-37));
        for nonsense in [&b""[..], b"x\n", b"1 2\n", b"99999999999999999999", b"\xff"] {
            assert_eq!(number(nonsense), None);
        }
    }
}
