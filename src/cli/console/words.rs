//! Every word on the console. English, and the only place that turns a fact, a fault or a question
//! into a sentence: another language is another file like this one and its two parts.
//!
//! Names stand in 15 columns, help lines in 76; everything else is wrapped where it is drawn.
//! Only ASCII can be shown.

mod machine;
mod network;
mod update;

use std::time::Duration;

pub(super) use machine::{
    addresses, details, doubtful_clock, health, missing_interface, model, no_address, version,
};
pub(super) use network::{
    interface, list, mode4, mode6, network_consequences, network_hint, network_name,
    network_problem, network_unfinished, network_values,
};

pub(super) use update::{
    AT_ONCE, FROM_A_STICK, HELP_STICKS, IN_THE_WINDOW, STICKS, UPDATES, WHEN_ASKED,
    WHEN_TO_RESTART, YES_INSTALL, about, before_install, install, settled, stick_update,
    sticks_found, update_line, updates, when,
};

use super::home::Item;
use super::password::Problem;
use super::screen::clip;
use super::state::{Deed, Purpose};
use super::world::{Silence, World};
use crate::control::machine::{Bundle, BundleFile, Slot};
use crate::domain::AccountName;
use crate::domain::limits::{PASSWORD_CHARS_MIN, SUPPORT_BUNDLE_WITHIN};
use crate::domain::token::Fingerprint;

// ---- everywhere ----

const PRODUCT: &str = "Jumpgate";
/// In the bar of every screen.
pub(super) const DEVELOPMENT: &str = "DEVELOPMENT";
/// Across the first screen.
pub(super) const DEVELOPMENT_LONG: &str =
    "DEVELOPMENT IMAGE: anybody can make one like it. Not for real customers.";
pub(super) const BACK: &str = "Back";
pub(super) const NO_GO_BACK: &str = "No, go back";
pub(super) const HELP_HOME: &str =
    "Arrows choose, Enter opens; or press a number. Ctrl-L draws the screen anew.";
pub(super) const HELP_TOLD: &str = "Enter goes on.";
pub(super) const HELP_CHOICES: &str = "Arrows or a number choose, Enter does it. Esc goes back.";
pub(super) const HELP_FORM: &str =
    "Arrows or Tab move, Space changes < >, Ctrl-U empties. Esc goes back.";
pub(super) const HELP_WIPE: &str = "Type it and press Enter. Esc goes back and erases nothing.";
pub(super) const OUT_OF_TURN: &str = "The answer made no sense. The programs on this machine seem to \
     be of different versions. Restart it; if that does not help, choose the previous version.";

/// Of the serial number, so that title and mark fit beside it.
const BAR_SERIAL_COLUMNS: usize = 20;

/// What stands in the bar on top.
pub(super) fn bar(world: &World, title: &str) -> String {
    let model = world.facts.as_ref().map(|facts| facts.hardware.model);
    let mut text = PRODUCT.to_owned();
    if let Some(model) = model {
        text.extend([" ", &model.to_string()]);
    }
    if let Some(serial) = world.serial() {
        text.extend(["  ", clip(serial, BAR_SERIAL_COLUMNS).as_ref()]);
    }
    if !title.is_empty() {
        text.extend(["  -  ", title]);
    }
    text
}

/// Of a long list, which part is seen.
fn part(top: usize, shown: usize, count: usize) -> String {
    let last = count.min(top + shown);
    format!("{} to {last} of {count}", count.min(top + 1))
}

/// Below a list.
pub(super) fn help_list(top: usize, shown: usize, count: usize) -> String {
    if count <= shown {
        "Enter goes back.".to_owned()
    } else {
        let part = part(top, shown, count);
        format!("Lines {part}. Arrows move, Enter goes back.")
    }
}

/// With a full stop, to stand behind a colon.
fn stopped(text: &str) -> String {
    let text = text.trim();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{text}{end}")
}

