//! A session of the appliance with itself, by which a new version shows that it carries sessions.
//!
//! ```text
//! root ─ Order::LoopBack ─> two tokens ─> one end by the link's ALPN, as a customer client comes
//!                                     └─> the other through a WebSocket, as a console does
//! both said hello ─> one channel, on the same routes as a shell's
//! ```
//!
//! It is no case: nobody sees it, nothing of it is recorded, and what comes through it goes to the
//! other token's bearer only. There is one at a time, for [`LOOP_BACK_WITHIN`].

use super::arrive::welcome;
use super::event::{Effect, PeerId};
use super::out::Out;
use super::{Hub, Role, Turn};
use crate::control::Reply;
use crate::domain::limits::LOOP_BACK_WITHIN;
use crate::domain::token::Fingerprint;
use crate::domain::{Moment, Now, SessionId, ShellId, Token};
use crate::link::connection::encode;
use crate::link::message::{Purpose, ToConsole, ToCustomer};
use crate::session::key::{self, Typed};

/// The only channel of either end.
const CHANNEL: u16 = 1;

/// Both ends, and how long they may take.
#[derive(Debug)]
pub(super) struct LoopBack {
    until: Moment,
    customer: End,
    console: End,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Whoever shows this token.
    Awaited(Fingerprint),
    /// It has shown its ticket, and still has to say hello.
    Admitted(PeerId),
    /// It is connected.
    Here(PeerId),
}

impl End {
    fn awaits(self, token: &Token) -> bool {
        matches!(self, Self::Awaited(expected) if expected.matches(&token.fingerprint()))
    }

    fn peer(self) -> Option<PeerId> {
        match self {
            Self::Awaited(_) => None,
            Self::Admitted(peer) | Self::Here(peer) => Some(peer),
        }
    }
}

impl LoopBack {
    fn has(&self, peer: PeerId) -> bool {
        self.peers().any(|end| end == peer)
    }

    fn peers(&self) -> impl Iterator<Item = PeerId> {
        [self.customer, self.console]
            .into_iter()
            .filter_map(End::peer)
    }

    /// Joins both ends once they are there, as a shell's two sides are.
    fn join(&self, out: &mut Out) {
        let (End::Here(customer), End::Here(console)) = (self.customer, self.console) else {
            return;
        };
        let (session, shell) = (SessionId::from_random([0; 8]), ShellId(1));
        let to_customer = encode(&ToCustomer::ShellOpen {
            shell,
            channel: CHANNEL,
            columns: 80,
            rows: 24,
        });
        let to_console = encode(&ToConsole::Shell {
            session,
            shell,
            channel: CHANNEL,
            send_from: 0,
            receive_from: 0,
        });
        let sides = [
            (customer, console, to_customer),
            (console, customer, to_console),
        ];
        for (peer, other, announcement) in sides {
            out.now(Effect::OpenChannel {
                peer,
                channel: CHANNEL,
                to: (other, CHANNEL),
                acknowledged: 0,
                send_from: 0,
                receive_from: 0,
                tap: None,
                announcement,
            });
        }
    }
}

impl Hub {
    /// Begins one; the one before is over.
    pub(super) fn begin_loop_back(&mut self, turn: &mut Turn<'_>) -> Reply {
        self.end_loop_back();
        let customer = Token::from_random(turn.bytes());
        let console = Token::from_random(turn.bytes());
        self.loop_back = Some(LoopBack {
            until: turn.now.moment + LOOP_BACK_WITHIN,
            customer: End::Awaited(customer.fingerprint()),
            console: End::Awaited(console.fingerprint()),
        });
        Reply::LoopBack { customer, console }
    }

    /// Whether a WebSocket's ticket is that of the console's end, which is let in then.
    pub(super) fn loop_back_upgrade(&mut self, peer: PeerId, ticket: &Token, now: Now) -> bool {
        let loop_back = self.loop_back.as_mut();
        let Some(loop_back) = loop_back.filter(|it| now.moment <= it.until) else {
            return false;
        };
        if !loop_back.console.awaits(ticket) {
            return false;
        }
        loop_back.console = End::Admitted(peer);
        let role = Some(Role::Console);
        self.out.now(Effect::Admit { peer, role });
        true
    }

