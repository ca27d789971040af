//! The terminal itself: takes it over, reads keys, writes what changed.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios,
    tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::ask;
use super::key::{Key, Keys};
use super::paint::{self, Shown};
use super::screen::Screen;
use super::state::{Console, Event};
use super::world::{Answer, News, Order, Silence};
use crate::config::Paths;
use crate::domain::{Moment, Now, Stamp};

/// Why there is no console.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum ConsoleError {
    /// Missing, or out of reach.
    #[error("cannot use {} as a terminal: {error}", .path.display())]
    Terminal {
        /// Which.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// A pipe or a file.
    #[error("the console needs a terminal; name one with --tty, for example --tty /dev/tty1")]
    NoTerminal,
    /// What is never refused.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's word.
        error: io::Error,
    },
}

/// Clocks on the screen move this often.
const TICK: Duration = Duration::from_secs(1);
/// After Escape, the rest of an arrow has to come within this: remote consoles are slow.
const REST_WITHIN: Duration = Duration::from_millis(300);
/// Everything is written again this often: somebody may have plugged in a terminal just now, and
/// the kernel writes where it likes.
const WHOLE_EVERY: Duration = Duration::from_secs(30);
/// What happened and was not looked at yet.
const HAPPENED_MAX: usize = 64;

/// What the threads tell.
enum Happened {
    Typed(Zeroizing<Vec<u8>>),
    /// The terminal is gone.
    HungUp,
    /// Somebody ends us.
    Stop,
    News(News),
    Answer(Answer),
}

/// Runs the console on `tty`, or on standard input and output, until the terminal goes away or
/// somebody ends it.
pub(in super::super) fn run(state: &Path, tty: Option<&Path>) -> Result<(), ConsoleError> {
    let system = |what| move |error: io::Error| ConsoleError::System { what, error };
    let signals = stopping_signals().map_err(system("wait for signals"))?;
    let (input, output) = open(tty)?;
    let terminal = Terminal::take_over(output).map_err(system("set up the terminal"))?;
    let (tell, happened) = sync_channel(HAPPENED_MAX);
    let (order, orders) = sync_channel::<Order>(1);
    let paths = Paths::new(state);

    let told = tell.clone();
    thread::spawn(move || read(input, &told));
    let told = tell.clone();
    thread::spawn(move || {
        // An error ends us just as well.
        let _ = signals.read_signal();
        drop(told.send(Happened::Stop));
    });
    let (told, watched) = (tell.clone(), paths.clone());
    thread::spawn(move || ask::watch(&watched, |news| told.send(Happened::News(news)).is_ok()));
    thread::spawn(move || {
        for order in orders {
            let answer = ask::perform(&paths, order);
            if tell.send(Happened::Answer(answer)).is_err() {
                return;
            }
        }
    });
    Front {
        terminal,
        clock: Instant::now(),
        order,
        shown: None,
        whole: Instant::now(),
    }
    .serve(&happened)
    .or_else(|error| match error.raw_os_error() {
        // It went away while something was written.
        Some(code) if code == Errno::EIO as i32 => Ok(()),
        _ => Err(system("write to the terminal")(error)),
    })
}

/// Both ends of the terminal.
fn open(tty: Option<&Path>) -> Result<(File, File), ConsoleError> {
    let both = match tty {
        Some(path) => {
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                // Whoever hangs up must not take us along: we notice by ourselves.
                .custom_flags(OFlag::O_NOCTTY.bits())
                .open(path);
            opened.and_then(|file| Ok((file.try_clone()?, file)))
        }
        None => io::stdin().as_fd().try_clone_to_owned().and_then(|input| {
            Ok((
                input.into(),
                io::stdout().as_fd().try_clone_to_owned()?.into(),
            ))
        }),
    };
    let (input, output): (File, File) = both.map_err(|error| ConsoleError::Terminal {
        path: tty.unwrap_or("standard input".as_ref()).to_owned(),
        error,
    })?;
    if input.is_terminal() && output.is_terminal() {
        Ok((input, output))
    } else {
        Err(ConsoleError::NoTerminal)
    }
}

/// Told by reading instead of by interrupting; for all threads that come later, too.
fn stopping_signals() -> io::Result<SignalFd> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    Ok(SignalFd::new(&signals)?)
}

