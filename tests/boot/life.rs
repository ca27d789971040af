//! From the first start to the factory reset.

use std::process::Command;

use crate::support::image::top;
use crate::support::{Disk, Image, Machine, Setup, page, run};

/// Nothing else on the disk reads like this.
const CANARY: &str = "Qx7canaryVb2";
/// Of the base system, without connections.
const MEMORY_MIB_MAX: f64 = 128.0;

#[test]
fn a_flashed_disk_becomes_an_appliance_that_serves_a_session_and_forgets_it_when_it_is_reset() {
    let disk = Disk::flashed(&Image::under_test());
    let setup = Setup {
        model: "b400",
        ..Setup::default()
    };
    let first = first_start(&disk, &setup);
    assert!(
        disk.holds(CANARY.as_bytes()),
        "the canary is found where it is"
    );
    assert!(disk.environment().is_good(jumpgate::boot::System::A));
    assert!(disk.read("/jumpgate/a/good").is_some());

    let mut machine = Machine::start(&disk, &setup);
    let screen = machine.shows("Serving. 0 sessions run");
    assert_eq!(fingerprint(&screen), first, "the certificate stays");
    assert!(!screen.contains("/login/setup"), "it was set up: {screen}");
    machine.press("4");
    machine.shows("in use;");
    let memory_mib = machine.number_before("in use;");
    assert!(memory_mib <= MEMORY_MIB_MAX, "{memory_mib} MiB in use");
    machine.press("\x1b");
    machine.shows("Serving. ");
    reset(&mut machine);
    let screen = machine.shows("/login/setup");
    assert_ne!(fingerprint(&screen), first, "a new certificate");
    let (_, login) = page::get(machine.https(), "/login").unwrap();
    assert!(!login.contains(CANARY));
    machine.switch_off();
    assert!(!disk.holds(CANARY.as_bytes()), "nothing is left of it");
}

/// Sets it up and supports somebody. Returns the certificate's fingerprint.
fn first_start(disk: &Disk, setup: &Setup) -> String {
    let mut machine = Machine::start(disk, setup);
    machine.serves();
    let screen = machine.shows("/login/setup");
    for words in [
        "B400",
        "SN-000001",
        "up to 25,000 active Jump Clients",
        "slot A",
        "Address https://10.0.2.15/",
        "DEVELOPMENT IMAGE",
    ] {
        assert!(screen.contains(words), "'{words}' is missing: {screen}");
    }
    supports_somebody(&machine, &screen, "B400");
    machine.shows("Serving. ");
    let fingerprint = fingerprint(&screen);
    machine.switch_off();
    fingerprint
}

/// The people of `tests/browser`, in front of this machine.
fn supports_somebody(machine: &Machine<'_>, screen: &str, model: &str) {
    let token: String = after(screen, "token=").chars().take(32).collect();
    let url = format!("https://localhost:{}", machine.https());
    let booted = serde_json::json!({
        "url": url,
        "setupUrl": format!("{url}/login/setup?token={token}"),
        "model": model,
    });
    let mut browser = Command::new("npm");
    browser
        .args(["test", "--prefix"])
        .arg(top().join("tests/browser"));
    browser.env("JUMPGATE_BOOTED", booted.to_string());
    browser.env("JUMPGATE_CANARY", CANARY);
    run(&mut browser);
}

fn reset(machine: &mut Machine<'_>) {
    machine.press("8");
    machine.shows("type this machine's serial number");
    machine.press("SN-000001\r");
    machine.shows("then erases its disk");
    // The firmware's words at the next start.
    machine.says_next("BdsDxe: starting");
}

/// Of the certificate, as the console shows it.
fn fingerprint(screen: &str) -> String {
    let hex: String = after(screen, "SHA-256").chars().take(3 * 32 + 1).collect();
    hex.split_whitespace().collect()
}

fn after<'a>(text: &'a str, words: &str) -> &'a str {
    let found = text.split_once(words);
    found
        .unwrap_or_else(|| panic!("'{words}' is missing: {text}"))
        .1
}