    /// Whether a hello is one of the ends', which is let in then.
    pub(super) fn loop_back_hello(
        &mut self,
        peer: PeerId,
        by_link: bool,
        purpose: &Purpose,
        now: Now,
    ) -> bool {
        let loop_back = self.loop_back.as_mut();
        let Some(loop_back) = loop_back.filter(|it| now.moment <= it.until) else {
            return false;
        };
        let customer = loop_back.customer;
        match purpose {
            Purpose::Start { key: Some(key), .. }
                if by_link
                    && matches!(key::read(key), Typed::Token(token) if customer.awaits(&token)) =>
            {
                loop_back.customer = End::Here(peer);
                self.out.say(peer, &ToCustomer::Welcome(welcome(now)));
            }
            Purpose::Console { .. } if loop_back.console == End::Admitted(peer) => {
                loop_back.console = End::Here(peer);
                self.out.say(peer, &ToConsole::Welcome(welcome(now)));
            }
            Purpose::Start { .. }
            | Purpose::Resume { .. }
            | Purpose::Console { .. }
            | Purpose::JumpClient { .. } => {
                return false;
            }
        }
        loop_back.join(&mut self.out);
        true
    }

    /// One end's connection is gone: so is the session.
    pub(super) fn loop_back_left(&mut self, peer: PeerId) {
        if self.loop_back.as_ref().is_some_and(|it| it.has(peer)) {
            self.end_loop_back();
        }
    }

    /// It took too long.
    pub(super) fn loop_back_time_passed(&mut self, now: Now) {
        if self
            .loop_back
            .as_ref()
            .is_some_and(|it| it.until < now.moment)
        {
            self.end_loop_back();
        }
    }

