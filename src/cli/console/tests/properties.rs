//! Whatever is pressed and whatever is heard: no panic, nothing beyond the screen, and nothing
//! taken away that nobody asked for.

use std::net::IpAddr;

use proptest::prelude::*;

use super::super::paint::vt::Terminal;
use super::super::paint::{Shown, paint};
use super::super::screen::{COLUMNS, ROWS};
use super::super::state::Deed;
use super::super::words;
use super::updates::{judged, status, sticks, verdict};
use super::*;
use crate::control::stick::{Sticks, Worth};
use crate::control::update::{self, Accept, Phase, When};
use crate::domain::limits::PASSWORD_BYTES_MAX;
use crate::domain::network::Network;

fn any_notice() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,240}", "\\PC{0,60}", Just(String::new())]
}

fn any_health() -> impl Strategy<Value = Health> {
    prop_oneof![
        Just(Health::Starting),
        Just(Health::Serving),
        Just(Health::Good),
        any_notice().prop_map(|why| Health::Unconfirmed { why: notice(&why) }),
        any_notice().prop_map(|why| Health::Failing { why: notice(&why) }),
    ]
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Empty),
        Just(State::Exhausted),
        (0..4_u8).prop_map(|tries_left| State::OnTrial { tries_left }),
        (0..4_u8).prop_map(|tries_left| State::Good { tries_left }),
        (0..4_u8).prop_map(|tries_left| State::Untried { tries_left }),
    ]
}

prop_compose! {
    fn any_network()(
        interfaces in prop::collection::vec(
            ("[a-z][a-z0-9.]{0,14}", any::<bool>(), prop::collection::vec(any::<IpAddr>(), 0..8)),
            0..16,
        ),
        used in any::<prop::sample::Index>(),
        trouble in prop::option::of(any_notice()),
    ) -> NetworkFacts {
        let interfaces: heapless::Vec<Interface, 16> = interfaces
            .into_iter()
            .map(|(name, has_link, addresses)| Interface {
                addresses: addresses.into_iter().collect(),
                ..interface(&name, has_link, &[])
            })
            .collect();
        let used = (!interfaces.is_empty()).then(|| used.get(&interfaces).name.clone());
        let trouble = trouble.map(|text| notice(&text));
        let addresses = interfaces.first().map(|first| first.addresses.clone()).unwrap_or_default();
        NetworkFacts { interfaces, used, addresses, trouble, ..facts().network }
    }
}

prop_compose! {
    fn any_facts()(
        serial in prop::option::of("\\PC{0,128}"),
        shortfall in prop::option::of(any_notice()),
        version in "\\PC{0,128}",
        is_development: bool,
        slot in prop::sample::select(Slot::ALL.to_vec()),
        states in prop::collection::vec(any_state(), 0..3),
        health in any_health(),
        network in any_network(),
        rescue in prop::option::of(any_notice()),
        time: i64,
    ) -> Facts {
        let mut facts = facts();
        facts.hardware.serial = serial.map(|text| label(&text));
        facts.hardware.shortfall = shortfall.map(|text| notice(&text));
        facts.image.version = label(&version);
        if is_development {
            facts.image.channel = Channel::Development;
        }
        facts.boot.slot = slot;
        facts.boot.slots.truncate(states.len());
        for (slot, state) in facts.boot.slots.iter_mut().zip(states) {
            slot.state = state;
        }
        facts.clock.floor = Stamp(time);
        facts.clock.source = ClockSource::Hardware;
        Facts { health, network, rescue: rescue.map(|text| notice(&text)), ..facts }
    }
}

fn any_site() -> impl Strategy<Value = Option<Site>> {
    let link = "\\PC{0,400}";
    prop::option::of((link, any::<bool>()).prop_map(|(link, has_link)| Site {
        url: link.clone(),
        certificate: has_link.then(|| Fingerprint::of(b"")),
        setup_url: has_link.then(|| Secret::new(link)),
    }))
}

