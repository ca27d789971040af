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
    if path
        .metadata()
        .is_ok_and(|found| found.len() > LOG_BYTES_MAX)
    {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
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
}
