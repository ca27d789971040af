//! Every sentence the customer reads, in one place.
//!
//! Names and texts that come from elsewhere are cleaned by whoever calls ([`super::line::clean`]).

use std::time::Duration;

use crate::agent::{DialError, End, PromptEnd};
use crate::domain::entry::{EndReason, What};
use crate::domain::turned::TurnedReason;
use crate::domain::{ShellId, Tool};

/// The first line.
pub(super) fn connecting(address: &str) -> String {
    format!("You are connecting to {address}.")
}

/// Through which proxy.
pub(super) fn through_proxy(proxy: &str) -> String {
    format!("The way there goes through the proxy {proxy}.")
}

/// Nobody has accepted yet.
pub(super) fn waiting(name: &str) -> String {
    format!("Waiting for {name}... Type /leave to give up.")
}

/// Somebody has.
pub(super) fn connected(name: &str) -> String {
    format!("{name} is connected.")
}

/// What can be done.
pub(super) const HELP: &str = "Type a message and press Enter to send it.\n\
    Type /stop to stop sharing, /leave to end the session (or press Ctrl-C).";

/// A line that begins with a slash but is no command.
pub(super) const NO_SUCH_COMMAND: &str =
    "There is no such command. Type /stop, /leave or /help; begin with // to send a slash.";

/// The question before a tool.
pub(super) fn question(name: &str, tool: Tool, user: &str, wait: Duration) -> String {
    let what = match tool {
        Tool::Shell => format!("open a command shell on this computer as {user}"),
    };
    let seconds = wait.as_secs();
    format!("{name} asks to {what}. Allow? [y/N] (refuses in {seconds} s)")
}

/// Something else was typed.
pub(super) const YES_OR_NO: &str =
    "Sent as a message. The question still stands: type y to allow or n to refuse.";

/// How a question ended.
pub(super) fn question_over(end: PromptEnd, name: &str) -> String {
    match end {
        PromptEnd::Allowed => "Allowed. Type /stop to take it back at any time.".to_owned(),
        PromptEnd::Refused => "Refused.".to_owned(),
        PromptEnd::Lapsed => "Nobody answered in time, so it was refused.".to_owned(),
        PromptEnd::Withdrawn => format!("{name} no longer asks."),
        PromptEnd::Interrupted => {
            format!("The question is off. {name} may ask again once the connection is back.")
        }
    }
}

/// The customer stopped sharing.
pub(super) fn stopped(name: &str) -> String {
    format!("Sharing stopped: {name} can only chat with you now.")
}

/// Nothing was shared.
pub(super) const NOTHING_SHARED: &str = "Nothing is shared at the moment.";

/// The link is gone.
pub(super) fn link_lost(restarts: bool) -> &'static str {
    if restarts {
        "The connection is interrupted: the appliance restarts. This takes a minute or two; keep \
         this window open. What you type is sent then."
    } else {
        "The connection is interrupted. Trying to get it back; what you type is sent then."
    }
}

/// The appliance restarts, or does not after all.
pub(super) fn restart(within: Option<Duration>) -> String {
    within.map_or_else(
        || "The appliance does not restart after all.".to_owned(),
        |within| {
            let seconds = match within.as_secs() {
                1 => "1 second".to_owned(),
                seconds => format!("{seconds} seconds"),
            };
            format!(
                "The appliance restarts in {seconds} for an update. Your session goes on by itself \
                 afterwards; keep this window open."
            )
        },
    )
}

/// And back.
pub(super) const LINK_BACK: &str = "The connection is back.";

/// The customer leaves.
pub(super) const LEAVING: &str = "Leaving... Press Ctrl-C again to end at once.";

/// More chat than is kept.
pub(super) const TOO_MUCH_CHAT: &str =
    "Not sent: too many messages wait for the connection already.";

/// A line too long for one message.
pub(super) const TOO_LONG: &str = "Not sent: that message is too long.";

/// A puzzle is being solved.
pub(super) const PUZZLE: &str =
    "The site is busy fending off guesses. Proving that you are not one of them takes a moment...";

/// The author of the customer's own lines.
pub(super) const YOU: &str = "You";

/// A log entry, unless something else has said it already.
pub(super) fn entry(what: &What, name: &str) -> Option<String> {
    let shell_of = |shell: &ShellId| format!("command shell {shell}");
    match what {
        What::ShellOpened { shell } => {
            let shell = shell_of(shell);
            Some(format!(
                "{name} has opened {shell}. Type /stop to close it."
            ))
        }
        What::ShellClosed { shell, open } => {
            let shell = shell_of(shell);
            Some(match open {
                0 => format!("The {shell} is closed; none is open."),
                1 => format!("The {shell} is closed; 1 command shell remains open."),
                more => format!("The {shell} is closed; {more} command shells remain open."),
            })
        }
        What::ShellFailed { reason } => {
            let reason = super::line::clean(reason);
            Some(format!("A command shell could not be opened: {reason}."))
        }
        What::RepresentativeLost => Some(format!(
            "The connection of {name} is interrupted. Please wait."
        )),
        What::Held => Some(format!("{name} has put the session on hold. Please wait.")),
        What::Requeued => {
            Some("The session went back to the queue. Please wait for somebody.".to_owned())
        }
        What::ApplianceRestarted => {
            Some("The appliance was started again. The session goes on.".to_owned())
        }
        // Said when they happened here, or shown as chat.
        What::Arrived
        | What::Accepted
        | What::Chat { .. }
        | What::Asked { .. }
        | What::Allowed { .. }
        | What::Refused { .. }
        | What::Unanswered { .. }
        | What::Withdrawn { .. }
        | What::SharingStopped
        | What::CustomerLost
        | What::CustomerBack
        | What::RepresentativeBack
        | What::Ended { .. } => None,
    }
}

