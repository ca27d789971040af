//! The place of a new version: which chunks are there, and how the others get there.
//!
//! ```text
//! manifest ─> open ─> missing ─> put, put, … ─> finish: sync, read back, boot files, trial
//! ```
//!
//! What is there is found by reading it, never by remembering: a power cut leaves whatever it leaves,
//! and only what is missing is written again.

use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use tokio_uring::fs::File;

use super::buffer::Buffer;
use super::partition::Partition;
use crate::boot::{Description, System};
use crate::domain::limits::CHUNK_BYTES;
use crate::domain::sizing::Profile;
use crate::esp::{self, Access, Esp, EspError};
use crate::update::manifest::{Chunk, Manifest, Name};

/// Where a new version goes.
#[derive(Clone, Debug)]
pub struct Places {
    /// Which slot. Never the running one.
    pub system: System,
    /// Its partition.
    pub root: PathBuf,
    /// The boot loader's.
    pub esp: Esp,
}

/// Why a version is not on the disk. The words are for a person.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// Nothing was written.
    #[error(
        "the place for a new version has {has} bytes, this one needs {needs}. It is for appliances \
         with a larger disk layout; install it from a stick"
    )]
    TooSmall {
        /// The partition.
        has: u64,
        /// The root.
        needs: u64,
    },
    /// The partition.
    #[error("the disk failed {what}: {error}. The running version is untouched; replace the disk")]
    Disk {
        /// What was being done.
        what: &'static str,
        /// The system's word.
        error: io::Error,
    },
    /// What was written is not what is read.
    #[error(
        "{file} reads back different at byte {at}. The running version is untouched; replace the disk"
    )]
    ReadBack {
        /// Which file.
        file: Name,
        /// Where.
        at: u64,
    },
    /// The boot partition.
    #[error(transparent)]
    Esp(#[from] EspError),
    /// Somebody signed two things that do not belong together.
    #[error("the update's parts do not belong together: {what} differ")]
    Mixed {
        /// What differs.
        what: &'static str,
    },
    /// `verify` sends what was not asked for.
    #[error("chunk {number} of {most} cannot be")]
    Chunk {
        /// Its number.
        number: u32,
        /// How many there are.
        most: usize,
    },
}

/// A version on its way to the disk.
pub struct Incoming {
    places: Places,
    manifest: Manifest,
    chunks: Vec<Chunk>,
    root: File,
    to_root: Partition,
    /// What makes the slot startable: small, and written last.
    description: [Vec<u8>; 2],
}

impl Incoming {
    /// Takes the slot out of what can be started and opens it for `manifest`.
    pub async fn open(places: Places, manifest: Manifest) -> Result<Self, SlotError> {
        let disk = |what| move |error| SlotError::Disk { what, error };
        let root = File::open(&places.root).await;
        let root = root.map_err(disk("when it was opened"))?;
        let to_root = Partition::open(&places.root).await;
        let to_root = to_root.map_err(disk("when it was opened"))?;
        let needs = manifest.file(Name::Root).bytes;
        let has = size(&places.root).map_err(disk("when it was measured"))?;
        if needs > has {
            return Err(SlotError::TooSmall { has, needs });
        }
        let system = places.system;
        let unreadable = |folder: &Path| esp::trial::unreadable(folder, system);
        for name in places.esp.mounted(Access::Read, unreadable)? {
            // In a mount of its own: the file system takes no further change once it has seen what is
            // wrong. Tried, that is all: a file that stays shows when it is written.
            let discard = |folder: &Path| esp::trial::discard(folder, system, &name);
            drop(places.esp.mounted(Access::Write, discard));
        }
        let retire = |folder: &Path| esp::trial::retire(folder, system);
        places.esp.mounted(Access::Write, retire)?;
        Ok(Self {
            chunks: manifest.chunks().collect(),
            description: [Vec::new(), Vec::new()],
            places,
            manifest,
            root,
            to_root,
        })
    }

    /// The chunks that the disk does not hold yet, ascending.
    pub async fn missing(&self) -> Result<Vec<u32>, SlotError> {
        // After a failed write memory holds what the disk does not.
        self.read_from_disk()?;
        let mut missing = Vec::new();
        for (number, chunk) in (0..).zip(&self.chunks) {
            if !self.is_there(chunk).await? {
                missing.push(number);
            }
        }
        Ok(missing)
    }

