//! Tickets and hellos: who is let in, as whom.

use super::case::Case;
use super::event::{Arrival, Door, Effect, Event, PeerId, Record, Role, SessionRecord};
use super::fleet::Machine;
use super::log::Log;
use super::peers::Who;
use super::{Hub, Turn};
use crate::control::request::TicketHolder;
use crate::domain::entry::What;
use crate::domain::facts::Kind;
use crate::domain::limits::{KEEP_ALIVE_EVERY, SESSIONS_MAX, SESSIONS_PER_REPRESENTATIVE_MAX};
use crate::domain::text::label;
use crate::domain::turned::{PuzzleAnswer, TurnedReason};
use crate::domain::{Facts, Now, PeerAddress, SessionId, Text, Token};
use crate::link::VERSION;
use crate::link::message::{Hello, Purpose, ShellPosition, ToConsole, ToCustomer, Turned, Welcome};
use crate::session::key::{self, Typed};
use crate::session::{Presence, Session, state};

impl Hub {
    /// A WebSocket shows a ticket, which is used up by that.
    pub(super) fn upgrade(&mut self, peer: PeerId, ticket: &Token, now: Now) {
        if self.loop_back_upgrade(peer, ticket, now) {
            return;
        }
        let holder = self.redeem(ticket, now);
        let role = holder.as_ref().map(|holder| match holder {
            TicketHolder::Console { .. } => Role::Console,
            TicketHolder::Customer { .. } => Role::Customer,
        });
        if let Some(holder) = holder {
            self.admitted.insert(peer, holder);
        }
        self.out.now(Effect::Admit { peer, role });
    }

    /// Whose a ticket is, if it is good; it is not afterwards.
    fn redeem(&mut self, ticket: &Token, now: Now) -> Option<TicketHolder> {
        let (until, holder) = self.tickets.remove(&ticket.fingerprint())?;
        (now.moment <= until).then_some(holder)
    }

    pub(super) fn hello(
        &mut self,
        peer: PeerId,
        address: PeerAddress,
        door: Door,
        hello: Hello,
        turn: &mut Turn<'_>,
    ) {
        let holder = self.admitted.remove(&peer);
        let (lowest, highest) = hello.versions;
        let by_link = matches!(door, Door::Link);
        let is_console = matches!(hello.purpose, Purpose::Console { .. });
        if let Purpose::JumpClient {
            deployment,
            computer,
            platform,
        } = &hello.purpose
        {
            let machine = Machine {
                deployment: deployment.as_ref(),
                computer,
                platform,
            };
            return self.jump_client_hello(peer, door, hello.versions, &machine, turn);
        }
        if !(lowest..=highest).contains(&VERSION) {
            let versions = (VERSION, VERSION);
            return self.turn_away(peer, is_console, TurnedReason::Version { versions });
        }
        if self.loop_back_hello(peer, by_link, &hello.purpose, turn.now) {
            return;
        }
        let holder = match &hello.purpose {
            Purpose::Console {
                ticket: Some(ticket),
                ..
            } if by_link => self.redeem(ticket, turn.now),
            _ => holder,
        };
        let hello = match self.find_typed_key(by_link, hello, address, turn) {
            Ok(arrival) => arrival,
            Err(reason) => return self.turn_away(peer, is_console, reason),
        };
        if by_link && let Some(to) = self.console_elsewhere(peer, &hello) {
            let arrival = Box::new(hello);
            self.travellers.set_out(peer);
            return self.out.now(Effect::Move { peer, to, arrival });
        }
        let Arrival { hello, ak } = hello;
        let admitted = match (hello.purpose, holder, ak) {
            (
                Purpose::Start {
                    key: Some(_),
                    facts,
                    ..
                },
                None,
                Some(ak),
            ) => self.start_by_link(peer, address, ak, &facts, turn),
            (Purpose::Start { facts, .. }, Some(TicketHolder::Customer { ak: Some(ak) }), _) => {
                let typed = Typed::Token(ak);
                self.start(peer, address, Kind::Chat, &typed, None, &facts, turn)
            }
            (
                Purpose::Resume {
                    session,
                    token,
                    entries,
                    shells,
                },
                holder,
                _,
            ) if by_link || matches!(holder, Some(TicketHolder::Customer { ak: None })) => {
                self.resume(peer, session, token, entries, &shells, turn.now)
            }
            (
                Purpose::Console { shells, .. },
                Some(TicketHolder::Console {
                    account,
                    name,
                    sign_in,
                }),
                _,
            ) => {
                self.console_arrived(peer, account, name, sign_in, &shells, turn.now);
                Ok(())
            }
            _ => Err(TurnedReason::Ticket),
        };
        if let Err(reason) = admitted {
            self.turn_away(peer, is_console, reason);
        }
    }