fn read(mut input: File, tell: &SyncSender<Happened>) {
    loop {
        let mut bytes = Zeroizing::new(vec![0; 256]);
        let happened = match input.read(&mut bytes) {
            Ok(0) => Happened::HungUp,
            Ok(length) => {
                bytes.truncate(length);
                Happened::Typed(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => Happened::HungUp,
        };
        let is_over = matches!(happened, Happened::HungUp);
        if tell.send(happened).is_err() || is_over {
            return;
        }
    }
}

/// A terminal without echo, line editing and signals. As it was, when dropped.
struct Terminal {
    device: File,
    before: Termios,
}

impl Terminal {
    fn take_over(device: File) -> io::Result<Self> {
        let before = tcgetattr(&device)?;
        let mut bare = before.clone();
        // No Ctrl-C, no Ctrl-Z, no Ctrl-\, and no Ctrl-S that freezes the screen for the next one.
        bare.local_flags = LocalFlags::empty();
        bare.input_flags = InputFlags::IGNBRK;
        bare.output_flags = OutputFlags::empty();
        // A serial line without modem lines, eight bits.
        bare.control_flags
            .remove(ControlFlags::CSIZE | ControlFlags::PARENB);
        bare.control_flags
            .insert(ControlFlags::CS8 | ControlFlags::CREAD | ControlFlags::CLOCAL);
        bare.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        bare.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(&device, SetArg::TCSANOW, &bare)?;
        Ok(Self { device, before })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.device.write_all(bytes)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.write(paint::leave());
        let _ = tcsetattr(&self.device, SetArg::TCSANOW, &self.before);
    }
}

/// Joins terminal and state machine.
struct Front {
    terminal: Terminal,
    clock: Instant,
    order: SyncSender<Order>,
    /// What the terminal shows, if that is known.
    shown: Option<Screen>,
    /// When everything was written last.
    whole: Instant,
}

impl Front {
    fn serve(mut self, happened: &Receiver<Happened>) -> io::Result<()> {
        let mut keys = Keys::default();
        let mut console = Console::new(self.now());
        loop {
            self.show(&console.screen())?;
            let wait = if keys.is_waiting() { REST_WITHIN } else { TICK };
            match happened.recv_timeout(wait) {
                Ok(Happened::Typed(bytes)) => {
                    for key in keys.feed(&bytes) {
                        self.key(&mut console, key);
                    }
                }
                Ok(Happened::News(news)) => self.event(&mut console, Event::News(news)),
                Ok(Happened::Answer(answer)) => self.event(&mut console, Event::Answer(answer)),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(key) = keys.settle() {
                        self.key(&mut console, key);
                    }
                }
                Ok(Happened::Stop | Happened::HungUp) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(());
                }
            }
            self.event(&mut console, Event::Tick);
        }
    }

    fn key(&mut self, console: &mut Console, key: Key) {
        if key == Key::Redraw {
            self.shown = None;
        } else {
            self.event(console, Event::Key(key));
        }
    }

    fn event(&self, console: &mut Console, event: Event) {
        let ordered = console.event(event, self.now());
        if let Some(order) = ordered
            && self.order.try_send(order).is_err()
        {
            let busy = Silence::Other("the last order is still being carried out".to_owned());
            console.event(Event::Answer(Answer::Silence(busy)), self.now());
        }
    }

    fn show(&mut self, screen: &Screen) -> io::Result<()> {
        let is_old = self.whole.elapsed() >= WHOLE_EVERY;
        let shown = match &self.shown {
            None => Shown::Anything,
            Some(_) if is_old => Shown::Something,
            Some(shown) => Shown::Screen(shown),
        };
        if self.shown.is_none() || is_old {
            self.whole = Instant::now();
        }
        let bytes = paint::paint(shown, screen);
        if !bytes.is_empty() {
            self.terminal.write(&bytes)?;
        }
        self.shown = Some(screen.clone());
        Ok(())
    }

    fn now(&self) -> Now {
        let uptime = u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now {
            moment: Moment::from_millis(uptime),
            stamp: Stamp::of(SystemTime::now()),
        }
    }
}