    fn end_loop_back(&mut self) {
        for peer in self.loop_back.take().iter().flat_map(LoopBack::peers) {
            self.out.now(Effect::HangUp { peer });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::label;
    use crate::domain::{Facts, PeerAddress, Text};
    use crate::link::VERSION;
    use crate::link::message::{Hello, HelloTag};
    use crate::relay::hub::Event;
    use crate::relay::hub::event::{Answer, Door, Order, Role};

    const CUSTOMER: PeerId = PeerId {
        shard: 0,
        slot: 1,
        generation: 0,
    };
    const CONSOLE: PeerId = PeerId {
        slot: 2,
        ..CUSTOMER
    };
    const STRANGER: PeerId = PeerId {
        slot: 3,
        ..CUSTOMER
    };

    fn step(hub: &mut Hub, at: u64, event: Event) -> Vec<Effect> {
        // No two draws of a test are alike.
        let mut drawn = u8::try_from(at % 100).unwrap();
        let mut random = |buffer: &mut [u8]| {
            drawn += 1;
            buffer.fill(drawn);
        };
        let mut turn = Turn {
            now: Now {
                moment: Moment::from_millis(at),
                ..Now::default()
            },
            random: &mut random,
        };
        hub.handle(event, &mut turn);
        hub.take_effects()
    }

    fn begin(hub: &mut Hub, at: u64) -> (Token, Token) {
        let order = Order::LoopBack;
        let made = step(hub, at, Event::Order { id: 1, order });
        let tokens = made.into_iter().find_map(|effect| match effect {
            Effect::Answer {
                answer: Answer::Reply(Reply::LoopBack { customer, console }),
                ..
            } => Some((customer, console)),
            _ => None,
        });
        tokens.unwrap()
    }

    fn upgrade(peer: PeerId, ticket: &Token) -> Event {
        let ticket = ticket.clone();
        Event::Upgrade { peer, ticket }
    }

    fn hello(peer: PeerId, purpose: Purpose) -> Event {
        Event::Hello {
            peer,
            address: PeerAddress::new("127.0.0.1:1".parse().unwrap()),
            door: match purpose {
                Purpose::Start { .. } => Door::Link,
                _ => Door::Socket(Role::Console),
            },
            hello: Box::new(Hello {
                tag: HelloTag::Hello,
                versions: (VERSION, VERSION),
                program: label("probe"),
                purpose,
            }),
        }
    }

    fn start(token: &Token) -> Purpose {
        Purpose::Start {
            key: Some(Text::try_from(token.reveal().as_str()).unwrap()),
            facts: Facts::default(),
            puzzle: None,
        }
    }

    fn console() -> Purpose {
        Purpose::Console {
            ticket: None,
            shells: heapless::Vec::new(),
        }
    }

    fn opened(effects: &[Effect]) -> Vec<(PeerId, PeerId)> {
        let routes = effects.iter().filter_map(|effect| match effect {
            Effect::OpenChannel { peer, to, tap, .. } => {
                assert_eq!(*tap, None);
                Some((*peer, to.0))
            }
            _ => None,
        });
        routes.collect()
    }

    fn hung_up(effects: &[Effect]) -> Vec<PeerId> {
        let peers = effects.iter().filter_map(|effect| match effect {
            Effect::HangUp { peer } => Some(*peer),
            _ => None,
        });
        peers.collect()
    }

    fn nothing_is_on_record(effects: &[Effect]) -> bool {
        let is_record = |effect: &Effect| matches!(effect, Effect::Record { .. });
        !effects.iter().any(is_record)
    }

    #[test]
    fn the_two_who_were_given_tokens_are_joined_and_nobody_else_hears_of_it() {
        let mut hub = Hub::default();
        let (customer, ticket) = begin(&mut hub, 0);
        let admitted = step(&mut hub, 1, upgrade(CONSOLE, &ticket));
        assert!(matches!(
            admitted[..],
            [Effect::Admit {
                role: Some(Role::Console),
                ..
            }]
        ));
        let mut all = step(&mut hub, 2, hello(CONSOLE, console()));
        assert_eq!(opened(&all), [], "the other end is not there yet");
        all.extend(step(&mut hub, 3, hello(CUSTOMER, start(&customer))));
        assert_eq!(opened(&all), [(CUSTOMER, CONSOLE), (CONSOLE, CUSTOMER)]);
        // One leaves, and so does the other.
        let left = Event::Left {
            peer: CUSTOMER,
            channels: Vec::new(),
        };
        all.extend(step(&mut hub, 4, left));
        assert!(hung_up(&all).contains(&CONSOLE));
        assert!(nothing_is_on_record(&all));
        assert!(hub.cases.is_empty() && hub.seats.is_empty());
    }

    #[test]
    fn each_token_is_good_once_and_not_for_the_other_end() {
        let mut hub = Hub::default();
        let (customer, ticket) = begin(&mut hub, 0);
        let refused = step(&mut hub, 1, upgrade(STRANGER, &customer));
        assert!(matches!(refused[..], [Effect::Admit { role: None, .. }]));
        let refused = step(&mut hub, 1, hello(STRANGER, start(&ticket)));
        assert_eq!(hung_up(&refused), [STRANGER]);
        step(&mut hub, 2, upgrade(CONSOLE, &ticket));
        let refused = step(&mut hub, 3, upgrade(STRANGER, &ticket));
        assert!(matches!(refused[..], [Effect::Admit { role: None, .. }]));
        step(&mut hub, 4, hello(CUSTOMER, start(&customer)));
        let refused = step(&mut hub, 5, hello(STRANGER, start(&customer)));
        assert_eq!(hung_up(&refused), [STRANGER]);
        // Who was not admitted does not become the console by saying so.
        let refused = step(&mut hub, 6, hello(STRANGER, console()));
        assert_eq!(
            (opened(&refused), hung_up(&refused)),
            (vec![], vec![STRANGER])
        );
    }

    #[test]
    fn what_takes_too_long_is_over() {
        let mut hub = Hub::default();
        let (customer, ticket) = begin(&mut hub, 0);
        step(&mut hub, 1, hello(CUSTOMER, start(&customer)));
        let late = u64::try_from(LOOP_BACK_WITHIN.as_millis()).unwrap() + 1;
        let refused = step(&mut hub, late, upgrade(CONSOLE, &ticket));
        assert!(matches!(refused[..], [Effect::Admit { role: None, .. }]));
        let over = step(&mut hub, late, Event::TimePassed);
        assert_eq!(hung_up(&over), [CUSTOMER]);
        // The next one ends the one before.
        let (customer, _) = begin(&mut hub, late);
        step(&mut hub, late, hello(CUSTOMER, start(&customer)));
        let order = Order::LoopBack;
        let again = step(&mut hub, late, Event::Order { id: 2, order });
        assert_eq!(hung_up(&again), [CUSTOMER]);
    }
}
