//! Every screen, as people meet it. Each is written to `target/console/` to be looked at.

use super::*;
use crate::control::Reply as RelayReply;
use crate::domain::network::{Ipv4, Network, Static4};
use crate::domain::{Account, AccountId, AccountName, DisplayName};

pub(super) fn assert_says(screen: &str, words: &[&str]) {
    // A sentence may be broken into lines anywhere.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(flat(screen).contains(&flat(word)), "'{word}' in\n{screen}");
    }
}

pub(super) fn at_home() -> Desk {
    Desk::at(facts(), Some(site(true)))
}

#[test]
fn a_new_machine_says_how_it_is_set_up() {
    let desk = Desk::at(facts(), Some(site(false)));
    let seen = desk.see("01-home-new");
    assert_says(
        &seen,
        &[
            "Jumpgate B300  JG3-004711",
            "B300, up to 10,000 active Jump Clients",
            "1.4.0 (release), slot A",
            "https://192.0.2.10/",
            "eth0: 192.0.2.10, 2001:db8::10",
            "https://192.0.2.10/login/setup",
            "?token=0123456789abcdef0123456789abcdef",
            "3 sessions run, 1 customer waits",
            "> 1 Network <",
            "8 Factory reset",
        ],
    );
    // The certificate, in two lines.
    let fingerprint = Fingerprint::of(b"certificate").to_string().to_uppercase();
    assert_says(&seen, &[&format!("SHA-256 {}:", &fingerprint[..2])]);
    assert!(!seen.contains("DEVELOPMENT"), "{seen}");
    assert!(!seen.contains("fe80"), "{seen}");
}

#[test]
fn a_machine_that_is_set_up_shows_no_link() {
    let seen = at_home().see("02-home");
    assert!(
        !seen.contains("Set up") && !seen.contains("token"),
        "{seen}"
    );
}

#[test]
fn a_development_image_is_marked_on_every_screen() {
    let mut desk = Desk::at(development(), Some(site(false)));
    let seen = desk.see("03-home-development");
    assert_says(
        &seen,
        &[
            "DEVELOPMENT IMAGE",
            "this machine has 967 and 2",
            "?token=0123456789abcdef0123456789abcdef",
            "1.4.0 (development)",
        ],
    );
    desk.type_in("5");
    assert_says(&desk.see("04-restart-development"), &["DEVELOPMENT"]);
}

#[test]
fn before_the_supervisor_answers_it_says_what_is_going_on() {
    let mut desk = Desk::new();
    desk.event(nobody_there());
    assert_says(&desk.see("05-starting"), &["Starting, 0 s so far"]);
    desk.wait(Duration::from_secs(61));
    assert_says(&desk.see("06-not-started"), &["Not started after 61 s"]);
    let doing = Some("erasing the data partition: 12 %".to_owned());
    desk.event(Event::News(News::Silence(Silence::NotThere { doing })));
    assert_says(
        &desk.see("07-doing"),
        &["Erasing the data partition: 12 %."],
    );
    // Nothing can be ordered of nobody.
    for key in "1356789".chars() {
        desk.type_in(&key.to_string());
    }
    assert!(desk.ordered.is_empty());
}

#[test]
fn a_supervisor_that_stops_answering_is_told_with_what_was_known() {
    let mut desk = at_home();
    desk.event(nobody_there());
    desk.wait(Duration::from_secs(12));
    let seen = desk.see("08-not-answering");
    assert_says(&seen, &["NOT ANSWERING for 12 s", "JG3-004711"]);
    desk.type_in("5");
    assert_says(
        &desk.see("09-not-yet"),
        &["Not yet: the appliance does not answer"],
    );
    desk.news(facts(), Some(site(true)));
    assert!(!desk.see("02-home").contains("NOT ANSWERING"));
}

