//! The real programs over loopback, with a state directory of their own: stories from the sides
//! of the representative, the customer, the administrator and whoever means harm.
//!
//! Each test has an appliance to itself, on free ports. Start at [`support`].

#![allow(clippy::unwrap_used)]

mod support;

mod across;
mod consent;
mod crash;
mod fleet;
mod generations;
mod hostile;
mod keys;
mod loop_back;
mod lost;
mod sandbox;
mod session;
mod start;

use std::path::Path;

use jumpgate::domain::{SessionId, ShellId};
use support::{Appliance, Console, Customer, Representative};

/// The folder of the programs under test.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_supervisor"))
        .parent()
        .unwrap()
}

/// Whether there is time for waits of a minute.
fn nightly() -> bool {
    std::env::var_os("JUMPGATE_NIGHTLY").is_some()
}

/// An appliance, a representative at the console, and a customer whose session was accepted.
struct Joined {
    // Ends in this order: people first, so that nobody complains about a site that is gone.
    console: Console,
    customer: Customer,
    session: SessionId,
    representative: Representative,
    appliance: Appliance,
}

impl Joined {
    async fn new() -> Self {
        Self::on(Appliance::start(programs()).await).await
    }

    /// The same on an appliance that serves already.
    async fn on(appliance: Appliance) -> Self {
        let representative = appliance.representative("ada").await;
        let console = Console::connect(&appliance, &representative).await;
        let (customer, session) = join(&appliance, &console, &representative).await;
        Self {
            console,
            customer,
            session,
            representative,
            appliance,
        }
    }

    /// Opens the first shell, with the customer's consent, and gives it a prompt to wait for.
    async fn shell(&mut self) -> (SessionId, ShellId) {
        shell(&self.console, &mut self.customer, self.session).await
    }

    /// Chat goes both ways.
    async fn chats(&mut self, word: &str) {
        let (there, back) = (format!("to the customer: {word}"), format!("back: {word}"));
        self.console.chat(self.session, &there);
        self.customer.hears(&there).await;
        self.customer.types(&back);
        self.console.sees_chat(self.session, &back).await;
    }
}

/// A customer of ada's, whose session she has accepted.
async fn join(
    appliance: &Appliance,
    console: &Console,
    ada: &Representative,
) -> (Customer, SessionId) {
    let key = appliance.key(ada, None).await;
    let mut customer = Customer::start(appliance, &key.digits);
    customer.hears("Waiting for ada").await;
    let session = console.accepts_next().await;
    customer.hears("ada is connected.").await;
    (customer, session)
}

/// See [`Joined::shell`].
async fn shell(
    console: &Console,
    customer: &mut Customer,
    session: SessionId,
) -> (SessionId, ShellId) {
    console.open_shell(session);
    customer.hears("Allow? [y/N]").await;
    customer.types("y");
    let shell = console.sees_shell(session, 1).await;
    customer.hears("has opened command shell 1").await;
    let at = (session, shell);
    // Put together by the shell, so that its echo is not taken for it.
    console
        .runs(at, "PS1=re''ady'> '; stty -echoctl", "ready> ")
        .await;
    at
}
