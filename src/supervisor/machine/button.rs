//! The power button, and a virtual machine's "shut down", which comes the same way.
//!
//! The kernel gives one `struct input_event` (`<linux/input.h>`, 24 bytes on 64-bit machines) to a
//! press: time, then type, code and value.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::journal::note;
use super::life::Elsewhere;
use super::places::{self, Places};

/// What its driver calls it (`drivers/acpi/button.c`).
const NAME: &str = "Power Button";
const EVENT_BYTES: usize = 24;
/// `EV_KEY` and `KEY_POWER` of `<linux/input-event-codes.h>`.
const KEY: u16 = 1;
const POWER: u16 = 116;

/// Tells `elsewhere` of every press, from threads of its own.
pub(super) fn watch(places: &Places, elsewhere: &mpsc::Sender<Elsewhere>) {
    for path in buttons(places) {
        let elsewhere = elsewhere.clone();
        let thread = std::thread::Builder::new().name("button".into());
        let spawned = thread.spawn(move || {
            let Ok(mut button) = File::open(&path) else {
                return;
            };
            let mut event = [0; EVENT_BYTES];
            while button.read_exact(&mut event).is_ok() {
                if is_press(&event) && elsewhere.blocking_send(Elsewhere::Button).is_err() {
                    return;
                }
            }
        });
        if let Err(error) = spawned {
            note(&format!("the power button is not watched: {error}"));
        }
    }
}

fn buttons(places: &Places) -> Vec<PathBuf> {
    let folder = places.path("sys/class/input");
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    listed
        .filter(|entry| places::line(&entry.path().join("device/name")).as_deref() == Some(NAME))
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("event"))
        .map(|entry| places.path("dev/input").join(entry.file_name()))
        .collect()
}

fn is_press(event: &[u8; EVENT_BYTES]) -> bool {
    let word = |at: usize| u16::from_ne_bytes([event[at], event[at + 1]]);
    let value = i32::from_ne_bytes([event[20], event[21], event[22], event[23]]);
    // Not when it is let go.
    (word(16), word(18), value) == (KEY, POWER, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> [u8; EVENT_BYTES] {
        let mut event = [0xee; EVENT_BYTES];
        event[16..18].copy_from_slice(&kind.to_ne_bytes());
        event[18..20].copy_from_slice(&code.to_ne_bytes());
        event[20..24].copy_from_slice(&value.to_ne_bytes());
        event
    }

    #[test]
    fn only_pressing_the_power_key_counts() {
        assert!(is_press(&event(KEY, POWER, 1)));
        assert!(!is_press(&event(KEY, POWER, 0)));
        assert!(!is_press(&event(KEY, 30, 1)));
        assert!(!is_press(&event(0, 0, 0)));
    }

    #[test]
    fn a_keyboard_is_no_power_button() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        for (name, says) in [
            ("event0", "Power Button\n"),
            ("event1", "AT Translated Set 2 keyboard\n"),
            ("input0", "Power Button\n"),
        ] {
            let at = places.path("sys/class/input").join(name).join("device");
            std::fs::create_dir_all(&at).unwrap();
            std::fs::write(at.join("name"), says).unwrap();
        }
        assert_eq!(buttons(&places), [places.path("dev/input/event0")]);
    }
}
