//! A relay that stops in order, and what goes on without it: the announcement before, the shells
//! across.
//!
//! A shell runs on the customer's computer and does not need the relay to be there. What the relay
//! knows of it, how far each side got, is put on record when it stops, once every peer's channels are
//! known; the next relay joins the two sides where they were. A relay that was killed knows nothing of
//! this, and its shells are closed.

use super::Hub;
use super::case::Case;
use super::event::{Effect, PeerId, Record, ShellRecord, Tap, TranscriptOrder};
use super::out::Out;
use super::shell::{Reached, Shell, Side};
use crate::domain::{Now, Stamp};
use crate::link::channel::Channel;
use crate::link::message::{ToConsole, ToCustomer, ToJumpClient};

impl Hub {
    /// The appliance restarts at `restart`, or not after all.
    pub(super) fn announce(&mut self, restart: Option<Stamp>, now: Now) {
        if restart.is_none() && self.restart.is_none() {
            return;
        }
        self.restart = restart;
        let seconds = seconds_until(restart, now);
        for peer in self.seats.values().filter_map(|seat| seat.peer) {
            self.out.say(peer, &ToConsole::Restart { seconds });
        }
        for case in self.cases.values_mut() {
            case.to_customer(&mut self.out, &ToCustomer::Restart { seconds });
        }
        for peer in self.fleet.peers() {
            self.out.say(peer, &ToJumpClient::Restart { seconds });
        }
    }

    /// Nothing more comes from `peer`.
    pub(super) fn parted(&mut self, peer: PeerId, channels: &[(u16, Channel)]) {
        for case in self.cases.values_mut() {
            case.parted(peer, channels);
        }
    }

    /// Puts on record what goes on without this relay. To be called last.
    pub fn suspend(&mut self) {
        for case in self.cases.values_mut() {
            case.suspend(&mut self.out);
        }
    }
}

impl Case {
    /// Tells the customer of a restart that was announced before.
    pub(super) fn announce(&mut self, out: &mut Out, restart: Option<Stamp>, now: Now) {
        if restart.is_some() {
            let seconds = seconds_until(restart, now);
            self.to_customer(out, &ToCustomer::Restart { seconds });
        }
    }

    fn parted(&mut self, peer: PeerId, channels: &[(u16, Channel)]) {
        let (customer, console) = (self.customer, self.console);
        for shell in self.shells.values_mut() {
            if customer == Some(peer) || shell.customer.is_closing_at(peer) {
                shell.customer = shell.customer.lost(peer, channels);
            }
            if console == Some(peer) || shell.console.is_closing_at(peer) {
                shell.console = shell.console.lost(peer, channels);
            }
        }
    }

    fn suspend(&mut self, out: &mut Out) {
        if !self.state.is_accepted() {
            return;
        }
        let session = self.id();
        for (id, shell) in &self.shells {
            // One that the computer has not started is asked for again by whoever wanted it.
            let (Some(customer), Some(console)) =
                (shell.customer.reached(), shell.console.reached())
            else {
                continue;
            };
            if !shell.runs {
                continue;
            }
            let tap = Tap {
                session,
                shell: *id,
            };
            out.record(Record::ShellSuspended(ShellRecord {
                session,
                shell: *id,
                size: shell.size,
                customer,
                console,
            }));
            out.now(Effect::Transcript(TranscriptOrder::Suspend { tap }));
        }
    }

    /// A shell of before goes on as soon as both sides are back.
    pub(super) fn revive(&mut self, record: &ShellRecord) {
        let shell = Shell {
            customer: Side::Lost(record.customer),
            console: Side::Lost(record.console),
            begun: true,
            begins: false,
            runs: true,
            size: record.size,
        };
        self.shells.insert(record.shell, shell);
    }
}

impl Side {
    /// How far its peer got, once no channel is open.
    fn reached(self) -> Option<Reached> {
        match self {
            Self::Ready(reached) | Self::Lost(reached) => Some(reached),
            Self::Live { .. } | Self::Closing { .. } => None,
        }
    }
}

/// Whole seconds from now, as people are told.
pub(super) fn seconds_until(restart: Option<Stamp>, now: Now) -> Option<u32> {
    let millis = restart?.0.saturating_sub(now.stamp.0).max(0);
    Some(u32::try_from(millis.unsigned_abs().div_ceil(1_000)).unwrap_or(u32::MAX))
}
