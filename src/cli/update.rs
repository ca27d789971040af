//! `appliancectl update`: what the page Appliance > Updates does, at the machine.

use std::fs::File;
use std::io::{self, IsTerminal as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::arguments::{Moment, SettingsWords, Update};
use super::command::CliError;
use super::outcome::rfc3339;
use crate::config::Paths;
use crate::control::UpdateClient;
use crate::control::update::{
    Accept, Automatic, Phase, Reply, Request, Settings, Status, Verdict, What, When, Who, Window,
};
use crate::control::update_client::beginning;
use crate::control::wire::WireError;
use crate::domain::Stamp;

/// What came of it.
#[derive(Debug)]
pub(super) enum Told {
    /// Where everything stands.
    Status(Box<Status>),
    /// What is decided now.
    Settings(Settings),
    /// A version is complete on the disk.
    Ready,
    /// It is noted when the machine restarts.
    Noted,
}

impl Told {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Status(status) => json!(status),
            Self::Settings(settings) => json!(settings),
            Self::Ready | Self::Noted => json!({ "done": true }),
        }
    }

    /// Names and values, or a sentence.
    pub(super) fn to_rows(&self) -> Result<Vec<(&'static str, String)>, &'static str> {
        match self {
            Self::Status(status) => Ok(rows(status)),
            Self::Settings(settings) => Ok(settings_rows(settings)),
            Self::Ready => Err(
                "The version is complete on the disk; start it with: appliancectl \
                                update restart\n",
            ),
            Self::Noted => Err("It is noted; see: appliancectl update status\n"),
        }
    }
}

/// Does what was asked.
pub(super) fn perform(state: &Path, update: &Update) -> Result<Told, CliError> {
    let agent = Agent {
        client: UpdateClient::new(&Paths::new(state).update_socket()),
        state,
    };
    let who = Who::default();
    match update {
        Update::Status => agent.status(),
        Update::Install {
            file: Some(file),
            older,
            expired,
        } => {
            let accept = Accept {
                older: *older,
                expired: *expired,
            };
            agent.install(file, accept)
        }
        Update::Install { file: None, .. } => {
            agent.order(&Request::InstallOffered { who })?;
            Ok(Told::Ready)
        }
        Update::Check => {
            agent.order(&Request::Check { who })?;
            agent.status()
        }
        Update::Restart { when, at } => {
            let when = match (at, when) {
                (Some(at), _) => When::At { at: *at },
                (None, Moment::Now) => When::Now,
                (None, Moment::Window) => When::Window,
                (None, Moment::Later) => When::Later,
            };
            agent.order(&Request::Restart { who, when })?;
            Ok(Told::Noted)
        }
        Update::Settings(words) => agent.settings(words),
    }
}

struct Agent<'a> {
    client: UpdateClient,
    state: &'a Path,
}

impl Agent<'_> {
    /// Asks; what is refused is an error.
    fn ask(&self, request: &Request, follows: &mut impl io::Read) -> Result<Reply, CliError> {
        let mut line = Line::new();
        let reply = self
            .client
            .hand_in(request, follows, &mut |status| line.show(&status.phase));
        line.end();
        match reply {
            Ok(Reply::Refused { why }) => Err(CliError::Refused {
                why: why.to_string(),
            }),
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.unheard(error)),
        }
    }

    fn order(&self, request: &Request) -> Result<(), CliError> {
        match self.ask(request, &mut io::empty())? {
            Reply::Done => Ok(()),
            _ => Err(CliError::OutOfTurn),
        }
    }

    fn unheard(&self, error: WireError) -> CliError {
        let state: PathBuf = self.state.to_owned();
        match error {
            WireError::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => CliError::NoUpdateAgent { state },
                io::ErrorKind::PermissionDenied => CliError::NotPermitted { state },
                _ => CliError::UpdateAgentSilent(error.into()),
            },
            error => CliError::UpdateAgentSilent(error),
        }
    }

    fn status(&self) -> Result<Told, CliError> {
        self.now().map(Told::Status)
    }

    fn now(&self) -> Result<Box<Status>, CliError> {
        match self.ask(&Request::Status, &mut io::empty())? {
            Reply::Status(status) => Ok(status),
            _ => Err(CliError::OutOfTurn),
        }
    }

    /// First the beginning of the file alone, so that nothing is sent in vain.
    fn install(&self, path: &Path, accept: Accept) -> Result<Told, CliError> {
        let unread = |error| CliError::UpdateFile {
            path: path.to_owned(),
            error,
        };
        let mut file = File::open(path).map_err(unread)?;
        let begin = beginning(&mut file).map_err(unread)?;
        let bytes = u32::try_from(begin.len()).expect("limited far below 2^32");
        match self.ask(&Request::Examine { bytes }, &mut &begin[..])? {
            Reply::Verdict(verdict) => confirmed(&verdict, accept)?,
            _ => return Err(CliError::OutOfTurn),
        }
        file.rewind().map_err(unread)?;
        let request = Request::Install {
            who: Who::default(),
            bytes: file.metadata().map_err(unread)?.len(),
            accept,
        };
        match self.ask(&request, &mut file)? {
            Reply::Done => Ok(Told::Ready),
            _ => Err(CliError::OutOfTurn),
        }
    }

    /// Changes what was given and shows what is decided.
    fn settings(&self, words: &SettingsWords) -> Result<Told, CliError> {
        let kept = self.now()?.settings;
        let settings = Settings {
            automatic: words.automatic.map_or(kept.automatic, Into::into),
            window: words.window.unwrap_or(kept.window),
            line: words.line.map_or(kept.line, Into::into),
            source: match words.source.clone() {
                None => kept.source.clone(),
                Some(source) => source.0,
            },
        };
        if settings != kept {
            self.order(&Request::Set {
                who: Who::default(),
                settings: settings.clone(),
            })?;
        }
        Ok(Told::Settings(settings))
    }
}

