//! The person in front of the machine, on its screen and at its serial line alike.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::sys::termios::{FlushArg, tcflush};

use crate::domain::limits::{ANSWER_BYTES_MAX, INIT_TICK, INSTALL_TICK, TERMINAL_WITHIN};

use super::super::Devices;

/// The consoles that the kernel writes to.
const ACTIVE: &str = "/sys/class/tty/console/active";

/// Every console of the machine. What is said appears on all; whoever types first is heard.
pub(super) struct Screen {
    terminals: Vec<Terminal>,
}

struct Terminal {
    file: File,
    /// Of a line that is not finished.
    typed: Vec<u8>,
}

impl Screen {
    /// Opens what there is. Lines are put together and shown by the kernel, as on any terminal.
    pub fn open() -> Self {
        let active = fs::read_to_string(ACTIVE).unwrap_or_default();
        let terminals = active.split_whitespace().filter_map(Terminal::open);
        Self {
            terminals: terminals.collect(),
        }
    }

    /// Says a line.
    pub fn say(&mut self, text: impl Display) {
        self.show(format_args!("{text}\n"));
    }

    /// Says something that goes on in the same line.
    pub fn show(&mut self, text: impl Display) {
        let text = text.to_string();
        for terminal in &mut self.terminals {
            terminal.write(text.as_bytes());
        }
    }

    /// Asks, and waits for a line; `None` once `is_over` says that it does not matter any more.
    /// What was typed before the question is no answer to it.
    pub fn ask(
        &mut self,
        question: &str,
        devices: &mut Devices,
        mut is_over: impl FnMut() -> bool,
    ) -> Option<String> {
        for terminal in &mut self.terminals {
            terminal.forget();
        }
        self.show(question);
        loop {
            for terminal in &mut self.terminals {
                if let Some(line) = terminal.line() {
                    return Some(line);
                }
            }
            if is_over() {
                return None;
            }
            devices.look();
            sleep(INSTALL_TICK);
        }
    }
}

impl Terminal {
    fn open(name: &str) -> Option<Self> {
        // "The one in front" cannot be read while another one is.
        let name = if name == "tty0" { "tty1" } else { name };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits())
            .open(Path::new("/dev").join(name));
        let typed = Vec::new();
        file.ok().map(|file| Self { file, typed })
    }

    /// Writes what the terminal takes: one that was stopped must not stop the installation.
    fn write(&mut self, mut bytes: &[u8]) {
        let until = Instant::now() + TERMINAL_WITHIN;
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => {
                    sleep(INIT_TICK);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // No hardware behind it, or stopped.
                Err(_) => return,
            }
        }
    }

    fn forget(&mut self) {
        let _ = tcflush(&self.file, FlushArg::TCIFLUSH);
        self.typed.clear();
    }

    /// A whole line, without blanks around it.
    fn line(&mut self) -> Option<String> {
        let mut bytes = [0; ANSWER_BYTES_MAX];
        let count = self.file.read(&mut bytes).ok()?;
        self.typed.extend(&bytes[..count]);
        take_line(&mut self.typed)
    }
}

/// Takes the first line out of `typed`, which does not grow beyond [`ANSWER_BYTES_MAX`].
fn take_line(typed: &mut Vec<u8>) -> Option<String> {
    let end = typed.iter().position(|byte| *byte == b'\n');
    let Some(end) = end else {
        typed.truncate(ANSWER_BYTES_MAX);
        return None;
    };
    let line: Vec<u8> = typed.drain(..=end).collect();
    let line = String::from_utf8_lossy(&line[..end.min(ANSWER_BYTES_MAX)]);
    let shown = |c: &char| c.is_ascii_graphic() || *c == ' ';
    Some(line.chars().filter(shown).collect::<String>().trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_heard_when_it_is_finished() {
        let mut typed = b"ye".to_vec();
        assert_eq!(take_line(&mut typed), None);
        typed.extend(b"s\n2\n");
        assert_eq!(take_line(&mut typed).unwrap(), "yes");
        assert_eq!(take_line(&mut typed).unwrap(), "2");
        assert_eq!(take_line(&mut typed), None);
        assert_eq!(take_line(&mut b" \x1b[A\xff1\r\n".to_vec()).unwrap(), "[A1");
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let mut typed = vec![b'x'; 10 * ANSWER_BYTES_MAX];
        assert_eq!(take_line(&mut typed), None);
        assert_eq!(typed.len(), ANSWER_BYTES_MAX);
        typed.push(b'\n');
        assert_eq!(take_line(&mut typed).unwrap().len(), ANSWER_BYTES_MAX);
    }
}
