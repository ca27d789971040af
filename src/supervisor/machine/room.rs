//! Room that is kept on the data partition, for the day it is full.
//!
//! Neither relay nor web starts on a disk without a free block, and then there is no page to say so.
//! A file of no content takes some; on a full disk it goes, and the pages come up.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

use nix::fcntl::{FallocateFlags, fallocate};

use super::facts;
use super::places::{self, Places};
use crate::domain::limits::{DATA_FREE_BYTES_MIN, ROOM_BYTES};

/// In the root of the data partition.
const FILE: &str = "room";

/// To be called before anything writes there. Returns what is to be noted, once there is a log: before
/// that, a line would be drawn across the console.
pub(super) fn settle(places: &Places) -> Option<String> {
    let path = places.data().join(FILE);
    let free = facts::storage(places).free_bytes;
    let done = if free < DATA_FREE_BYTES_MIN {
        if !path.exists() {
            return None;
        }
        places::remove(&path)
    } else if !path.exists() && free >= 4 * ROOM_BYTES {
        take(places)
    } else {
        return None;
    };
    Some(match done {
        Ok(()) if path.exists() => return None,
        Ok(()) => "the data partition is full: what was kept free is used now".to_owned(),
        Err(error) => format!("{}: {error}", path.display()),
    })
}

fn take(places: &Places) -> io::Result<()> {
    let path = places.data().join(FILE);
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let bytes = i64::try_from(ROOM_BYTES).unwrap_or(i64::MAX);
    fallocate(&file, FallocateFlags::empty(), 0, bytes).inspect_err(|_| {
        // Half of it would count as all of it.
        let _ = std::fs::remove_file(&path);
    })?;
    file.sync_all()
}
