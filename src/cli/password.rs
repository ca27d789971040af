//! A password, from a script or from a person.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::arguments::PasswordFrom;
use crate::domain::Secret;
use crate::domain::limits::PASSWORD_BYTES_MAX;
use crate::domain::password::{BadPassword, Password};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    /// Standard input, or the terminal.
    #[error("cannot read the password: {0}")]
    Unreadable(#[from] io::Error),
    /// A script without a terminal.
    #[error("there is no terminal to ask for the password; use --password-stdin")]
    NoTerminal,
    /// Typed twice, differently.
    #[error("the two passwords differ")]
    Differ,
    /// Too short or too long.
    #[error(transparent)]
    Bad(#[from] BadPassword),
}

/// Reads the password from where `from` says and checks it.
pub(super) fn obtain(from: PasswordFrom) -> Result<Secret<String>, PasswordError> {
    let password = if from.password_stdin {
        first_line(io::stdin().lock())?
    } else {
        ask_twice()?
    };
    // The relay checks again; here the answer comes sooner.
    Password::new(password.expose())?;
    Ok(password)
}

/// Ctrl-C, as a terminal sends it when it may not raise a signal.
const INTERRUPT: u8 = 0x03;

/// Reads byte by byte, so that nothing beyond the line is taken.
fn first_line(mut from: impl io::Read) -> io::Result<Secret<String>> {
    // One byte more than is allowed, for too long to be seen as such.
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_BYTES_MAX + 1));
    let mut byte = [0];
    while line.len() <= PASSWORD_BYTES_MAX && from.read(&mut byte)? == 1 {
        match byte {
            [b'\n'] => break,
            [INTERRUPT] => return Err(io::ErrorKind::Interrupted.into()),
            [byte] => line.push(byte),
        }
    }
    let text = std::str::from_utf8(&line).map_err(io::Error::other)?;
    Ok(Secret::new(text.trim_end_matches('\r').to_owned()))
}

fn ask_twice() -> Result<Secret<String>, PasswordError> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let terminal = terminal.map_err(|_| PasswordError::NoTerminal)?;
    let quiet = Quiet::new(&terminal)?;
    let first = quiet.ask("New password: ")?;
    let second = quiet.ask("Again: ")?;
    if first.expose() == second.expose() {
        Ok(first)
    } else {
        Err(PasswordError::Differ)
    }
}

/// A terminal that does not show what is typed. Shows it again when dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        // Ctrl-C must not leave the terminal silent: it ends the line instead of this program.
        silent.local_flags.remove(LocalFlags::ISIG);
        silent.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT;
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }

    fn ask(&self, prompt: &str) -> io::Result<Secret<String>> {
        let mut terminal = self.terminal;
        terminal.write_all(prompt.as_bytes())?;
        let line = first_line(terminal);
        terminal.write_all(b"\n")?;
        line
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts_and_its_end_does_not() {
        for text in ["correct horse\nmore", "correct horse\r\n", "correct horse"] {
            let found = first_line(text.as_bytes()).unwrap();
            assert_eq!(found.expose(), "correct horse");
        }
        assert_eq!(
            first_line(&b" spaces stay \n"[..]).unwrap().expose(),
            " spaces stay "
        );
    }

    #[test]
    fn a_line_beyond_the_limit_is_seen_as_too_long() {
        let text = "x".repeat(PASSWORD_BYTES_MAX * 2);
        let found = first_line(text.as_bytes()).unwrap();
        assert!(matches!(
            Password::new(found.expose()),
            Err(BadPassword::TooLong { .. })
        ));
    }
}
