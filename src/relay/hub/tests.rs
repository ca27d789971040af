//! What a peer's behaviour costs others. How whole sessions go is the simulator's business.

use super::event::{Answer, Arrival, Order};
use super::*;
use crate::control::Reply;
use crate::domain::limits::{
    ENTRIES_PER_SESSION_MAX, TICKETS_TO_COME_BACK_MAX, TICKETS_WITH_KEY_MAX,
};
use crate::domain::text::label;
use crate::domain::turned::TurnedReason;
use crate::domain::{Facts, LongText, PeerAddress, Text, Token};
use crate::link::VERSION;
use crate::link::message::{FromCustomer, Hello, HelloTag, Purpose};

#[derive(Default)]
pub(super) struct World {
    pub hub: Hub,
    drawn: u64,
    pub now: Now,
}

impl World {
    /// One event; everything is on record at once.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let drawn = &mut self.drawn;
        let mut random = |buffer: &mut [u8]| {
            for byte in buffer {
                // Knuth's generator; its upper bits are the good ones.
                *drawn = drawn
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                [*byte, ..] = drawn.to_be_bytes();
            }
        };
        let mut turn = Turn {
            now: self.now,
            random: &mut random,
        };
        self.hub.handle(event, &mut turn);
        let mut effects = self.hub.take_effects();
        if let Some(Effect::Record { number, .. }) = effects.first() {
            let through = *number;
            self.hub.handle(Event::Recorded { through }, &mut turn);
            effects.extend(self.hub.take_effects());
        }
        effects
    }

    fn key(&mut self) -> Token {
        let order = Order::CreateKey {
            account: AccountId(1),
            name: label("Ana"),
            seconds: None,
        };
        let made = self.step(Event::Order { id: 1, order });
        let key = made.into_iter().find_map(|effect| match effect {
            Effect::Answer {
                answer: Answer::Key { ak, .. },
                ..
            } => Some(ak),
            _ => None,
        });
        key.expect("a key was made")
    }

    /// Somebody new says hello.
    fn hello(&mut self, slot: u32, door: Door, purpose: Purpose) -> PeerId {
        self.hello_heard(slot, door, purpose).0
    }

    /// The same, and what it brings about.
    pub fn hello_heard(
        &mut self,
        slot: u32,
        door: Door,
        purpose: Purpose,
    ) -> (PeerId, Vec<Effect>) {
        let peer = PeerId {
            shard: 0,
            slot,
            generation: 0,
        };
        let hello = Hello {
            tag: HelloTag::Hello,
            versions: (VERSION, VERSION),
            program: label("test"),
            purpose,
        };
        let effects = self.step(Event::Hello {
            peer,
            address: PeerAddress::new("192.0.2.1:1".parse().unwrap()),
            door,
            hello: Box::new(hello),
        });
        (peer, effects)
    }

    fn customer(&mut self, slot: u32) -> PeerId {
        let purpose = Purpose::Start {
            key: Some(Text::try_from(self.key().reveal().as_str()).unwrap()),
            facts: Facts::default(),
            puzzle: None,
        };
        let peer = self.hello(slot, Door::Link, purpose);
        assert!(self.hub.peers.who(peer).is_some(), "was not let in");
        peer
    }

    fn ask_for_ticket(&mut self, holder: TicketHolder) -> Reply {
        let order = Order::IssueTicket(holder);
        let answered = self.step(Event::Order { id: 1, order });
        let reply = answered.into_iter().find_map(|effect| match effect {
            Effect::Answer {
                answer: Answer::Reply(reply),
                ..
            } => Some(reply),
            _ => None,
        });
        reply.expect("orders are answered")
    }
}

#[test]
fn a_customer_who_fills_the_log_ends_its_own_session_before_the_store_refuses_a_line() {
    let mut world = World::default();
    let peer = world.customer(1);
    let (mut lines, mut ended) = (0, false);
    for _ in 0..ENTRIES_PER_SESSION_MAX + 10 {
        let message = FromCustomer::StopSharing;
        for effect in world.step(Event::FromCustomer { peer, message }) {
            let Effect::Record { records, .. } = effect else {
                continue;
            };
            for record in records {
                match record {
                    Record::Entry { entry, .. } => lines = lines.max(entry.number),
                    Record::Ended { reason, .. } => ended = reason == EndReason::Limit,
                    _ => {}
                }
            }
        }
    }
    assert!(ended);
    assert!(lines as usize <= ENTRIES_PER_SESSION_MAX, "{lines} lines");
}

#[test]
fn strangers_cannot_use_up_the_tickets_of_customers_with_a_key_or_of_consoles() {
    let mut world = World::default();
    let ak = world.key();
    let to_come_back = TicketHolder::Customer { ak: None };
    let with_key = TicketHolder::Customer { ak: Some(ak) };
    let console = TicketHolder::Console {
        account: AccountId(1),
        name: label("Ana"),
        sign_in: Fingerprint::of(b"a sign-in"),
    };
    for (holder, most) in [
        (to_come_back, TICKETS_TO_COME_BACK_MAX),
        (with_key, TICKETS_WITH_KEY_MAX),
    ] {
        while world.hub.tickets.len() < most {
            let reply = world.ask_for_ticket(holder.clone());
            assert!(matches!(reply, Reply::Ticket { .. }), "{reply:?}");
        }
        let reply = world.ask_for_ticket(holder);
        assert!(
            matches!(reply, Reply::Turned(TurnedReason::Full)),
            "{reply:?}"
        );
    }
    let reply = world.ask_for_ticket(console);
    assert!(matches!(reply, Reply::Ticket { .. }), "{reply:?}");
}