fn any_silence() -> impl Strategy<Value = Silence> {
    prop_oneof![
        prop::option::of(any_notice()).prop_map(|doing| Silence::NotThere { doing }),
        Just(Silence::NotPermitted),
        Just(Silence::TooLate),
        any_notice().prop_map(Silence::Other),
    ]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let network = prop_oneof![
        Just(Network::default()),
        Just(
            serde_json::from_str::<Network>(
                r#"{"interface":"gone0","ipv4":{"mode":"static","address":"192.0.2.10/24"}}"#
            )
            .unwrap()
        ),
    ];
    let machine = prop_oneof![
        4 => Just(Reply::Done),
        1 => any_notice().prop_map(|why| Reply::Refused { why: notice(&why) }),
        4 => network.prop_map(|settings| Reply::Network { settings: Box::new(settings) }),
        2 => Just(Reply::Bundle(bundle(Some("stick"), None))),
        1 => Just(Reply::Bundle(bundle(None, Some("\u{e4}.tar")))),
        4 => any_sticks().prop_map(|found| Reply::Sticks(Box::new(found))),
    ];
    prop_oneof![
        8 => machine.prop_map(Answer::Machine),
        1 => Just(()).prop_map(|()| Answer::Update(update::Reply::Done)),
        8 => any_silence().prop_map(Answer::Silence),
    ]
}

prop_compose! {
    fn any_worth()(
        why in prop::option::of(any_notice()),
        version in "\\PC{0,30}",
        notes in "\\PC{0,300}",
        older: bool,
        expired: bool,
        refused in prop::option::of(any_notice()),
        failed_before: bool,
        time: i64,
    ) -> Worth {
        if let Some(why) = why {
            return Worth::Unfit { why: notice(&why) };
        }
        let mut verdict = verdict("1.5.0", 9);
        verdict.offer.version = Text::try_from(version.as_str()).unwrap_or_default();
        verdict.offer.notes = notes;
        verdict.offer.built = Stamp(time);
        verdict.offer.failed_before = failed_before;
        verdict.needs = Accept { older, expired };
        verdict.refused = refused.map(|text| notice(&text));
        judged(verdict)
    }
}

fn any_sticks() -> impl Strategy<Value = Sticks> {
    let worths = prop::collection::vec(any_worth(), 0..9);
    (worths, prop::option::of(any_notice())).prop_map(|(worths, trouble)| Sticks {
        trouble: trouble.map(|text| notice(&text)),
        ..sticks(worths)
    })
}

fn any_phase() -> impl Strategy<Value = Phase> {
    let version = Text::try_from("1.5.0").unwrap();
    let figures = (any::<u64>(), any::<u64>(), any::<u64>());
    let (writing, reading, ready) = (version.clone(), version.clone(), version.clone());
    prop_oneof![
        Just(Phase::Idle),
        figures.prop_map(move |(bytes, of, millis)| Phase::Writing {
            version: writing.clone(),
            bytes,
            of,
            millis,
        }),
        figures.prop_map(move |(bytes, of, millis)| Phase::ReadingBack {
            version: reading.clone(),
            bytes,
            of,
            millis,
        }),
        prop::option::of(any::<i64>()).prop_map(move |at| Phase::Ready {
            version: ready.clone(),
            slot: System::B,
            restart: at.map(Stamp),
        }),
        Just(Phase::Proving { version }),
    ]
}

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        8 => prop::sample::select(vec![
            Key::Enter, Key::Tab, Key::BackTab, Key::Backspace, Key::Delete, Key::Escape, Key::Up,
            Key::Down, Key::Left, Key::Right, Key::Home, Key::End, Key::PageUp, Key::PageDown,
            Key::Clear, Key::Other,
        ]),
        6 => prop::char::range('0', '9').prop_map(Key::Char),
        3 => any::<char>().prop_map(Key::Char),
    ]
}

#[derive(Debug)]
enum Happens {
    Event(Event),
    Time(u64),
    Text(String),
}