/// Whether everything is confirmed that has to be.
fn confirmed(verdict: &Verdict, accept: Accept) -> Result<(), CliError> {
    let version = &verdict.offer.version;
    if let Some(why) = &verdict.refused {
        let why = why.to_string();
        return Err(CliError::Refused { why });
    }
    let mut missing = Vec::new();
    if verdict.needs.older && !accept.older {
        missing.push(format!(
            "version {version} is not newer than the running one; to install it all the same, add --older"
        ));
    }
    if verdict.needs.expired && !accept.expired {
        let expired = verdict.expired.iter();
        let since: Vec<String> = expired
            .map(|expired| format!("{} since {}", expired.role, rfc3339(expired.since)))
            .collect();
        let since = if since.is_empty() {
            "nobody can tell: no time server has confirmed the clock".to_owned()
        } else {
            since.join(", ")
        };
        missing.push(format!(
            "the time of version {version} is over ({since}); to install it all the same, add --expired"
        ));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let why = missing.join("; ");
    Err(CliError::Refused { why })
}

/// A line on standard error that is written over, if that is a terminal.
struct Line {
    is_terminal: bool,
    is_begun: bool,
}

impl Line {
    fn new() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            is_begun: false,
        }
    }

    fn show(&mut self, phase: &Phase) {
        if !self.is_terminal || *phase == Phase::Idle {
            return;
        }
        // Back to the start, and nothing left of a longer line.
        eprint!("\r{}\x1b[K", words(phase));
        drop(io::stderr().flush());
        self.is_begun = true;
    }

    fn end(&mut self) {
        if self.is_begun {
            eprintln!();
        }
    }
}

/// What goes on.
fn words(phase: &Phase) -> String {
    match phase {
        Phase::Idle => "nothing goes on".to_owned(),
        Phase::Checking => "the source is asked".to_owned(),
        Phase::Writing {
            version,
            bytes,
            of,
            millis,
        } => format!("writing {version}: {}", figures(*bytes, *of, *millis)),
        Phase::ReadingBack {
            version,
            bytes,
            of,
            millis,
        } => format!("reading {version} back: {}", figures(*bytes, *of, *millis)),
        Phase::Ready {
            version, restart, ..
        } => match restart {
            Some(at) => format!("{version} is ready and starts at {}", rfc3339(*at)),
            None => format!("{version} is ready and waits for: appliancectl update restart"),
        },
        Phase::Proving { version } => format!("{version} runs and has to prove itself"),
    }
}

