//! Somebody in front of the console.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::machine::Machine;
use crate::vt::Terminal;

/// Waiting is for something to be seen, at most for this long.
const WITHIN: Duration = Duration::from_secs(30);

/// A terminal with the console on it.
pub struct Seat {
    child: Child,
    /// Our end of the terminal: keys in, bytes out. Until it is hung up.
    line: Option<File>,
    everything: Vec<u8>,
    terminal: Terminal,
}

impl Seat {
    /// Started with `--tty`.
    pub fn at(machine: &Machine) -> Self {
        Self::start(machine, true)
    }

    /// Started as the base system's first program does it: the terminal is standard input and
    /// output.
    pub fn as_init_starts_it(machine: &Machine) -> Self {
        Self::start(machine, false)
    }

    fn start(machine: &Machine, is_named: bool) -> Self {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname_r(&master).unwrap());
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).open(&path).unwrap()
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_appliancectl"));
        command.arg("--state").arg(machine.folder()).arg("console");
        if is_named {
            command.arg("--tty").arg(&path).stdin(Stdio::null());
        } else {
            command.stdin(open()).stdout(open());
        }
        // While nobody has it open, reading from our end fails, and the child opens it late.
        let kept_open = open();
        let child = command.spawn().unwrap();
        drop(command);
        let mut seat = Self {
            child,
            line: Some(File::from(master.as_fd().try_clone_to_owned().unwrap())),
            everything: Vec::new(),
            // A PC's screen; the console leaves the last line alone.
            terminal: Terminal::new(25, 80),
        };
        seat.until("Jumpgate");
        drop(kept_open);
        seat
    }

    /// Our end.
    pub fn line(&self) -> &File {
        self.line.as_ref().unwrap()
    }

    /// The console's process.
    pub fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.line().write_all(keys.as_bytes()).unwrap();
    }

    /// Somebody else writes on the terminal.
    pub fn scribble(&mut self, bytes: &[u8]) {
        self.terminal.feed(bytes);
    }

    /// Waits until `words` are to be seen, and gives all that is.
    pub fn until(&mut self, words: &str) -> String {
        let deadline = Instant::now() + WITHIN;
        while !flat(&self.text()).contains(&flat(words)) {
            let left = deadline.saturating_duration_since(Instant::now());
            let text = self.text();
            assert!(
                self.read(left),
                "'{words}' was not seen within {WITHIN:?}:\n{text}"
            );
        }
        self.text()
    }

    /// Waits until nothing more comes.
    pub fn settle(&mut self) {
        while self.read(Duration::from_millis(500)) {}
    }

    /// Takes what comes within `time`.
    pub fn listen(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.read(deadline.saturating_duration_since(Instant::now())) {}
    }

    /// Takes what comes next; whether anything came within `time`.
    fn read(&mut self, time: Duration) -> bool {
        let mut line = self.line();
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        epoll
            .add(line, EpollEvent::new(EpollFlags::EPOLLIN, 0))
            .unwrap();
        let time = EpollTimeout::try_from(time).unwrap();
        match epoll.wait(&mut [EpollEvent::empty()], time) {
            Ok(0) => return false,
            // Looked at again by whoever waits.
            Err(Errno::EINTR) => return true,
            ready => drop(ready.unwrap()),
        }
        let mut bytes = [0; 4_096];
        // It fails once the console has closed its end.
        let length = line.read(&mut bytes).unwrap_or(0);
        self.take(&bytes[..length]);
        length > 0
    }

    fn take(&mut self, bytes: &[u8]) {
        self.everything.extend(bytes);
        let scrolled = self.terminal.scrolled();
        self.terminal.feed(bytes);
        assert!(
            self.terminal.scrolled() <= scrolled,
            "it moves everything up"
        );
    }

    /// What is to be seen.
    pub fn text(&self) -> String {
        self.terminal.text()
    }

    /// Whatever was written, as it came.
    pub fn everything(&self) -> String {
        String::from_utf8(self.everything.clone()).unwrap()
    }

    /// Keeps what is to be seen, for people.
    pub fn keep(&self, name: &str) {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = target.parent().unwrap().join("console");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("real-{name}.txt")), self.text()).unwrap();
    }

    /// Whether the console is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        // The end of its terminal.
        self.listen(WITHIN);
        self.child.wait().unwrap()
    }

    /// Takes the terminal away and waits for the console's end.
    pub fn hang_up(mut self) -> ExitStatus {
        self.line = None;
        self.child.wait().unwrap()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A sentence may be broken into lines anywhere.
pub fn assert_says(screen: &str, words: &[&str]) {
    for word in words {
        assert!(flat(screen).contains(&flat(word)), "'{word}' in\n{screen}");
    }
}
