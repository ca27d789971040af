//! What is in an image, and how it is made.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use jumpgate::boot::table::Place;

use crate::support::image::top;
use crate::support::{Disk, Image, run};

/// Mode and path of everything in the root that is started.
fn listing(image: &Image) -> Vec<(String, String)> {
    let mut list = Command::new("unsquashfs");
    let text = run(list.arg("-lln").arg(image.root()));
    let entries = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let mode = words.next().filter(|mode| mode.len() == 10)?;
        let (_, path) = line.split_once(" squashfs-root")?;
        Some((mode.to_owned(), path.to_owned()))
    });
    entries.collect()
}

#[test]
fn the_root_has_no_setuid_program_no_shell_no_login_and_no_secret() {
    let entries = listing(&Image::under_test());
    assert!(entries.len() > 20, "{entries:?}");
    let doors = [
        "sh", "ash", "bash", "dash", "login", "getty", "su", "sulogin", "sshd", "dropbear",
        "telnetd", "shadow",
    ];
    for (mode, path) in &entries {
        let place = format!("{mode} {path}");
        assert!(!mode.contains(['s', 'S', 't', 'T']), "{place}");
        let is_link = mode.starts_with('l');
        assert!(
            is_link || mode.as_bytes()[8] != b'w',
            "everybody may write {place}"
        );
        assert!(mode.starts_with(['-', 'd', 'l']), "{place}");
        let name = path
            .split(" -> ")
            .next()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap();
        assert!(!doors.contains(&name), "{place}");
        let is_key = Path::new(name)
            .extension()
            .is_some_and(|end| end == "key" || end == "pem");
        assert!(!is_key, "{place}");
    }
}

#[test]
fn nobody_of_the_root_can_log_in() {
    let users = Image::under_test().cat("etc/passwd");
    assert!(users.lines().count() > 2, "{users}");
    for user in users.lines() {
        let fields: Vec<&str> = user.split(':').collect();
        assert_eq!((fields[1], fields[6]), ("*", "/bin/false"), "{user}");
    }
}

#[test]
fn the_root_and_everything_an_update_carries_is_small_enough() {
    let image = Image::under_test();
    let size = |name: &str| std::fs::metadata(image.file(name)).unwrap().len();
    let root = size("slot/root.img");
    assert!(root <= 48 << 20, "{root} bytes of root");
    let all: u64 = ["root.img", "kernel", "initramfs", "slot.cfg", "BOOTX64.EFI"]
        .map(|name| size(&format!("slot/{name}")))
        .iter()
        .sum();
    assert!(all <= 64 << 20, "{all} bytes of update");
}

#[test]
fn the_same_sources_and_keys_make_the_same_image_except_for_signatures_of_the_firmwares_kind() {
    let image = Image::under_test();
    if image.release("backend") != "debian" {
        eprintln!("this one takes an hour");
        return;
    }
    let again = tempfile::tempdir().unwrap();
    let mut build = Command::new(top().join("scripts/build-image"));
    build.args([
        "--model",
        "b200",
        "--sequence",
        &image.release("sequence"),
        "--keys",
    ]);
    build.arg(Image::keys()).arg("--output").arg(again.path());
    run(&mut build);
    for name in [
        "root.img",
        "initramfs",
        "initramfs.sig",
        "slot.cfg",
        "slot.cfg.sig",
    ] {
        let one = std::fs::read(image.file(&format!("slot/{name}"))).unwrap();
        let two = std::fs::read(again.path().join("slot").join(name)).unwrap();
        assert!(one == two, "{name} differs");
    }
    for name in ["kernel", "BOOTX64.EFI"] {
        let bare = |folder: &Path| {
            let copy = again.path().join("bare");
            std::fs::copy(folder.join("slot").join(name), &copy).unwrap();
            run(Command::new("sbattach").arg("--remove").arg(&copy));
            std::fs::read(&copy).unwrap()
        };
        let one = bare(image.disk().parent().unwrap());
        assert!(
            one == bare(again.path()),
            "{name} differs below its signature"
        );
    }
    same_but_for_signatures(&image, &again.path().join("appliance.img"));
}

/// The EFI partition holds signatures, and nothing else does.
fn same_but_for_signatures(image: &Image, other: &Path) {
    let (start, size) = Disk::flashed(image).place(Place::Esp);
    let compare = |options: &[&str]| {
        let mut compare = Command::new("cmp");
        run(compare.args(options).arg(image.disk()).arg(other))
    };
    compare(&[&format!("--bytes={start}")]);
    compare(&[&format!("--ignore-initial={}", start + size)]);
    let files = |disk: &Path| {
        let partition = format!("{}@@{start}", disk.display());
        run(Command::new("mdir").args(["-/", "-i", &partition, "::"]))
    };
    assert_eq!(files(&image.disk()), files(other), "files, in their order");
}

#[test]
fn what_build_image_is_not_given_right_it_names() {
    let refusal = |words: &[&str], path: Option<&Path>| {
        let mut build = Command::new(top().join("scripts/build-image"));
        build.args(words);
        if let Some(path) = path {
            build.env("PATH", path);
        }
        let output = build.output().unwrap();
        assert!(!output.status.success(), "{words:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refusal(&["--model", "b900"], None);
    assert!(
        said.contains("unknown model 'b900', expected b200,"),
        "{said}"
    );
    let said = refusal(&[], None);
    assert!(said.contains("which model?"), "{said}");
    let said = refusal(&["--model", "b200", "--with", "magic"], None);
    assert!(said.contains("unknown back end 'magic'"), "{said}");
}

#[test]
fn a_tool_that_is_missing_is_named() {
    // Every tool of this machine but one, and no way to install it.
    let folder = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::new();
    let path = std::env::var_os("PATH").unwrap();
    for tool in std::env::split_paths(&path)
        .flat_map(std::fs::read_dir)
        .flatten()
        .flatten()
    {
        let name = tool.file_name();
        let left_out = ["mksquashfs", "apt-get", "apt-cache", "sudo", "dpkg-query"];
        if left_out.iter().all(|out| name != *out) && seen.insert(name.clone()) {
            std::os::unix::fs::symlink(tool.path(), folder.path().join(name)).unwrap();
        }
    }
    let script = "source scripts/lib.sh; need gpg mksquashfs";
    let output = Command::new(folder.path().join("bash"))
        .current_dir(top())
        .args(["-euc", script])
        .env("PATH", folder.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("mksquashfs"), "{said}");
}