    fn turn_away(&mut self, peer: PeerId, is_console: bool, reason: TurnedReason) {
        let turned = Turned { reason };
        if is_console {
            self.out.say(peer, &ToConsole::Turned(turned));
        } else {
            self.out.say(peer, &ToCustomer::Turned(turned));
        }
        self.out.now(Effect::HangUp { peer });
    }

    /// Looks a key up that was typed into a customer client, which counts as a try.
    fn find_typed_key(
        &mut self,
        by_link: bool,
        hello: Hello,
        address: PeerAddress,
        turn: &mut Turn<'_>,
    ) -> Result<Arrival, TurnedReason> {
        let ak = match &hello.purpose {
            Purpose::Start {
                key: Some(key),
                puzzle,
                ..
            } if by_link => {
                let found = self.find_key(&key::read(key), address, puzzle.as_ref(), turn)?;
                Some(found.ak)
            }
            _ => None,
        };
        Ok(Arrival { hello, ak })
    }

    /// The ring thread of the console that a customer will talk with, if it is another one.
    fn console_elsewhere(&self, peer: PeerId, arrival: &Arrival) -> Option<u16> {
        let console = match (&arrival.hello.purpose, &arrival.ak) {
            (Purpose::Start { .. }, Some(ak)) => {
                let owner = self.keys.owner(&ak.fingerprint())?;
                self.seats.get(&owner)?.peer?
            }
            (Purpose::Resume { session, token, .. }, None) => {
                let case = self.cases.get(session)?;
                // Who does not know the token learns nothing.
                case.console.filter(|_| case.is_resumed_by(token))?
            }
            _ => return None,
        };
        (console.shard != peer.shard).then_some(console.shard)
    }

    /// A customer is where its console is, and heard with all it said on the way.
    pub(super) fn moved(
        &mut self,
        was: PeerId,
        peer: PeerId,
        address: PeerAddress,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) {
        let Some(said) = self.travellers.arrived(was) else {
            return self.out.now(Effect::HangUp { peer });
        };
        let Arrival { hello, ak } = arrival;
        let admitted = match (hello.purpose, ak) {
            (Purpose::Start { facts, .. }, Some(ak)) => {
                self.start_by_link(peer, address, ak, &facts, turn)
            }
            (
                Purpose::Resume {
                    session,
                    token,
                    entries,
                    shells,
                },
                None,
            ) => self.resume(peer, session, token, entries, &shells, turn.now),
            _ => Err(TurnedReason::Ticket),
        };
        if let Err(reason) = admitted {
            return self.turn_away(peer, false, reason);
        }
        for message in said {
            self.handle(Event::FromCustomer { peer, message }, turn);
        }
    }

