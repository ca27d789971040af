//! Every decision about peers, queues and sessions. Pure: events in, effects out; time and
//! randomness are arguments. The relay runs it on a thread of its own, the simulator in a loop.
//!
//! What must be on record (who joined whom, what was allowed, which keys exist) is put into a
//! batch, and the effects that show it wait until the recorder acknowledges that batch: see
//! `out::Out` and `case::Case::emit`. Start at [`Hub::handle`].

pub mod event;

mod admission;
mod arrive;
mod case;
mod console;
mod customer;
pub mod fleet;
mod keys;
mod log;
mod loop_back;
mod orders;
mod out;
mod peers;
mod shell;
mod shells;
mod suspend;
#[cfg(test)]
mod tests;
mod travel;

use std::collections::{BTreeMap, HashMap};

pub use event::{Door, Effect, Event, PeerId, Record, Role};
pub use fleet::{Deployment, FleetMemory};
pub use shell::Reached;

use self::case::Case;
use self::console::Seat;
use self::event::{KeyRecord, SessionRecord, ShellRecord};
use self::fleet::Fleet;
use self::keys::Keys;
use self::log::Log;
use self::loop_back::LoopBack;
use self::out::Out;
use self::peers::{Peers, Who};
use self::travel::Travellers;
use crate::control::request::TicketHolder;
use crate::domain::entry::{Author, EndReason, What};
use crate::domain::limits::{CUSTOMER_RETURN_WITHIN, REPRESENTATIVE_RETURN_WITHIN};
use crate::domain::token::Fingerprint;
use crate::domain::{AccountId, Entry, Moment, Now, SessionId, Stamp};
use crate::session::{Guesses, Presence, Session, consent, state};

/// One turn's clock and randomness.
pub struct Turn<'a> {
    /// Both clocks.
    pub now: Now,
    /// Fills a buffer with cryptographic random bytes.
    pub random: &'a mut dyn FnMut(&mut [u8]),
}

impl Turn<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes
    }
}

/// Everything that is decided in one place.
#[derive(Debug, Default)]
pub struct Hub {
    cases: BTreeMap<SessionId, Case>,
    seats: HashMap<AccountId, Seat>,
    peers: Peers,
    travellers: Travellers,
    /// Each WebSocket that showed a ticket and has not said hello.
    admitted: HashMap<PeerId, TicketHolder>,
    tickets: HashMap<Fingerprint, (Moment, TicketHolder)>,
    keys: Keys,
    guesses: Guesses,
    fleet: Fleet,
    /// When the appliance restarts, if that was announced.
    restart: Option<Stamp>,
    loop_back: Option<LoopBack>,
    out: Out,
}

/// What the store remembers when the relay starts.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Keys neither used nor expired.
    pub keys: Vec<KeyRecord>,
    /// Sessions that are not over, with the latest of their log.
    pub sessions: Vec<(SessionRecord, Vec<Entry>)>,
    /// Shells of theirs that went on while the relay did not run.
    pub shells: Vec<ShellRecord>,
    /// Jump Clients.
    pub fleet: FleetMemory,
}

impl Hub {
    /// Goes on from what the store remembers. Everybody is away and may come back.
    pub fn restore(memory: Memory, turn: &mut Turn<'_>) -> Self {
        let mut hub = Self {
            fleet: Fleet::restore(memory.fleet),
            ..Self::default()
        };
        for key in memory.keys {
            hub.keys.insert(key);
        }
        let now = turn.now;
        let customer = Presence::Away {
            until: now.moment + CUSTOMER_RETURN_WITHIN,
        };
        let owner = Presence::Away {
            until: now.moment + REPRESENTATIVE_RETURN_WITHIN,
        };
        for (record, entries) in memory.sessions {
            let state = if record.accepted {
                Session::Accepted { customer, owner }
            } else {
                Session::Waiting { customer }
            };
            let mut case = Case::new(record, state, Log::restore(entries));
            case.log(
                &mut hub.out,
                now,
                Author::Appliance,
                What::ApplianceRestarted,
            );
            hub.cases.insert(case.id(), case);
        }
        for shell in &memory.shells {
            if let Some(case) = hub.cases.get_mut(&shell.session) {
                case.revive(shell);
            }
        }
        hub
    }