#[test]
fn without_an_address_it_says_what_to_do() {
    let mut unplugged = facts();
    unplugged.network = NetworkFacts {
        interfaces: [interface("eth0", false, &[]), interface("eth1", false, &[])]
            .into_iter()
            .collect(),
        ..NetworkFacts::default()
    };
    let mut desk = Desk::at(unplugged.clone(), Some(site(false)));
    let seen = desk.see("10-no-cable");
    assert_says(&seen, &["NO CABLE: there is no link on eth0, eth1"]);
    let mut no_lease = unplugged.clone();
    no_lease.network.interfaces[0] = interface("eth0", true, &["fe80::1", "169.254.3.4"]);
    no_lease.network.addresses = no_lease.network.interfaces[0].addresses.clone();
    desk.news(no_lease.clone(), Some(site(false)));
    assert_says(&desk.see("11-no-address"), &["NO ADDRESS", "Choose 1"]);
    no_lease.network.trouble = Some(notice(
        "eth0 gets no address: no DHCP server answers; set a fixed address on the console",
    ));
    desk.news(no_lease, Some(site(false)));
    let seen = desk.see("12-trouble");
    assert_says(&seen, &["eth0 gets no address: no DHCP server answers"]);
    // A link that nobody can open only takes room.
    assert!(!seen.contains("token"), "{seen}");
}

#[test]
fn rescue_and_failures_come_first() {
    let mut facts = facts();
    facts.rescue = Some(notice("bad superblock"));
    facts.health = Health::Failing {
        why: notice("web ended 5 times within 10 minutes"),
    };
    facts.boot.slot = Slot::Recovery;
    facts.clock.source = ClockSource::Floor;
    facts.hardware.serial = None;
    let mut desk = Desk::at(facts, Some(site(true)));
    let seen = desk.see("13-rescue");
    assert_says(
        &seen,
        &[
            "RESCUE",
            "runs without its data, so without accounts and keys: bad superblock.",
            "FAILING: web ended 5 times",
            "RECOVERY",
            "no time server has answered",
            "none: the firmware does not tell one",
        ],
    );
    desk.type_in("2");
    assert_says(&desk.see("14-rescue-password"), &["there are no accounts"]);
}

#[test]
fn too_much_to_say_leaves_room_for_the_menu_and_keeps_links_whole() {
    let mut facts = development();
    let long = "a word ".repeat(40);
    facts.rescue = Some(notice(&long));
    facts.network.trouble = Some(notice(&long));
    facts.health = Health::Unconfirmed { why: notice(&long) };
    facts.hardware.serial = Some(label(&"S".repeat(128)));
    facts.image.version = label(&"9".repeat(128));
    let seen = Desk::at(facts, Some(site(false))).see("15-too-much");
    assert_says(
        &seen,
        &["> 1 Network <", "8 Factory reset", "RESCUE", "..."],
    );
    let token = seen.contains("?token=");
    assert_eq!(token, seen.contains("0123456789abcdef0123456789abcdef"));
}

#[test]
fn all_details_are_a_list_that_moves() {
    let mut desk = Desk::at(development(), Some(site(true)));
    desk.type_in("4");
    let seen = desk.see("16-details");
    assert_says(
        &seen,
        &["Standard PC (Q35", "967 and 2", "Lines 1 to 20 of"],
    );
    desk.press(&[Key::End]);
    let seen = desk.see("17-details-end");
    assert_says(
        &seen,
        &[
            "eth1, 52:54:00:12:34:56, NO CABLE",
            "fe80::1",
            "from a time server",
        ],
    );
    desk.press(&[Key::Escape]);
    assert_says(&desk.see("16-details-left"), &["> 1 Network <"]);
}

fn at_network(kept: Network) -> Desk {
    let mut desk = at_home();
    desk.type_in("1");
    assert!(matches!(desk.asked(), Request::Network));
    assert_says(&desk.see("18-network-asking"), &["Asking for the settings"]);
    desk.answer(Reply::Network {
        settings: Box::new(kept),
    });
    desk
}

