//! Keeps one program running.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::backoff::Backoff;
use super::program::{Program, Running, StartError};
use crate::config::Ready;

/// What happened to a program.
pub(super) enum Event {
    /// It crashed.
    Ended {
        /// Which.
        name: &'static str,
        /// Exit status or signal.
        how: String,
        /// Before the next start.
        wait: Duration,
    },
    /// It could not be started again.
    NotStarted {
        /// Why.
        error: StartError,
        /// Before the next start.
        wait: Duration,
    },
    /// It serves again.
    Started {
        /// Which.
        name: &'static str,
        /// What it says of itself.
        ready: Ready,
    },
}

/// A program with what is needed to keep it running.
pub(super) struct Kept<'a> {
    pub(super) program: &'a Program,
    pub(super) running: Running,
    pub(super) backoff: Backoff,
    pub(super) tell: mpsc::Sender<Event>,
    /// Becomes true once, when everything stops.
    pub(super) stopped: watch::Receiver<bool>,
}

impl Kept<'_> {
    /// Returns once it was told to stop, and the program has ended.
    pub(super) async fn keep(mut self) {
        loop {
            let (how, served) = tokio::select! {
                ended = self.running.ended() => ended,
                _ = self.stopped.wait_for(|stopped| *stopped) => return self.running.stop().await,
            };
            let (name, wait) = (self.program.name, self.backoff.wait(served));
            self.tell(Event::Ended { name, how, wait }).await;
            let restarted = restart(self.program, &mut self.backoff, wait, &self.tell);
            self.running = tokio::select! {
                running = restarted => running,
                // A program on its way up goes with the future, by SIGKILL: nobody talks to it.
                _ = self.stopped.wait_for(|stopped| *stopped) => return,
            };
        }
    }

    async fn tell(&self, event: Event) {
        // Nobody listens any more when everything stops.
        drop(self.tell.send(event).await);
    }
}

/// Waits and starts it, until that succeeds.
async fn restart(
    program: &Program,
    backoff: &mut Backoff,
    mut wait: Duration,
    tell: &mpsc::Sender<Event>,
) -> Running {
    loop {
        tokio::time::sleep(wait).await;
        match program.start().await {
            Ok((running, ready)) => {
                let name = program.name;
                drop(tell.send(Event::Started { name, ready }).await);
                return running;
            }
            Err(error) => {
                wait = backoff.wait(Duration::ZERO);
                drop(tell.send(Event::NotStarted { error, wait }).await);
            }
        }
    }
}
