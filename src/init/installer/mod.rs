//! The installation stick: writes the appliance to a disk of this machine.
//!
//! ```text
//! payload (checked whole) ─> offers ─> screen: which one, and is that certain? ─> target
//!                               └────> unattended: the one that can be meant ──────┘
//! ```
//!
//! Only the disk that was confirmed is ever written, and none before all that the stick brings has
//! been read and found as it was signed. The disk's first mebibyte, with its partition table, goes
//! last: whatever ends an installation early leaves a disk that does not start, not half an
//! appliance that does. There is no way out of here but a restart.
//!
//! Start at [`run`]. Which disks will do is decided in [`crate::boot::install`].

mod offers;
mod payload;
mod screen;
mod target;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::Instant;

use crate::boot::Verity;
use crate::boot::install::{Offer, Unattended};
use crate::boot::release::Channel;
use crate::domain::limits::{DISK_WITHIN, DISKS_SETTLED_AFTER, INSTALL_CHUNK_WITHIN, INSTALL_TICK};

use super::disks::{self, Booted, DISKS};
use super::{Devices, InitError, restart_now};
use payload::Payload;
use screen::Screen;
use target::Target;

/// Why nothing was installed, or what was is not to be trusted. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstallError {
    #[error(
        "This stick is damaged or was changed ({0}).\nNo disk was touched. Write the stick anew."
    )]
    Stick(io::Error),
    #[error("This stick cannot be read ({0}).\nNo disk was touched. Write the stick anew.")]
    Init(#[from] InitError),
    #[error("The stick cannot be read any more ({0}).\n{DOES_NOT_START}")]
    Source(io::Error),
    #[error("Disk {disk} cannot be opened ({error}). No disk was touched.")]
    Open { disk: String, error: io::Error },
    #[error(
        "Disk {disk} cannot be written, at MiB {mib} ({error}).\n{DOES_NOT_START} Use another one."
    )]
    Write {
        disk: String,
        mib: u64,
        error: io::Error,
    },
    #[error(
        "Disk {disk} cannot be read back, at MiB {mib} ({error}).\n{DOES_NOT_START} Use another one."
    )]
    ReadBack {
        disk: String,
        mib: u64,
        error: io::Error,
    },
    #[error(
        "Disk {disk} does not keep what is written to it, at MiB {mib}.\n{DOES_NOT_START} Use another one."
    )]
    Differs { disk: String, mib: u64 },
}

const DOES_NOT_START: &str = "Nothing is installed: the disk was erased and does not start.";

/// Installs, and restarts the machine.
pub(super) fn run(
    verity: &Verity,
    stick: &Booted,
    devices: &mut Devices,
) -> Result<std::convert::Infallible, InitError> {
    let mut screen = Screen::open();
    screen.say("\nJumpgate installation\n");
    match install(verity, stick, devices, &mut screen) {
        Ok(Some(disk)) => {
            screen.say(format_args!(
                "Installed on {disk}; every byte was read back and compared."
            ));
            screen.say("Remove the stick, then press Enter to restart.");
        }
        Ok(None) => restart_now(),
        Err(error) => {
            screen.say(format_args!("\n{error}"));
            screen.say("Remove the stick, or press Enter to restart.");
        }
    }
    let is_out = || !Path::new(DISKS).join(stick.name()).exists();
    if screen.ask("", devices, is_out).is_none() {
        screen.say("The stick is out.");
    }
    screen.say("Restarting.");
    restart_now()
}

/// The name of the disk that was installed; `None` if people decided otherwise.
fn install(
    verity: &Verity,
    stick: &Booted,
    devices: &mut Devices,
    screen: &mut Screen,
) -> Result<Option<String>, InstallError> {
    stick.wait_for_partitions(&mut devices.watchdogs)?;
    let device = payload::open(verity, stick)?;
    let bytes = verity.sectors() * 512;
    watched("Checking the stick", bytes, devices, screen, |done| {
        payload::check(&device, bytes, done)
    })
    .map_err(InstallError::Stick)?;
    let payload = Payload::mount(&device)?;
    let description = &payload.description;
    let mark = match description.channel {
        Channel::Development => " (DEVELOPMENT: for trying out only)",
        Channel::Release => "",
    };
    screen.say(format_args!(
        "Version {}, for {}{mark}",
        description.version, description.profile
    ));

    let offer = match payload::unattended(stick)? {
        None => None,
        Some(asked) => without_asking(&asked, &payload, stick, devices, screen),
    };
    let Some(offer) = offer.or_else(|| ask(&payload, stick, devices, screen)) else {
        return Ok(None);
    };
    let name = offer.name.clone();
    screen.say(format_args!("\nInstalling on {offer}"));
    let target = Target::open(&offer)?;
    watched("Writing", payload.bytes, devices, screen, |done| {
        target.write(&payload, done)
    })?;
    watched("Reading back", payload.bytes, devices, screen, |done| {
        target.compare(&payload, done)
    })?;
    Ok(Some(name))
}

