//! The customer's terminal: whole lines out, typed lines in.
//!
//! On a terminal we show the line being typed ourselves, so that what comes in between does not
//! tear it: it is taken away, the news is written, and it is put back. Only the carriage return
//! and "erase to the end of the line" are used for that, and neither on `TERM=dumb` nor in a pipe,
//! where lines are just lines. Writing happens on a thread of its own: a terminal that does not
//! take output must not stop a session.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use nix::sys::termios::{
    InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use tokio::sync::mpsc;

use super::line::{Editor, Typed};
use super::{sys, words};
use crate::domain::limits::TERMINAL_QUEUE_MAX;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Chat and most else.
    Plain,
    /// Must not be missed: questions, who is connected, the end.
    Strong,
}

/// Where the program talks to its customer.
#[derive(Debug)]
pub struct Terminal {
    output: Option<SyncSender<Vec<u8>>>,
    written: Receiver<()>,
    lost: usize,
    editor: Editor,
    /// Present on a real terminal only.
    tty: Option<Tty>,
    colour: bool,
}

/// A terminal whose own echo and line editing are off.
#[derive(Debug)]
struct Tty {
    device: OwnedFd,
    before: Termios,
}

impl Terminal {
    /// Standard input and output. Typed bytes come out of the receiver, which ends with them.
    pub fn standard() -> (Self, mpsc::Receiver<Vec<u8>>) {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        let (input, output) = (std::io::stdin(), std::io::stdout());
        let tty = (input.is_terminal() && output.is_terminal() && !dumb)
            .then(|| Tty::take_over(input.as_fd().try_clone_to_owned().ok()?))
            .flatten();
        let colour = tty.is_some() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let (typed, receiver) = mpsc::channel(16);
        if let Ok(device) = input.as_fd().try_clone_to_owned() {
            thread::spawn(move || read_all(File::from(device), &typed));
        }
        let terminal = Self::new(Box::new(output), tty, colour);
        (terminal, receiver)
    }

    /// Lines into `output`, for pipes and tests.
    pub fn plain(output: Box<dyn Write + Send>) -> Self {
        Self::new(output, None, false)
    }

    fn new(mut output: Box<dyn Write + Send>, tty: Option<Tty>, colour: bool) -> Self {
        let (sender, queue) = sync_channel::<Vec<u8>>(TERMINAL_QUEUE_MAX);
        let (done, written) = sync_channel(1);
        thread::spawn(move || {
            while let Ok(bytes) = queue.recv() {
                if output
                    .write_all(&bytes)
                    .and_then(|()| output.flush())
                    .is_err()
                {
                    break;
                }
            }
            let _ = done.send(());
        });
        Self {
            output: Some(sender),
            written,
            lost: 0,
            editor: Editor::new(tty.is_none()),
            tty,
            colour,
        }
    }

    /// Shows lines. The caller has cleaned what came from elsewhere.
    pub fn say(&mut self, tone: Tone, text: &str) {
        let mut bytes = String::new();
        self.erase(&mut bytes);
        if self.lost > 0 {
            bytes.push_str(&words::lines_lost(self.lost));
            bytes.push('\n');
        }
        for line in text.split('\n') {
            if self.colour && tone == Tone::Strong {
                bytes.extend(["\x1b[1m", line, "\x1b[0m\n"]);
            } else {
                bytes.extend([line, "\n"]);
            }
        }
        self.restore(&mut bytes);
        self.write(bytes.into_bytes());
    }

    /// Something is asked: see [`Editor::mark`].
    pub fn mark(&mut self) {
        self.editor.mark();
    }

    /// Whether what is typed stays unseen.
    pub fn set_hidden(&mut self, hidden: bool) {
        self.editor.set_hidden(hidden);
    }

    /// Takes typed bytes and shows them.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let typed = self.editor.feed(bytes);
        if self.tty.is_some() {
            let mut bytes = String::new();
            self.erase(&mut bytes);
            self.restore(&mut bytes);
            self.write(bytes.into_bytes());
        }
        typed
    }

    /// No more will be typed.
    pub fn finish_input(&mut self) -> Option<Typed> {
        self.editor.finish()
    }

    /// Writes what is left, for at most a second, and gives the terminal back as it was.
    pub fn close(&mut self) {
        if self.output.is_none() {
            return;
        }
        let mut bytes = String::new();
        self.erase(&mut bytes);
        self.write(bytes.into_bytes());
        self.output = None;
        let waited = self.written.recv_timeout(Duration::from_secs(1));
        debug_assert!(waited != Err(RecvTimeoutError::Disconnected));
        self.tty = None;
    }

    fn erase(&self, bytes: &mut String) {
        if self.tty.is_some() {
            bytes.push_str("\r\x1b[K");
        }
    }

    fn restore(&self, bytes: &mut String) {
        if let Some(tty) = &self.tty {
            let columns = sys::columns(tty.device.as_fd()).unwrap_or(80);
            let columns = usize::from(columns).saturating_sub(3);
            bytes.push_str("> ");
            bytes.push_str(&self.editor.shown(columns));
        }
    }

    fn write(&mut self, bytes: Vec<u8>) {
        let Some(output) = &self.output else {
            return;
        };
        if output.try_send(bytes).is_ok() {
            self.lost = 0;
        } else {
            self.lost += 1;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Tty {
    fn take_over(device: OwnedFd) -> Option<Self> {
        let before = tcgetattr(&device).ok()?;
        let mut ours = before.clone();
        ours.local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::IEXTEN);
        // Ctrl-S would silently stop everything that is shown.
        ours.input_flags.remove(InputFlags::IXON);
        ours.input_flags.insert(InputFlags::IUTF8);
        // Suspended, the program could not keep its link; 0 disables the key.
        ours.control_chars[SpecialCharacterIndices::VSUSP as usize] = 0;
        ours.control_chars[SpecialCharacterIndices::VQUIT as usize] = 0;
        ours.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        ours.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(&device, SetArg::TCSADRAIN, &ours).ok()?;
        Some(Self { device, before })
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // TCSANOW: a terminal that takes no output must not keep us from ending.
        let _ = tcsetattr(&self.device, SetArg::TCSANOW, &self.before);
    }
}

fn read_all(mut input: File, typed: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = [0; 4_096];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                if typed.blocking_send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
