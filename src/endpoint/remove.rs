//! Leaving nothing behind (SV-04): the downloaded program deletes its own file.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What is known of a downloaded program's file.
#[derive(Clone, Debug)]
pub struct OwnFile(PathBuf);

impl OwnFile {
    /// The file this program was started from.
    pub fn of_this_program() -> io::Result<Self> {
        fs::read_link("/proc/self/exe").map(Self)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Deletes it, unless another file has taken its place. No other file is ever made: chat,
    /// output and credentials live in memory only.
    pub fn remove(&self) -> io::Result<()> {
        let running = fs::metadata("/proc/self/exe")?;
        self.remove_if(running.dev(), running.ino())
    }

    fn remove_if(&self, device: u64, inode: u64) -> io::Result<()> {
        let there = match fs::symlink_metadata(&self.0) {
            // Somebody was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        if (there.dev(), there.ino()) != (device, inode) {
            return Err(io::Error::other("another file has taken its place"));
        }
        fs::remove_file(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_running_file_itself_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client");
        fs::write(&path, "program").unwrap();
        let inode = fs::metadata(&path).unwrap();
        let file = OwnFile(path.clone());
        assert!(file.remove_if(inode.dev(), inode.ino() + 1).is_err());
        assert!(path.exists());
        file.remove_if(inode.dev(), inode.ino()).unwrap();
        assert!(!path.exists());
        file.remove_if(inode.dev(), inode.ino()).unwrap();
    }
}
