//! The customer decides.

use std::time::Duration;

use jumpgate::domain::Tool;
use jumpgate::domain::entry::What;
use jumpgate::link::message::FromConsole;

use super::{Joined, nightly};
use crate::support::console::Seen;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_shell_does_not_open_and_may_be_asked_for_again() {
    let mut joined = Joined::new().await;
    for _ in 0..2 {
        joined.console.open_shell(joined.session);
        let asked = |seen: &mut Seen| (!seen.asking.is_empty()).then_some(());
        joined.console.sees("the question", asked).await;
        joined.customer.hears("Allow? [y/N]").await;
        joined.customer.types("n");
        joined.customer.hears("Refused.").await;
        // Asked before the relay has heard so, it would be the same question.
        let answered = |seen: &mut Seen| seen.asking.is_empty().then_some(());
        joined.console.sees("the answer", answered).await;
    }
    let refused = |what: &What| *what == What::Refused { tool: Tool::Shell };
    joined
        .console
        .sees_entry(joined.session, "refused", refused)
        .await;
    joined.chats("all the same").await;
    assert!(joined.console.seen().shells.is_empty());
    joined.shell().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_question_can_no_longer_be_answered() {
    let mut joined = Joined::new().await;
    let session = joined.session;
    joined.console.open_shell(session);
    joined.customer.hears("Allow? [y/N]").await;
    let asked = joined
        .console
        .sees("the question", |seen| seen.asking.first().copied());
    let (_, prompt) = asked.await;
    joined
        .console
        .say(FromConsole::Withdraw { session, prompt });
    joined.customer.hears("ada no longer asks.").await;
    // Too late: an ordinary word by now.
    joined.customer.types("y");
    joined.console.sees_chat(session, "y").await;
    joined.chats("after that").await;
    assert!(joined.console.seen().shells.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_closes_shells_at_once() {
    let mut joined = Joined::new().await;
    let at = joined.shell().await;
    joined.console.types(at.0, at.1, "sleep 1000\n");
    joined.customer.signal(nix::sys::signal::Signal::SIGINT);
    joined.customer.hears("The session is over.").await;
    assert!(joined.customer.ends().await.success());
    joined
        .console
        .sees("the session's end", |seen| seen.gone.get(&at.0).copied())
        .await;
}

/// Waits for a minute, so only in the nightly run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_nobody_answers_refuses_after_a_minute() {
    if !nightly() {
        return;
    }
    let mut joined = Joined::new().await;
    joined.console.open_shell(joined.session);
    joined.customer.hears("Allow? [y/N]").await;
    tokio::time::sleep(Duration::from_secs(55)).await;
    assert!(!joined.console.seen().asking.is_empty(), "too early");
    joined.customer.hears("Nobody answered in time").await;
    let lapsed = |what: &What| *what == What::Unanswered { tool: Tool::Shell };
    joined
        .console
        .sees_entry(joined.session, "unanswered", lapsed)
        .await;
    joined.chats("still here").await;
    assert!(joined.console.seen().shells.is_empty());
}