/// "not a reason" becomes "Not a reason." whatever it was; names like eth0 stay as they are.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    let word = text.split(' ').next().unwrap_or_default();
    let is_name = word.contains(|c: char| c.is_ascii_digit());
    let mut chars = text.chars();
    let mut sentence = match chars.next() {
        Some(first) if !is_name => first.to_uppercase().to_string() + chars.as_str(),
        _ => text.to_owned(),
    };
    if !sentence.ends_with(['.', '!', '?', ':']) && !sentence.is_empty() {
        sentence.push('.');
    }
    sentence
}

/// "1 session", "2 sessions".
fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// "45 s", "3 min".
fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// Binary units with one decimal, in integers.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

// ---- first screen ----

pub(super) const STATE: &str = "State";
pub(super) const RESCUE: &str = "RESCUE";
pub(super) const MODEL: &str = "Model";
pub(super) const SERIAL_NUMBER: &str = "Serial number";
pub(super) const NO_SERIAL_NUMBER: &str = "none: the firmware does not tell one";
pub(super) const VERSION: &str = "Version";
pub(super) const ADDRESS: &str = "Address";
pub(super) const INTERFACE: &str = "Interface";
pub(super) const CERTIFICATE: &str = "Certificate";
pub(super) const CLOCK: &str = "Clock";
pub(super) const DISK: &str = "Disk";
pub(super) const SET_UP: &str = "Set up";
pub(super) const SET_UP_HINT: &str =
    "Open this link in a browser to choose the administrator's password. It works once.";
pub(super) const NOT_YET: &str =
    "Not yet: the appliance does not answer. It is asked again by itself.";
pub(super) const NETWORK: &str = "Network";
pub(super) const ADMINISTRATORS_PASSWORD: &str = "Administrator's password";
pub(super) const SUPPORT_BUNDLE: &str = "Support bundle";
pub(super) const UPDATE: &str = "Update";
pub(super) const DETAILS: &str = "All details";

/// In the menu.
pub(super) fn item(item: Item) -> &'static str {
    match item {
        Item::Network => NETWORK,
        Item::Password => ADMINISTRATORS_PASSWORD,
        Item::Bundle => SUPPORT_BUNDLE,
        Item::Details => DETAILS,
        Item::Deed(what) => deed(what),
        Item::Updates => UPDATES,
    }
}

/// What ends everything.
pub(super) fn deed(deed: Deed) -> &'static str {
    match deed {
        Deed::PreviousVersion => "Previous version",
        Deed::Reboot => "Restart",
        Deed::PowerOff => "Power off",
        Deed::FactoryReset => "Factory reset",
    }
}

/// Nobody has answered since the console began.
pub(super) fn not_heard_yet(world: &World) -> String {
    const SOON: Duration = Duration::from_secs(60);
    let elapsed = world.since(world.began);
    let waited = duration(elapsed);
    match &world.silence {
        None => "Starting.".to_owned(),
        Some((_, Silence::NotThere { doing: Some(doing) })) => {
            format!("{}\nSo far {waited}.", sentence(doing))
        }
        Some((_, Silence::NotThere { doing: None })) if elapsed < SOON => format!(
            "Starting, {waited} so far. The disk is checked first; then this screen fills by itself."
        ),
        Some((_, Silence::NotThere { doing: None })) => format!(
            "Not started after {waited}. If it does not start at all, the watchdog restarts the \
             machine, and after three times it tries the other version. If this stays for ten \
             minutes, switch it off and on again."
        ),
        Some((_, silence)) => unheard(silence),
    }
}

/// Somebody answered before.
pub(super) fn no_longer_heard(why: &Silence, since: Duration) -> String {
    let waited = duration(since);
    match why {
        Silence::NotThere { doing: Some(doing) } => sentence(doing),
        Silence::NotThere { doing: None } => format!(
            "NOT ANSWERING for {waited}: the supervisor has stopped and is started again. What is \
             shown here may be old."
        ),
        Silence::TooLate => format!(
            "NOT ANSWERING for {waited}: the supervisor runs but is slow. What is shown here may \
             be old."
        ),
        Silence::NotPermitted | Silence::Other(_) => {
            format!("NOT ANSWERING for {waited}. {}", unheard(why))
        }
    }
}

