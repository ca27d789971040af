//! What the kernel says, in a log file that lasts.
//!
//! `/dev/kmsg` gives one record to a read: `priority,sequence,microseconds,flags;text`, then lines
//! that begin with a space (`Documentation/ABI/testing/dev-kmsg`).

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

use super::journal::note;
use super::places::Places;
use crate::domain::limits::KERNEL_LINE_BYTES_MAX;
use crate::supervisor::log;

/// While this is not told to stop, what the kernel says is written down.
#[derive(Debug)]
pub(super) struct KernelLog {
    stopped: Arc<AtomicBool>,
}

impl KernelLog {
    /// Follows the kernel's log in a thread of its own. `title` goes above what this boot says; a
    /// second start within a boot goes on where nothing is said twice.
    pub(super) fn follow(places: &Places, path: &Path, title: &str) -> io::Result<Self> {
        let mut kernel = File::open(places.path("dev/kmsg"))?;
        let followed = places.run("kernel-log");
        if followed.exists() {
            kernel.seek(SeekFrom::End(0))?;
        } else {
            std::fs::write(followed, "")?;
            append(path, &format!("---- {title} ----\n"))?;
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let (path, told_to_stop) = (path.to_owned(), stopped.clone());
        std::thread::Builder::new()
            .name("kernel-log".into())
            .spawn(move || copy(kernel, &path, &told_to_stop))?;
        Ok(Self { stopped })
    }

    /// From now on no file is touched.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }
}

fn copy(mut kernel: File, path: &Path, stopped: &AtomicBool) {
    let mut record = vec![0; KERNEL_LINE_BYTES_MAX];
    loop {
        match kernel.read(&mut record) {
            Ok(0) => return,
            Ok(length) => {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                // A full disk is no reason to stop listening.
                if let Some(line) = line(&record[..length]) {
                    drop(append(path, &line));
                }
            }
            // Records were overwritten before we came to them; the next read goes on after those.
            Err(error) if error.raw_os_error() == Some(Errno::EPIPE as i32) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                note(&format!("the kernel's log is not followed: {error}"));
                return;
            }
        }
    }
}

/// Opens for every line: they are few, and the file can be put aside in between.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let aside = path.metadata().is_ok_and(|found| log::is_long(found.len()));
    if aside {
        return log::open(path)?.write_all(line.as_bytes());
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(line.as_bytes())
}

/// A record as people know it, if it is one.
fn line(record: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(record);
    let (head, rest) = text.split_once(';')?;
    let micros: u64 = head.split(',').nth(2)?.parse().ok()?;
    // What follows the first line are names of devices, for programs.
    let message = rest.lines().next().unwrap_or_default();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let plain: String = message.chars().filter(|c| !c.is_control()).collect();
    Some(format!("[{seconds:5}.{fraction:06}] {plain}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_as_people_know_it() {
        let record = b"6,339,5140900,-;NET: Registered protocol\n SUBSYSTEM=net\n DEVICE=+net:x\n";
        assert_eq!(
            line(record).unwrap(),
            "[    5.140900] NET: Registered protocol\n"
        );
        let hostile = b"4,1,1,-;usb \x1b[2J: new\n";
        assert_eq!(line(hostile).unwrap(), "[    0.000001] usb [2J: new\n");
        for none in [&b""[..], b"6,1", b"6,1,x,-;text", b"\xff\xff"] {
            assert_eq!(line(none), None);
        }
    }

    #[test]
    fn lines_go_to_the_end_and_a_long_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = log::file(folder.path(), "kernel");
        append(&path, "one\n").unwrap();
        append(&path, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(crate::domain::limits::LOG_BYTES_MAX + 1)
            .unwrap();
        append(&path, "three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }
}
