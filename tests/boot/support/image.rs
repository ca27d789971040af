//! What `scripts/build-image` has made.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;

/// The folder of one model.
#[derive(Clone, Debug)]
pub struct Image {
    folder: PathBuf,
}

/// The top folder.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Image {
    /// The image under test: the one in `JUMPGATE_IMAGE`, or the development image of the B200.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn under_test() -> Self {
        let named = std::env::var_os("JUMPGATE_IMAGE").map(PathBuf::from);
        let folder = named.unwrap_or_else(|| top().join("output/b200"));
        let image = Self { folder };
        let file = image.disk();
        assert!(
            file.exists(),
            "there is no {}: make it with scripts/build-image --model b200",
            file.display()
        );
        image
    }

    /// Another one.
    pub fn of(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { folder }
    }

    /// For a disk.
    pub fn disk(&self) -> PathBuf {
        self.file("appliance.img")
    }

    /// Something beside it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The root that is started, with its hash tree.
    pub fn root(&self) -> PathBuf {
        self.file("slot/root.img")
    }

    /// A file of the root.
    pub fn cat(&self, path: &str) -> String {
        let mut cat = Command::new("unsquashfs");
        run(cat.arg("-cat").arg(self.root()).arg(path))
    }

    /// The keys that images are signed with.
    pub fn keys() -> PathBuf {
        let named = std::env::var_os("JUMPGATE_KEYS").map(PathBuf::from);
        named.unwrap_or_else(|| top().join("output/keys"))
    }

    /// The certificates for the firmware.
    pub fn certificates(&self) -> PathBuf {
        self.file("secure-boot")
    }

    /// A value of `etc/jumpgate/release` in its root.
    pub fn release(&self, key: &str) -> String {
        let text = self.cat("etc/jumpgate/release");
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(name, _)| *name == key).unwrap().1.to_owned()
    }
}