    async fn is_there(&self, chunk: &Chunk) -> Result<bool, SlotError> {
        match chunk.file {
            Name::Root => Ok(self
                .root_chunk(chunk)
                .await
                .is_ok_and(|bytes| chunk.is(&bytes))),
            Name::Description | Name::DescriptionSignature => Ok(false),
            Name::Initramfs | Name::InitramfsSignature | Name::Kernel | Name::KernelSignature => {
                Ok(self
                    .boot_chunk(chunk)?
                    .is_some_and(|bytes| chunk.is(&bytes)))
            }
        }
    }

    async fn root_chunk(&self, chunk: &Chunk) -> io::Result<Vec<u8>> {
        let buffer = Vec::with_capacity(chunk.bytes);
        let mut read = 0;
        let mut buffer = buffer;
        while read < chunk.bytes {
            let at = chunk.within + read as u64;
            let rest = Vec::with_capacity(chunk.bytes - read);
            let (done, part) = self.root.read_at(rest, at).await;
            match done? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => read += count,
            }
            buffer.extend(part);
        }
        Ok(buffer)
    }

    fn boot_chunk(&self, chunk: &Chunk) -> Result<Option<Vec<u8>>, EspError> {
        self.places.esp.mounted(Access::Read, |folder| {
            let name = chunk.file.text();
            esp::trial::read(folder, self.places.system, name, chunk.within, chunk.bytes)
        })
    }

    /// To receive the next chunk in.
    pub fn buffer(&mut self) -> Buffer {
        self.to_root.buffer()
    }

    /// Writes the chunk of this number; what is in `buffer` is known to be its own. It may fail for a
    /// chunk before.
    pub async fn put(&mut self, number: u32, buffer: Buffer) -> Result<(), SlotError> {
        let most = self.chunks.len();
        let chunk = usize::try_from(number)
            .ok()
            .and_then(|at| self.chunks.get(at));
        let chunk = chunk.filter(|chunk| chunk.bytes == buffer.len());
        let chunk = *chunk.ok_or(SlotError::Chunk { number, most })?;
        match chunk.file {
            Name::Root => {
                let done = self.to_root.write(buffer, chunk.within).await;
                done.map_err(not_written)
            }
            Name::DescriptionSignature => {
                self.description[0] = buffer.bytes().to_vec();
                Ok(())
            }
            Name::Description => {
                self.description[1] = buffer.bytes().to_vec();
                Ok(())
            }
            Name::Initramfs | Name::InitramfsSignature | Name::Kernel | Name::KernelSignature => {
                Ok(self.places.esp.mounted(Access::Write, |folder| {
                    let name = chunk.file.text();
                    esp::trial::put(
                        folder,
                        self.places.system,
                        name,
                        chunk.within,
                        buffer.bytes(),
                    )
                })?)
            }
        }
    }

    /// Afterwards nothing is being written any more.
    pub async fn settle(&mut self) -> Result<(), SlotError> {
        self.to_root.settle().await.map_err(not_written)
    }

    /// Brings everything to the disk and reads it back. `tell` hears how many bytes are compared.
    /// Nothing of it is started before [`Incoming::mark`].
    pub async fn finish(
        &mut self,
        security_epoch: u32,
        mut tell: impl AsyncFnMut(u64),
    ) -> Result<(), SlotError> {
        self.check_description(security_epoch)?;
        self.to_root.keep().await.map_err(|error| SlotError::Disk {
            what: "when it was to keep what was written",
            error,
        })?;
        self.cut_boot_files()?;
        // What is only in memory would read back right whatever the disk holds.
        self.read_from_disk()?;
        for chunk in &self.chunks {
            self.compare(chunk).await?;
            tell(chunk.at + chunk.bytes as u64).await;
        }
        self.describe()
    }

    /// Has what is read next come from the disk and not from memory.
    fn read_from_disk(&self) -> Result<(), SlotError> {
        let from_disk = std::fs::File::open(&self.places.root).and_then(|file| {
            let all = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
            Ok(posix_fadvise(&file, 0, 0, all)?)
        });
        from_disk.map_err(|error| SlotError::Disk {
            what: "when it was to be read",
            error,
        })
    }

    async fn compare(&self, chunk: &Chunk) -> Result<(), SlotError> {
        let differs = SlotError::ReadBack {
            file: chunk.file,
            at: chunk.within,
        };
        let read = match chunk.file {
            Name::Root => self
                .root_chunk(chunk)
                .await
                .map_err(|error| SlotError::Disk {
                    what: "when it was read back",
                    error,
                })?,
            // They are written after everything else was compared, and then themselves.
            Name::Description | Name::DescriptionSignature => return Ok(()),
            Name::Initramfs | Name::InitramfsSignature | Name::Kernel | Name::KernelSignature => {
                match self.boot_chunk(chunk)? {
                    Some(read) => read,
                    None => return Err(differs),
                }
            }
        };
        if chunk.is(&read) {
            Ok(())
        } else {
            Err(differs)
        }
    }

    /// The boot loader goes by the description: it has to be this manifest's.
    fn check_description(&self, security_epoch: u32) -> Result<(), SlotError> {
        let mixed = |what| SlotError::Mixed { what };
        let [_, description] = &self.description;
        let description =
            Description::decode(description).map_err(|_| mixed("manifest and description"))?;
        let manifest = &self.manifest;
        for (what, same) in [
            ("versions", description.version == manifest.version),
            (
                "sequence numbers",
                description.sequence == manifest.sequence,
            ),
            (
                "security epochs",
                description.security_epoch == manifest.security_epoch,
            ),
            ("channels", description.channel == manifest.channel),
            (
                "profiles",
                description.profile == Profile::of(manifest.model),
            ),
            (
                "lengths of the root",
                description.verity.bytes() == manifest.file(Name::Root).bytes,
            ),
        ] {
            if !same {
                return Err(mixed(what));
            }
        }
        if description.security_epoch < security_epoch {
            return Err(mixed("security epochs of update and appliance"));
        }
        Ok(())
    }

    /// Files of the version before may have been longer.
    fn cut_boot_files(&self) -> Result<(), SlotError> {
        let boot_files = [
            Name::Initramfs,
            Name::InitramfsSignature,
            Name::Kernel,
            Name::KernelSignature,
        ];
        Ok(self.places.esp.mounted(Access::Write, |folder| {
            for name in boot_files {
                let bytes = self.manifest.file(name).bytes;
                esp::trial::cut(folder, self.places.system, name.text(), bytes)?;
            }
            esp::trial::settle(folder, self.places.system)
        })?)
    }

    /// From here on the slot is complete, but has no tries.
    fn describe(&self) -> Result<(), SlotError> {
        let system = self.places.system;
        let files = [Name::DescriptionSignature, Name::Description];
        self.places.esp.mounted(Access::Write, |folder| {
            for (name, bytes) in files.iter().zip(&self.description) {
                esp::trial::put(folder, system, name.text(), 0, bytes)?;
            }
            esp::trial::settle(folder, system)
        })?;
        self.places.esp.mounted(Access::Read, |folder| {
            for (name, bytes) in files.iter().zip(&self.description) {
                let read = esp::trial::read(folder, system, name.text(), 0, bytes.len())?;
                if read.as_ref() != Some(bytes) {
                    return Ok(Err(SlotError::ReadBack { file: *name, at: 0 }));
                }
            }
            Ok(Ok(()))
        })?
    }

    /// Marks the slot to be tried, with one sector.
    pub fn mark(&self) -> Result<(), SlotError> {
        let system = self.places.system;
        let begin = |folder: &std::path::Path| esp::trial::begin(folder, system);
        Ok(self.places.esp.mounted(Access::Write, begin)?)
    }

    /// What comes in.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

fn not_written(error: io::Error) -> SlotError {
    SlotError::Disk {
        what: "when it was written",
        error,
    }
}

/// Bytes of a partition or of a file.
fn size(path: &std::path::Path) -> io::Result<u64> {
    use std::io::Seek as _;
    std::fs::File::open(path)?.seek(io::SeekFrom::End(0))
}

// A chunk is written to one place in one go.
const _: () = assert!(CHUNK_BYTES.is_multiple_of(4_096));
