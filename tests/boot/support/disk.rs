//! A disk that was flashed, to look into and to damage while nothing runs from it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jumpgate::boot::System;
use jumpgate::boot::environment::Environment;
use jumpgate::boot::table::{self, Place};

use super::{Image, run};

const SECTOR: u64 = 512;

/// The content as a plain file, and what a machine has written since as another.
pub struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Flashed from an image.
    pub fn flashed(image: &Image) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Self { folder };
        let mut copy = Command::new("cp");
        copy.arg("--sparse=always")
            .arg(image.disk())
            .arg(disk.raw());
        run(&mut copy);
        // The firmware's certificates are looked for beside the image.
        std::os::unix::fs::symlink(image.certificates(), disk.file("secure-boot")).unwrap();
        disk
    }

    /// With nothing on it.
    pub fn empty(bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Self { folder };
        File::create(disk.raw()).unwrap().set_len(bytes).unwrap();
        disk
    }

    /// A virtual machine's, from another format.
    pub fn virtual_one(image: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Self { folder };
        std::os::unix::fs::symlink(image, disk.raw()).unwrap();
        disk
    }

    /// As it was before a machine ran.
    pub fn raw(&self) -> PathBuf {
        self.file("disk.img")
    }

    /// What a machine writes.
    pub fn overlay(&self) -> PathBuf {
        self.file("overlay.qcow2")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts what was written into the plain file. For when no machine runs.
    pub fn settle(&self) {
        if self.overlay().exists() {
            let mut commit = Command::new("qemu-img");
            run(commit.args(["commit", "-q", "-d"]).arg(self.overlay()));
            std::fs::remove_file(self.overlay()).unwrap();
        }
    }

    /// Where a partition lies: offset and size in bytes.
    pub fn place(&self, place: Place) -> (u64, u64) {
        let file = self.open();
        let sectors = file.metadata().unwrap().len() / SECTOR;
        let disk = table::Disk::new(512, sectors).unwrap();
        let mut head = vec![0; 512 * usize::try_from(disk.table_sectors()).unwrap()];
        file.read_exact_at(&mut head, SECTOR).unwrap();
        let table = table::read_primary(disk, &head).unwrap();
        let (_, found) = table.find(place).unwrap();
        (found.first * SECTOR, found.sectors() * SECTOR)
    }

    fn open(&self) -> File {
        self.settle();
        let mut options = File::options();
        options.read(true).write(true).open(self.raw()).unwrap()
    }

    /// Flips one bit of a partition.
    pub fn flip(&self, place: Place, offset: u64) {
        let (start, size) = self.place(place);
        assert!(offset < size, "{offset} is beyond {size}");
        let (file, mut byte) = (self.open(), [0]);
        file.read_exact_at(&mut byte, start + offset).unwrap();
        file.write_all_at(&[byte[0] ^ 1], start + offset).unwrap();
    }

    /// Overwrites a part of a partition.
    pub fn overwrite(&self, place: Place, offset: u64, bytes: &[u8]) {
        let (start, _) = self.place(place);
        self.open().write_all_at(bytes, start + offset).unwrap();
    }

    /// Whether a partition begins with these bytes.
    pub fn starts_with(&self, place: Place, bytes: &[u8]) -> bool {
        let (start, _) = self.place(place);
        let mut found = vec![0; bytes.len()];
        self.open().read_exact_at(&mut found, start).unwrap();
        found == bytes
    }

    /// Of everything on it.
    pub fn hash(&self) -> String {
        self.settle();
        run(Command::new("sha256sum").arg(self.raw()))
    }

    /// Of one partition.
    pub fn hash_of(&self, place: Place) -> String {
        let (start, size) = self.place(place);
        let mut bytes = vec![0; usize::try_from(size).unwrap()];
        self.open().read_exact_at(&mut bytes, start).unwrap();
        let hash = ring::digest::digest(&ring::digest::SHA256, &bytes);
        data_encoding::HEXLOWER.encode(hash.as_ref())
    }

    /// Whether the file system of a partition was closed in order and is whole.
    pub fn is_clean(&self, place: Place) -> bool {
        let (start, _) = self.place(place);
        let system = format!("{}?offset={start}", self.raw().display());
        let header = run(Command::new("/sbin/dumpe2fs").args(["-h", &system]));
        let mut check = Command::new("/sbin/e2fsck");
        let is_whole = check
            .args(["-f", "-n", &system])
            .output()
            .unwrap()
            .status
            .success();
        is_whole && !header.contains("needs_recovery")
    }

    /// Whether these bytes are anywhere on it.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.settle();
        let mut grep = Command::new("grep");
        grep.args([
            "--quiet",
            "--binary-files=binary",
            "--fixed-strings",
            "--regexp",
        ]);
        grep.arg(std::str::from_utf8(bytes).unwrap())
            .arg(self.raw());
        grep.env("LC_ALL", "C").status().unwrap().success()
    }

    /// One of the tools for FAT on the ESP.
    fn mtool(&self, name: &str) -> Command {
        let (start, _) = self.place(Place::Esp);
        let mut tool = Command::new(name);
        tool.env("MTOOLS_SKIP_CHECK", "1");
        tool.arg("-i")
            .arg(format!("{}@@{start}", self.raw().display()));
        tool
    }

    /// A file of the ESP, if it exists.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let output = self
            .mtool("mtype")
            .arg(format!("::{path}"))
            .output()
            .unwrap();
        output.status.success().then_some(output.stdout)
    }

    /// Writes a file of the ESP.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let mut copy = self.mtool("mcopy");
        copy.args(["-o", "-", &format!("::{path}")])
            .stdin(Stdio::piped());
        let mut copying = copy.spawn().unwrap();
        copying.stdin.take().unwrap().write_all(bytes).unwrap();
        assert!(copying.wait().unwrap().success());
    }

    /// Writes a file of the ESP, but not which clusters are its own: as a power cut may leave it
    /// (FAT32, Microsoft's "On-Disk Format" 1.03).
    pub fn write_without_clusters(&self, path: &str, bytes: &[u8]) {
        let (start, _) = self.place(Place::Esp);
        let mut boot = [0; 512];
        self.open().read_exact_at(&mut boot, start).unwrap();
        let number = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let table_sectors = number(36) + (number(38) << 16);
        let first = number(14) * SECTOR;
        let size = u64::from(boot[16]) * table_sectors * SECTOR;
        let mut tables = vec![0; usize::try_from(size).unwrap()];
        self.open()
            .read_exact_at(&mut tables, start + first)
            .unwrap();
        self.write(path, bytes);
        self.overwrite(Place::Esp, first, &tables);
    }

    /// Removes a file of the ESP.
    pub fn remove(&self, path: &str) {
        run(self.mtool("mdel").arg(format!("::{path}")));
    }

    /// Flips a bit in the middle of a file of the ESP.
    pub fn flip_file(&self, path: &str) {
        let mut bytes = self.read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.write(path, &bytes);
    }

    /// The boot environment.
    pub fn environment(&self) -> Environment {
        Environment::decode(&self.read("/jumpgate/env").unwrap()).unwrap()
    }

    /// Changes the boot environment.
    pub fn set_environment(&self, pairs: &[(&str, &str)]) {
        let mut environment = self.environment();
        for (key, value) in pairs {
            environment.set(key, value).unwrap();
        }
        self.write("/jumpgate/env", &environment.encode().unwrap());
    }

    /// Puts a slot's files where `system` has them, as an update would.
    pub fn install(&self, system: System, slot: &Path) {
        let (letter, place) = match system {
            System::A => ("a", Place::A),
            System::B => ("b", Place::B),
        };
        let root = std::fs::read(slot.join("root.img")).unwrap();
        self.overwrite(place, 0, &root);
        for name in ["kernel", "initramfs", "slot.cfg"] {
            for name in [name.to_owned(), format!("{name}.sig")] {
                let bytes = std::fs::read(slot.join(&name)).unwrap();
                self.write(&format!("/jumpgate/{letter}/{name}"), &bytes);
            }
        }
    }
}
