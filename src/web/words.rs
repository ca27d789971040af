//! What typed things are called on pages. English, and the only place that turns an entry, a
//! reason or a warning into a sentence: another language is another file like this one.

pub(crate) mod update;

use crate::domain::entry::EndReason;
use crate::domain::facts::Kind;
use crate::domain::{Author, Entry, Tool, What};

/// Less than a minute ago.
pub(crate) const JUST_NOW: &str = "just now";
/// Where the customer's program did not say.
pub(crate) const UNKNOWN: &str = "unknown";
/// A customer who gave no name.
pub(crate) const UNNAMED: &str = "Customer";
/// The appliance as somebody who does something.
pub(crate) const APPLIANCE: &str = "Appliance";

/// Below an hour.
pub(crate) fn minutes_ago(minutes: u64) -> String {
    format!("{minutes} min ago")
}

/// "1 shell", "2 shells", with the number grouped.
pub(crate) fn plural(number: u64, one: &str, many: &str) -> String {
    let form = if number == 1 { one } else { many };
    format!("{} {form}", super::format::count(number))
}

/// How the customer took part.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Client => "Customer client",
        Kind::Chat => "Click-to-chat",
    }
}

/// Why a session is over, in a table.
pub(crate) fn end_reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Representative => "Ended by the representative",
        EndReason::Customer => "Customer left",
        EndReason::CustomerLost => "Customer's connection lost",
        EndReason::Limit => "A limit was reached",
    }
}

/// A capability within a sentence.
fn tool(tool: Tool) -> &'static str {
    match tool {
        Tool::Shell => "the command shell",
    }
}

/// Who did something.
pub(crate) fn author(by: &Author) -> &str {
    match by {
        Author::Customer(name) | Author::Representative(name) if !name.is_empty() => name,
        Author::Customer(_) => UNNAMED,
        Author::Representative(_) => "Representative",
        Author::Appliance => APPLIANCE,
    }
}

/// What a line of a session's log says, without who did it. Chat is given as it was typed.
pub(crate) fn what(entry: &Entry) -> String {
    match &entry.what {
        What::Arrived => "Arrived with a session key.".into(),
        What::Accepted => "Accepted the session.".into(),
        What::Chat { text } => text.as_str().into(),
        What::Asked { tool: t } => format!("Asked for {}.", tool(*t)),
        What::Allowed { tool: t } => format!("Allowed {}.", tool(*t)),
        What::Refused { tool: t } => format!("Refused {}.", tool(*t)),
        What::Unanswered { tool: t } => {
            format!("Nobody answered in time, which refuses {}.", tool(*t))
        }
        What::Withdrawn { tool: t } => format!("Withdrew the question for {}.", tool(*t)),
        What::ShellOpened { shell } => format!("Shell {shell} opened."),
        What::ShellClosed { shell, open } => {
            let open = plural((*open).into(), "shell stays", "shells stay");
            format!("Shell {shell} closed; {open} open.")
        }
        What::ShellFailed { reason } => format!("No shell could be started: {reason}"),
        What::SharingStopped => "Stopped sharing. Everything allowed before is withdrawn.".into(),
        What::CustomerLost => "The customer's connection was lost.".into(),
        What::CustomerBack => "The customer came back.".into(),
        What::RepresentativeLost => "The representative's connection was lost.".into(),
        What::RepresentativeBack => "The representative came back.".into(),
        What::Held => "Put the session on hold.".into(),
        What::Requeued => {
            "The representative did not come back in time; the session went back to the queue."
                .into()
        }
        What::ApplianceRestarted => {
            "The appliance started again while the session was running.".into()
        }
        What::Ended { reason } => match reason {
            EndReason::Representative => "Ended the session.".into(),
            EndReason::Customer => "Left the session.".into(),
            EndReason::CustomerLost => {
                "The customer's connection was lost and did not come back. The session ended."
                    .into()
            }
            EndReason::Limit => {
                "The session reached a limit of the appliance and was ended.".into()
            }
        },
    }
}

/// A fault as another program told it, as a sentence; names like eth0 stay as they are.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let word = text.split(' ').next().unwrap_or_default();
    // eth0, and names with a dot in them.
    let name = word.trim_end_matches(['.', ',', ':']);
    let is_name = name.contains(|c: char| c.is_ascii_digit() || c == '.');
    let mut chars = text.chars();
    let mut sentence = match chars.next() {
        Some(first) if !is_name => first.to_uppercase().to_string() + chars.as_str(),
        _ => text.to_owned(),
    };
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_becomes_a_sentence() {
        assert_eq!(sentence("no lease"), "No lease.");
        assert_eq!(sentence("eth0 has no cable."), "eth0 has no cable.");
        assert_eq!(sentence("a.example is silent"), "a.example is silent.");
        assert_eq!(sentence("no."), "No.");
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(plural(0, "shell", "shells"), "0 shells");
        assert_eq!(plural(1, "shell", "shells"), "1 shell");
        assert_eq!(plural(2_000, "shell", "shells"), "2,000 shells");
    }
}