#[test]
fn a_fixed_address_is_checked_shown_and_only_then_applied() {
    let mut desk = at_network(Network::default());
    let seen = desk.see("19-network");
    assert_says(
        &seen,
        &["IPv4 < DHCP >", "IPv6 < automatic >", "DHCP takes whatever"],
    );
    assert!(!seen.contains("Gateway"), "{seen}");
    desk.press(&[Key::Right, Key::Down]);
    assert_says(
        &desk.see("20-network-static"),
        &["An address with its prefix is needed"],
    );
    desk.type_in("192.0.2.20/24\r192.0.3.1");
    assert_says(
        &desk.see("21-network-gateway"),
        &[
            "192.0.3.1 cannot be reached from 192.0.2.20/24",
            "! Gateway",
        ],
    );
    // It does not go on like this, and shows where.
    desk.press(&[Key::PageDown]);
    assert_says(&desk.see("22-network-unfinished"), &["the field Gateway"]);
    desk.press(&[Key::Enter, Key::Clear]);
    desk.type_in("192.0.2.1");
    desk.press(&[Key::PageDown, Key::Enter]);
    let seen = desk.see("23-network-summary");
    assert_says(
        &seen,
        &[
            "This will change:",
            "192.0.2.20/24, gateway 192.0.2.1",
            "now: by DHCP",
            "Everybody who is connected now is cut off",
            "Without DHCP and name servers",
            "> 1 Apply <",
        ],
    );
    assert_eq!(desk.ordered.len(), 1, "nothing was applied yet");
    desk.press(&[Key::Enter]);
    let Request::SetNetwork { settings } = desk.asked() else {
        panic!("{:?}", desk.asked());
    };
    let gateway = Some("192.0.2.1".parse().unwrap());
    let fixed = Static4::new("192.0.2.20/24", gateway).unwrap();
    assert_eq!(settings.ipv4, Ipv4::Static(fixed));
    desk.answer(Reply::Done);
    assert_says(&desk.see("24-network-kept"), &["The settings are kept"]);
}

#[test]
fn everything_that_can_be_typed_comes_out_as_it_was_typed() {
    let json = r#"{"site":"support.example.com","interface":"eth7","vlan":100,
        "dns":["192.0.2.53","2001:db8::53"],"ntp":["ntp.example.com","192.0.2.123"],
        "proxy":"[2001:db8::1]:3128",
        "ipv4":{"mode":"static","address":"192.0.2.10/24","gateway":"192.0.2.1"},
        "ipv6":{"mode":"static","address":"2001:db8::10/64","gateway":"fe80::1"}}"#;
    let kept: Network = serde_json::from_str(json).unwrap();
    let mut desk = at_network(kept.clone());
    let seen = desk.see("25-network-full");
    assert_says(
        &seen,
        &["eth7 (not in this machine now)", "[2001:db8::1]:3128"],
    );
    desk.press(&[Key::PageDown, Key::Enter]);
    assert_says(&desk.see("26-network-unchanged"), &["Nothing was changed"]);
    desk.press(&[Key::Enter]);
    let Request::SetNetwork { settings } = desk.asked() else {
        panic!("{:?}", desk.asked());
    };
    assert_eq!(*settings, kept);
    // Refused: told in the supervisor's words, then back to what was typed.
    desk.answer(Reply::Refused {
        why: notice("eth7 is not in this machine"),
    });
    assert_says(
        &desk.see("27-network-refused"),
        &["eth7 is not in this machine"],
    );
    desk.press(&[Key::Enter]);
    desk.type_in("2\r");
    assert_says(
        &desk.see("25-network-full"),
        &["eth7 (not in this machine now)"],
    );
}

#[test]
fn a_changed_form_is_not_left_by_accident() {
    let mut desk = at_network(Network::default());
    desk.press(&[Key::Up, Key::Up, Key::Up]);
    desk.type_in("support.example");
    desk.press(&[Key::Escape]);
    assert_says(&desk.see("28-network-leave"), &["Press Esc once more"]);
    desk.type_in(".com");
    desk.press(&[Key::Escape, Key::Escape]);
    assert_says(&desk.see("02-home"), &["> 1 Network <"]);
    assert_eq!(desk.ordered.len(), 1, "nothing was applied");
}

