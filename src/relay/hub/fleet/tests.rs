//! Who comes in, and who does not.

use serde_json::Value;

use super::*;
use crate::domain::limits::ADMISSION_BURST;
use crate::link::message::Purpose;
use crate::relay::hub::Memory;
use crate::relay::hub::event::{Event, Order, Role};
use crate::relay::hub::tests::World;

const TOKEN: [u8; 16] = [7; 16];

/// An appliance with room for `active_max`, which has a deployment for `machines`.
fn world(active_max: u32, machines: u32) -> World {
    let deployment = Deployment {
        token: Token::from_random(TOKEN).fingerprint(),
        left: machines,
        expires: Stamp(1_000),
    };
    let memory = Memory {
        fleet: FleetMemory {
            active_max,
            deployments: vec![deployment],
            ..FleetMemory::default()
        },
        ..Memory::default()
    };
    let mut world = World::default();
    world.now.moment = Moment::from_millis(60_000);
    let mut random = |_: &mut [u8]| {};
    let mut turn = Turn {
        now: world.now,
        random: &mut random,
    };
    world.hub = Hub::restore(memory, &mut turn);
    world
}

fn key(number: u32) -> Fingerprint {
    Fingerprint::of(&number.to_be_bytes())
}

fn purpose(token: Option<[u8; 16]>) -> Purpose {
    Purpose::JumpClient {
        deployment: token.map(Token::from_random),
        computer: label("till"),
        platform: label("Debian"),
    }
}

/// The machine with this number connects from this place. Returns what it hears.
fn comes(world: &mut World, number: u32, slot: u32, token: Option<[u8; 16]>) -> Vec<Value> {
    let door = Door::Device(key(number));
    let (peer, effects) = world.hello_heard(slot, door, purpose(token));
    said(effects, peer)
}

fn said(effects: Vec<Effect>, to: PeerId) -> Vec<Value> {
    let said = effects.into_iter().filter_map(|effect| match effect {
        Effect::Say { peer, json } if peer == to => Some(serde_json::from_slice(&json).unwrap()),
        _ => None,
    });
    said.collect()
}

fn is_in(heard: &[Value]) -> bool {
    let kinds: Vec<&str> = heard
        .iter()
        .filter_map(|one| one["type"].as_str())
        .collect();
    kinds == ["welcome", "jump_client"]
}

#[test]
fn a_machine_is_let_in_by_a_deployment_once_that_is_on_record_and_later_by_its_key_alone() {
    let mut world = world(10, 1);
    let (peer, effects) = {
        let hello = world.hello_heard(1, Door::Device(key(1)), purpose(Some(TOKEN)));
        (hello.0, hello.1)
    };
    let Effect::Record { records, .. } = &effects[0] else {
        panic!("{effects:?}");
    };
    assert!(matches!(&records[..], [Record::Enrolled { client, .. }] if client.device == key(1)));
    let first = said(effects, peer);
    assert!(is_in(&first), "{first:?}");
    world.step(Event::Left {
        peer,
        channels: Vec::new(),
    });
    let again = comes(&mut world, 1, 2, None);
    assert_eq!(again[1], first[1], "the same one");
    // Its deployment was for one.
    assert_eq!(comes(&mut world, 2, 3, Some(TOKEN))[0]["reason"], "device");
}

#[test]
fn nobody_is_let_in_by_no_deployment_an_unknown_one_or_one_whose_time_is_over() {
    let mut world = world(10, 5);
    for token in [None, Some([8; 16])] {
        assert_eq!(comes(&mut world, 1, 1, token)[0]["reason"], "device");
    }
    world.now.stamp = Stamp(1_001);
    assert_eq!(comes(&mut world, 1, 2, Some(TOKEN))[0]["reason"], "device");
}

#[test]
fn a_key_that_nobody_proved_lets_nobody_in() {
    let mut world = world(10, 5);
    for (slot, door) in [(1, Door::Link), (2, Door::Socket(Role::Customer))] {
        let (peer, effects) = world.hello_heard(slot, door, purpose(Some(TOKEN)));
        assert_eq!(said(effects, peer)[0]["reason"], "device", "{door:?}");
    }
}

