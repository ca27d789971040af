//! The real customer client, driven by pipes.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use jumpgate::domain::pass::SiteAddress;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Appliance, eventually};

/// A running customer client.
pub struct Customer {
    child: Child,
    stdin: Option<ChildStdin>,
    shown: Arc<Mutex<String>>,
    /// Where in `shown` the next [`Self::hears`] begins.
    heard: usize,
}

impl Customer {
    /// Starts it with a session key, straight to the appliance.
    pub fn start(appliance: &Appliance, key: &str) -> Self {
        Self::start_by(appliance, &appliance.address(), key, &[])
    }

    /// Starts it with another way to the appliance and more environment.
    pub fn start_by(
        appliance: &Appliance,
        address: &SiteAddress,
        key: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(appliance.endpoint());
        command
            .args(["--key", key, "--address", &address.to_string()])
            .args(["--link-key", &appliance.link_key().to_string()]);
        for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        for name in ["no_proxy", "NO_PROXY"] {
            command.env_remove(name);
        }
        command
            .env("TERM", "dumb")
            .env("LANG", "C.UTF-8")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let mut stdout = child.stdout.take().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let ours = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            let mut partial = Vec::new();
            while let Ok(read @ 1..) = stdout.read(&mut buffer) {
                partial.extend_from_slice(&buffer[..read]);
                let whole = partial.iter().rposition(|byte| *byte == b'\n');
                let rest = partial.split_off(whole.map_or(0, |end| end + 1));
                let lines = String::from_utf8(std::mem::replace(&mut partial, rest)).unwrap();
                ours.lock().unwrap().push_str(&lines);
            }
        });
        Self {
            child,
            stdin,
            shown,
            heard: 0,
        }
    }

    /// Waits until these words are shown, after the last ones waited for.
    pub async fn hears(&mut self, words: &str) {
        let (shown, from) = (Arc::clone(&self.shown), self.heard);
        let what = format!("the customer reads '{words}'");
        let found = eventually(&what, || {
            let shown = shown.lock().unwrap();
            shown[from..].find(words).map(|at| from + at + words.len())
        });
        self.heard = found.await;
    }

    /// Everything shown so far.
    pub fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Ctrl-C, or worse.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// The client's process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// Waits for its end.
    pub async fn ends(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the client ends", || child.try_wait().unwrap()).await
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        // One that has ended was waited for already, so its number is not somebody else's.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let shown = self.shown.lock().map(|shown| shown.clone());
            eprintln!("---- customer ----\n{}", shown.unwrap_or_default());
        }
    }
}
