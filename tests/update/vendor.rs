//! Whoever makes updates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use jumpgate::boot::Verity;
use jumpgate::update::bundle::HEADER_BYTES;

/// Blocks of the root's file system; with its tree a bit more than one chunk.
const BLOCKS: u64 = 300;

/// Keys and a repository.
pub struct Vendor {
    pub folder: tempfile::TempDir,
}

/// What an update says of itself.
#[derive(Clone)]
pub struct Version {
    pub sequence: u32,
    pub epoch: u32,
    pub model: &'static str,
    pub channel: &'static str,
    pub line: &'static str,
    /// What its files are filled with.
    pub fill: u8,
    /// Of its root's file system.
    pub blocks: u64,
}

impl Version {
    pub fn new(sequence: u32) -> Self {
        Self {
            sequence,
            epoch: 1,
            model: "b200",
            channel: "development",
            line: "stable",
            fill: u8::try_from(sequence % 251).unwrap(),
            blocks: BLOCKS,
        }
    }

    pub fn verity(&self) -> Verity {
        Verity {
            root: "ab".repeat(32).parse().unwrap(),
            salt: "00ff".parse().unwrap(),
            blocks: self.blocks,
        }
    }

    fn profile(&self) -> &'static str {
        if self.model.starts_with('b') {
            "hardware"
        } else {
            self.model
        }
    }
}

/// On a disk of memory, if there is one: tests sync thousands of times.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() {
        memory.into()
    } else {
        std::env::temp_dir()
    };
    tempfile::tempdir_in(place).unwrap()
}

impl Vendor {
    pub fn new() -> Self {
        let vendor = Self { folder: folder() };
        fs::create_dir(vendor.keys()).unwrap();
        vendor.root(&[]);
        vendor
    }

    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// A new root, with new keys for these roles.
    pub fn root(&self, roles: &[&str]) {
        let keys = self.keys();
        python(&["root", keys.to_str().unwrap()], roles);
    }

    /// The root of trust that an image made now comes with.
    pub fn first_root(&self) -> Vec<u8> {
        fs::read(self.keys().join("1.root.json")).unwrap()
    }

    /// What is to be served.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// An update file; the same is in the repository.
    pub fn make(&self, version: &Version) -> Vec<u8> {
        self.make_at(version, SystemTime::now())
    }

    /// The same, signed when the clock showed `time`.
    pub fn make_at(&self, version: &Version, time: SystemTime) -> Vec<u8> {
        let place = |name: &str| self.folder.path().join(name);
        let slot = place("slot");
        write_slot(&slot, version);
        let facts = format!(
            "version=0.{0}.0\nbuilt=1764000000\nsequence={0}\nepoch={1}\nchannel={2}\nprofile={3}\nschema=2\n",
            version.sequence,
            version.epoch,
            version.channel,
            version.profile()
        );
        fs::write(place("release"), facts).unwrap();
        fs::write(place("notes"), "Faster.\nSafer.\n").unwrap();
        let output = place("version.update");
        let arguments = [
            self.keys(),
            slot,
            place("release"),
            version.model.into(),
            version.line.into(),
            place("notes"),
            self.repository(),
            output.clone(),
        ];
        let arguments: Vec<&str> = arguments
            .iter()
            .map(|path| path.to_str().unwrap())
            .collect();
        python_at(time, &["sign"], &arguments);
        fs::read(output).unwrap()
    }
}

/// What a slot holds, as the image's scripts leave it.
fn write_slot(slot: &Path, version: &Version) {
    fs::create_dir_all(slot).unwrap();
    let root = vec![version.fill; usize::try_from(version.verity().bytes()).unwrap()];
    fs::write(slot.join("root.img"), root).unwrap();
    for (name, bytes) in [("initramfs", 3_000_000), ("kernel", 1_500)] {
        fs::write(slot.join(name), vec![version.fill ^ 0xff; bytes]).unwrap();
    }
    let description = format!(
        "set slot_version=0.{0}.0\nset slot_built=1764000000\nset slot_sequence={0}\nset slot_epoch={1}\n\
         set slot_root={2}\nset slot_salt=00ff\nset slot_blocks={5}\nset slot_channel={3}\n\
         set slot_profile={4}\n",
        version.sequence,
        version.epoch,
        "ab".repeat(32),
        version.channel,
        version.profile(),
        version.blocks
    );
    fs::write(slot.join("slot.cfg"), description).unwrap();
    for name in ["initramfs.sig", "kernel.sig", "slot.cfg.sig"] {
        fs::write(slot.join(name), vec![version.fill; 310]).unwrap();
    }
}

fn python(first: &[&str], more: &[&str]) {
    python_at(SystemTime::now(), first, more);
}

/// Runs the tool with another clock.
fn python_at(time: SystemTime, first: &[&str], more: &[&str]) {
    let time = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/board/common/update.py");
    let run = Command::new("python3")
        .args(["-c", RUN, tool, &time.to_string()])
        .args(first)
        .args(more)
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

/// Runs the program named first, at the time named second.
const RUN: &str = "import runpy, sys, time; tool, now, *rest = sys.argv[1:]; \
    time.time = lambda: int(now); sys.argv = [tool, *rest]; runpy.run_path(tool, run_name='__main__')";

/// Where the payload of an update file begins.
pub fn payload_at(file: &[u8]) -> usize {
    let length = u32::from_be_bytes(file[16..20].try_into().unwrap());
    HEADER_BYTES + length as usize
}
