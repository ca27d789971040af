//! One thing at a time is done with sticks, and the main loop waits for none of it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::control::machine::{Reply, notice};

/// Whose turn it is.
#[derive(Clone, Debug)]
pub(in crate::supervisor::machine) struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turn {
    /// Does `work` and gives its answer, at most `within` from now. The thread is not waited for,
    /// not even at the end of the program: what a stick does not answer hangs in the kernel until it
    /// is pulled out.
    pub(in crate::supervisor::machine) fn take(
        &self,
        answer: oneshot::Sender<Reply>,
        within: Duration,
        work: impl FnOnce() -> Reply + Send + 'static,
    ) {
        let refused = |why| Reply::Refused { why: notice(why) };
        let Ok(only) = self.0.clone().try_acquire_owned() else {
            let why = "a USB stick is being used already; wait, or pull it out, and try again";
            drop(answer.send(refused(why)));
            return;
        };
        let (tell, told) = oneshot::channel();
        thread::spawn(move || {
            let reply = work();
            drop(only);
            drop(tell.send(reply));
        });
        tokio::spawn(async move {
            let reply = match timeout(within, told).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(_)) => refused("it broke off; try again"),
                Err(_) => refused("the stick does not answer. Pull it out and try another one"),
            };
            // Whoever asked may have gone.
            drop(answer.send(reply));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stick_that_does_not_answer_is_said_to_and_keeps_others_waiting_until_it_is_gone() {
        let turn = Turn::default();
        let (pull, pulled) = std::sync::mpsc::channel::<()>();
        let (answer, answered) = oneshot::channel();
        turn.take(answer, Duration::from_millis(1), move || {
            let _ = pulled.recv();
            Reply::Done
        });
        let why = |reply| match reply {
            Reply::Refused { why } => why.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(why(answered.await.unwrap()).contains("does not answer"));
        let (answer, answered) = oneshot::channel();
        turn.take(answer, Duration::from_secs(60), || Reply::Done);
        assert!(why(answered.await.unwrap()).contains("used already"));
        drop(pull);
        while turn.0.available_permits() == 0 {
            thread::yield_now();
        }
        let (answer, answered) = oneshot::channel();
        turn.take(answer, Duration::MAX, || Reply::Done);
        assert!(matches!(answered.await.unwrap(), Reply::Done));
    }
}
