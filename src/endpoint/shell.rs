//! A command shell on a pseudo-terminal, as the user who runs this program (CS-01).
//!
//! ```text
//! input ─> writer ─> PTY ─> reader ─> events        limit: how far the reader may read
//!                     │
//!                  the shell, in a session of its own <─ keeper: reaps it, hangs it up
//! ```
//!
//! The reader stops at the limit, so a flood of output waits in the kernel and the program behind
//! it stops, while the writer still delivers Ctrl-C.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::termios::{InputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::facts::User;
use super::sys;
use super::window::is_program;
use crate::domain::ShellId;
use crate::domain::limits::{PAYLOAD_BYTES_MAX, SHELL_HANG_UP_WITHIN};

/// After a shell's exit its last output may take a moment to come through the terminal.
const LAST_OUTPUT_WITHIN: Duration = Duration::from_millis(50);
/// What programs that a shell leaves behind may still print before the terminal closes.
const LEFTOVER_BYTES_MAX: u64 = 1024 * 1024;

/// What a shell reports.
#[derive(Debug, PartialEq, Eq)]
pub enum ShellEvent {
    /// It wrote something; at most a frame's worth.
    Output(ShellId, Vec<u8>),
    /// It took so many bytes of its input.
    Took(ShellId, usize),
    /// It ended, and all its output was reported.
    Ended(ShellId),
}

/// One running shell. Dropping it leaves it running: call [`Shell::close`].
#[derive(Debug)]
pub struct Shell {
    master: Arc<AsyncFd<PtyMaster>>,
    input: Arc<Input>,
    limit: watch::Sender<u64>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
    keeper: JoinHandle<()>,
    hang_up: Arc<Notify>,
}

/// Bytes waiting for the terminal; the link's credit bounds them.
#[derive(Debug, Default)]
struct Input {
    waiting: Mutex<VecDeque<u8>>,
    more: Notify,
}

impl Shell {
    /// Starts the user's shell. Its events go to `events`; nothing is read before
    /// [`Shell::set_limit`].
    pub fn start(
        id: ShellId,
        columns: u16,
        rows: u16,
        user: &User,
        events: &mpsc::Sender<ShellEvent>,
    ) -> io::Result<Self> {
        let program = choose(
            std::env::var_os("SHELL").map(PathBuf::from),
            user,
            is_program,
        )
        .ok_or_else(|| io::Error::other("no shell found on this computer"))?;
        let mut command = Command::new(&program);
        command.arg0(login_name(&program));
        Self::start_command(id, command, columns, rows, user, events)
    }

    fn start_command(
        id: ShellId,
        mut command: Command,
        columns: u16,
        rows: u16,
        user: &User,
        events: &mpsc::Sender<ShellEvent>,
    ) -> io::Result<Self> {
        let (master, slave) = open_terminal(columns, rows)?;
        surround(&mut command, user);
        command
            .stdin(Stdio::from(slave.try_clone()?))
            .stdout(Stdio::from(slave.try_clone()?))
            .stderr(Stdio::from(slave));
        sys::lead_session(&mut command);
        let child = tokio::process::Command::from(command).spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let leader = Pid::from_raw(pid.ok_or_else(|| io::Error::other("it ended at once"))?);

        let master = Arc::new(sys::watched(master)?);
        let input = Arc::new(Input::default());
        let hang_up = Arc::new(Notify::new());
        let (limit, allowed) = watch::channel(0);
        let (exited, exit) = watch::channel(false);
        let keeper = tokio::spawn(keep(child, leader, Arc::clone(&hang_up), exited));
        let reader = Reader {
            id,
            master: Arc::clone(&master),
            allowed,
            exit,
            produced: 0,
            events: events.clone(),
        };
        let reader = tokio::spawn(reader.run());
        let writer = write(id, Arc::clone(&master), Arc::clone(&input), events.clone());
        let writer = tokio::spawn(writer);
        Ok(Self {
            master,
            input,
            limit,
            reader,
            writer,
            keeper,
            hang_up,
        })
    }

    /// Lets output be read up to this byte, counted from the shell's first. Never goes back.
    pub fn set_limit(&self, up_to: u64) {
        self.limit.send_if_modified(|limit| {
            let raised = up_to > *limit;
            *limit = up_to.max(*limit);
            raised
        });
    }

