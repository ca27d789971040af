//! The machine's own screen, for real: the program in a pseudo-terminal, keys in, bytes out, and
//! somebody who answers on the two sockets as supervisor and relay do.
//!
//! Screens are kept in `target/console/real-*.txt` for people to look at.

#![allow(clippy::unwrap_used)]

mod machine;
mod seat;
mod vt;

use std::process::Command;
use std::time::Duration;

use jumpgate::control::machine::{Request, System};
use jumpgate::control::update::{Phase, When};
use jumpgate::domain::Text;
use jumpgate::domain::network::{Ipv4, Network};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use machine::Machine;
use seat::{Seat, assert_says};

const CTRL_C: &str = "\x03";
const ESCAPE: &str = "\x1b";
const RIGHT: &str = "\x1b[C";
const DOWN: &str = "\x1b[B";

/// From power on to the first address, without anybody pressing a key.
#[test]
fn the_screen_fills_by_itself_as_the_machine_comes_up() {
    let machine = Machine::new();
    let mut seat = Seat::at(&machine);
    seat.until("Starting,");
    seat.keep("01-starting");
    machine.supervise(machine::facts(&[]));
    let seen = seat.until("NO CABLE: there is no link on eth0");
    assert_says(
        &seen,
        &[
            "Jumpgate B200  TEST-1",
            "0.3.0 (development), slot A",
            "DEVELOPMENT",
        ],
    );
    seat.keep("02-no-cable");
    machine.set_facts(machine::facts(&["192.0.2.10"]));
    seat.until("eth0: 192.0.2.10");
    machine.relay();
    let seen = seat.until("2 sessions run, 1 customer waits");
    assert_says(&seen, &["https://192.0.2.10/", "?token=0123456789abcdef"]);
    seat.keep("03-home");
    machine.vanish();
    let seen = seat.until("NOT ANSWERING");
    assert_says(&seen, &["TEST-1"]);
    seat.keep("04-gone");
    // Nothing to ask, nothing to do: it stays where it is.
    seat.press("5");
    seat.until("Not yet");
}

#[test]
fn the_network_is_set_as_typed() {
    let machine = Machine::running();
    let mut seat = Seat::at(&machine);
    seat.until("2 sessions run");
    seat.press("1");
    seat.until("< DHCP >");
    seat.keep("05-network");
    seat.press(RIGHT);
    seat.press(DOWN);
    seat.press("192.0.2.30/24\t192.0.9.1");
    seat.until("192.0.9.1 cannot be reached from 192.0.2.30/24");
    seat.keep("06-network-wrong");
    seat.press("\x15192.0.2.1");
    // Page down, which is the button.
    seat.press("\x1b[6~\r");
    seat.until("now: by DHCP");
    seat.keep("07-summary");
    seat.press("\r");
    seat.until("The settings are kept");
    seat.keep("08-kept");
    let Some(Request::SetNetwork { settings }) = machine.asked().pop() else {
        panic!("{:?}", machine.asked());
    };
    let Ipv4::Static(fixed) = settings.ipv4 else {
        panic!("{settings:?}");
    };
    assert_eq!(fixed.subnet(), "192.0.2.30/24");
    let rest = Network {
        ipv4: Ipv4::Dhcp,
        ..settings
    };
    assert_eq!(rest, Network::default());
}

#[test]
fn the_password_goes_to_the_relay_and_nowhere_else() {
    let machine = Machine::running();
    let mut seat = Seat::at(&machine);
    seat.until("2 sessions run");
    seat.press("2correct horse\tcorrect horse");
    seat.until("Both are the same");
    seat.keep("09-password");
    seat.press("\r\r");
    seat.until("admin has a new password");
    assert_eq!(
        machine.passwords(),
        [("admin".to_owned(), "correct horse".to_owned())]
    );
    assert!(!seat.everything().contains("horse"));
}

#[test]
fn the_bundle_is_listed_and_then_written() {
    let machine = Machine::running();
    let mut seat = Seat::at(&machine);
    seat.until("2 sessions run");
    seat.press("3");
    seat.until("USB stick: Flash Disk");
    seat.keep("10-bundle");
    seat.press("\r");
    seat.until("Written: bundle.tar.gz");
    seat.keep("11-bundle-written");
}