/// Why an order was not carried out.
pub(super) fn unheard(silence: &Silence) -> String {
    match silence {
        Silence::NotThere { .. } => "The program that does this does not run at the moment. It is \
             started by itself; try again in a minute. Nothing was changed."
            .to_owned(),
        Silence::NotPermitted => {
            "Only root may use this console: start it as root, or with sudo.".to_owned()
        }
        Silence::TooLate => {
            "No answer yet: it takes longer than it should, and may still be done. \
             Look at the first screen before you try again."
                .to_owned()
        }
        Silence::Other(why) => format!(
            "No answer ({why}). It is not certain whether it was done; look at the first screen."
        ),
    }
}

/// Why it runs without its data.
pub(super) fn rescue(why: &str) -> String {
    format!(
        "The appliance runs without its data, so without accounts and keys: {} Nothing on the disk \
         was changed.",
        stopped(why)
    )
}

/// SHA-256 in two lines, as browsers write it.
pub(super) fn fingerprint(fingerprint: &Fingerprint) -> Vec<String> {
    let halves = fingerprint.0.chunks(16).map(|half| {
        let pairs: Vec<String> = half.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    });
    halves
        .enumerate()
        .map(|(at, half)| format!("{}{half}", if at == 0 { "SHA-256  " } else { "         " }))
        .collect()
}

// ---- administrator's password ----

pub(super) const PASSWORD_INTRODUCTION: [&str; 2] = [
    "The account gets a new password and is signed out everywhere. Support sessions go on. This \
     goes on record.",
    "The machine's own keyboard counts as a US one. If in doubt, try a key in the field Account, \
     where it can be seen.",
];
pub(super) const ACCOUNT: &str = "Account";
pub(super) const NEW_PASSWORD: &str = "New password";
pub(super) const AGAIN: &str = "Once more";
pub(super) const SET_PASSWORD: &str = "Set the password";

/// What is wrong, or that nothing is.
pub(super) fn password_problem(problem: Option<&Problem>) -> String {
    match problem {
        None => "Both are the same, and long enough.".to_owned(),
        Some(Problem::Name) => {
            "An account's name has letters, digits, dots, dashes, underscores or @.".to_owned()
        }
        Some(Problem::TooShort { chars }) => {
            format!("{chars} of at least {PASSWORD_CHARS_MIN} characters.")
        }
        Some(Problem::Differ) => "The two are not the same yet.".to_owned(),
        Some(Problem::Key) => "That key cannot be part of it; it was not taken.".to_owned(),
    }
}

/// It is done.
pub(super) fn password_reset(name: &AccountName) -> String {
    format!("{name} has a new password and is signed out everywhere.")
}

/// Why there is nothing to reset.
pub(super) fn no_password_to_reset(world: &World) -> Option<String> {
    let is_rescue = world
        .facts
        .as_ref()
        .is_some_and(|facts| facts.rescue.is_some());
    if is_rescue {
        return Some(
            "The appliance runs without its data, so there are no accounts. They are back once \
             the disk can be read again."
                .to_owned(),
        );
    }
    let site = world.site.as_ref()?;
    site.setup_url.is_some().then(|| {
        "There is no administrator yet. Open the set-up link from the first screen in a browser; \
         there you choose the password."
            .to_owned()
    })
}

// ---- support bundle ----

pub(super) const BUNDLE_INTRODUCTION: &str = "For those who help from afar. It holds what is listed \
     here and nothing else: no passwords, no keys, no recordings.";
pub(super) const WRITE_BUNDLE: &str = "Write it to the stick";
pub(super) const LOOK_AGAIN: &str = "Look again";

/// One line of the list.
pub(super) fn bundle_file(file: &BundleFile) -> String {
    let size = size(file.bytes);
    format!("{:<26} {size:>10}  {}", file.name, file.what)
}

