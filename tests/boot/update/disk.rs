//! A disk that fails in the place of the new version: QEMU says an error for a sector of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jumpgate::boot::System;
use jumpgate::boot::table::Place;

use crate::only_nightly;
use crate::support::{Admin, BOOT, Disk, Image, Machine, Setup, Variant};

const SECTOR: u64 = 512;

/// Makes a QEMU in `folder` whose disk fails when this sector is written for the first time, and
/// whenever that one is read.
fn failing_qemu(folder: &Path, written: u64, read: u64) -> Setup {
    let script = format!(
        "#!/usr/bin/env bash\n\
         # Puts itself between scripts/run-qemu and QEMU, and errors into the disk.\n\
         words=()\n\
         for word; do\n\
           if [[ $word == if=none,id=disk,file=* ]]; then\n\
             file=${{word#*file=}}\n\
             word=if=none,id=disk,driver=blkdebug,image.driver=qcow2,image.file.driver=file\n\
             word+=,image.file.filename=${{file%%,*}}\n\
             word+=,inject-error.0.event=none,inject-error.0.iotype=write\n\
             word+=,inject-error.0.sector={written},inject-error.0.once=on\n\
             word+=,inject-error.1.event=none,inject-error.1.iotype=read\n\
             word+=,inject-error.1.sector={read}\n\
           fi\n\
           words+=(\"$word\")\n\
         done\n\
         PATH=${{PATH#*:}} exec qemu-system-x86_64 \"${{words[@]}}\"\n"
    );
    let program = folder.join("qemu-system-x86_64");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("PATH={}:{path}", folder.display());
    Setup {
        within: vec!["env".into(), path],
        ..Setup::default()
    }
}

#[test]
fn a_disk_that_fails_is_named_and_the_running_slot_is_not_touched() {
    only_nightly!();
    let disk = Disk::flashed(&Image::under_test());
    let newer = Variant::new(&Image::under_test(), 1, |_| {});
    let running = disk.hash_of(Place::A);
    let (start, _) = disk.place(Place::B);
    let folder = tempfile::tempdir().unwrap();
    let [written, read] = [2_u64 << 20, 5 << 20].map(|within| (start + within) / SECTOR);
    let setup = failing_qemu(folder.path(), written, read);
    let mut machine = Machine::start(&disk, &setup);
    let admin = Admin::set_up(&mut machine);
    let update = newer.update();
    for said in ["failed when it was to keep what was written", "read back"] {
        admin.sees(&machine, BOOT, |status| {
            status["blocked"].is_null() && status["phase"]["phase"] == "idle"
        });
        let heard = admin.install(&machine, &update);
        let error = heard["error"].as_str().unwrap_or_else(|| panic!("{heard}"));
        assert!(error.contains(said), "{error}");
        assert!(error.contains("replace the disk"), "{error}");
        let status = admin.status(&machine);
        assert_eq!(status["history"][0]["what"], "stopped", "{status:#}");
    }
    machine.unplug();
    assert_eq!(disk.hash_of(Place::A), running);
    assert_eq!(disk.environment().trial(), None);
    assert_eq!(disk.environment().tries_left(System::B), 0);
    assert!(disk.read("/jumpgate/b/slot.cfg").is_none());
}
