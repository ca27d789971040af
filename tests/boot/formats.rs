//! What hypervisors take.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::only_nightly;
use crate::support::disk::Disk;
use crate::support::image::top;
use crate::support::{Image, Machine, Setup, run};

/// An image of the smallest virtual size, made anew.
fn composed(folder: &Path) {
    let mut build = Command::new(top().join("scripts/build-image"));
    build.args(["--model", "va-s", "--keys"]).arg(Image::keys());
    run(build.arg("--output").arg(folder));
}

/// Whether the content of `disk` is the image, with nothing behind it.
fn holds_the_image(image: &Path, disk: &Path) {
    let raw = disk.with_extension("raw");
    let mut convert = Command::new("qemu-img");
    convert.args(["convert", "-O", "raw"]).arg(disk).arg(&raw);
    run(&mut convert);
    // Equal but for the image's end: what is behind it reads as zeros, which `compare` allows.
    let mut compare = Command::new("qemu-img");
    compare.args(["compare", "-f", "raw", "-F", "raw"]);
    run(compare.arg(&raw).arg(image));
    fs::remove_file(raw).unwrap();
}

#[test]
fn a_virtual_size_comes_as_qcow2_and_ova_with_the_same_disk_and_starts() {
    only_nightly!();
    let folder = tempfile::tempdir().unwrap();
    composed(folder.path());
    let image = folder.path().join("appliance.img");
    let mut list = Command::new("tar");
    let names = run(list
        .arg("--list")
        .arg("--file")
        .arg(folder.path().join("appliance.ova")));
    // The order that the format asks for (DSP0243, 2.1).
    let ends: Vec<&str> = names
        .lines()
        .filter_map(|name| name.rsplit('.').next())
        .collect();
    assert_eq!(ends, ["ovf", "mf", "vmdk"]);
    let unpacked = folder.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let mut unpack = Command::new("tar");
    unpack
        .arg("--extract")
        .arg("--file")
        .arg(folder.path().join("appliance.ova"));
    run(unpack.arg("--directory").arg(&unpacked));
    let of = |end: &str| unpacked.join(names.lines().find(|name| name.ends_with(end)).unwrap());
    let manifest = fs::read_to_string(of(".mf")).unwrap();
    for end in [".ovf", ".vmdk"] {
        let hash = run(Command::new("sha256sum").arg(of(end)));
        let hash = hash.split_whitespace().next().unwrap();
        assert!(manifest.contains(hash), "{end}: {manifest}");
    }
    let description = fs::read_to_string(of(".ovf")).unwrap();
    let size = of(".vmdk").metadata().unwrap().len();
    assert!(
        description.contains(&format!("ovf:size=\"{size}\"")),
        "{description}"
    );
    assert!(
        description.contains("vmw:key=\"firmware\" vmw:value=\"efi\""),
        "{description}"
    );
    holds_the_image(&image, &of(".vmdk"));
    holds_the_image(&image, &folder.path().join("appliance.qcow2"));

    let disk = Disk::virtual_one(&folder.path().join("appliance.qcow2"));
    let virtual_machine = Setup {
        model: "va-s",
        ..Setup::default()
    };
    let mut machine = Machine::start(&disk, &virtual_machine);
    machine.serves();
    machine.shows("Virtual S");
}