    fn start_by_link(
        &mut self,
        peer: PeerId,
        address: PeerAddress,
        ak: Token,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<(), TurnedReason> {
        let typed = Typed::Token(ak);
        self.start(peer, address, Kind::Client, &typed, None, facts, turn)
    }

    /// Uses a key up and begins its session.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a different fact of one arrival"
    )]
    fn start(
        &mut self,
        peer: PeerId,
        address: PeerAddress,
        kind: Kind,
        typed: &Typed,
        puzzle: Option<&PuzzleAnswer>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<(), TurnedReason> {
        let key = self.find_key(typed, address, puzzle, turn)?;
        let theirs = self
            .cases
            .values()
            .filter(|case| case.record.owner == key.account)
            .count();
        if self.cases.len() >= SESSIONS_MAX || theirs >= SESSIONS_PER_REPRESENTATIVE_MAX {
            return Err(TurnedReason::Full);
        }
        self.keys.take(&key.ak.fingerprint());
        let token = Token::from_random(turn.bytes());
        let record = SessionRecord {
            session: SessionId::from_random(turn.bytes()),
            owner: key.account,
            owner_name: key.name,
            kind,
            facts: cleaned(facts),
            public_address: Text::try_from(address.ip().to_string().as_str()).unwrap_or_default(),
            resume: token.fingerprint(),
            started: turn.now.stamp,
            accepted: false,
            allowed: Vec::new(),
            next_shell: 1,
        };
        let session = record.session;
        let state = Session::Waiting {
            customer: Presence::Here,
        };
        let mut case = Case::new(record.clone(), state, Log::default());
        case.customer = Some(peer);
        case.console = self.seats.get(&key.account).and_then(|seat| seat.peer);
        self.peers.insert(peer, Who::Customer(session));
        let out = &mut self.out;
        case.must_record(
            out,
            Record::Started {
                session: Box::new(record),
                ak: key.ak,
            },
        );
        case.to_customer(out, &ToCustomer::Welcome(welcome(turn.now)));
        case.present(out, token);
        case.log(out, turn.now, case.by_customer(), What::Arrived);
        case.announce(out, self.restart, turn.now);
        case.show(out);
        self.cases.insert(session, case);
        Ok(())
    }

    /// A customer's program comes back to its session.
    fn resume(
        &mut self,
        peer: PeerId,
        session: SessionId,
        token: Token,
        entries: u32,
        shells: &[ShellPosition],
        now: Now,
    ) -> Result<(), TurnedReason> {
        let case = self.cases.get_mut(&session).ok_or(TurnedReason::Session)?;
        if !case.is_resumed_by(&token) {
            return Err(TurnedReason::Session);
        }
        let out = &mut self.out;
        let old = case.customer.replace(peer);
        if let Some(old) = old {
            // The old connection may look alive for minutes. Its `Left` still says where its
            // channels stood.
            out.now(Effect::HangUp { peer: old });
        }
        self.peers.insert(peer, Who::Customer(session));
        let was_away = !case.state.customer_is_here();
        case.advance(state::Event::CustomerBack)
            .expect("a case that is held has not ended");
        case.to_customer(out, &ToCustomer::Welcome(welcome(now)));
        case.present(out, token);
        case.replay_to_customer(out, entries);
        case.ask_again(out, now);
        case.shells_returned(out, now, old, shells);
        if was_away {
            case.log(out, now, case.by_customer(), What::CustomerBack);
        }
        case.announce(out, self.restart, now);
        case.show(out);
        case.join_all(out, &mut self.peers);
        Ok(())
    }
}

/// What lets a peer in.
pub(super) fn welcome(now: Now) -> Welcome {
    Welcome {
        version: VERSION,
        at: now.stamp,
        keep_alive_seconds: u32::try_from(KEEP_ALIVE_EVERY.as_secs()).unwrap_or(u32::MAX),
    }
}

/// Facts without control characters: they are shown on pages and terminals.
fn cleaned(facts: &Facts) -> Facts {
    let private_address = facts.private_address.parse::<std::net::IpAddr>();
    Facts {
        customer: label(&facts.customer),
        computer: label(&facts.computer),
        platform: label(&facts.platform),
        private_address: private_address
            .map(|address| Text::try_from(address.to_string().as_str()).unwrap_or_default())
            .unwrap_or_default(),
    }
}
