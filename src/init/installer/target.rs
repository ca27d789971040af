//! The disk that was confirmed: erased, written, read back.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{FallocateFlags, OFlag, fallocate};

use crate::boot::install::Offer;
use crate::domain::limits::INSTALL_CHUNK_BYTES;

use super::InstallError;
use super::payload::Payload;

const CHUNK: u64 = INSTALL_CHUNK_BYTES as u64;
/// What a transfer past the kernel's cache asks of memory, on any disk there is.
const ALIGNMENT: usize = 4_096;

/// A disk that nobody else uses.
pub(super) struct Target {
    file: File,
    name: String,
    bytes: u64,
}

impl Target {
    /// Takes the disk for us alone. Writes nothing yet.
    pub fn open(offer: &Offer) -> Result<Self, InstallError> {
        let name = offer.name.clone();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            // Past the cache, so that progress is what the disk did, and what is read back comes
            // from it. Exclusive: refused if anything of it is mounted.
            .custom_flags((OFlag::O_DIRECT | OFlag::O_EXCL).bits())
            .open(Path::new("/dev").join(&name));
        match file {
            Ok(file) => Ok(Self {
                file,
                name,
                bytes: offer.bytes,
            }),
            Err(error) => Err(InstallError::Open { disk: name, error }),
        }
    }

    /// Erases both ends of the disk, where an older system has its partition table, and writes the
    /// image from its second chunk on.
    pub fn write(&self, payload: &Payload, done: &AtomicU64) -> Result<(), InstallError> {
        let mut buffer = Buffer::new();
        for at in [0, (self.bytes - CHUNK) / 512 * 512] {
            self.zero(at).map_err(self.write_failed(at))?;
        }
        self.file.sync_data().map_err(self.write_failed(0))?;
        let zeros = vec![0; INSTALL_CHUNK_BYTES];
        for at in chunks(payload) {
            let chunk = buffer.bytes();
            payload
                .image
                .read_exact_at(chunk, at)
                .map_err(InstallError::Source)?;
            let written = if chunk == zeros {
                self.zero(at)
            } else {
                self.file.write_all_at(chunk, at)
            };
            written.map_err(self.write_failed(at))?;
            done.store(at, Ordering::Relaxed);
        }
        let synced = self.file.sync_data();
        synced.map_err(self.write_failed(payload.bytes - CHUNK))?;
        done.store(payload.bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Compares what was written with the image; if all is there, adds the first chunk, which makes
    /// the disk start.
    pub fn compare(&self, payload: &Payload, done: &AtomicU64) -> Result<(), InstallError> {
        let mut buffers = [Buffer::new(), Buffer::new()];
        for at in chunks(payload) {
            self.compare_chunk(payload, at, &mut buffers)?;
            done.store(at, Ordering::Relaxed);
        }
        let chunk = buffers[0].bytes();
        payload
            .image
            .read_exact_at(chunk, 0)
            .map_err(InstallError::Source)?;
        let written = self.file.write_all_at(chunk, 0);
        written.map_err(self.write_failed(0))?;
        self.file.sync_data().map_err(self.write_failed(0))?;
        self.compare_chunk(payload, 0, &mut buffers)?;
        done.store(payload.bytes, Ordering::Relaxed);
        Ok(())
    }

    fn compare_chunk(
        &self,
        payload: &Payload,
        at: u64,
        [wanted, found]: &mut [Buffer; 2],
    ) -> Result<(), InstallError> {
        let (wanted, found) = (wanted.bytes(), found.bytes());
        let (disk, mib) = (self.name.clone(), at >> 20);
        payload
            .image
            .read_exact_at(wanted, at)
            .map_err(InstallError::Source)?;
        if let Err(error) = self.file.read_exact_at(found, at) {
            return Err(InstallError::ReadBack { disk, mib, error });
        }
        let same = wanted == found;
        same.then_some(())
            .ok_or(InstallError::Differs { disk, mib })
    }

    /// Zeros in the disk's own way, or written out: by the kernel, or by us if it does not want to.
    fn zero(&self, at: u64) -> io::Result<()> {
        let signed = |number: u64| i64::try_from(number).map_err(io::Error::other);
        let mode = FallocateFlags::FALLOC_FL_ZERO_RANGE;
        match fallocate(&self.file, mode, signed(at)?, signed(CHUNK)?) {
            Ok(()) => Ok(()),
            Err(_) => self.file.write_all_at(Buffer::new().bytes(), at),
        }
    }

    fn write_failed(&self, at: u64) -> impl Fn(io::Error) -> InstallError {
        let (disk, mib) = (self.name.clone(), at >> 20);
        move |error| InstallError::Write {
            disk: disk.clone(),
            mib,
            error,
        }
    }
}

/// Where the image's chunks begin, but for the first one.
fn chunks(payload: &Payload) -> impl Iterator<Item = u64> + use<> {
    (1..payload.bytes / CHUNK).map(|number| number * CHUNK)
}

/// One chunk of memory where the disk can get at it.
struct Buffer {
    bytes: Vec<u8>,
    at: usize,
}

impl Buffer {
    fn new() -> Self {
        let bytes = vec![0; INSTALL_CHUNK_BYTES + ALIGNMENT];
        let at = bytes.as_ptr().align_offset(ALIGNMENT);
        Self { bytes, at }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.at..self.at + INSTALL_CHUNK_BYTES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_a_chunk_of_aligned_zeros() {
        let mut buffer = Buffer::new();
        assert_eq!(buffer.bytes().len(), INSTALL_CHUNK_BYTES);
        assert_eq!(buffer.bytes().as_ptr().align_offset(ALIGNMENT), 0);
        assert!(buffer.bytes().iter().all(|byte| *byte == 0));
    }
}
