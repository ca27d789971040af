//! Asks for a page as a stranger would.
//!
//! A program without any right does it and says yes or no by its exit status: the supervisor reads
//! nothing that came through the relay.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::mpsc;

use super::life::Elsewhere;
use crate::control::machine::Site;
use crate::domain::limits::PROBE_WITHIN;
use crate::domain::token::Fingerprint;
use crate::sandbox::users::PROBE;

/// One question at a time.
#[derive(Debug)]
pub(super) struct Probe {
    /// `appliancectl`.
    pub(super) program: PathBuf,
    pub(super) port: u16,
    pub(super) busy: bool,
}

impl Probe {
    /// Asks, and tells `elsewhere`. `rescue`: pages say that they cannot help, which is right then.
    pub(super) fn ask(
        &mut self,
        site: Option<&Site>,
        rescue: bool,
        elsewhere: &mpsc::Sender<Elsewhere>,
    ) {
        let certificate = site.and_then(|site| site.certificate);
        let Some(certificate) = certificate.filter(|_| !self.busy) else {
            return;
        };
        self.busy = true;
        let mut command = command(&self.program, words(self.port, certificate, rescue));
        let elsewhere = elsewhere.clone();
        tokio::spawn(async move {
            let asked = tokio::time::timeout(PROBE_WITHIN, command.status()).await;
            let served = matches!(asked, Ok(Ok(status)) if status.success());
            drop(elsewhere.send(Elsewhere::Probed(served)).await);
        });
    }

    /// The answer has come.
    pub(super) fn done(&mut self) {
        self.busy = false;
    }
}

/// `program` under a user that may do nothing else.
pub(super) fn command(program: &Path, words: impl IntoIterator<Item = OsString>) -> Command {
    let mut command = Command::new(program);
    command
        .args(words)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .uid(PROBE)
        .gid(PROBE)
        .kill_on_drop(true);
    command
}

fn words(port: u16, certificate: Fingerprint, rescue: bool) -> Vec<OsString> {
    let mut words = vec![
        "probe".into(),
        "--port".into(),
        port.to_string().into(),
        "--certificate".into(),
        certificate.to_string().into(),
    ];
    if rescue {
        words.push("--rescue".into());
    }
    words
}
