//! The store from async code: one thread, one connection, a bounded queue of jobs.
//!
//! SQLite blocks, and the runtime's threads must not. A full queue makes askers wait, and the
//! request's own deadline ends that.

use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::http::Failure;
use crate::domain::limits::WEB_STORE_QUEUE_MAX;
use crate::store::{Connection, Database, StoreError, Transaction};

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// Where jobs for the store go. The thread ends when the last of these is dropped.
#[derive(Clone, Debug)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
}

impl Store {
    /// Starts the thread that owns `database`.
    pub fn start(mut database: Database) -> std::io::Result<Self> {
        let (jobs, mut queue) = mpsc::channel::<Job>(WEB_STORE_QUEUE_MAX);
        thread::Builder::new().name("store".into()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut database);
            }
        })?;
        Ok(Self { jobs })
    }

    /// [`Database::read`].
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.run(move |database| database.read(work)).await
    }

    /// [`Database::write`].
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.run(move |database| database.write(work)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |database: &mut Database| {
            // Whoever asked may be gone; what was written stays written.
            let _ = answer.send(work(database));
        });
        let gone = || Failure::Internal("the store's thread is gone".into());
        self.jobs.send(job).await.map_err(|_| gone())?;
        Ok(answered.await.map_err(|_| gone())??)
    }
}
