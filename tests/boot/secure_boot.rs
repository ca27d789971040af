//! Firmware that starts only what our keys have signed.

use std::process::Command;

use crate::only_nightly;
use crate::support::{Disk, Image, Machine, Setup, run};

fn secure() -> Setup {
    Setup {
        secure_boot: true,
        tpm: true,
        ..Setup::default()
    }
}

#[test]
fn the_firmware_refuses_a_loader_that_is_not_signed_or_was_changed() {
    let signed = Disk::flashed(&Image::under_test());
    let path = "/EFI/BOOT/BOOTX64.EFI";
    let folder = tempfile::tempdir().unwrap();
    let loader = folder.path().join("loader");
    std::fs::write(&loader, signed.read(path).unwrap()).unwrap();
    run(Command::new("sbattach").arg("--remove").arg(&loader));
    let unsigned = std::fs::read(&loader).unwrap();
    for damage in ["unsigned", "changed"] {
        let disk = Disk::flashed(&Image::under_test());
        match damage {
            "unsigned" => disk.write(path, &unsigned),
            _ => disk.flip_file(path),
        }
        let mut machine = Machine::start(&disk, &secure());
        machine.says("Access Denied");
        assert!(!machine.has_said("GRUB"), "{damage}");
    }
}

#[test]
fn nothing_that_lost_its_signature_is_started() {
    only_nightly!();
    for name in ["kernel", "initramfs", "slot.cfg"] {
        let disk = Disk::flashed(&Image::under_test());
        disk.remove(&format!("/jumpgate/a/{name}.sig"));
        let mut machine = Machine::start(&disk, &secure());
        machine.says("Slot r: version");
        machine.serves();
        let screen = machine.shows("RECOVERY");
        assert!(screen.contains("DEVELOPMENT"), "{name}: {screen}");
    }
}