/// Where it goes, or went.
pub(super) fn bundle_place(bundle: &Bundle) -> String {
    match (&bundle.written, &bundle.stick) {
        (Some(name), _) => format!("Written: {name}. The stick can be taken out."),
        (None, Some(stick)) => format!("USB stick: {stick}"),
        (None, None) => "No USB stick found. Plug one in (FAT) and look again.".to_owned(),
    }
}

/// Below the list.
pub(super) fn help_bundle(top: usize, shown: usize, count: usize) -> String {
    if count <= shown {
        "Left and right or a number choose, Enter does it. Esc goes back.".to_owned()
    } else {
        let part = part(top, shown, count);
        format!("Files {part}: up and down. Left and right choose, Enter does it.")
    }
}

// ---- network ----

pub(super) const NETWORK_SUMMARY: &str = "Network: before it is applied";
pub(super) const ANY_INTERFACE: &str = "the first one with a cable in it";
pub(super) const CHECK: &str = "Check and go on";
pub(super) const APPLY: &str = "Apply";
pub(super) const BACK_TO_FORM: &str = "Back to the form";
pub(super) const WILL_CHANGE: &str = "This will change:";
pub(super) const NOTHING_CHANGES: &str =
    "Nothing was changed. It can be applied once more as it is.";
pub(super) const NOW: &str = "now: ";
pub(super) const NETWORK_KEPT: &str =
    "The settings are kept. Above you see in a moment how the network takes them.";
pub(super) const LEAVE_FORM: &str = "What was changed here is not applied. Press Esc once more to leave it, any other key to go on.";

/// What is as before.
pub(super) fn stays(names: &[&str]) -> String {
    format!("As before: {}.", names.join(", "))
}

// ---- going down ----

/// The button that does it.
pub(super) fn yes(deed: Deed) -> &'static str {
    match deed {
        Deed::PreviousVersion => "Yes, restart into it",
        Deed::Reboot => "Yes, restart",
        Deed::PowerOff => "Yes, power off",
        Deed::FactoryReset => "Yes, erase everything",
    }
}

/// What ends now.
fn sessions_end(world: &World) -> String {
    match world.sessions {
        None => "Support sessions that run now end.".to_owned(),
        Some(sessions) if sessions.running == 0 && sessions.waiting == 0 => {
            "No support session runs now.".to_owned()
        }
        Some(sessions) => format!(
            "What ends: {} and {}.",
            plural(
                sessions.running,
                "running support session",
                "running support sessions"
            ),
            plural(sessions.waiting, "waiting customer", "waiting customers"),
        ),
    }
}

/// What is to be known before it is done.
pub(super) fn before(deed: Deed, world: &World) -> Vec<String> {
    let out_of_reach = "The appliance is out of reach for about a minute.";
    match deed {
        Deed::Reboot => vec![
            "The machine restarts.".to_owned(),
            sessions_end(world),
            format!("{out_of_reach} Accounts, reports, recordings and settings stay as they are."),
        ],
        Deed::PowerOff => vec![
            "The machine switches itself off.".to_owned(),
            sessions_end(world),
            "The appliance is out of reach until somebody presses the machine's power button. \
             Accounts, reports, recordings and settings stay as they are."
                .to_owned(),
        ],
        Deed::PreviousVersion => vec![
            format!(
                "The machine restarts into {} and stays there.",
                others(world)
            ),
            sessions_end(world),
            format!("{out_of_reach} Accounts, reports, recordings and settings stay as they are."),
        ],
        Deed::FactoryReset => Vec::new(),
    }
}

/// What "previous version" leads to.
fn others(world: &World) -> String {
    let others = world.others();
    let named = others.iter().map(|slot| {
        let version = slot.version.as_deref().unwrap_or("a version");
        format!("{version} (slot {})", Slot::System(slot.system))
    });
    named.collect::<Vec<_>>().join(" or ")
}

