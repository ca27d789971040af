//! The update agent's three processes and the sockets between them.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::config::Paths;
use crate::domain::limits::READY_WITHIN;
use crate::sandbox::users::{FETCH, Identity, UPDATE};
use crate::supervisor::log;
use crate::supervisor::ports::{PortsError, local, private};
use crate::supervisor::program::Program;

/// Root, and no network.
pub(super) const WRITER: &str = "update-write";
/// Neither files nor network.
pub(super) const VERIFIER: &str = "update-verify";

/// Network, and nothing else.
pub(super) const FETCHER: &str = "update-fetch";

/// What is started once pages are served.
pub(super) struct Agent {
    pub(super) writer: Program,
    pub(super) verifier: Program,
    pub(super) fetcher: Program,
}

impl Agent {
    /// With their sockets, and the programs from `folder`.
    pub(super) fn new(paths: &Paths, folder: &Path) -> Result<Self, PortsError> {
        let updates = local(&paths.update_socket())?;
        let writer = private(&paths.writer_socket(), UPDATE)?;
        let fetcher = private(&paths.fetch_socket(), FETCH)?;
        let program = |name, role: &str, user, sockets: Vec<(&'static str, OwnedFd)>| Program {
            name,
            file: folder.join("update-agent"),
            arguments: [role, "--state"]
                .map(OsString::from)
                .into_iter()
                .chain([paths.root().into()])
                .collect(),
            identity: Some(Identity::of(user)),
            sockets,
            hands_over: false,
            log: log::file(&paths.logs(), name),
            ready_within: READY_WITHIN,
        };
        Ok(Self {
            writer: program(WRITER, "write", 0, vec![("writer", writer.into())]),
            verifier: program(
                VERIFIER,
                "verify",
                UPDATE,
                vec![("update", updates.into()), ("fetch", fetcher.into())],
            ),
            fetcher: program(FETCHER, "fetch", FETCH, vec![]),
        })
    }
}