#[test]
fn an_update_is_installed_from_a_stick_and_started() {
    let machine = Machine::running();
    machine.update();
    let mut seat = Seat::at(&machine);
    seat.until("2 sessions run");
    seat.press("9");
    seat.until("Nothing is on its way.");
    seat.keep("14-updates");
    seat.press("\r");
    seat.until("> 1 0.4.0 newer");
    seat.keep("15-sticks");
    seat.press("\r");
    seat.until("> 1 No, go back <");
    seat.keep("16-install");
    let version = Text::try_from("0.4.0").unwrap();
    let (slot, restart) = (System::B, None);
    machine.set_phase(Phase::Ready {
        version,
        slot,
        restart,
    });
    seat.press("2\r");
    seat.until("Version 0.4.0 is complete");
    seat.keep("17-when");
    assert!(matches!(
        machine.asked().pop(),
        Some(Request::InstallFromStick { .. })
    ));
    seat.press("2\r");
    seat.until("The machine restarts into 0.4.0");
    assert_eq!(machine.restarts(), [When::Now]);
}

#[test]
fn going_down_and_erasing_are_asked_for_once_and_only_then() {
    let machine = Machine::running();
    let mut seat = Seat::at(&machine);
    seat.until("2 sessions run");
    seat.press("5\r");
    seat.until("> 1 Network <");
    seat.press("7");
    seat.until("restarts into 0.2.9 (slot B)");
    seat.press(ESCAPE);
    seat.until("7 Previous version");
    seat.press("8");
    seat.until("type this machine's serial number, TEST-1:");
    seat.keep("12-reset");
    seat.press("TEST-2\r");
    seat.until("That is something else");
    assert!(
        !machine
            .asked()
            .iter()
            .any(|request| matches!(request, Request::FactoryReset))
    );
    seat.press("\x7f1\r");
    seat.until("then erases its disk");
    assert!(matches!(machine.asked().pop(), Some(Request::FactoryReset)));
    machine.vanish();
    seat.until("The programs have stopped");
    seat.keep("13-reset-under-way");
}

#[test]
fn nobody_gets_out_of_it() {
    let machine = Machine::running();
    let mut seat = Seat::at(&machine);
    seat.until("2 sessions run");
    // Interrupt, quit, suspend, end of file, stop the output, a break, and noise.
    seat.press("\x03\x1c\x1a\x04\x13\x00\x1b[99;99R\x1bc\x7f\u{fffd}q:!sh");
    seat.press("6");
    seat.until("until somebody presses the machine's power button");
    seat.press(CTRL_C);
    seat.until("> 1 Network <");
    assert!(seat.is_running());
}

#[test]
fn what_has_not_changed_is_not_sent() {
    let machine = Machine::running();
    let mut seat = Seat::at(&machine);
    seat.until("2 sessions run");
    // From here on it is half a minute until everything is sent again by itself.
    seat.press("\x0c");
    seat.settle();
    let before = seat.everything().len();
    // Longer than news take to come again.
    seat.listen(Duration::from_secs(5));
    assert_eq!(seat.everything().len(), before);
    seat.press(DOWN);
    seat.until("> 2 Administrator's password <");
    let moved = seat.everything().len() - before;
    assert!(moved < 120, "{moved} bytes to move a mark");
    // A line of the kernel's, and then somebody who wants to see the screen.
    seat.scribble(b"[  12.3] usb 1-1: new device\r\n\n\n\n\n\n\n");
    assert!(!seat.text().starts_with("  Jumpgate"));
    seat.press("\x0c");
    seat.until("  Jumpgate B200  TEST-1");
    assert!(!seat.text().contains("usb 1-1"));
}

#[test]
fn an_end_leaves_the_terminal_as_it_was() {
    let machine = Machine::running();
    let mut seat = Seat::at(&machine);
    let echo = |seat: &Seat| {
        let termios = tcgetattr(seat.line()).unwrap();
        termios
            .local_flags
            .contains(LocalFlags::ECHO | LocalFlags::ICANON)
    };
    seat.until("> 1 Network <");
    assert!(!echo(&seat));
    kill(Pid::from_raw(seat.id()), Signal::SIGTERM).unwrap();
    assert!(seat.ended().success());
    assert!(echo(&seat));
}

#[test]
fn it_ends_with_its_terminal_so_that_it_can_be_started_on_the_next() {
    let machine = Machine::running();
    let mut seat = Seat::as_init_starts_it(&machine);
    seat.until("> 1 Network <");
    assert!(seat.hang_up().success());
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let machine = Machine::new();
    let output = Command::new(env!("CARGO_BIN_EXE_appliancectl"))
        .arg("--state")
        .arg(machine.folder())
        .arg("console")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--tty /dev/tty1"), "{text}");
}