#[test]
fn the_administrators_password_is_set_unseen_and_by_the_relay() {
    let mut desk = at_home();
    desk.type_in("2");
    desk.type_in("correct ho");
    assert_says(
        &desk.see("29-password"),
        &[
            "Account [admin",
            "[**********",
            "The two are not the same yet",
        ],
    );
    desk.type_in("rse\tcorrect horse");
    let seen = desk.see("30-password-good");
    assert_says(&seen, &["Both are the same"]);
    assert!(!seen.contains("horse"), "{seen}");
    desk.press(&[Key::Enter, Key::Enter]);
    let Some(Order::ResetPassword { name, password }) = desk.ordered.pop() else {
        panic!("{:?}", desk.ordered);
    };
    assert_eq!(
        (name.as_str(), &**password.expose()),
        ("admin", "correct horse")
    );
    let account = Account {
        id: AccountId(1),
        name: AccountName::new("admin").unwrap(),
        display_name: DisplayName::new("Administrator").unwrap(),
        administrator: true,
        representative: false,
        disabled: false,
    };
    desk.event(Event::Answer(Answer::Relay(RelayReply::Account(account))));
    assert_says(&desk.see("31-password-set"), &["admin has a new password"]);
}

#[test]
fn a_password_that_cannot_be_is_not_sent() {
    let mut desk = at_home();
    desk.type_in("2short\tshort\r\r");
    assert!(desk.ordered.is_empty());
    assert_says(
        &desk.see("32-password-short"),
        &["5 of at least 10 characters"],
    );
    // Whoever presses an arrow by mistake must not believe that it is part of the password.
    desk.press(&[Key::Other]);
    assert_says(
        &desk.see("33-password-key"),
        &["That key cannot be part of it"],
    );
    desk.press(&[Key::Escape]);
    // Nobody there: it says so and keeps only the name.
    desk.type_in("2correct horse\tcorrect horse\r\r");
    let why = Silence::NotThere { doing: None };
    desk.event(Event::Answer(Answer::Silence(why)));
    assert_says(&desk.see("34-password-silence"), &["Nothing was changed"]);
    desk.press(&[Key::Enter]);
    assert!(!desk.see("35-password-again").contains("**"));
}

#[test]
fn without_an_administrator_there_is_no_password_to_reset() {
    let mut desk = Desk::at(facts(), Some(site(false)));
    desk.type_in("2");
    assert_says(
        &desk.see("36-password-none"),
        &["There is no administrator yet"],
    );
}

#[test]
fn the_bundle_is_listed_before_it_is_written() {
    let mut desk = at_home();
    desk.type_in("3");
    assert!(matches!(desk.asked(), Request::ListSupportBundle));
    desk.answer(Reply::Bundle(bundle(None, None)));
    let seen = desk.see("37-bundle-no-stick");
    assert_says(
        &seen,
        &[
            "log/relay.log 7.2 MiB what the relay wrote",
            "No USB stick found",
        ],
    );
    assert!(!seen.contains("Write it"), "{seen}");
    desk.press(&[Key::Enter]);
    desk.answer(Reply::Bundle(bundle(Some("Flash Disk, 14.9 GiB"), None)));
    assert_says(
        &desk.see("38-bundle"),
        &["USB stick: Flash Disk", "> 1 Write it"],
    );
    desk.press(&[Key::Enter]);
    assert!(matches!(desk.asked(), Request::WriteSupportBundle));
    desk.wait(Duration::from_secs(20));
    assert_says(
        &desk.see("39-bundle-writing"),
        &["Leave it plugged in", "20 s"],
    );
    let written = bundle(
        Some("Flash Disk"),
        Some("jumpgate-JG3-004711-20251124.tar.gz"),
    );
    desk.answer(Reply::Bundle(written));
    assert_says(&desk.see("40-bundle-written"), &["Written: jumpgate-JG3"]);
    desk.press(&[Key::Enter]);
    assert_says(&desk.see("02-home"), &["> 1 Network <"]);
}

