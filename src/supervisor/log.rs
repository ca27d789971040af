//! What programs write to standard error, a file each.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::domain::limits::LOG_BYTES_MAX;

/// The file of the program called `name`.
pub(super) fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// Opens `path` to write at its end. A file that has grown beyond [`LOG_BYTES_MAX`] is put aside
/// first, in place of the one that was put aside before.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if path.metadata().is_ok_and(|found| is_long(found.len())) {
        std::fs::rename(path, aside(path))?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

/// Whether a file of so many bytes is put aside.
pub(super) fn is_long(bytes: u64) -> bool {
    bytes > LOG_BYTES_MAX
}

/// Where it goes then.
fn aside(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// Puts aside the logs in `folder` that have grown too long while somebody writes them: what is in
/// them is copied, and the files begin anew. What is written in between is lost, a few lines in
/// ten megabytes; the alternative is to read along with everything that programs say.
pub(super) fn cap(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let found = path.symlink_metadata()?;
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        if !is_log || !found.is_file() || !is_long(found.len()) {
            continue;
        }
        let copy = path.with_extension("log.new");
        if std::fs::copy(&path, &copy).is_ok() {
            std::fs::rename(copy, aside(&path))?;
        } else {
            // Most likely the disk is full, and then room is worth more than old lines.
            drop(std::fs::remove_file(copy));
        }
        // Everybody appends, so whoever writes goes on at the new end.
        OpenOptions::new().write(true).open(&path)?.set_len(0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_long_file_is_put_aside_and_a_short_one_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "relay");
        open(&path).unwrap().write_all(b"one\n").unwrap();
        open(&path).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");

        open(&path).unwrap().set_len(LOG_BYTES_MAX + 1).unwrap();
        open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().len(), 0);
        let aside = folder.path().join("relay.log.1");
        assert_eq!(aside.metadata().unwrap().len(), LOG_BYTES_MAX + 1);
    }
    #[test]
    fn a_log_that_grows_while_it_is_written_is_capped() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "relay");
        let mut writer = open(&path).unwrap();
        writer.set_len(LOG_BYTES_MAX + 1).unwrap();
        let other = folder.path().join("other");
        std::fs::write(&other, "").unwrap();
        for _ in 0..2 {
            cap(folder.path()).unwrap();
            writer.write_all(b"more\n").unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"more\nmore\n");
        let aside = folder.path().join("relay.log.1");
        assert_eq!(aside.metadata().unwrap().len(), LOG_BYTES_MAX + 1);
        assert!(other.exists());
    }
}
