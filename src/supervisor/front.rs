//! What others learn of us: `ready.json` for scripts, a few lines for the person at the terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::settings::replace;
use super::state::Mode;
use crate::config::{Config, Paths, Ready};
use crate::domain::token::Fingerprint;

/// `ready.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Facts {
    /// With a final slash.
    url: String,
    /// SHA-256 of the certificate that browsers see.
    fingerprint: Option<Fingerprint>,
    /// Until an administrator exists.
    setup_url: Option<String>,
}

impl Facts {
    fn new(config: &Config, ready: &Ready) -> Self {
        let url = config.url();
        let setup = ready.setup.as_ref().map(crate::domain::Token::reveal);
        Self {
            setup_url: setup.map(|token| format!("{url}/login/setup?token={token}")),
            url: format!("{url}/"),
            fingerprint: ready.certificate,
        }
    }
}

/// The site as it was last announced.
#[derive(Debug)]
pub(super) struct Front<'a> {
    paths: &'a Paths,
    config: &'a Config,
    mode: Mode,
    told: Option<Facts>,
}

impl<'a> Front<'a> {
    pub(super) fn new(paths: &'a Paths, config: &'a Config, mode: Mode) -> Self {
        Self {
            paths,
            config,
            mode,
            told: None,
        }
    }

    /// Writes `ready.json`; says it when a new set-up link replaces one that was announced.
    pub(super) fn publish(&mut self, ready: &Ready) -> io::Result<()> {
        let facts = Facts::new(self.config, ready);
        if self.told.as_ref() == Some(&facts) {
            return Ok(());
        }
        let mut text = serde_json::to_string_pretty(&facts)?;
        text.push('\n');
        // It may hold the set-up link, so it is for whoever started us.
        replace(&self.paths.ready(), text.as_bytes(), 0o600, self.mode)?;
        if let (Some(_), Some(setup)) = (&self.told, &facts.setup_url) {
            note(&format!("the set-up link is now {setup}"));
        }
        self.told = Some(facts);
        Ok(())
    }

    /// Tells the person at the terminal where to go.
    pub(super) fn greet(&self, took: Duration, has_endpoint: bool) {
        let Some(facts) = &self.told else { return };
        let mut text = greeting(facts, self.paths, took, io::stdout().is_terminal());
        if self.mode == Mode::User {
            text.push_str("  Not root: all programs share your user instead of one each.\n");
        }
        if !has_endpoint {
            text.push_str("  No customer client is built: the browser chat is the only way in.\n");
        }
        // A closed terminal is no reason to stop serving.
        let mut out = io::stdout().lock();
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }
}

fn greeting(facts: &Facts, paths: &Paths, took: Duration, on_terminal: bool) -> String {
    let (bold, plain) = if on_terminal {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    let mut rows = vec![("Site", format!("{bold}{}{plain}", facts.url))];
    if let Some(fingerprint) = &facts.fingerprint {
        rows.push(("Certificate", format!("SHA-256 {fingerprint}")));
    }
    if let Some(setup) = &facts.setup_url {
        rows.push(("Set up", format!("{setup}  (works once)")));
    }
    rows.push(("State", paths.root().display().to_string()));
    let mut text = format!("\nJumpgate serves after {:.1} s. ", took.as_secs_f32());
    text.push_str("Ctrl-C stops it.\n\n");
    for (name, value) in rows {
        writeln!(text, "  {name:<12} {value}").expect("writing to a String cannot fail");
    }
    text.push('\n');
    text
}

/// One line for the person at the terminal, or the service manager's journal.
pub(super) fn note(line: &str) {
    drop(writeln!(io::stderr(), "supervisor: {line}"));
}

/// Removes `ready.json`: the site is not served from here on.
pub(super) fn withdraw(paths: &Paths) {
    drop(std::fs::remove_file(paths.ready()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Token;

    fn ready(setup: bool) -> Ready {
        Ready {
            certificate: Some(Fingerprint([0xab; 32])),
            setup: setup.then(|| Token::from_random([1; 16])),
            ..Ready::default()
        }
    }

    #[test]
    fn the_file_has_the_promised_fields() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        let config = Config::default();
        let mut front = Front::new(&paths, &config, Mode::User);
        front.publish(&ready(true)).unwrap();
        let text = std::fs::read_to_string(paths.ready()).unwrap();
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        let setup = "https://localhost:8443/login/setup?token=01010101010101010101010101010101";
        assert_eq!(found["url"], "https://localhost:8443/");
        assert_eq!(found["fingerprint"], "ab".repeat(32));
        assert_eq!(found["setup_url"], setup);

        front.publish(&ready(false)).unwrap();
        let text = std::fs::read_to_string(paths.ready()).unwrap();
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(found["setup_url"].is_null(), "{text}");
        assert_eq!(found.as_object().unwrap().len(), 3);
    }

    #[test]
    fn only_a_terminal_gets_escape_codes() {
        let config = Config::default();
        let facts = Facts::new(&config, &ready(true));
        let paths = Paths::new("/var/lib/jumpgate".as_ref());
        let took = Duration::from_millis(800);
        let plain = greeting(&facts, &paths, took, false);
        assert!(!plain.contains('\x1b'), "{plain}");
        assert!(plain.contains(&"ab".repeat(32)), "{plain}");
        assert!(greeting(&facts, &paths, took, true).contains('\x1b'));
    }
}
