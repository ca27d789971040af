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
    /// Starts now if it does not run yet.
    pub(super) running: Option<Running>,
    pub(super) backoff: Backoff,
    pub(super) tell: mpsc::Sender<Event>,
    /// Changes when it is to begin anew, with other settings.
    pub(super) again: watch::Receiver<u32>,
    /// Becomes true once, when everything stops.
    pub(super) stopped: watch::Receiver<bool>,
}

impl Kept<'_> {
    /// Returns once it was told to stop, and the program has ended.
    pub(super) async fn keep(mut self) {
        let mut wait = Duration::ZERO;
        loop {
            let mut running = if let Some(running) = self.running.take() {
                running
            } else {
                tokio::select! {
                    running = restart(self.program, &mut self.backoff, wait, &self.tell) => running,
                    // A program on its way up goes with the future, by SIGKILL: nobody talks to it.
                    _ = self.stopped.wait_for(|stopped| *stopped) => return,
                }
            };
            let ended = tokio::select! {
                ended = running.ended() => Some(ended),
                Ok(()) = self.again.changed() => None,
                _ = self.stopped.wait_for(|stopped| *stopped) => return running.stop().await,
            };
            let Some((how, served)) = ended else {
                self.running = tokio::select! {
                    anew = begin_anew(self.program, running, &self.tell) => anew,
                    // Both go with the future: nobody talks to them any more.
                    _ = self.stopped.wait_for(|stopped| *stopped) => return,
                };
                wait = Duration::ZERO;
                continue;
            };
            let name = self.program.name;
            wait = self.backoff.wait(served);
            self.tell(Event::Ended { name, how, wait }).await;
        }
    }

    async fn tell(&self, event: Event) {
        // Nobody listens any more when everything stops.
        drop(self.tell.send(event).await);
    }
}

/// Starts it with other settings. `old` serves until the new one takes over, if it can hand over, or
/// until it has stopped. `None` if the new one does not serve: then neither runs.
async fn begin_anew(
    program: &Program,
    old: Running,
    tell: &mpsc::Sender<Event>,
) -> Option<Running> {
    if !program.hands_over {
        old.stop().await;
        return None;
    }
    match Box::pin(program.start(Some(&old))).await {
        Ok((running, ready)) => {
            let name = program.name;
            drop(tell.send(Event::Started { name, ready }).await);
            old.let_go().await;
            Some(running)
        }
        Err(error) => {
            let wait = Duration::ZERO;
            drop(tell.send(Event::NotStarted { error, wait }).await);
            old.stop().await;
            None
        }
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
        match Box::pin(program.start(None)).await {
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