/// "12.3 of 48.0 MiB, 8.1 MiB/s, 4 s left".
pub(super) fn figures(bytes: u64, of: u64, millis: u64) -> String {
    // Tenths of a MiB, in integers.
    let mib = |bytes: u64| {
        let tenths = (u128::from(bytes) * 10) >> 20;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    let so_far = format!("{} of {} MiB", mib(bytes), mib(of));
    if millis < 1_000 || bytes == 0 {
        return so_far;
    }
    let speed = u128::from(bytes) * 1_000 / u128::from(millis);
    let speed = u64::try_from(speed).unwrap_or(u64::MAX).max(1);
    let left = of.saturating_sub(bytes).div_ceil(speed);
    format!("{so_far}, {} MiB/s, {left} s left", mib(speed))
}

fn rows(status: &Status) -> Vec<(&'static str, String)> {
    let mut rows = vec![("Now", words(&status.phase))];
    if let Some(why) = &status.blocked {
        rows.push(("Not possible", why.to_string()));
    }
    if let Some(offer) = &status.offer {
        let built = rfc3339(offer.built);
        rows.push(("Available", format!("{}, built {built}", offer.version)));
    }
    let source = status.source.as_deref().unwrap_or("none");
    rows.push(("Source", source.to_owned()));
    if let Some(checked) = &status.checked {
        let at = rfc3339(checked.at);
        rows.push((
            "Asked",
            match &checked.trouble {
                Some(trouble) => format!("{at}: {trouble}"),
                None => at,
            },
        ));
    }
    rows.extend(settings_rows(&status.settings).into_iter().take(3));
    rows.push(("Root of trust", format!("version {}", status.root_version)));
    rows.push(("Security epoch", status.security_epoch.to_string()));
    rows.extend(status.history.iter().map(|happened| {
        let version = happened.version.as_deref().unwrap_or(&happened.from);
        let why = happened.why.as_ref();
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        let (at, what) = (rfc3339(happened.at), past(happened.what));
        ("", format!("{at}  {version} {what}{why}"))
    }));
    rows
}

pub(super) fn past(what: What) -> &'static str {
    match what {
        What::Refused => "stays; an update was refused",
        What::Began => "began to be written",
        What::Stopped => "broke off",
        What::Ready => "is complete",
        What::Restarted => "was started",
        What::Proved => "proved itself",
        What::WentBack => "did not prove itself; the version before runs",
        What::Set => "stays; settings were changed",
    }
}

fn settings_rows(settings: &Settings) -> Vec<(&'static str, String)> {
    let automatic = match settings.automatic {
        Automatic::Off => "off",
        Automatic::Download => "download",
        Automatic::Install => "install",
    };
    let source = settings.source.as_deref();
    vec![
        ("Automatic", automatic.to_owned()),
        ("Window", window_words(settings.window)),
        ("Line", settings.line.to_string()),
        ("Source", source.unwrap_or("the image's own").to_owned()),
    ]
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn window_words(window: Window) -> String {
    let day = window.day.and_then(|day| DAYS.get(usize::from(day)));
    let (hour, minute) = (window.minute / 60, window.minute % 60);
    format!("{} {hour:02}:{minute:02} UTC", day.unwrap_or(&"daily"))
}

/// "sun 02:00", "daily 23:30"; UTC.
pub(super) fn window(words: &str) -> Result<Window, String> {
    let refused = || format!("'{words}' is no window; like 'daily 02:00' or 'sun 23:30', in UTC");
    let (day, time) = words.trim().split_once(' ').ok_or_else(refused)?;
    let day = match day.to_ascii_lowercase().as_str() {
        "daily" => None,
        day => {
            let number = DAYS.iter().position(|name| *name == day);
            Some(number.ok_or_else(refused)?)
        }
    };
    let (hour, minute) = time.trim().split_once(':').ok_or_else(refused)?;
    let number = |text: &str| text.parse::<u16>().map_err(|_| refused());
    let (hour, minute) = (number(hour)?, number(minute)?);
    if hour > 23 || minute > 59 {
        return Err(refused());
    }
    Ok(Window {
        day: day.and_then(|day| u8::try_from(day).ok()),
        minute: hour * 60 + minute,
    })
}

/// A point in time as RFC 3339 has it.
pub(super) fn at(words: &str) -> Result<Stamp, String> {
    let at: Result<jiff::Timestamp, _> = words.parse();
    at.map(|at| Stamp(at.as_millisecond()))
        .map_err(|_| format!("'{words}' is no time; like 2026-11-24T02:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_as_it_is_shown() {
        for (words, day, minute) in [
            ("daily 02:00", None, 120),
            ("mon 00:00", Some(0), 0),
            ("Sun 23:59", Some(6), 1_439),
        ] {
            let read = window(words).unwrap();
            assert_eq!(read, Window { day, minute });
            let shown = window_words(read);
            assert_eq!(window(shown.trim_end_matches(" UTC")).unwrap(), read);
        }
        for wrong in ["", "daily", "02:00", "someday 02:00", "sun 24:00", "sun 1"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn progress_has_speed_and_time_left_once_they_mean_something() {
        let mib = 1 << 20;
        assert_eq!(figures(mib, 48 * mib, 900), "1.0 of 48.0 MiB");
        assert_eq!(
            figures(16 * mib, 48 * mib, 2_000),
            "16.0 of 48.0 MiB, 8.0 MiB/s, 4 s left"
        );
    }
}
