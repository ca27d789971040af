//! One program: how it is started, and how it is stopped.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt as _, FdMapping};

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{Gid, Pid, Uid};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::log;
use crate::config::Ready;
use crate::config::ready::READY_VARIABLE;
use crate::domain::limits::{HAND_OVER_WITHIN, READY_BYTES_MAX, STOP_POLITELY_WITHIN};
use crate::sandbox::users::Identity;

/// The first descriptor after the standard three (`sd_listen_fds(3)`).
const FIRST_SOCKET: i32 = 3;

/// Variables that are passed on; a program gets no others.
const PASSED_ON: [&str; 3] = ["RUST_LOG", "RUST_BACKTRACE", "TZ"];

/// Why a program does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not there, or not executable.
    #[error("cannot start {name} ({file}): {error}")]
    NotStarted {
        /// Which program.
        name: &'static str,
        /// Its file.
        file: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// It said why.
    #[error("{name}: {error}")]
    Refused {
        /// Which program.
        name: &'static str,
        /// Its word.
        error: String,
    },
    /// It ended, or what it said is not what we expect.
    #[error("{name} failed before it served ({how}); see {log}")]
    Failed {
        /// Which program.
        name: &'static str,
        /// What was seen.
        how: String,
        /// Where it may have said more.
        log: PathBuf,
    },
}

impl StartError {
    /// Which program.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::NotStarted { name, .. }
            | Self::Refused { name, .. }
            | Self::Failed { name, .. } => name,
        }
    }
}

/// What to start.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) file: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Its own user, if we may give it one.
    pub(super) identity: Option<Identity>,
    /// Listening sockets by name.
    pub(super) sockets: Vec<(&'static str, OwnedFd)>,
    /// One that is started beside it goes on with what it holds.
    pub(super) hands_over: bool,
    pub(super) log: PathBuf,
    /// By then it says that it serves.
    pub(super) ready_within: Duration,
}

/// Descriptors by name.
type Handed = Vec<(&'static str, OwnedFd)>;

/// A program that serves. It is killed when dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    since: Instant,
    /// Where whoever comes after it asks for what it holds.
    heir: Option<OwnedFd>,
}

impl Program {
    /// Starts it and waits until it says that it serves, at most `ready_within`.
    /// `before` is the one that runs still, and goes when this one asks it to.
    pub(super) async fn start(
        &self,
        before: Option<&Running>,
    ) -> Result<(Running, Ready), StartError> {
        let not_started = |error| StartError::NotStarted {
            name: self.name,
            file: self.file.clone(),
            error,
        };
        let (mut child, heir, ready) = self.spawn(before).map_err(not_started)?;
        let failed = |how| StartError::Failed {
            name: self.name,
            how,
            log: self.log.clone(),
        };
        let line = match tokio::time::timeout(self.ready_within, first_line(ready)).await {
            Ok(Ok(line)) if line.is_empty() => {
                // It closed the pipe, most likely by ending.
                let ended = tokio::time::timeout(STOP_POLITELY_WITHIN, child.wait()).await;
                let how = match ended {
                    Ok(Ok(status)) => describe(status),
                    _ => "it closed the pipe without a word".to_owned(),
                };
                return Err(failed(how));
            }
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => {
                let seconds = self.ready_within.as_secs();
                return Err(failed(format!("not ready after {seconds} s")));
            }
        };
        let said: Ready = serde_json::from_slice(&line)
            .map_err(|error| failed(format!("its first line is not understood: {error}")))?;
        if let Some(error) = said.error {
            let name = self.name;
            return Err(StartError::Refused { name, error });
        }
        let since = Instant::now();
        Ok((Running { child, since, heir }, said))
    }

    /// Whether it was given a customer client to hand out.
    pub(super) fn has_endpoint(&self) -> bool {
        self.arguments.iter().any(|word| word == "--endpoint")
    }

    fn spawn(
        &self,
        before: Option<&Running>,
    ) -> io::Result<(Child, Option<OwnedFd>, pipe::Receiver)> {
        let log = log::open(&self.log)?;
        let (ready, says_ready) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        if let Some(identity) = self.identity {
            // It opens the pipe by its name in /proc, which is for the owner only.
            let (user, group) = (identity.user, identity.group);
            nix::unistd::fchown(
                &says_ready,
                Some(Uid::from_raw(user)),
                Some(Gid::from_raw(group)),
            )?;
        }
        let (mut handed, heir) = self.ends(before)?;
        for (name, socket) in &self.sockets {
            handed.push((*name, socket.try_clone()?));
        }
        let count = handed.len();
        let (names, handed): (Vec<&str>, Vec<OwnedFd>) = handed.into_iter().unzip();
        let mapping = |(child_fd, parent_fd)| FdMapping {
            parent_fd,
            child_fd,
        };
        let mut mappings: Vec<FdMapping> = (FIRST_SOCKET..).zip(handed).map(mapping).collect();
        let ready_number = FIRST_SOCKET + i32::try_from(count).map_err(io::Error::other)?;
        mappings.push(FdMapping {
            parent_fd: says_ready,
            child_fd: ready_number,
        });

        let mut command = Command::new(&self.file);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(
                PASSED_ON
                    .iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .env("LISTEN_FDS", count.to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env(READY_VARIABLE, ready_number.to_string())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C on the terminal is for the supervisor alone.
            .process_group(0)
            .kill_on_drop(true)
            .fd_mappings(mappings)
            .map_err(io::Error::other)?;
        if let Some(identity) = self.identity {
            // This also drops every other group.
            command.uid(identity.user).gid(identity.group);
        }
        let child = command.spawn()?;
        // Our copy of the writing end goes with `command`: the end of the program is the end of
        // the pipe.
        drop(command);
        Ok((child, heir, pipe::Receiver::from_owned_fd(ready)?))
    }

    /// What it is handed to take over, and to hand over later; and where the next one will ask.
    fn ends(&self, before: Option<&Running>) -> io::Result<(Handed, Option<OwnedFd>)> {
        if !self.hands_over {
            return Ok((Vec::new(), None));
        }
        // Messages that arrive whole, as `relay::handover` wants them.
        let (domain, kind) = (AddressFamily::Unix, SockType::SeqPacket);
        let (successor, heir) = socketpair(domain, kind, None, SockFlag::SOCK_CLOEXEC)?;
        let mut handed = vec![("successor", successor)];
        if let Some(end) = before.and_then(|before| before.heir.as_ref()) {
            handed.push(("predecessor", end.try_clone()?));
        }
        Ok((handed, Some(heir)))
    }
}

async fn first_line(ready: pipe::Receiver) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(ready).take(READY_BYTES_MAX);
    reader.read_until(b'\n', &mut line).await?;
    Ok(line)
}

impl Running {
    /// Waits for its end and says how it ended and how long it had served.
    pub(super) async fn ended(&mut self) -> (String, Duration) {
        let how = match self.child.wait().await {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        };
        (how, self.since.elapsed())
    }

    /// Another one has taken over: waits for its end, and kills it if it takes too long.
    pub(super) async fn let_go(mut self) {
        let ended = tokio::time::timeout(HAND_OVER_WITHIN, self.child.wait());
        if ended.await.is_err() {
            drop(self.child.kill().await);
        }
    }

    /// Asks it to stop, and kills it if it takes too long.
    pub(super) async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            // Not yet waited for, so the number is still this program's.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        let polite = tokio::time::timeout(STOP_POLITELY_WITHIN, self.child.wait());
        if polite.await.is_err() {
            drop(self.child.kill().await);
        }
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => signal.to_string(),
            Err(_) => format!("signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}
