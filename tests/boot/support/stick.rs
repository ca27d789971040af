//! A USB stick with files on it, to be plugged in and pulled out, and another that stays.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Machine, Setup, run};

/// Bytes a second that it can be read at: slow enough to be pulled out in the middle.
const SPEED: u32 = 4 << 20;

/// What somebody brings along.
pub struct Stick {
    folder: tempfile::TempDir,
}

impl Stick {
    /// A FAT file system over the whole of it, with these files.
    pub fn with(files: &[(&str, &Path)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stick = Self { folder };
        let bytes: u64 = files
            .iter()
            .map(|(_, path)| path.metadata().unwrap().len())
            .sum();
        let image = File::create(stick.image()).unwrap();
        image.set_len(bytes + (64 << 20)).unwrap();
        let mut format = Command::new("/sbin/mkfs.vfat");
        run(format.args(["-F", "32"]).arg(stick.image()));
        for (name, path) in files {
            let mut copy = Command::new("mcopy");
            copy.arg("-i").arg(stick.image()).arg(path);
            run(copy.arg(format!("::{name}")));
        }
        stick
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("stick.img")
    }

    /// Another stick, with ext4 on it: a file that is no update, and links.
    fn other(&self) -> PathBuf {
        let (files, image) = (
            self.folder.path().join("files"),
            self.folder.path().join("other.img"),
        );
        std::fs::create_dir(&files).unwrap();
        std::fs::write(files.join("plain.update"), "not an update").unwrap();
        symlink("/etc/jumpgate/release", files.join("link.update")).unwrap();
        symlink("plain.update", files.join("short.update")).unwrap();
        let mut format = Command::new("/sbin/mke2fs");
        format.args(["-q", "-t", "ext4", "-e", "panic", "-d"]);
        run(format.arg(&files).arg(&image).arg("16M"));
        image
    }

    /// `setup` with a USB port and both sticks in it.
    pub fn plugged_in(&self, mut setup: Setup) -> Setup {
        let (file, other) = (self.image(), self.other());
        setup.qemu.extend(
            [
                "-object",
                &format!("throttle-group,id=slow,x-bps-read={SPEED}"),
                "-blockdev",
                &format!(
                    "driver=raw,node-name=flash,read-only=on,file.driver=file,file.filename={}",
                    file.display()
                ),
                "-blockdev",
                "driver=throttle,node-name=slowed,read-only=on,throttle-group=slow,file=flash",
                "-device",
                "qemu-xhci,id=usb",
                "-device",
                "usb-storage,id=stick,bus=usb.0,drive=slowed",
                "-blockdev",
                &format!(
                    "driver=raw,node-name=other,read-only=on,file.driver=file,file.filename={}",
                    other.display()
                ),
                "-device",
                "usb-storage,bus=usb.0,drive=other",
            ]
            .map(str::to_owned),
        );
        setup
    }

    /// Pulls it out. QEMU's monitor shares the serial line: Ctrl-A C goes there and back.
    pub fn pull_out(machine: &mut Machine<'_>) {
        machine.press("\x01cdevice_del stick\n\x01c\x0c");
    }

    /// Puts it back.
    pub fn put_back(machine: &mut Machine<'_>) {
        machine.press("\x01cdevice_add usb-storage,id=stick,bus=usb.0,drive=slowed\n\x01c");
        // The monitor wrote where the console did not.
        machine.press("\x0c");
    }
}
