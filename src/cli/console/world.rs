//! What the console knows of the machine, and what it asks for.

use std::time::Duration;

use crate::control::machine::{self, Facts, Slot, SlotFacts, State, System};
use crate::control::update;
use crate::control::{Reply, Sessions, machine::Site};
use crate::domain::{AccountName, Moment, Now, Secret};

/// Something to be asked of somebody else; one at a time.
#[derive(Debug)]
pub(super) enum Order {
    /// Of the supervisor.
    Machine(machine::Request),
    /// Of the update agent.
    Update(update::Request),
    /// Of the relay.
    ResetPassword {
        /// Whose.
        name: AccountName,
        /// The new one.
        password: Secret<String>,
    },
}

/// What came of an [`Order`].
#[derive(Debug)]
pub(super) enum Answer {
    /// The supervisor's.
    Machine(machine::Reply),
    /// The update agent's.
    Update(update::Reply),
    /// The relay's.
    Relay(Reply),
    /// None.
    Silence(Silence),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nobody listens; if somebody left word what is going on, this is it.
    NotThere {
        /// One line.
        doing: Option<String>,
    },
    /// We are not root.
    NotPermitted,
    /// It takes longer than it should.
    TooLate,
    /// Something else.
    Other(String),
}

/// What is heard without being ordered, again and again.
#[derive(Debug)]
pub(super) enum News {
    /// The supervisor answers.
    Facts(Box<Facts>, Option<Site>),
    /// It does not.
    Silence(Silence),
    /// The relay's figures, if it answers.
    Sessions(Option<Sessions>),
    /// What the update agent says, if it answers.
    Update(Option<Box<update::Status>>),
}

/// What is known.
#[derive(Debug)]
pub(super) struct World {
    /// Both clocks, as of the last event.
    pub(super) now: Now,
    /// When the console began.
    pub(super) began: Moment,
    /// The last answer, however old.
    pub(super) facts: Option<Box<Facts>>,
    /// What is served; absent until it is.
    pub(super) site: Option<Site>,
    /// If the relay said so lately.
    pub(super) sessions: Option<Sessions>,
    /// If the update agent said so lately.
    pub(super) update: Option<Box<update::Status>>,
    /// Since when nobody answers, and why.
    pub(super) silence: Option<(Moment, Silence)>,
}

impl World {
    /// Nothing is known yet.
    pub(super) fn new(now: Now) -> Self {
        Self {
            now,
            began: now.moment,
            facts: None,
            site: None,
            sessions: None,
            update: None,
            silence: None,
        }
    }

    /// Takes in what was heard.
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Facts(facts, site) => {
                self.facts = Some(facts);
                self.site = site;
                self.silence = None;
            }
            News::Silence(why) => {
                let since = self.silence.as_ref().map(|(since, _)| *since);
                self.silence = Some((since.unwrap_or(self.now.moment), why));
                // Whoever serves it is gone; the link may no longer be the right one.
                self.site = None;
            }
            News::Sessions(sessions) => self.sessions = sessions,
            News::Update(update) => self.update = update,
        }
    }

    /// Time since `then`.
    pub(super) fn since(&self, then: Moment) -> Duration {
        self.now.moment.since(then)
    }

    /// Whether somebody would hear an order.
    pub(super) fn is_heard(&self) -> bool {
        self.silence.is_none() && self.facts.is_some()
    }

    /// The machine's serial number, if it has one.
    pub(super) fn serial(&self) -> Option<&str> {
        let serial = self.facts.as_ref()?.hardware.serial.as_deref()?.trim();
        (!serial.is_empty()).then_some(serial)
    }

    /// Where "previous version" would lead: places that can be started and do not run.
    pub(super) fn others(&self) -> Vec<&SlotFacts> {
        let Some(facts) = &self.facts else {
            return Vec::new();
        };
        let can_start = |slot: &&SlotFacts| match slot.state {
            State::Empty | State::Exhausted => false,
            State::OnTrial { .. } | State::Good { .. } | State::Untried { .. } => true,
        };
        let others = facts.boot.slots.iter();
        others
            .filter(|slot| Slot::System(slot.system) != facts.boot.slot)
            .filter(can_start)
            .collect()
    }

    /// The system that runs; none in recovery.
    pub(super) fn running(&self) -> Option<System> {
        match self.facts.as_ref()?.boot.slot {
            Slot::System(system) => Some(system),
            Slot::Recovery => None,
        }
    }
}