/// How it ended and what that means for this computer.
pub(super) fn over(end: &End, name: Option<&str>) -> String {
    let why = match end {
        End::Session(reason) => match (reason, name) {
            (EndReason::Representative, Some(name)) => format!("{name} has ended the session. "),
            (EndReason::CustomerLost, _) => "The connection was lost for too long. ".to_owned(),
            (EndReason::Limit, _) => "The session reached a limit of the site. ".to_owned(),
            (EndReason::Representative, None) | (EndReason::Customer, _) => String::new(),
        },
        End::Left => String::new(),
        End::Lost => "The connection did not come back. ".to_owned(),
        End::NeverReached => {
            return "The site could not be reached. Check your network connection, then start \
                    this program again."
                .to_owned();
        }
        End::Turned(reason) => return turned(reason),
    };
    let Some(name) = name else {
        return format!("{why}No session was started. Nobody can reach this computer.");
    };
    format!("{why}The session is over. {name} can no longer reach this computer.")
}

/// Why the site did not let the customer in, and what to do.
pub(super) fn turned(reason: &TurnedReason) -> String {
    match reason {
        TurnedReason::Key => "This session key does not work: it is wrong, was used already, or \
                              is too old. Ask for a new one."
            .to_owned(),
        TurnedReason::SlowDown {
            retry_after_seconds,
        } => {
            let wait = match retry_after_seconds {
                0..=90 => format!("{retry_after_seconds} seconds"),
                more => format!("{} minutes", more.div_ceil(60)),
            };
            format!("Too many wrong session keys came from your network. Try again in {wait}.")
        }
        TurnedReason::Version { .. } => "This program is too old or too new for the site. \
                                         Download it again from there."
            .to_owned(),
        TurnedReason::Session => {
            "The session is over. Nobody can reach this computer any more.".to_owned()
        }
        TurnedReason::Full => {
            "The site has no room for another session. Try again in a few minutes.".to_owned()
        }
        TurnedReason::Puzzle { .. } | TurnedReason::Ticket => {
            "The site did not let this program in. Download it again from there.".to_owned()
        }
    }
}

/// An attempt to reach the site failed.
pub(super) fn dial_failed(error: &DialError) -> String {
    match error {
        DialError::WrongKey => "Another machine answers in the site's place, so nothing was sent \
                                to it. If this is a public network, sign in to it in a browser \
                                first. Otherwise download this program again."
            .to_owned(),
        other => format!("No connection yet: {other}. Trying again..."),
    }
}

/// Asked when the proxy wants to know.
pub(super) fn proxy_user(proxy: &str, realm: &str, refused: bool) -> String {
    let again = if refused {
        "That was not accepted. "
    } else {
        ""
    };
    if realm.is_empty() {
        format!("{again}The proxy {proxy} asks for your user name:")
    } else {
        format!("{again}The proxy {proxy} ({realm}) asks for your user name:")
    }
}

/// And then.
pub(super) const PROXY_PASSWORD: &str = "Password for the proxy (not shown):";

/// Asked when no session key came along.
pub(super) const KEY: &str = "Type the session key you were given:";

/// Not something that can be one.
pub(super) const NOT_A_KEY: &str = "That is not a session key.";

/// Standard input ended before there was one.
pub(super) const NO_KEY: &str = "No session key was given. Start with --key KEY.";

/// After the end.
pub(super) const REMOVED: &str = "This program has removed itself.";

/// Or not.
pub(super) fn not_removed(path: &str, error: &str) -> String {
    format!("This program could not remove itself ({error}). Please delete {path}.")
}

/// In a window of our own.
pub const PRESS_ENTER: &str = "Press Enter to close this window.";

/// Started without a terminal, and none can be opened.
pub const NO_TERMINAL: &str = "no terminal to talk to you: open one and start this program there, \
                               or give the session key with --key";

/// Built or copied without a pass, and no flags.
pub const NO_ADDRESS: &str = "this copy does not know its site: download it from there again, or \
                              give --address HOST:PORT and --link-key HEX";

/// Output that the terminal did not take in time.
pub(super) fn lines_lost(count: usize) -> String {
    format!("({count} lines could not be shown)")
}
