//! A value that survives a power cut at any byte, and never comes back as an older one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::domain::limits::KEPT_BYTES_MAX;
use crate::domain::token::Fingerprint;

/// What a file begins with.
const MAGIC: [u8; 8] = *b"JGKEPT01";
/// Magic, number, and the hash of number and value.
const HEAD_BYTES: usize = 8 + 8 + 32;

/// Why a value is not there.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Both copies are damaged. Going on without would forget what must not be forgotten.
    #[error("{} is damaged, and so is its copy", path.display())]
    Torn {
        /// One of them.
        path: PathBuf,
    },
    /// The disk.
    #[error("{}: {error}", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// More than is kept.
    #[error("a value of {bytes} bytes, {KEPT_BYTES_MAX} are kept")]
    TooLong {
        /// What was to be kept.
        bytes: usize,
    },
}

/// One value in two files. At rest both hold the newest one, so that damage to one of them loses
/// nothing; while they are written they differ, and the newer whole one counts.
#[derive(Debug)]
pub struct Kept {
    files: [PathBuf; 2],
}

/// A file that is whole.
#[derive(Debug, PartialEq, Eq)]
struct Copy {
    number: u64,
    value: Vec<u8>,
}

impl Kept {
    /// The value called `name` in `folder`.
    pub fn new(folder: &Path, name: &str) -> Self {
        let file = |copy: &str| folder.join(format!("{name}.{copy}"));
        Self {
            files: [file("1"), file("2")],
        }
    }

    /// The newest value; `None` if there never was one.
    pub fn read(&self) -> Result<Option<Vec<u8>>, KeptError> {
        Ok(self.newest()?.map(|copy| copy.value))
    }

    /// The error for a value that is whole, but not what is expected.
    pub fn misunderstood(&self, error: io::Error) -> KeptError {
        let path = self.files[0].clone();
        KeptError::Disk { path, error }
    }

    /// Puts `value` in its place. It is on the disk, twice, when this returns.
    pub fn write(&self, value: &[u8]) -> Result<(), KeptError> {
        let bytes = value.len();
        if bytes > KEPT_BYTES_MAX {
            return Err(KeptError::TooLong { bytes });
        }
        let number = self.newest()?.map_or(1, |copy| copy.number + 1);
        let encoded = encode(number, value);
        for path in &self.files {
            replace(path, &encoded).map_err(|error| KeptError::Disk {
                path: path.clone(),
                error,
            })?;
        }
        Ok(())
    }

    fn newest(&self) -> Result<Option<Copy>, KeptError> {
        let mut found = None;
        let mut damaged = None;
        for path in &self.files {
            match read(path) {
                Ok(Some(bytes)) => match decode(&bytes) {
                    Some(copy) => {
                        let newer = |known: &Copy| copy.number > known.number;
                        if found.as_ref().is_none_or(newer) {
                            found = Some(copy);
                        }
                    }
                    None => damaged = Some(path),
                },
                Ok(None) => {}
                Err(error) => {
                    let path = path.clone();
                    return Err(KeptError::Disk { path, error });
                }
            }
        }
        match (found, damaged) {
            (None, Some(path)) => Err(KeptError::Torn { path: path.clone() }),
            (found, _) => Ok(found),
        }
    }
}

fn encode(number: u64, value: &[u8]) -> Vec<u8> {
    let hash = hash(number, value);
    [&MAGIC[..], &number.to_be_bytes(), &hash.0, value].concat()
}

fn decode(bytes: &[u8]) -> Option<Copy> {
    let (head, value) = bytes.split_at_checked(HEAD_BYTES)?;
    let (magic, rest) = head.split_at(MAGIC.len());
    let (number, hash_written) = rest.split_first_chunk()?;
    let number = u64::from_be_bytes(*number);
    let whole = magic == MAGIC && hash_written == hash(number, value).0;
    whole.then(|| Copy {
        number,
        value: value.to_vec(),
    })
}

fn hash(number: u64, value: &[u8]) -> Fingerprint {
    Fingerprint::of(&[&number.to_be_bytes(), value].concat())
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    // What is longer than any of ours is damaged, and found to be so.
    file.take((KEPT_BYTES_MAX + HEAD_BYTES) as u64)
        .read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_added_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// For the fuzzer and the smoke run below: any bytes end in a copy or in none.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Some(copy) = decode(data) {
        assert_eq!(encode(copy.number, &copy.value), data);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(folder: &tempfile::TempDir) -> Kept {
        Kept::new(folder.path(), "trust")
    }

    #[test]
    fn a_value_is_the_one_that_was_last_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kept(&folder).read().unwrap(), None);
        for value in ["first", "second", "third"] {
            kept(&folder).write(value.as_bytes()).unwrap();
            assert_eq!(kept(&folder).read().unwrap().unwrap(), value.as_bytes());
        }
    }

    #[test]
    fn damage_to_one_copy_loses_nothing_and_damage_to_both_is_never_taken_for_an_older_value() {
        let folder = tempfile::tempdir().unwrap();
        let kept = kept(&folder);
        kept.write(b"old").unwrap();
        kept.write(b"new").unwrap();
        let whole = fs::read(&kept.files[0]).unwrap();
        for copy in &kept.files {
            for cut in 0..whole.len() {
                fs::write(copy, &whole[..cut]).unwrap();
                assert_eq!(kept.read().unwrap().unwrap(), b"new", "cut at {cut}");
            }
            for at in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[at] ^= 1;
                fs::write(copy, &flipped).unwrap();
                assert_eq!(kept.read().unwrap().unwrap(), b"new", "flipped at {at}");
            }
            fs::write(copy, &whole).unwrap();
        }
        for cut in 0..whole.len() {
            fs::write(&kept.files[0], &whole[..cut]).unwrap();
            fs::write(&kept.files[1], &whole[cut..]).unwrap();
            let read = kept.read();
            let refused = matches!(read, Err(KeptError::Torn { .. }));
            assert!(refused || cut == 0, "{cut}: {read:?}");
            assert!(kept.write(b"more").is_err() || cut == 0);
        }
    }

    #[test]
    fn a_power_cut_between_the_copies_leaves_the_old_or_the_new_value() {
        let folder = tempfile::tempdir().unwrap();
        let kept = kept(&folder);
        kept.write(b"old").unwrap();
        let old = fs::read(&kept.files[1]).unwrap();
        kept.write(b"new").unwrap();
        fs::write(&kept.files[1], &old).unwrap();
        assert_eq!(kept.read().unwrap().unwrap(), b"new");
        kept.write(b"newer").unwrap();
        assert_eq!(kept.read().unwrap().unwrap(), b"newer");
        assert_eq!(
            fs::read(&kept.files[0]).unwrap(),
            fs::read(&kept.files[1]).unwrap()
        );
    }

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, number: u64) {
            fuzz(&data);
            fuzz(&encode(number, &data));
        }
    }
}
