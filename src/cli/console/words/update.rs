//! What is said about updates.

use std::time::Duration;

use super::super::world::World;
use super::machine::{slot_lines, time};
use super::{duration, plural, sentence, size, stopped};
use crate::cli::update::{figures, past, window_words};
use crate::control::Sessions;
use crate::control::stick::{StickUpdate, Sticks, Worth};
use crate::control::update::{
    Accept, Happened, Offer, Phase, Status, Verdict, Version, What, When,
};
use crate::domain::limits::UPDATE_RESTART_NOTICE;

pub(in super::super) const UPDATES: &str = "Updates";
pub(in super::super) const FROM_A_STICK: &str = "Install from a USB stick";
pub(in super::super) const WHEN_TO_RESTART: &str = "When to restart";
pub(in super::super) const STICKS: &str = "Updates on USB sticks";
pub(in super::super) const YES_INSTALL: &str = "Yes, install it";
pub(in super::super) const AT_ONCE: &str = "Now";
pub(in super::super) const IN_THE_WINDOW: &str = "In the window";
pub(in super::super) const WHEN_ASKED: &str = "Not until I ask";
pub(in super::super) const HELP_STICKS: &str =
    "Arrows or a number choose, Enter opens. Esc goes back.";

/// Of the history, where there is more to show.
const HISTORY_SHOWN: usize = 3;
/// Of a progress bar.
const BAR_COLUMNS: usize = 50;

// ---- what is known ----

/// On the first screen, if there is something to say.
pub(in super::super) fn update_line(status: &Status) -> Option<String> {
    let share = |bytes: u64, of: u64| u128::from(bytes) * 100 / u128::from(of.max(1));
    Some(match &status.phase {
        Phase::Idle | Phase::Checking => match (status.history.first(), &status.offer) {
            (Some(last), _) if last.what == What::WentBack => went_back(last),
            (_, Some(offer)) => format!("{} is available.", offer.version),
            (_, None) => return None,
        },
        Phase::Writing {
            version, bytes, of, ..
        } => {
            format!("{version} is being written, {} %.", share(*bytes, *of))
        }
        Phase::ReadingBack {
            version, bytes, of, ..
        } => {
            format!("{version} is being checked, {} %.", share(*bytes, *of))
        }
        Phase::Ready {
            version,
            restart: Some(at),
            ..
        } => {
            format!("{version} is ready and starts {}.", time(*at))
        }
        Phase::Ready {
            version,
            restart: None,
            ..
        } => {
            format!("{version} is ready; choose 9 to start it.")
        }
        Phase::Proving { version } => format!("{version} has to prove itself."),
    })
}

fn went_back(last: &Happened) -> String {
    let version = last.version.as_ref().unwrap_or(&last.from);
    let why = last.why.as_ref();
    let why = why.map_or_else(String::new, |why| format!(": {}", stopped(why)));
    format!("{version} did not prove itself; the version before runs{why}")
}

/// Everything, as names and values.
pub(in super::super) fn updates(world: &World) -> Vec<(&'static str, String)> {
    let Some(facts) = &world.facts else {
        return vec![(super::STATE, super::not_heard_yet(world))];
    };
    let mut lines = vec![(super::VERSION, super::version(facts))];
    lines.extend(slot_lines(facts));
    lines.push(("", String::new()));
    let Some(status) = &world.update else {
        let text = "The update agent does not answer. It starts once pages are served.";
        lines.push(("Now", text.to_owned()));
        return lines;
    };
    lines.push(("Now", now(&status.phase)));
    if let Some(why) = &status.blocked {
        lines.push(("", sentence(why)));
    }
    if let Some(offer) = &status.offer {
        let text = format!("{}, built {}", offer.version, time(offer.built));
        lines.push(("Available", text));
    }
    let window = window_words(status.settings.window);
    lines.push((
        "Window",
        format!("{window}. Settings are under Appliance > Updates."),
    ));
    lines.push(("", String::new()));
    let last = status.history.iter().take(HISTORY_SHOWN);
    lines.extend(last.enumerate().map(|(at, happened)| {
        let name = if at == 0 { "History" } else { "" };
        let version = happened.version.as_ref().unwrap_or(&happened.from);
        let why = happened.why.as_ref();
        let why = why.map_or_else(String::new, |why| format!(": {}", stopped(why)));
        let (at, what) = (time(happened.at), past(happened.what));
        (name, format!("{at}  {version} {what}{why}"))
    }));
    lines
}