fn anything() -> impl Strategy<Value = Happens> {
    prop_oneof![
        20 => any_key().prop_map(|key| Happens::Event(Event::Key(key))),
        2 => "[ -~]{0,40}".prop_map(Happens::Text),
        1 => (any_facts(), any_site()).prop_map(|(facts, site)| {
            Happens::Event(Event::News(News::Facts(Box::new(facts), site)))
        }),
        1 => any_silence().prop_map(|why| Happens::Event(Event::News(News::Silence(why)))),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(running, waiting)| {
            Happens::Event(Event::News(News::Sessions(Some(Sessions { waiting, running }))))
        }),
        1 => prop::option::of(any_phase()).prop_map(|phase| {
            let status = phase.map(|phase| Box::new(status(phase)));
            Happens::Event(Event::News(News::Update(status)))
        }),
        4 => any_answer().prop_map(|answer| Happens::Event(Event::Answer(answer))),
        1 => (0..1_000_u64).prop_map(Happens::Time),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_happens_panics_or_leaves_the_screen(
        starts_known: bool,
        happens in prop::collection::vec(anything(), 0..120),
    ) {
        let mut desk = if starts_known {
            Desk::at(facts(), Some(site(true)))
        } else {
            Desk::new()
        };
        let mut terminal = Terminal::new(ROWS, COLUMNS);
        let mut shown = desk.console.screen();
        terminal.feed(&paint(Shown::Anything, &shown));
        let mut is_waiting = false;
        for event in happens {
            let orders = desk.ordered.len();
            let was_waiting = is_waiting;
            match event {
                Happens::Event(event) => {
                    is_waiting &= !matches!(event, Event::Answer(_));
                    desk.event(event);
                }
                Happens::Time(seconds) => desk.wait(Duration::from_secs(seconds)),
                Happens::Text(text) => desk.type_in(&text),
            }
            let new = desk.ordered.len() - orders;
            // One order at a time.
            prop_assert!(new == 0 || (new == 1 && !was_waiting));
            is_waiting |= new == 1;
            let wanted = desk.console.screen();
            terminal.feed(&paint(Shown::Screen(&shown), &wanted));
            prop_assert_eq!(terminal.scrolled(), 0);
            prop_assert_eq!(terminal.text(), text(&wanted));
            shown = wanted;
        }
    }

    #[test]
    fn what_ends_sessions_or_erases_takes_more_than_one_kind_of_key(
        keys in prop::collection::vec(any_key(), 0..200), only_digits: bool
    ) {
        let mut desk = Desk::at(facts(), Some(site(true)));
        for key in keys {
            let is_digit = matches!(key, Key::Char('0'..='9'));
            let is_typed = matches!(key, Key::Char(_));
            // Whoever leans on the digits, or on anything but letters, erases nothing.
            if is_digit || !(only_digits || is_typed) {
                desk.event(Event::Key(key));
            }
            if desk.ordered.len() > 30 {
                break;
            }
            if !desk.ordered.is_empty() {
                let why = notice("no");
                desk.answer(Reply::Refused { why });
            }
        }
        for order in &desk.ordered {
            let Order::Machine(request) = order else { continue };
            prop_assert!(!matches!(request, Request::FactoryReset));
            if only_digits {
                let harmless = matches!(request, Request::Network | Request::ListSupportBundle);
                prop_assert!(harmless, "{request:?}");
            }
        }
    }

    #[test]
    fn a_password_is_never_on_the_screen(
        password in "[a-z]{6,40}", keys in prop::collection::vec(any_key(), 0..20)
    ) {
        let mut desk = at_password();
        desk.type_in(&password);
        desk.press(&[Key::Tab]);
        desk.type_in(&password);
        for key in keys {
            let seen = text(&desk.console.screen());
            prop_assert!(!seen.contains(&password), "{seen}");
            let debug = format!("{:?}", desk.console);
            prop_assert!(!debug.contains(&password), "{}", debug);
            desk.press(&[key]);
        }
    }
}

fn at_password() -> Desk {
    let mut desk = Desk::at(facts(), Some(site(true)));
    desk.type_in("2");
    desk
}

#[test]
fn the_longest_password_can_be_typed_and_no_more() {
    let mut desk = at_password();
    for _ in 0..2 {
        desk.type_in(&"x".repeat(PASSWORD_BYTES_MAX + 10));
        desk.press(&[Key::Tab]);
    }
    desk.press(&[Key::Enter]);
    let Some(Order::ResetPassword { password, .. }) = desk.ordered.last() else {
        panic!("{:?}", desk.ordered);
    };
    assert_eq!(password.expose().len(), PASSWORD_BYTES_MAX);
}

#[test]
fn every_terminal_can_show_every_word() {
    for words in [
        include_str!("../words.rs"),
        include_str!("../words/machine.rs"),
        include_str!("../words/network.rs"),
        include_str!("../words/update.rs"),
    ] {
        assert!(words.is_ascii());
    }
}

#[test]
fn help_and_marks_fit_their_lines() {
    for help in [
        words::HELP_HOME,
        words::HELP_TOLD,
        words::HELP_CHOICES,
        words::HELP_FORM,
        words::HELP_WIPE,
        words::HELP_STICKS,
        words::NETWORK_KEPT,
        words::NOT_YET,
        words::DEVELOPMENT_LONG,
        &words::settled(&Text::try_from("v".repeat(32).as_str()).unwrap(), When::Now),
        &words::help_list(1_000, 20, 10_000),
        &words::help_bundle(10, 20, 32),
        &words::still_here(Deed::PreviousVersion),
        &words::wipe_question(&"x".repeat(20), false),
    ] {
        assert!(help.len() <= COLUMNS - 4, "{help}");
    }
}
