//! A slot with a root of its own, signed as the image is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::image::top;
use super::{Image, run};

/// What is new in it.
pub const NOTES: &str = "Support sessions go on after an update.";

/// What an update would carry.
pub struct Variant {
    folder: tempfile::TempDir,
    version: String,
}

impl Variant {
    /// The image's content after `change` has been at its root, newer by `newer` minutes.
    pub fn new(image: &Image, newer: u64, change: impl FnOnce(&Path)) -> Self {
        Self::of_parts(image, newer, |folder| change(&folder.join("target")))
    }

    /// The same after `change` has been in the folder of what a slot is made of: `target`, `bzImage`,
    /// `init`.
    pub fn of_parts(image: &Image, newer: u64, change: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let mut unpack = Command::new("unsquashfs");
        unpack
            .args(["-quiet", "-no-progress", "-dest"])
            .arg(&target);
        run(unpack.arg(image.root()));
        for name in ["bzImage", "init", "modules"] {
            if image.file(name).exists() {
                let mut copy = Command::new("cp");
                run(copy
                    .arg("--archive")
                    .arg(image.file(name))
                    .arg(folder.path()));
            }
        }
        let version = format!("{}.newer", image.release("version"));
        let sequence: u64 = image.release("sequence").parse().unwrap();
        let sequence = (sequence + newer).to_string();
        call(&target, &version, &sequence);
        change(folder.path());
        let script = "source scripts/lib.sh; source scripts/steps.sh; source scripts/image.sh; \
                      output=$1; image_root \"$1/target\" && board/common/post-image.sh \"$1\"";
        let mut compose = Command::new("bash");
        compose
            .current_dir(top())
            .args(["-euc", script, "compose"])
            .arg(folder.path())
            .env("JUMPGATE_VERSION", &version)
            .env("JUMPGATE_COMMIT", image.release("commit"))
            .env("JUMPGATE_BUILT", image.release("built"))
            .env("JUMPGATE_SEQUENCE", &sequence)
            .env("JUMPGATE_EPOCH", image.release("epoch"))
            .env("JUMPGATE_SCHEMA", image.release("schema"))
            .env("JUMPGATE_PROFILE", image.release("profile"))
            .env("JUMPGATE_CHANNEL", image.release("channel"))
            .env("JUMPGATE_BACKEND", image.release("backend"))
            .env("JUMPGATE_KEYS", Image::keys());
        run(&mut compose);
        fs::remove_file(folder.path().join("installer.img")).unwrap();
        let facts = [("version", version.clone()), ("sequence", sequence)];
        let same = ["built", "epoch", "channel", "profile", "schema"];
        let same = same.map(|key| (key, image.release(key)));
        let lines = facts.into_iter().chain(same);
        let lines: Vec<String> = lines.map(|(key, value)| format!("{key}={value}")).collect();
        let text = lines.join("\n") + "\n";
        fs::write(folder.path().join("release"), text).unwrap();
        Self { folder, version }
    }

    /// As people read it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// To be flashed.
    pub fn image(&self) -> Image {
        Image::of(self.folder.path())
    }

    /// The update file that brings it.
    pub fn update(&self) -> PathBuf {
        self.update_into(&self.folder.path().join("repository"))
    }

    /// The same, and what a server offers it from.
    pub fn update_into(&self, repository: &Path) -> PathBuf {
        let file = self.folder.path().join("version.update");
        let notes = self.folder.path().join("notes");
        fs::write(&notes, NOTES).unwrap();
        let mut sign = Command::new(top().join("scripts/sign-update"));
        sign.args(["--model", "b200", "--image"])
            .arg(self.folder.path())
            .arg("--keys")
            .arg(Image::keys())
            .arg("--notes")
            .arg(&notes)
            .arg("--repository")
            .arg(repository)
            .arg("--output")
            .arg(&file);
        run(&mut sign);
        file
    }

    /// Its files.
    pub fn slot(&self) -> PathBuf {
        self.folder.path().join("slot")
    }
}

/// Has the root in `target` say of itself that it is this version.
fn call(target: &Path, version: &str, sequence: &str) {
    let file = target.join("etc/jumpgate/release");
    let text = fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some(("version", _)) => format!("version={version}\n"),
        Some(("sequence", _)) => format!("sequence={sequence}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(file, lines.collect::<String>()).unwrap();
}
