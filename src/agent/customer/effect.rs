//! What a [`super::Customer`] wants done, and how things ended.

use std::time::Duration;

use crate::domain::entry::EndReason;
use crate::domain::turned::TurnedReason;
use crate::domain::{Entry, Label, ShellId, Token, Tool};

/// What the program around a [`super::Customer`] has to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The session exists, or the link to it is back (`again`).
    Joined {
        /// The name by which the customer is shown.
        customer: Label,
        /// Who will be, or is, on the other side.
        representative: Label,
        /// Not for the first time.
        again: bool,
    },
    /// The representative is there now (`present`) or is not any more.
    Representative {
        /// Who.
        name: Label,
        /// Accepted and connected.
        present: bool,
    },
    /// A new line of the session log.
    Entry(Entry),
    /// Ask the customer; answer with [`super::Customer::answer`] before `until`.
    Prompt {
        /// What for.
        tool: Tool,
        /// Who asks.
        representative: Label,
        /// Time to answer.
        wait: Duration,
    },
    /// The question no longer stands.
    PromptOver(PromptEnd),
    /// Start a shell; report [`super::Customer::shell_started`] or [`super::Customer::shell_failed`].
    OpenShell {
        /// Which.
        shell: ShellId,
        /// 2 to 1,000.
        columns: u16,
        /// 1 to 1,000.
        rows: u16,
    },
    /// Give these bytes to a shell; report [`super::Customer::shell_took`] as it takes them.
    Input {
        /// Which.
        shell: ShellId,
        /// At most a window in all before they are taken.
        bytes: Vec<u8>,
    },
    /// The terminal's size changed.
    ResizeShell {
        /// Which.
        shell: ShellId,
        /// 2 to 1,000.
        columns: u16,
        /// 1 to 1,000.
        rows: u16,
    },
    /// End a shell now, and whatever runs in it. What it still reports is ignored.
    CloseShell(ShellId),
    /// Sharing stopped: every permission is withdrawn.
    Stopped,
    /// The appliance restarts after this time, or does not after all; the session goes on by itself.
    Restart(Option<Duration>),
    /// Find the answer with [`crate::domain::turned::PuzzleAnswer::find`] and bring it to [`super::Customer::solved`].
    Solve {
        /// To be answered.
        challenge: Token,
        /// Leading zero bits.
        bits: u8,
    },
    /// The link is gone; dial again while [`super::Customer::wants_link`].
    LinkLost,
    /// Nothing follows. Every shell was closed before.
    Over(End),
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptEnd {
    /// Allowed.
    Allowed,
    /// Refused by the customer, or by stopping.
    Refused,
    /// Nobody answered in time, which refuses.
    Lapsed,
    /// The representative took it back.
    Withdrawn,
    /// The link was lost; it may be asked again.
    Interrupted,
}

/// Why a customer's side is over.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The appliance said so.
    Session(EndReason),
    /// The customer left, and the appliance did not answer in time.
    Left,
    /// The link was lost and did not come back within [`crate::domain::limits::CUSTOMER_RETURN_WITHIN`].
    Lost,
    /// The appliance was never reached within [`crate::domain::limits::FIRST_LINK_WITHIN`].
    NeverReached,
    /// The appliance did not let us in.
    Turned(TurnedReason),
}
