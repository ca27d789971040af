//! What the stick brings: the image of an appliance's disk, in a file system of which every block is
//! checked against what was signed.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::mount::{MsFlags, mount, umount};

use crate::boot::install::Unattended;
use crate::boot::table::Place;
use crate::boot::verity::ChangedBlock;
use crate::boot::{Description, Verity};
use crate::domain::limits::{INSTALL_CHUNK_BYTES, PAIRS_BYTES_MAX, UNATTENDED_BYTES_MAX};

use super::super::disks::Booted;
use super::super::{InitError, open_checked};

const AT: &str = "/payload";
const ESP: &str = "/esp";
/// On the stick's EFI partition: install without asking. See [`crate::boot::install::unattended`].
const UNATTENDED: &str = "jumpgate/install-unattended";

const FLAGS: MsFlags = MsFlags::MS_RDONLY
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOSUID)
    .union(MsFlags::MS_NOEXEC);

/// The image and what it is.
pub(super) struct Payload {
    pub image: File,
    pub bytes: u64,
    pub description: Description,
}

/// The device that gives out nothing but what was signed: an error in its place, because a restart
/// in the middle of an installation would tell people nothing.
pub(super) fn open(verity: &Verity, stick: &Booted) -> Result<PathBuf, InitError> {
    open_checked(Place::Installer, verity, stick, ChangedBlock::IsAnError)
}

/// Reads all `bytes` of `device` once, before anything else is done.
pub(super) fn check(device: &Path, bytes: u64, done: &AtomicU64) -> io::Result<()> {
    let mut file = File::open(device)?;
    let mut chunk = vec![0; INSTALL_CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 if done.load(Ordering::Relaxed) == bytes => return Ok(()),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => done.fetch_add(count as u64, Ordering::Relaxed),
        };
    }
}

impl Payload {
    /// Opens what was checked.
    pub fn mount(device: &Path) -> Result<Self, InitError> {
        let failed = InitError::during("image");
        let open = || {
            fs::create_dir_all(AT)?;
            mount(Some(device), AT, Some("squashfs"), FLAGS, None::<&str>)?;
            let text = read(&Path::new(AT).join("slot.cfg"), PAIRS_BYTES_MAX)?;
            let description = Description::decode(&text).map_err(io::Error::other)?;
            let image = File::open(Path::new(AT).join("appliance.img"))?;
            let bytes = image.metadata()?.len();
            let chunk = INSTALL_CHUNK_BYTES as u64;
            if bytes < 2 * chunk || bytes % chunk != 0 {
                return Err(io::Error::other(format!("{bytes} bytes, which is no disk")));
            }
            Ok(Self {
                image,
                bytes,
                description,
            })
        };
        open().map_err(failed)
    }
}

/// What the stick asks for without anybody there, if it does; an error in it is for people to read.
pub(super) fn unattended(stick: &Booted) -> Result<Option<Result<Unattended, String>>, InitError> {
    let failed = InitError::during("EFI partition");
    fs::create_dir_all(ESP).map_err(&failed)?;
    let device = stick.device(Place::Esp)?;
    mount(Some(&device), ESP, Some("vfat"), FLAGS, None::<&str>)
        .map_err(|error| failed(error.into()))?;
    let file = read(&Path::new(ESP).join(UNATTENDED), UNATTENDED_BYTES_MAX);
    let _ = umount(ESP);
    match file {
        Ok(bytes) => Ok(Some(
            Unattended::decode(&bytes).map_err(|error| format!("{UNATTENDED}: {error}")),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Up to a byte more than `most`, for the decoder to refuse.
fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