    /// Takes one event; [`Self::take_effects`] says what to do.
    pub fn handle(&mut self, event: Event, turn: &mut Turn<'_>) {
        match event {
            Event::Upgrade { peer, ticket } => self.upgrade(peer, &ticket, turn.now),
            Event::Hello {
                peer,
                address,
                door,
                hello,
            } => {
                self.hello(peer, address, door, *hello, turn);
            }
            Event::Moved {
                was,
                peer,
                address,
                arrival,
            } => self.moved(was, peer, address, *arrival, turn),
            Event::FromCustomer { peer, message } => match self.peers.who(peer) {
                Some(Who::Customer(session)) => {
                    self.from_customer(session, peer, message, turn.now);
                }
                // A peer that was turned away may still have something under way.
                _ => self.travellers.said(peer, message),
            },
            Event::FromConsole { peer, message } => {
                if let Some(Who::Console(account)) = self.peers.who(peer) {
                    self.from_console(account, peer, message, turn);
                }
            }
            Event::FromJumpClient { peer, message } => {
                if let Some(Who::JumpClient(_)) = self.peers.who(peer) {
                    self.from_jump_client(&message);
                }
            }
            Event::Left { peer, channels } => self.left(peer, &channels, turn.now),
            Event::Inherited { peer, device } => self.inherited(peer, device),
            Event::Parted { peer, channels } => self.parted(peer, &channels),
            Event::ChannelClosed {
                peer,
                channel,
                stood,
            } => {
                // The peer may have been replaced since, so its cases are found by their shells.
                for case in self.cases.values_mut() {
                    if case.channel_closed(peer, channel, &stood) {
                        case.join_all(&mut self.out, &mut self.peers);
                    }
                }
            }
            Event::Recorded { through } => self.recorded(through),
            Event::TranscriptFailed { tap } => {
                if let Some(case) = self.cases.get_mut(&tap.session) {
                    case.transcript_failed(&mut self.out, turn.now, tap.shell);
                }
            }
            Event::Order { id, order } => self.order(id, order, turn),
            Event::TimePassed => self.time_passed(turn.now),
        }
        // Whoever fills a log, by whatever it says, fills only its own.
        while let Some(session) = self.out.take_full() {
            self.end_case(session, turn.now, Author::Appliance, EndReason::Limit);
        }
    }

    /// What the last events brought about, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.out.take()
    }

    /// A peer's connection is gone.
    fn left(&mut self, peer: PeerId, channels: &[(u16, crate::link::channel::Channel)], now: Now) {
        self.admitted.remove(&peer);
        self.travellers.arrived(peer);
        self.loop_back_left(peer);
        match self.peers.remove(peer) {
            None => {}
            Some(Who::Customer(session)) => self.customer_left(session, peer, channels, now),
            Some(Who::Console(account)) => self.console_left(account, peer, channels, now),
            Some(Who::JumpClient(device)) => self.jump_client_left(&device, peer),
        }
    }

    fn recorded(&mut self, through: u64) {
        self.out.recorded(through);
        for case in self.cases.values_mut() {
            case.flush(&mut self.out);
        }
    }

    /// Deadlines: lost connections, unanswered questions, old tickets and keys.
    fn time_passed(&mut self, now: Now) {
        self.tickets.retain(|_, (until, _)| *until >= now.moment);
        self.keys.forget(now.stamp);
        self.loop_back_time_passed(now);
        self.fleet.time_passed(now);
        let due: Vec<SessionId> = self.cases.keys().copied().collect();
        for session in due {
            self.case_time_passed(session, now);
        }
    }

    fn case_time_passed(&mut self, session: SessionId, now: Now) {
        let Some(case) = self.cases.get_mut(&session) else {
            return;
        };
        let at = now.moment;
        for (tool, _, prompt) in case.consents_after(consent::Event::TimePassed { at }) {
            case.wanted = None;
            case.log(
                &mut self.out,
                now,
                Author::Appliance,
                What::Unanswered { tool },
            );
            case.ask_is_over(&mut self.out, prompt);
        }
        let before = case.state;
        let after = before
            .after(state::Event::TimePassed { at })
            .unwrap_or(before);
        if after == before {
            return;
        }
        match after {
            Session::Ended(reason) => self.end_case(session, now, Author::Appliance, reason),
            Session::Waiting { .. } => {
                self.requeue(session, now, Author::Appliance, What::Requeued);
            }
            Session::Accepted { .. } => case.state = after,
        }
    }

    /// Puts an accepted session back into the queue: everything granted is withdrawn with it.
    fn requeue(&mut self, session: SessionId, now: Now, by: Author, what: What) {
        let Some(case) = self.cases.get_mut(&session) else {
            return;
        };
        case.withdraw_everything(&mut self.out, now, &by);
        case.log_step(&mut self.out, now, by, what);
        // The state machine agreed before, or decides so here.
        if case.advance(state::Event::Hold).is_ok() {
            case.record_standing(&mut self.out, now);
        }
        case.introduce(&mut self.out);
        case.show(&mut self.out);
    }

    /// Ends a session for everybody.
    fn end_case(&mut self, session: SessionId, now: Now, by: Author, reason: EndReason) {
        let Some(mut case) = self.cases.remove(&session) else {
            return;
        };
        if let Some(peer) = case.customer {
            self.peers.remove(peer);
        }
        case.end(&mut self.out, now, by, reason);
        case.hand_over(&mut self.out);
    }
}

impl Case {
    /// Closes every shell and takes every permission back (SL-21, SL-23).
    fn withdraw_everything(&mut self, out: &mut Out, now: Now, by: &Author) {
        self.wanted = None;
        for (tool, outcome, prompt) in self.consents_after(consent::Event::Revoke) {
            if outcome == consent::Outcome::Withdrawn {
                self.log(out, now, by.clone(), What::Withdrawn { tool });
                self.ask_is_over(out, prompt);
            }
        }
        self.close_all_shells(out, now, by);
    }
}