#[test]
fn a_representatives_own_program_comes_in_by_its_ticket_once_and_with_no_other() {
    let mut world = World::default();
    let console = TicketHolder::Console {
        account: AccountId(1),
        name: label("Ana"),
        sign_in: Fingerprint::of(b"a sign-in"),
    };
    let Reply::Ticket { ticket } = world.ask_for_ticket(console) else {
        panic!("a ticket");
    };
    let Reply::Ticket { ticket: customers } =
        world.ask_for_ticket(TicketHolder::Customer { ak: None })
    else {
        panic!("a ticket");
    };
    let (link, socket) = (Door::Link, Door::Socket(Role::Customer));
    let mut tries = |slot, door, ticket| {
        let shells = heapless::Vec::new();
        let peer = world.hello(slot, door, Purpose::Console { ticket, shells });
        world.hub.peers.who(peer)
    };
    assert_eq!(tries(1, link, None), None);
    assert_eq!(tries(2, link, Some(Token::from_random([7; 16]))), None);
    // A browser's is in its request, not in what it says.
    assert_eq!(tries(3, socket, Some(ticket.clone())), None);
    assert_eq!(tries(4, link, Some(customers)), None);
    assert_eq!(
        tries(5, link, Some(ticket.clone())),
        Some(Who::Console(AccountId(1)))
    );
    assert_eq!(tries(6, link, Some(ticket)), None);
}

/// One that connects at ring thread `shard` and says hello.
fn hello_at(world: &mut World, shard: u16, purpose: Purpose) -> (PeerId, Vec<Effect>) {
    let peer = PeerId {
        shard,
        slot: 9,
        generation: 0,
    };
    let hello = Hello {
        tag: HelloTag::Hello,
        versions: (VERSION, VERSION),
        program: label("test"),
        purpose,
    };
    let effects = world.step(Event::Hello {
        peer,
        address: PeerAddress::new("192.0.2.9:1".parse().unwrap()),
        door: Door::Link,
        hello: Box::new(hello),
    });
    (peer, effects)
}

/// Who is moved where, and what is to be said there.
fn moved(effects: Vec<Effect>) -> Option<(PeerId, u16, Box<Arrival>)> {
    effects.into_iter().find_map(|effect| match effect {
        Effect::Move { peer, to, arrival } => Some((peer, to, arrival)),
        _ => None,
    })
}

#[test]
fn a_customer_is_moved_to_its_consoles_ring_thread_before_it_is_let_in_and_when_it_comes_back() {
    let mut world = World::default();
    let holder = TicketHolder::Console {
        account: AccountId(1),
        name: label("Ana"),
        sign_in: Fingerprint::of(b"a sign-in"),
    };
    let Reply::Ticket { ticket } = world.ask_for_ticket(holder) else {
        panic!("a ticket");
    };
    let shells = heapless::Vec::new();
    let ticket = Some(ticket);
    world.hello(1, Door::Link, Purpose::Console { ticket, shells });

    let start = Purpose::Start {
        key: Some(Text::try_from(world.key().reveal().as_str()).unwrap()),
        facts: Facts::default(),
        puzzle: None,
    };
    let (late, effects) = hello_at(&mut world, 2, start.clone());
    let (_, _, late_arrival) = moved(effects).expect("the console is elsewhere");
    let (there, effects) = hello_at(&mut world, 1, start);
    let (was, to, arrival) = moved(effects).expect("the console is elsewhere");
    assert_eq!((to, world.hub.peers.who(there)), (0, None));
    // Somebody who does not wait for an answer.
    let text = LongText::new("in a hurry").unwrap();
    let message = FromCustomer::Chat { text };
    world.step(Event::FromCustomer {
        peer: there,
        message,
    });
    let here = PeerId { shard: 0, ..there };
    let address = PeerAddress::new("192.0.2.9:1".parse().unwrap());
    let arrived = Event::Moved {
        was,
        peer: here,
        address,
        arrival,
    };
    let said = world.step(arrived);
    let is_heard = |effect: &Effect| format!("{effect:?}").contains("in a hurry");
    assert!(said.iter().any(is_heard), "{said:?}");
    let Some(Who::Customer(session)) = world.hub.peers.who(here) else {
        panic!("not let in: {said:?}");
    };
    // Its key is used up.
    let again = PeerId { slot: 10, ..here };
    world.step(Event::Moved {
        was: late,
        peer: again,
        address,
        arrival: late_arrival,
    });
    assert_eq!(world.hub.peers.who(again), None);

    let token = said.iter().find_map(|effect| match effect {
        Effect::Say { json, .. } => {
            let message: serde_json::Value = serde_json::from_slice(json).unwrap();
            serde_json::from_value::<Token>(message.get("token")?.clone()).ok()
        }
        _ => None,
    });
    let token = token.expect("a way to come back");
    let resume = |token| Purpose::Resume {
        session,
        token,
        entries: 0,
        shells: heapless::Vec::new(),
    };
    // Who does not know it is not told where the console is either.
    let (_, effects) = hello_at(&mut world, 1, resume(Token::from_random([1; 16])));
    assert!(moved(effects).is_none());
    let (_, effects) = hello_at(&mut world, 1, resume(token.clone()));
    let (was, to, arrival) = moved(effects).expect("the console is elsewhere");
    assert_eq!(to, 0);
    let back = PeerId { slot: 11, ..here };
    world.step(Event::Moved {
        was,
        peer: back,
        address,
        arrival,
    });
    assert_eq!(world.hub.peers.who(back), Some(Who::Customer(session)));
    // One that is there already stays.
    let (_, effects) = hello_at(&mut world, 0, resume(token));
    assert!(moved(effects).is_none());
}