fn now(phase: &Phase) -> String {
    match phase {
        Phase::Idle => "Nothing is on its way.".to_owned(),
        Phase::Checking => "The source of versions is asked.".to_owned(),
        Phase::Writing { .. } | Phase::ReadingBack { .. } => progress(phase),
        Phase::Ready {
            version, restart, ..
        } => match restart {
            Some(at) => format!("{version} is ready and starts {}.", time(*at)),
            None => format!("{version} is ready and waits until somebody starts it."),
        },
        Phase::Proving { version } => format!(
            "{version} runs and has to prove itself within five minutes; else the version before \
             starts again by itself."
        ),
    }
}

/// What goes on, how far it is, and how long it takes.
fn progress(phase: &Phase) -> String {
    let (Phase::Writing {
        version,
        bytes,
        of,
        millis,
    }
    | Phase::ReadingBack {
        version,
        bytes,
        of,
        millis,
    }) = phase
    else {
        return "It is being looked at, and a backup is made.".to_owned();
    };
    let does = match phase {
        Phase::Writing { .. } => "being written into the slot that does not run",
        _ => "being read back and compared",
    };
    let (bar, figures) = (bar(*bytes, *of), figures(*bytes, *of, *millis));
    format!("{version} is {does}.\n{bar}\n{figures}")
}

fn bar(bytes: u64, of: u64) -> String {
    let filled = u128::from(bytes) * BAR_COLUMNS as u128 / u128::from(of.max(1));
    let filled = usize::try_from(filled).map_or(BAR_COLUMNS, |filled| filled.min(BAR_COLUMNS));
    format!("[{:-<BAR_COLUMNS$}]", "#".repeat(filled))
}

// ---- sticks ----

/// Above the list.
pub(in super::super) fn sticks_found(found: &Sticks) -> String {
    let names: Vec<&str> = found.sticks.iter().map(|name| &**name).collect();
    let trouble = found.trouble.as_ref();
    let trouble = trouble.map_or_else(String::new, |why| {
        format!(" Not readable: {}", stopped(why))
    });
    match (names.is_empty(), found.updates.is_empty()) {
        (true, _) if trouble.is_empty() => {
            "No USB stick was found. Plug in the one with the update and look again.".to_owned()
        }
        (true, _) => format!("No USB stick could be read.{trouble}"),
        (false, true) => format!(
            "{}: no file there ends in .update. It has to lie in the first folder.{trouble}",
            names.join(", ")
        ),
        (false, false) => format!("USB stick: {}{trouble}", names.join(", ")),
    }
}

/// One line of the list: version, verdict, name.
pub(in super::super) fn stick_update(update: &StickUpdate, world: &World) -> String {
    let (version, verdict) = match &update.worth {
        Worth::Judged { verdict } => (verdict.offer.version.as_str(), in_a_word(verdict, world)),
        Worth::Unfit { .. } => ("?", "no update for this appliance"),
    };
    format!("{version:<16} {verdict:<30} {}", update.file.name)
}

fn in_a_word(verdict: &Verdict, world: &World) -> &'static str {
    match verdict.needs {
        _ if verdict.refused.is_some() => "NOT POSSIBLE",
        _ if verdict.offer.failed_before => "FAILED BEFORE",
        Accept { older: true, .. } if is_running(&verdict.offer, world) => "the same as what runs",
        Accept {
            older: true,
            expired: true,
        } => "OLDER, and its time is over",
        Accept {
            older: true,
            expired: false,
        } => "OLDER than what runs",
        Accept {
            older: false,
            expired: true,
        } => "newer, but its time is over",
        Accept {
            older: false,
            expired: false,
        } => "newer",
    }
}

fn is_running(offer: &Offer, world: &World) -> bool {
    let facts = world.facts.as_ref();
    facts.is_some_and(|facts| facts.image.version.as_str() == offer.version.as_str())
}

/// The chosen one, below the list.
pub(in super::super) fn about(update: &StickUpdate, world: &World) -> Vec<String> {
    match &update.worth {
        Worth::Unfit { why } => vec![sentence(why)],
        Worth::Judged { verdict } => {
            let mut lines = vec![what(&verdict.offer)];
            lines.extend(notes(&verdict.offer));
            lines.extend(verdict.refused.as_ref().map(|why| sentence(why)));
            lines.extend(against(verdict, world));
            lines
        }
    }
}