    /// Types `bytes`.
    pub fn input(&self, bytes: &[u8]) {
        let mut waiting = lock(&self.input.waiting);
        waiting.extend(bytes);
        self.input.more.notify_one();
    }

    /// The window on the other side has another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        // The shell may just have gone; then nobody misses it.
        let _ = sys::set_size(self.master.as_fd(), columns, rows);
    }

    /// Hangs up: the terminal is gone for everything in it at once, and what does not end by
    /// itself is killed within [`SHELL_HANG_UP_WITHIN`], when the returned task is done.
    pub fn close(self) -> JoinHandle<()> {
        self.reader.abort();
        self.writer.abort();
        self.hang_up.notify_one();
        self.keeper
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new pseudo-terminal: our end and the shell's.
fn open_terminal(columns: u16, rows: u16) -> io::Result<(PtyMaster, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags | OFlag::O_NONBLOCK)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = open(ptsname_r(&master)?.as_str(), flags, Mode::empty())?;
    let mut settings = tcgetattr(&slave)?;
    // Erasing takes a whole character, not its last byte.
    settings.input_flags.insert(InputFlags::IUTF8);
    tcsetattr(&slave, SetArg::TCSANOW, &settings)?;
    sys::set_size(slave.as_fd(), columns, rows)?;
    Ok((master, slave))
}

/// The first shell there is, in CS-05's order as far as it exists on Linux.
fn choose(
    wanted: Option<PathBuf>,
    user: &User,
    is_program: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let known = ["zsh", "bash", "sh", "fish", "tcsh"];
    let places = |name| ["/bin", "/usr/bin", "/usr/local/bin"].map(|p| Path::new(p).join(name));
    let no_login = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        path.is_absolute() && name != "nologin" && name != "false"
    };
    [wanted, user.shell.clone()]
        .into_iter()
        .flatten()
        .filter(no_login)
        .chain(known.into_iter().flat_map(places))
        .find(|path| is_program(path))
}

/// A login shell is told by the dash before its name.
fn login_name(program: &Path) -> OsString {
    let mut name = OsString::from("-");
    name.push(program.file_name().unwrap_or_default());
    name
}

/// Working directory and environment.
fn surround(command: &mut Command, user: &User) {
    let home = user.home.as_deref().filter(|home| home.is_dir());
    command.current_dir(home.unwrap_or(Path::new("/")));
    command.env("TERM", "xterm-256color");
    for name in ["LINES", "COLUMNS", "TERMCAP", "NO_COLOR"] {
        command.env_remove(name);
    }
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !["LC_ALL", "LC_CTYPE", "LANG"].into_iter().any(set) {
        command.env("LANG", "C.UTF-8");
    }
    if let Some(home) = home.filter(|_| !set("HOME")) {
        command.env("HOME", home);
    }
    if !set("USER") {
        command.env("USER", &user.name).env("LOGNAME", &user.name);
    }
}

struct Reader {
    id: ShellId,
    master: Arc<AsyncFd<PtyMaster>>,
    allowed: watch::Receiver<u64>,
    exit: watch::Receiver<bool>,
    produced: u64,
    events: mpsc::Sender<ShellEvent>,
}

impl Reader {
    async fn run(mut self) {
        if self.read_while_it_runs().await.is_some() {
            self.read_what_is_left().await;
        }
        // Programs that closed the terminal themselves may run on; the shell is what counts.
        let _ = self.exit.wait_for(|exited| *exited).await;
        let _ = self.events.send(ShellEvent::Ended(self.id)).await;
    }

    /// `None` once nobody holds the terminal any more.
    async fn read_while_it_runs(&mut self) -> Option<()> {
        loop {
            self.wait_for_room().await?;
            let ready = tokio::select! {
                ready = self.master.readable() => Some(ready.ok()?),
                _ = self.exit.wait_for(|exited| *exited) => None,
            };
            let Some(mut ready) = ready else {
                return Some(());
            };
            let most = most(*self.allowed.borrow(), self.produced);
            match ready.try_io(|master| read(master.get_ref(), most)) {
                Ok(bytes) => self.report(bytes.ok()?).await?,
                Err(_would_block) => {}
            }
        }
    }

