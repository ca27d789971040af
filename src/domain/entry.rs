//! The session log: one list of entries that both sides see as their chat (SL-22, CH-01).

use serde::{Deserialize, Serialize};

use super::id::ShellId;
use super::text::{Label, LongText};
use super::time::Stamp;
use super::tool::Tool;

/// One line of a session's log. Numbered from 1 without gaps within its session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the session's log.
    pub number: u32,
    /// When the relay took it.
    pub at: Stamp,
    /// Who did it.
    pub by: Author,
    /// What was done.
    #[serde(flatten)]
    pub what: What,
}

/// Who did something in a session. Names are copied, so that a log reads the same after a
/// representative was renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", content = "name", rename_all = "snake_case")]
pub enum Author {
    /// The customer, by the name shown in the queue.
    Customer(Label),
    /// A representative, by display name.
    Representative(Label),
    /// The appliance itself.
    Appliance,
}

/// What an entry reports. Typed, so that every page words it in its own language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// The customer arrived with a valid session key.
    Arrived,
    /// A representative accepted the session and is its owner now.
    Accepted,
    /// Something said.
    Chat {
        /// The words.
        text: LongText,
    },
    /// The representative asks for a tool; the customer is being prompted.
    Asked {
        /// Which.
        tool: Tool,
    },
    /// The customer allowed it.
    Allowed {
        /// Which.
        tool: Tool,
    },
    /// The customer refused it.
    Refused {
        /// Which.
        tool: Tool,
    },
    /// Nobody answered in time, which refuses.
    Unanswered {
        /// Which.
        tool: Tool,
    },
    /// The representative withdrew the question.
    Withdrawn {
        /// Which.
        tool: Tool,
    },
    /// A command shell opened.
    ShellOpened {
        /// Which.
        shell: ShellId,
    },
    /// A command shell closed (CS-01 counts those that remain).
    ShellClosed {
        /// Which.
        shell: ShellId,
        /// How many stay open.
        open: u32,
    },
    /// A command shell could not be started.
    ShellFailed {
        /// What the computer said.
        reason: Label,
    },
    /// The customer stopped sharing: every permission withdrawn (SL-23).
    SharingStopped,
    /// The customer's connection is gone.
    CustomerLost,
    /// The customer's connection is back.
    CustomerBack,
    /// The representative's connection is gone.
    RepresentativeLost,
    /// The representative is back.
    RepresentativeBack,
    /// The representative put the session back into the queue.
    Held,
    /// The representative did not come back in time; the session went back to the queue.
    Requeued,
    /// The appliance started again while the session was running.
    ApplianceRestarted,
    /// Over.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The owner ended it.
    Representative,
    /// The customer left.
    Customer,
    /// The customer's connection was lost and did not come back.
    CustomerLost,
    /// A limit of the appliance was reached.
    Limit,
}
