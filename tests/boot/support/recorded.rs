//! An install of which every write is known, in order, and the disk as a power cut could leave it.
//!
//! QEMU logs what the machine writes and flushes (`blklogwrites`); `tests/boot/crash/states.py` makes
//! states of the log and judges them. Nothing of that is ours that is judged.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use jumpgate::boot::System;
use serde_json::Value;

use super::image::top;
use super::{Admin, Disk, Image, Machine, Seed, Setup, Variant, run};

/// As `scripts/run-qemu` gives it to a machine.
const DISK_BYTES: u64 = 8 << 30;

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// An install over a version that had proved itself, up to the mark that it is to be tried. That
    /// version has to go first, and no byte of it is left.
    Install,
    /// The first update of an appliance, into an empty slot, until the new version has proved itself.
    FirstUntilProved,
}

/// Two versions, and what it took to get from one to the other.
pub struct Recorded {
    folder: PathBuf,
    /// Bytes of the log when the install began, and when it had ended.
    span: [u64; 2],
}

/// What was found wrong, and in how many states.
pub struct Judged(Value);

impl Recorded {
    /// Records it. What an earlier run recorded of the same image serves again.
    pub fn new(course: Course) -> Self {
        let image = Image::under_test();
        let folder = place().join(format!("recorded-{course:?}"));
        let recorded = folder.join("recorded");
        let stamp = fs::read_to_string(image.file("slot/slot.cfg")).unwrap();
        if let Ok(text) = fs::read_to_string(&recorded)
            && let Some((span, of)) = text.split_once('\n')
            && of == stamp
        {
            let (begin, end) = span.split_once(' ').unwrap();
            let span = [begin.parse().unwrap(), end.parse().unwrap()];
            return Self { folder, span };
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        let span = record(&folder, &image, course);
        let recording = Self { folder, span };
        recording.states("prepare", &[recording.begin()]);
        // Last, so that a recording that broke off is begun anew.
        fs::write(recorded, format!("{} {}\n{stamp}", span[0], span[1])).unwrap();
        recording
    }

    /// Where whoever works with it keeps what it knows of earlier runs; gone with the recording.
    pub fn note(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn begin(&self) -> String {
        self.span[0].to_string()
    }

    fn states(&self, command: &str, more: &[String]) -> String {
        let mut states = Command::new("python3");
        states
            .arg("-B")
            .arg(top().join("tests/boot/crash/states.py"));
        states
            .arg(command)
            .arg(self.note("disk.img"))
            .arg(self.note("writes"));
        run(states.args(more))
    }

    /// What both commands below begin with.
    fn chosen(&self, seed: Seed, count: usize) -> Vec<String> {
        let keyring = Image::keys().join("boot.pub");
        let old = Image::under_test().file("slot");
        let mut words = self.span.map(|at| at.to_string()).to_vec();
        for path in [keyring, self.note("before"), old, self.note("new")] {
            words.push(path.to_str().unwrap().to_owned());
        }
        words.extend([seed.0.to_string(), count.to_string()]);
        words
    }

    /// Judges this many states. `flags` go to the judge.
    pub fn judge(&self, seed: Seed, count: usize, flags: &[&str]) -> Judged {
        let mut words = self.chosen(seed, count);
        words.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Judged(serde_json::from_str(&self.states("judge", &words)).unwrap())
    }

    /// A disk in one of these states, and the slot that the judge says starts from it.
    pub fn state(&self, seed: Seed, count: usize, number: usize) -> (Disk, System) {
        let disk = Disk::empty(DISK_BYTES);
        let mut words = self.chosen(seed, count);
        words.extend([number.to_string(), disk.raw().to_str().unwrap().to_owned()]);
        let told: Value = serde_json::from_str(&self.states("write", &words)).unwrap();
        match told["starts"].as_str() {
            Some("a") => (disk, System::A),
            Some("b") => (disk, System::B),
            _ => panic!("{told}"),
        }
    }
}

impl Judged {
    /// A number of the report.
    pub fn count(&self, name: &str) -> u64 {
        self.0[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} of {}", self.0))
    }
}

impl std::fmt::Display for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A slot that the boot loader takes for good, and of whose boot files no byte is the image's or an
/// update's: this install has to take it out of use and to write all of it over.
fn make_other(slot: &Path, other: &Path) {
    let mut copy = Command::new("cp");
    run(copy.arg("--recursive").arg(slot).arg(other));
    for name in ["kernel", "initramfs"] {
        let bytes = fs::read(slot.join(name)).unwrap();
        let others: Vec<u8> = bytes.into_iter().map(|byte| !byte).collect();
        fs::write(other.join(name), others).unwrap();
    }
    let script = "export GNUPGHOME=$(mktemp --directory); \
                  trap 'gpgconf --kill all; rm --recursive --force -- \"$GNUPGHOME\"' EXIT; \
                  gpg --quiet --batch --import \"$2\"; \
                  for name in kernel initramfs; do gpg --quiet --batch --yes --digest-algo SHA512 \
                  --detach-sign --output \"$1/$name.sig\" \"$1/$name\"; done";
    let mut sign = Command::new("bash");
    sign.args(["-euc", script, "sign"]).arg(other);
    run(sign.arg(Image::keys().join("boot.key")));
}

/// Returns where in the log the install begins and ends.
fn record(folder: &Path, image: &Image, course: Course) -> [u64; 2] {
    let newer = Variant::new(image, 1, |root| {
        // Packed first and as it is: everything behind it lies elsewhere than in the slot before.
        let noise: Vec<u8> = (0..200_001)
            .map(|at| u8::try_from(Seed(0).draw(at, 256)).unwrap())
            .collect();
        fs::write(root.join("0"), noise).unwrap();
    });
    let mut copy = Command::new("cp");
    run(copy
        .arg("--recursive")
        .arg(newer.slot())
        .arg(folder.join("new")));
    let before = folder.join("before");
    make_other(&image.file("slot"), &before);
    let disk = Disk::flashed(image);
    if course == Course::Install {
        disk.install(System::B, &before);
        disk.write("/jumpgate/b/good", b"");
        disk.set_environment(&[("b_good", "1")]);
    }
    let first = folder.join("disk.img");
    let mut copy = Command::new("cp");
    run(copy.arg("--sparse=always").arg(disk.raw()).arg(&first));
    let file = File::options().write(true).open(&first).unwrap();
    file.set_len(DISK_BYTES).unwrap();
    let log = folder.join("writes");
    File::create(&log).unwrap();
    let mut create = Command::new("qemu-img");
    create.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
    run(create.arg(&first).arg(disk.overlay()));
    // The disk of `scripts/run-qemu` is an empty one beside it.
    let beside = Disk::empty(1 << 20);
    let mut machine = Machine::start(&beside, &logged(&disk.overlay(), &log));
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");
    admin.may_update(&machine);
    let written = || log.metadata().unwrap().len();
    let begin = written();
    let heard = admin.install(&machine, &newer.update());
    assert_eq!(heard["done"], true, "{heard}");
    if course == Course::FirstUntilProved {
        admin.restart(&machine);
        machine.says("Slot b: version");
        machine.serves();
        admin.proves(&machine);
    }
    let span = [begin, written()];
    machine.unplug();
    span
}

/// A machine that runs from `overlay` and whose writes go to `log` as well.
fn logged(overlay: &Path, log: &Path) -> Setup {
    let (overlay, log) = (overlay.display(), log.display());
    // Flushes have to reach the log, but nothing of this has to survive a fault of this machine.
    let drive = format!(
        "if=none,id=logged,driver=blklogwrites,cache=writeback,discard=unmap,\
         file.driver=qcow2,file.cache.no-flush=on,file.file.driver=file,\
         file.file.filename={overlay},log.driver=file,log.filename={log},\
         log.cache.no-flush=on"
    );
    let device = "virtio-blk-pci,drive=logged,bootindex=0";
    let qemu = ["-drive", &drive, "-device", device];
    Setup {
        qemu: qemu.map(str::to_owned).to_vec(),
        ..Setup::default()
    }
}

/// The bench, which takes this folder along, has no place of its own.
fn place() -> PathBuf {
    option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from)
}
