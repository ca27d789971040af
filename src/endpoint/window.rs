//! Started by a double click there is no terminal: open one and start again inside it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Terminal programs and what they want to see before a command, most deliberate choice first.
const TERMINALS: [(&str, &[&str]); 9] = [
    ("x-terminal-emulator", &["-e"]),
    ("gnome-terminal", &["--"]),
    ("kgx", &["--"]),
    ("ptyxis", &["--"]),
    ("konsole", &["-e"]),
    ("xfce4-terminal", &["-x"]),
    ("mate-terminal", &["-x"]),
    ("foot", &[]),
    ("xterm", &["-e"]),
];

/// A terminal program that cannot work says so by ending within this.
const FAILS_WITHIN: Duration = Duration::from_secs(1);
/// How often to look meanwhile.
const LOOKS: u32 = 10;

/// Starts this program again inside the first terminal program there is. Returns whether that
/// worked; the caller then ends.
pub fn open(arguments: &[OsString]) -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return false;
    }
    let Ok(program) = env::current_exe() else {
        return false;
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        |(name, before): &(&str, &'static [&'static str])| Some((find(name, &path)?, *before));
    TERMINALS
        .iter()
        .filter_map(found)
        .any(|(terminal, before)| {
            let mut command = Command::new(terminal);
            command
                .args(before)
                .arg(&program)
                .args(arguments)
                .arg("--own-window");
            stays(command)
        })
}

/// Whether a program starts and does not fail at once (for want of a display, say). Some hand
/// over to another process and end well; that counts.
fn stays(mut command: Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let Ok(mut child) = quiet.spawn() else {
        return false;
    };
    for _ in 0..LOOKS {
        thread::sleep(FAILS_WITHIN / LOOKS);
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return status.success(),
            Err(_) => return true,
        }
    }
    true
}

fn find(name: &str, path: &OsString) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|file| is_program(file))
}

/// Whether somebody may execute this file.
pub(super) fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_program_that_fails_at_once_does_not_count() {
        assert!(stays(Command::new("true")));
        assert!(!stays(Command::new("false")));
        assert!(!stays(Command::new("/no/such/program")));
    }

    #[test]
    fn only_an_executable_file_on_the_path_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("xterm");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        let path = OsString::from(folder.path());
        assert_eq!(find("xterm", &path), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find("xterm", &path), Some(file));
    }
}