#[test]
fn one_more_than_the_model_may_have_is_told_the_limit_until_another_goes() {
    let mut world = world(3, 5);
    for number in 1..=3 {
        assert!(is_in(&comes(&mut world, number, number, Some(TOKEN))));
    }
    let heard = comes(&mut world, 4, 4, Some(TOKEN));
    assert_eq!(
        (&heard[0]["reason"], &heard[0]["limit"]),
        (&"limit".into(), &3.into())
    );
    let peer = PeerId {
        shard: 0,
        slot: 2,
        generation: 0,
    };
    world.step(Event::Left {
        peer,
        channels: Vec::new(),
    });
    assert!(is_in(&comes(&mut world, 4, 5, Some(TOKEN))));
    assert_eq!(world.hub.fleet.active, 3);
}

#[test]
fn a_machine_that_comes_again_takes_its_own_place_also_when_all_are_taken() {
    let mut world = world(1, 1);
    assert!(is_in(&comes(&mut world, 1, 1, Some(TOKEN))));
    let (peer, effects) = world.hello_heard(2, Door::Device(key(1)), purpose(None));
    let old = PeerId { slot: 1, ..peer };
    assert_eq!(said(effects.clone(), old)[0]["type"], "replaced");
    assert!(is_in(&said(effects, peer)));
    // The old connection's end takes nothing from the new one.
    world.step(Event::Left {
        peer: old,
        channels: Vec::new(),
    });
    assert_eq!(world.hub.fleet.active, 1);
}

#[test]
fn who_comes_with_many_is_told_when_and_is_let_in_then() {
    let mut world = world(1_000, 1_000);
    let rate = AdmissionRate::per_second(10).unwrap();
    world.step(Event::Order {
        id: 1,
        order: Order::SetAdmissionRate(rate),
    });
    let mut waits = Vec::new();
    for number in 0..100 {
        let heard = comes(&mut world, number, number, Some(TOKEN));
        if !is_in(&heard) {
            assert_eq!(heard[0]["reason"], "come_back", "{heard:?}");
            waits.push((number, heard[0]["millis"].as_u64().unwrap()));
        }
    }
    let at_once = 10 * ADMISSION_BURST.as_secs() + 1;
    assert_eq!(waits.len() as u64, 100 - at_once);
    let queue = world.hub.fleet.figures(world.now.moment).queue;
    assert_eq!(queue.waiting, waits.len());
    let start = world.now.moment;
    for (number, millis) in waits {
        world.now.moment = start + std::time::Duration::from_millis(millis);
        assert!(is_in(&comes(
            &mut world,
            number,
            1_000 + number,
            Some(TOKEN)
        )));
    }
    let queue = world.hub.fleet.figures(world.now.moment).queue;
    assert_eq!(queue.waiting, 0);
}

/// The connection of the machine with this number goes on at this place. Whether it may stay.
fn goes_on(world: &mut World, number: u32, slot: u32) -> bool {
    let peer = PeerId {
        shard: 0,
        slot,
        generation: 0,
    };
    let device = key(number);
    let effects = world.step(Event::Inherited { peer, device });
    match &effects[..] {
        [] => true,
        [Effect::HangUp { peer: it }] if *it == peer => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn connections_of_the_relay_before_go_on_without_a_turn_where_they_are_known_and_there_is_room() {
    let mut world = world(2, 5);
    let rate = AdmissionRate::per_second(1).unwrap();
    world.hub.fleet.set_rate(rate);
    for number in 1..=4 {
        let id = JumpClientId::from_random([u8::try_from(number).unwrap(); 8]);
        let client = Client { id, peer: None };
        world.hub.fleet.clients.insert(key(number), client);
    }
    assert!(goes_on(&mut world, 1, 1));
    assert!(!goes_on(&mut world, 9, 2), "nobody knows it");
    assert!(!goes_on(&mut world, 1, 3), "it is here already");
    assert!(goes_on(&mut world, 2, 4));
    assert!(!goes_on(&mut world, 3, 5), "there is no room");
    assert_eq!(world.hub.fleet.figures(world.now.moment).active, 2);
    assert_eq!(world.hub.machines().len(), 2);
    // Who goes makes room.
    let peer = PeerId {
        shard: 0,
        slot: 4,
        generation: 0,
    };
    world.step(Event::Left {
        peer,
        channels: Vec::new(),
    });
    assert!(goes_on(&mut world, 3, 6));
}
