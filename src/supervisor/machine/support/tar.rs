//! Archives that every system can open (POSIX.1-1988 `ustar`). Pure but for the writer.

use std::io::{self, Write};

/// Everything in an archive comes in blocks of this.
const BLOCK_BYTES: usize = 512;
/// The longest name that fits without splitting.
const NAME_BYTES_MAX: usize = 100;

/// An archive that is being written.
#[derive(Debug)]
pub(super) struct Archive<W: Write> {
    to: W,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    /// Adds a file, readable by its owner. Names are ours; `changed` is in seconds since 1970.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8], changed: u64) -> io::Result<()> {
        self.to
            .write_all(&header(name, bytes.len() as u64, changed)?)?;
        self.to.write_all(bytes)?;
        let rest = bytes.len() % BLOCK_BYTES;
        let padding = (BLOCK_BYTES - rest) % BLOCK_BYTES;
        self.to.write_all(&[0; BLOCK_BYTES][..padding])
    }

    /// The end mark.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK_BYTES])?;
        Ok(self.to)
    }
}

fn header(name: &str, bytes: u64, changed: u64) -> io::Result<[u8; BLOCK_BYTES]> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('/') {
        return Err(io::Error::other(format!(
            "'{name}' cannot be a name in an archive"
        )));
    }
    let mut header = [0; BLOCK_BYTES];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &octal(bytes)?);
    put(136, &octal(changed)?);
    // While the sum is taken, spaces stand for it.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

/// Eleven digits and a zero.
fn octal(number: u64) -> io::Result<String> {
    let text = format!("{number:011o}\0");
    let fits = text.len() == 12;
    fits.then_some(text)
        .ok_or_else(|| io::Error::other("too large for an archive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = Archive::new(Vec::new());
        for (name, bytes) in files {
            archive.add(name, bytes, 1_764_000_000).unwrap();
        }
        archive.finish().unwrap()
    }

    #[test]
    fn an_archive_is_what_the_usual_tool_reads() {
        let long = "log/".to_owned() + &"x".repeat(96);
        let contents = vec![b'a'; 1_025];
        let files: [(&str, &[u8]); 4] = [
            ("facts.json", b"{}"),
            ("empty", b""),
            ("whole", &[7; BLOCK_BYTES]),
            (&long, &contents),
        ];
        let bytes = archive(&files);
        assert_eq!(bytes.len() % BLOCK_BYTES, 0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tar");
        std::fs::write(&path, &bytes).unwrap();
        let Ok(status) = std::process::Command::new("tar")
            .arg("-xf")
            .arg(&path)
            .arg("-C")
            .arg(folder.path())
            .status()
        else {
            return;
        };
        assert!(status.success());
        for (name, expected) in files {
            assert_eq!(
                std::fs::read(folder.path().join(name)).unwrap(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn names_that_leave_the_archive_are_refused() {
        let long = "x".repeat(101);
        for name in ["", "/etc/passwd", &long] {
            assert!(header(name, 0, 0).is_err(), "{name}");
        }
        assert!(header("x", 1 << 33, 0).is_err());
    }
}