/// The disk that the file on the stick means. If there is none, says why; people may then choose.
fn without_asking(
    asked: &Result<Unattended, String>,
    payload: &Payload,
    stick: &Booted,
    devices: &mut Devices,
    screen: &mut Screen,
) -> Option<Offer> {
    settle(stick, devices, screen);
    let mut offers = offers::all(stick);
    let chosen = match asked {
        Ok(asked) => asked
            .choose(&offers, payload.bytes)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.clone()),
    };
    match chosen {
        Ok(at) => Some(offers.swap_remove(at)),
        Err(why) => {
            screen.say(format_args!("Not installed unattended: {why}."));
            screen.say("No disk was touched.");
            None
        }
    }
}

/// Waits for the disks of this machine to show up.
fn settle(stick: &Booted, devices: &mut Devices, screen: &mut Screen) {
    screen.say("Looking for disks");
    let began = Instant::now();
    let (mut seen, mut since) = (disks::names(), began);
    loop {
        sleep(INSTALL_TICK);
        devices.look();
        let names = disks::names();
        if names != seen {
            (seen, since) = (names, Instant::now());
        }
        let has_any = seen.iter().any(|name| name != stick.name());
        let patience = if has_any {
            DISKS_SETTLED_AFTER
        } else {
            DISK_WITHIN
        };
        if since.elapsed() > patience {
            return;
        }
    }
}

/// The disk that somebody chose and confirmed; `None` to restart without.
fn ask(
    payload: &Payload,
    stick: &Booted,
    devices: &mut Devices,
    screen: &mut Screen,
) -> Option<Offer> {
    loop {
        let names = disks::names();
        let offers = offers::all(stick);
        let suitable = list(&offers, payload.bytes, screen);
        let question = if suitable.is_empty() {
            "\nNo disk of this machine can take the appliance. Attach one: it is noticed\n\
             by itself. Or press Enter to restart without installing: "
        } else {
            "\nWhich disk? Its number, or 0 to restart without installing, then Enter: "
        };
        let Some(answer) = screen.ask(question, devices, || disks::names() != names) else {
            screen.say("\n\nThe disks have changed.");
            settle(stick, devices, screen);
            continue;
        };
        if answer == "0" || (suitable.is_empty() && answer.is_empty()) {
            return None;
        }
        let number = answer.parse::<usize>().ok();
        let Some(offer) = number.and_then(|number| suitable.get(number.checked_sub(1)?)) else {
            screen.say(format_args!("There is no disk '{answer}'."));
            continue;
        };
        screen.say(format_args!(
            "\nEverything on {} will be erased. It holds {}.",
            offer.name, offer.holds
        ));
        let question = "Type yes and Enter to install, or only Enter to go back: ";
        let answer = screen.ask(question, devices, || disks::names() != names);
        // What was pulled and put back in between may be another disk of the same name.
        if answer.is_some_and(|answer| answer == "yes") && offers::all(stick).contains(offer) {
            return Some((*offer).clone());
        }
        screen.say("Nothing was written.");
    }
}

/// Shows what there is, and returns those that can be chosen, in the order of their numbers.
fn list<'a>(offers: &'a [Offer], needs: u64, screen: &mut Screen) -> Vec<&'a Offer> {
    screen.say("\nDisks of this machine, other than the stick:\n");
    let mut suitable = Vec::new();
    for offer in offers {
        match offer.check(needs) {
            Ok(()) => {
                suitable.push(offer);
                screen.say(format_args!("  {}  {offer}", suitable.len()));
                screen.say(format_args!("     holds {}", offer.holds));
            }
            Err(why) => {
                screen.say(format_args!("  -  {offer}"));
                screen.say(format_args!("     cannot be used: {why}"));
            }
        }
    }
    if offers.is_empty() {
        screen.say("  none");
    }
    suitable
}

/// Does `work` on a thread of its own and shows how far of `all` it is. The watchdogs are fed as long
/// as it gets on.
fn watched<T: Send>(
    doing: &str,
    all: u64,
    devices: &mut Devices,
    screen: &mut Screen,
    work: impl FnOnce(&AtomicU64) -> T + Send,
) -> T {
    let done = &AtomicU64::new(0);
    thread::scope(|scope| {
        let worker = scope.spawn(move || work(done));
        let (mut seen, mut since, mut shown) = (0, Instant::now(), None);
        while !worker.is_finished() {
            let now = done.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            let percent = Some(now * 100 / all);
            if shown != percent {
                screen.show(format_args!("\r{doing}: {} %", now * 100 / all));
                shown = percent;
            }
            if since.elapsed() < INSTALL_CHUNK_WITHIN {
                devices.watchdogs.feed();
            }
            sleep(INSTALL_TICK);
        }
        if done.load(Ordering::Relaxed) >= all {
            screen.show(format_args!("\r{doing}: 100 %"));
        }
        screen.say("");
        // A panic restarts the machine in its hook.
        worker.join().expect("it did not panic")
    })
}