fn what(offer: &Offer) -> String {
    let (built, bytes) = (time(offer.built), size(offer.bytes));
    format!(
        "Version {} for {}, built {built}, {bytes}.",
        offer.version, offer.model
    )
}

fn notes(offer: &Offer) -> Option<String> {
    let first = offer.notes.lines().next().unwrap_or_default().trim();
    (!first.is_empty()).then(|| format!("New: {first}"))
}

/// What has to be confirmed, and why one would not.
fn against(verdict: &Verdict, world: &World) -> Vec<String> {
    let mut against = Vec::new();
    if verdict.offer.failed_before {
        against.push("This version was tried here before and did not prove itself.".to_owned());
    }
    if verdict.needs.older {
        let running = world.facts.as_ref();
        let running = running.map_or("what runs", |facts| facts.image.version.as_str());
        against.push(if is_running(&verdict.offer, world) {
            format!("It is {running} once more, the version that runs.")
        } else {
            format!("It is OLDER than {running}, which runs, or was signed before an update that this appliance knows.")
        });
    }
    if verdict.needs.expired {
        let since: Vec<String> = verdict
            .expired
            .iter()
            .map(|expired| format!("{} since {}", expired.role, time(expired.since)))
            .collect();
        against.push(format!(
            "Its TIME IS OVER ({}; it is {} now): there may be a newer one.",
            since.join(", "),
            time(world.now.stamp)
        ));
    }
    against
}

/// Title of the question.
pub(in super::super) fn install(version: &Version) -> String {
    format!("Install {version}")
}

/// What is to be known before it is written.
pub(in super::super) fn before_install(verdict: &Verdict, world: &World) -> Vec<String> {
    let mut text = vec![what(&verdict.offer)];
    text.extend(notes(&verdict.offer));
    text.extend(against(verdict, world));
    text.push(
        "It goes into the slot that does not run. Support sessions and everything else go on; when \
         the machine restarts into it is asked afterwards."
            .to_owned(),
    );
    text
}

/// While it is written.
pub(in super::super) fn installing(world: &World, since: Duration) -> String {
    let phase = world
        .update
        .as_ref()
        .map_or(&Phase::Idle, |status| &status.phase);
    format!(
        "{}\n{} so far.\n\nLeave the stick plugged in. If it was pulled out, put it back and choose \
         the update again: what has arrived is not written twice. Support sessions go on.",
        progress(phase),
        duration(since)
    )
}

// ---- restart ----

/// What is to be known before it is decided.
pub(in super::super) fn when(version: &Version, world: &World) -> Vec<String> {
    let status = world.update.as_ref();
    let settled = match status.map(|status| &status.phase) {
        Some(Phase::Ready {
            restart: Some(at), ..
        }) => {
            format!("As it is settled now, it starts {}.", time(*at))
        }
        _ => "It starts with the next restart of the machine.".to_owned(),
    };
    let window = status.map_or_else(String::new, |status| {
        format!(" The window: {}.", window_words(status.settings.window))
    });
    vec![
        format!("Version {version} is complete on the disk and ready. {settled}{window}"),
        interrupted(world),
        "If the new version does not prove itself within five minutes, the present one starts again \
         by itself."
            .to_owned(),
    ]
}

/// Who is in the way of a restart.
fn interrupted(world: &World) -> String {
    let who = match world.sessions.map(Sessions::open) {
        Some(0) => return "No support session is open now.".to_owned(),
        Some(open) => plural(open, "support session is", "support sessions are"),
        None => "Support sessions may be".to_owned(),
    };
    format!(
        "{who} open. A restart interrupts them for about a minute; customers and representatives \
         are told before, and find each other again by themselves."
    )
}

/// It is settled.
pub(in super::super) fn settled(version: &Version, when: When) -> String {
    match when {
        When::Now => {
            let seconds = UPDATE_RESTART_NOTICE.as_secs();
            format!("The machine restarts into {version} in {seconds} seconds.")
        }
        When::At { at } => format!("{version} starts {}.", time(at)),
        When::Window => format!("{version} starts when the window opens."),
        When::Later => format!("{version} waits until somebody starts it."),
    }
}
