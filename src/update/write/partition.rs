//! A partition that chunks are written to, several at once, from memory that its disk takes them from
//! by itself.
//!
//! The system keeps no copy: that is faster, nothing is put off until the end, and a disk that fails
//! says so at once.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::rc::Rc;

use nix::fcntl::OFlag;
use tokio::task::JoinHandle;
use tokio_uring::fs::{File, OpenOptions};

use super::buffer::Buffer;
use crate::domain::limits::UPDATE_WRITES_MAX;

/// Opened to be written.
pub struct Partition {
    file: Rc<File>,
    /// Oldest first, at most [`UPDATE_WRITES_MAX`].
    underway: VecDeque<JoinHandle<(Buffer, io::Result<()>)>>,
    spare: Vec<Buffer>,
}

impl Partition {
    /// File systems that cannot write past the system's copy (a test's) do it as usual.
    pub async fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        let mut direct = options.clone();
        direct.custom_flags(OFlag::O_DIRECT.bits());
        let file = match direct.open(path).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => options.open(path).await,
            opened => opened,
        };
        Ok(Self {
            file: Rc::new(file?),
            underway: VecDeque::new(),
            spare: Vec::new(),
        })
    }

    /// For the next chunk.
    pub fn buffer(&mut self) -> Buffer {
        self.spare.pop().unwrap_or_default()
    }

    /// Writes a chunk to `at` while the next ones come in; waits only if there are too many already.
    ///
    /// # Errors
    ///
    /// Of a chunk before.
    pub async fn write(&mut self, mut buffer: Buffer, at: u64) -> io::Result<()> {
        while self.underway.len() >= UPDATE_WRITES_MAX {
            self.wait_for_one().await?;
        }
        let file = Rc::clone(&self.file);
        self.underway.push_back(tokio_uring::spawn(async move {
            let done = buffer
                .lend(0, async |from| file.write_all_at(from, at).await)
                .await;
            (buffer, done)
        }));
        Ok(())
    }

    /// Afterwards nothing is being written any more.
    ///
    /// # Errors
    ///
    /// The first of those that were still being written.
    pub async fn settle(&mut self) -> io::Result<()> {
        let mut done = Ok(());
        while !self.underway.is_empty() {
            done = done.and(self.wait_for_one().await);
        }
        done
    }

    /// Afterwards the disk has everything.
    pub async fn keep(&mut self) -> io::Result<()> {
        self.settle().await?;
        self.file.sync_data().await
    }

    async fn wait_for_one(&mut self) -> io::Result<()> {
        let Some(oldest) = self.underway.pop_front() else {
            return Ok(());
        };
        let (buffer, done) = oldest.await.expect("writing does not panic");
        self.spare.push(buffer);
        done
    }
}