/// Why there is nothing to go back to.
pub(super) fn no_previous_version(world: &World) -> String {
    let Some(running) = world.running() else {
        return "The recovery system runs, and neither slot A nor slot B holds a version that can \
                be started. Install one by an update."
            .to_owned();
    };
    let other = Slot::System(running.other());
    format!(
        "There is none. Slot {} runs; slot {other} holds no version that can be started.",
        Slot::System(running)
    )
}

/// While the machine does it.
pub(super) fn leaving(deed: Deed, world: &World, since: Duration) -> Vec<String> {
    let does = match deed {
        Deed::Reboot => "The machine restarts.",
        Deed::PowerOff => "The machine switches itself off.",
        Deed::PreviousVersion => "The machine restarts into the previous version.",
        Deed::FactoryReset => {
            "The machine restarts and then erases its disk. Do not switch it off; it says here \
             how far it is."
        }
    };
    let how_far = if world.is_heard() {
        "Sessions are being ended and programs stopped."
    } else {
        "The programs have stopped."
    };
    vec![does.to_owned(), format!("{how_far} {}.", duration(since))]
}

/// It was told and did not go.
pub(super) fn still_here(deed: Deed) -> String {
    format!(
        "{}: the machine was told, but still runs. Try again.",
        self::deed(deed)
    )
}

// ---- factory reset ----

/// To be typed where there is no serial number.
pub(super) const WIPE_WORD: &str = "ERASE";
pub(super) const WIPE_INTRODUCTION: &str = "This is lost for ever, and no backup is made:";
pub(super) const WIPED: [&str; 5] = [
    "all accounts and passwords, also the administrator's",
    "reports, recordings and the record of who did what",
    "the certificate and the keys: customer clients that were handed out can no longer connect",
    "the name of the site, the network settings, the logs",
    "the rest of the data partition, overwritten whole",
];
pub(super) const WIPE_WRONG: &str = "That is something else. Nothing was done.";

/// What follows.
pub(super) fn wipe_consequences(world: &World) -> Vec<String> {
    vec![
        sessions_end(world),
        "The installed versions stay. The machine restarts, erases, which takes minutes, and is \
         then set up like a new one."
            .to_owned(),
    ]
}

/// How to mean it.
pub(super) fn wipe_question(wanted: &str, is_word: bool) -> String {
    if is_word {
        format!("To go on, type the word {wanted}:")
    } else {
        format!("To go on, type this machine's serial number, {wanted}:")
    }
}

// ---- while an order is carried out ----

/// Title and text.
pub(super) fn waiting(purpose: &Purpose, since: Duration, world: &World) -> (&'static str, String) {
    let minutes = SUPPORT_BUNDLE_WITHIN.as_secs() / 60;
    let (title, text) = match purpose {
        Purpose::OpenNetwork => (NETWORK, "Asking for the settings.".to_owned()),
        Purpose::KeepNetwork(_) => (NETWORK, "Keeping the settings.".to_owned()),
        Purpose::ResetPassword(_) => (ADMINISTRATORS_PASSWORD, "Setting the password.".to_owned()),
        Purpose::ListBundle => (
            SUPPORT_BUNDLE,
            "Looking what there is, and for a USB stick.".to_owned(),
        ),
        Purpose::WriteBundle => (
            SUPPORT_BUNDLE,
            format!(
                "Writing to the stick. Leave it plugged in; a slow one takes up to {minutes} \
                 minutes."
            ),
        ),
        Purpose::Leave(what) => (deed(*what), "Telling the machine.".to_owned()),
        Purpose::ListSticks => (STICKS, "Looking through USB sticks.".to_owned()),
        Purpose::Install { .. } => return (UPDATES, update::installing(world, since)),
        Purpose::Restart { .. } => (WHEN_TO_RESTART, "Settling it.".to_owned()),
    };
    if since < Duration::from_secs(2) {
        (title, text)
    } else {
        (title, format!("{text} {}.", duration(since)))
    }
}