    /// The shell has exited; others may hold its terminal for ever, so this ends at the first
    /// pause.
    async fn read_what_is_left(&mut self) {
        let end = self.produced.saturating_add(LEFTOVER_BYTES_MAX);
        let mut paused = false;
        while self.produced < end && self.wait_for_room().await.is_some() {
            let most = most(*self.allowed.borrow(), self.produced);
            match read(self.master.get_ref(), most) {
                Ok(bytes) => {
                    if self.report(bytes).await.is_none() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if paused {
                        return;
                    }
                    paused = true;
                    sleep(LAST_OUTPUT_WITHIN).await;
                }
                Err(_) => return,
            }
        }
    }

    async fn wait_for_room(&mut self) -> Option<()> {
        let produced = self.produced;
        let room = self.allowed.wait_for(|limit| *limit > produced).await;
        room.is_ok().then_some(())
    }

    async fn report(&mut self, bytes: Vec<u8>) -> Option<()> {
        if bytes.is_empty() {
            return None;
        }
        self.produced += bytes.len() as u64;
        let event = ShellEvent::Output(self.id, bytes);
        self.events.send(event).await.ok()
    }
}

fn most(limit: u64, produced: u64) -> usize {
    let room = usize::try_from(limit.saturating_sub(produced)).unwrap_or(usize::MAX);
    room.min(PAYLOAD_BYTES_MAX)
}

/// Reads once. The end of a terminal is an error (EIO) on Linux, or empty.
fn read(master: &PtyMaster, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let read = nix::unistd::read(master, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

async fn write(
    id: ShellId,
    master: Arc<AsyncFd<PtyMaster>>,
    input: Arc<Input>,
    events: mpsc::Sender<ShellEvent>,
) {
    loop {
        let piece: Vec<u8> = {
            let waiting = lock(&input.waiting);
            waiting.iter().take(PAYLOAD_BYTES_MAX).copied().collect()
        };
        if piece.is_empty() {
            input.more.notified().await;
            continue;
        }
        let Ok(mut ready) = master.writable().await else {
            return;
        };
        let write = |master: &AsyncFd<PtyMaster>| {
            nix::unistd::write(master.get_ref(), &piece).map_err(io::Error::from)
        };
        match ready.try_io(write) {
            Ok(Ok(written)) => {
                lock(&input.waiting).drain(..written);
                let took = ShellEvent::Took(id, written);
                if events.send(took).await.is_err() {
                    return;
                }
            }
            // Nobody holds the terminal: what is typed now goes nowhere.
            Ok(Err(_)) => return,
            Err(_would_block) => {}
        }
    }
}

/// Waits for the shell's end, or brings it about.
async fn keep(mut child: Child, leader: Pid, hang_up: Arc<Notify>, exited: watch::Sender<bool>) {
    tokio::select! {
        _ = child.wait() => {
            let _ = exited.send(true);
            return;
        }
        () = hang_up.notified() => {}
    }
    // Until `wait` has seen it, the leader's number belongs to nobody else.
    let members = session_members(leader);
    for member in &members {
        let _ = kill(*member, Signal::SIGHUP);
        let _ = kill(*member, Signal::SIGCONT);
    }
    if timeout(SHELL_HANG_UP_WITHIN, child.wait()).await.is_err() {
        for member in session_members(leader) {
            let _ = kill(member, Signal::SIGKILL);
        }
        let _ = child.wait().await;
    } else {
        // Its jobs had the same warning. They are still of this session, which keeps its number
        // from being given away.
        for member in session_members(leader)
            .iter()
            .filter(|m| members.contains(m))
        {
            let _ = kill(*member, Signal::SIGKILL);
        }
    }
    let _ = exited.send(true);
}

/// Every process of a session: the shell, its jobs and their children.
fn session_members(leader: Pid) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return vec![leader];
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.is_ok_and(|stat| session_of(&stat) == Some(leader.as_raw()))
        })
        .map(Pid::from_raw)
        .collect()
}

/// The session in a line of `/proc/PID/stat`: the fourth field after the name, which is in
/// parentheses and may hold anything (proc(5)).
fn session_of(stat: &str) -> Option<i32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests;
