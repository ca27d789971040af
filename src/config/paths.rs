//! Where everything is below the state directory.

use std::path::{Path, PathBuf};

/// The state directory's layout. Folders are made, with their owners, by the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// Below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The state directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The start-up file.
    pub fn config(&self) -> PathBuf {
        self.root.join("appliance.toml")
    }

    /// Written when the site serves, for scripts.
    pub fn ready(&self) -> PathBuf {
        self.root.join("ready.json")
    }

    /// Keys and certificates; only the relay's user can read it.
    pub fn keys(&self) -> PathBuf {
        self.root.join("relay")
    }

    /// The store's folder: SQLite keeps its journals beside the file. Shared by relay and web.
    pub fn store_folder(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.store_folder().join("appliance.db")
    }

    /// Transcripts: written by the relay, read by web.
    pub fn recordings(&self) -> PathBuf {
        self.root.join("recordings")
    }

    /// Sockets.
    pub fn sockets(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The relay answers questions here.
    pub fn control_socket(&self) -> PathBuf {
        self.sockets().join("control.sock")
    }

    /// Web takes handed-over connections here.
    pub fn web_socket(&self) -> PathBuf {
        self.sockets().join("web.sock")
    }

    /// What programs write to standard error, a file each.
    pub fn logs(&self) -> PathBuf {
        self.root.join("log")
    }
}