#[test]
fn going_down_takes_a_choice_and_names_what_ends() {
    for (digit, name, words) in [
        ("5", "restart", "The machine restarts."),
        (
            "6",
            "power-off",
            "until somebody presses the machine's power button",
        ),
        (
            "7",
            "previous",
            "restarts into 1.3.2 (slot B) and stays there",
        ),
    ] {
        let mut desk = at_home();
        desk.type_in(digit);
        let seen = desk.see(&format!("41-{name}"));
        assert_says(
            &seen,
            &[
                words,
                "3 running support sessions and 1 waiting customer",
                "> 1 No, go back <",
            ],
        );
        desk.press(&[Key::Enter]);
        assert!(desk.ordered.is_empty(), "{name}");
        // The number chooses; only Enter does it.
        desk.type_in(digit);
        desk.type_in("2");
        assert!(desk.ordered.is_empty(), "{name}");
        desk.press(&[Key::Enter]);
        assert_eq!(desk.ordered.len(), 1, "{name}");
        desk.answer(Reply::Done);
        desk.wait(Duration::from_secs(3));
        assert_says(
            &desk.see(&format!("42-{name}-leaving")),
            &["Sessions are being ended"],
        );
        desk.event(nobody_there());
        assert_says(
            &desk.see(&format!("43-{name}-left")),
            &["The programs have stopped"],
        );
    }
}

#[test]
fn a_machine_that_does_not_go_down_says_so() {
    let mut desk = at_home();
    desk.type_in("52\r");
    desk.answer(Reply::Done);
    desk.wait(Duration::from_secs(181));
    assert_says(&desk.see("44-still-here"), &["was told, but still runs"]);
}

#[test]
fn without_a_previous_version_nothing_is_offered() {
    let mut facts = facts();
    facts.boot.slots[1].state = State::Exhausted;
    let mut desk = Desk::at(facts, Some(site(true)));
    desk.type_in("7");
    let seen = desk.see("45-previous-none");
    assert_says(&seen, &["Slot A runs; slot B holds no version"]);
    desk.press(&[Key::Enter]);
    assert!(desk.ordered.is_empty());
}

#[test]
fn a_factory_reset_takes_the_serial_number() {
    let mut desk = at_home();
    desk.type_in("8");
    let seen = desk.see("46-wipe");
    assert_says(
        &seen,
        &[
            "lost for ever",
            "all accounts and passwords",
            "recordings",
            "the certificate and the keys",
            "the network settings",
            "3 running support sessions",
            "type this machine's serial number, JG3-004711:",
        ],
    );
    desk.type_in("yes\r");
    assert_says(&desk.see("47-wipe-wrong"), &["That is something else"]);
    assert!(desk.ordered.is_empty());
    desk.press(&[Key::Clear]);
    desk.type_in(" jg3-004711\r");
    assert!(matches!(desk.asked(), Request::FactoryReset));
    desk.answer(Reply::Done);
    assert_says(&desk.see("48-wipe-leaving"), &["then erases its disk"]);
}

#[test]
fn a_machine_without_a_serial_number_that_can_be_typed_asks_for_a_word() {
    for serial in [None, Some(label("Ser\u{e4}l")), Some(label(" "))] {
        let mut facts = facts();
        facts.hardware.serial = serial;
        let mut desk = Desk::at(facts, Some(site(true)));
        desk.type_in("8");
        assert_says(&desk.see("49-wipe-word"), &["type the word ERASE:"]);
        desk.type_in("erase\r");
        assert!(matches!(desk.asked(), Request::FactoryReset));
    }
}

#[test]
fn a_form_that_nobody_finishes_is_closed() {
    let mut desk = at_home();
    desk.type_in("2correct horse");
    desk.wait(Duration::from_secs(601));
    assert_says(&desk.see("02-home"), &["> 1 Network <"]);
}

#[test]
fn who_is_not_root_learns_why_nothing_is_shown() {
    let mut desk = Desk::new();
    desk.event(Event::News(News::Silence(Silence::NotPermitted)));
    assert_says(
        &desk.see("50-not-root"),
        &["Only root may use this console"],
    );
}
