//! Where everything is below the state directory.

use std::path::{Path, PathBuf};

use super::Generation;

/// The state directory of an appliance image.
pub const ON_APPLIANCE: &str = "/data/jumpgate";

/// One line of plain words about what is going on, for the console to show while nothing of the
/// appliance answers yet. Written by whoever keeps it waiting; may be left behind.
pub const DOING: &str = "/run/jumpgate/doing";

/// The state directory's layout. Folders are made, with their owners, by the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
    generation: Option<Generation>,
}

impl Paths {
    /// Below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            generation: None,
        }
    }

    /// The same with the store of an image.
    #[must_use]
    pub fn of_generation(mut self, generation: Option<Generation>) -> Self {
        self.generation = generation;
        self
    }

    /// Whose store it is; none where there is no image.
    pub fn generation(&self) -> Option<Generation> {
        self.generation
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

    /// The store: on an image, that of its generation.
    pub fn store(&self) -> PathBuf {
        let name = match self.generation {
            Some(Generation { sequence, .. }) => format!("appliance-{sequence}.db"),
            None => "appliance.db".to_owned(),
        };
        self.store_folder().join(name)
    }

    /// Whether anything here is a store, of whichever image.
    pub fn has_store(&self) -> bool {
        let files = std::fs::read_dir(self.store_folder());
        files.into_iter().flatten().flatten().any(|file| {
            let path = file.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("appliance"))
                && path.extension().is_some_and(|found| found == "db")
        })
    }

    /// Copies of the store from before updates; only the relay's user can read them.
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
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

    /// On an appliance image the supervisor answers questions about the machine here; root only.
    pub fn machine_socket(&self) -> PathBuf {
        self.sockets().join("machine.sock")
    }

    /// On an appliance image the update agent takes updates here.
    pub fn update_socket(&self) -> PathBuf {
        self.sockets().join("update.sock")
    }

    /// The update agent's verifier finds its writer here.
    pub fn writer_socket(&self) -> PathBuf {
        self.sockets().join("writer.sock")
    }

    /// The update agent's fetcher finds its verifier here.
    pub fn fetch_socket(&self) -> PathBuf {
        self.sockets().join("fetch.sock")
    }

    /// On an appliance image, what the supervisor knows of the machine, for pages.
    pub fn machine(&self) -> PathBuf {
        self.sockets().join("machine.json")
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
