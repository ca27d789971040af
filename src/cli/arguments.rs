//! The words on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::domain::limits::KEY_LIFE_MAX;
use crate::domain::network::HostName;
use crate::domain::token::Fingerprint;
use crate::domain::{AccountName, DisplayName};

/// Looks after an appliance on this machine.
#[derive(Clone, Debug, Parser)]
#[command(version, bin_name = "appliancectl")]
pub struct Arguments {
    /// The appliance's state directory
    #[arg(long, value_name = "DIR", default_value = "./state", global = true)]
    pub state: PathBuf,
    /// Answer with one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show what the appliance is doing
    Status,
    /// The administrator's account
    #[command(subcommand)]
    Admin(Admin),
    /// Representatives' accounts
    #[command(subcommand)]
    Representative(Representative),
    /// Session keys
    #[command(subcommand)]
    SessionKey(SessionKey),
    /// The start-up file
    #[command(subcommand)]
    Config(Config),
    /// The machine, on an appliance image
    #[command(subcommand)]
    Machine(Machine),
    /// Ask this machine for a page, as a stranger would
    #[command(hide = true)]
    Probe {
        /// Where it serves HTTPS
        #[arg(long)]
        port: u16,
        /// SHA-256 of the certificate that it has
        #[arg(long, value_name = "HEX")]
        certificate: Fingerprint,
        /// The page is expected to say that it cannot help
        #[arg(long)]
        rescue: bool,
    },
    /// Ask time servers how far this machine's clock is off, in milliseconds
    #[command(hide = true)]
    Time {
        /// Seconds since 1970 of the earliest time that an answer can mean
        #[arg(long, value_name = "SECONDS")]
        since: i64,
        /// Whom to ask
        #[arg(required = true)]
        servers: Vec<HostName>,
    },
    /// Show what the machine's own screen shows, and its menu; never ends by itself
    Console {
        /// The terminal; standard input and output unless given
        #[arg(long, value_name = "PATH")]
        tty: Option<PathBuf>,
    },
}

/// The machine, on an appliance image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Machine {
    /// Show what it is and how it does, as JSON
    Facts,
    /// End sessions in order and restart
    Reboot,
    /// End sessions in order and switch off
    PowerOff,
}

/// The administrator's account.
#[derive(Clone, Debug, Subcommand)]
pub enum Admin {
    /// Give it a new password and sign it out everywhere
    ResetPassword {
        /// Name of the account
        #[arg(default_value = "admin", value_parser = AccountName::new)]
        name: AccountName,
        /// Where the password comes from
        #[command(flatten)]
        password: PasswordFrom,
    },
}

/// Representatives' accounts.
#[derive(Clone, Debug, Subcommand)]
pub enum Representative {
    /// Make one
    Create {
        /// What they type to sign in
        #[arg(value_parser = AccountName::new)]
        name: AccountName,
        /// What customers see; the name unless given
        #[arg(long, value_name = "N", value_parser = DisplayName::new)]
        display_name: Option<DisplayName>,
        /// Where the password comes from
        #[command(flatten)]
        password: PasswordFrom,
    },
}

/// Session keys.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionKey {
    /// Make one, to be read to a customer
    Create {
        /// Whose queue the customer will wait in
        #[arg(long, value_name = "NAME", value_parser = AccountName::new)]
        representative: AccountName,
        /// How long it starts sessions
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MINUTES_MAX))]
        minutes: Option<u32>,
    },
}

/// The longest life of a key.
const MINUTES_MAX: i64 = (KEY_LIFE_MAX.as_secs() / 60).cast_signed();

/// The start-up file.
#[derive(Clone, Debug, Subcommand)]
pub enum Config {
    /// Show it as the next start will read it
    Show,
}

/// Where a password comes from.
#[derive(Clone, Copy, Debug, Args)]
pub struct PasswordFrom {
    /// Read it from the first line of standard input instead of asking
    #[arg(long)]
    pub password_stdin: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_of_all_commands_may_stand_anywhere() {
        for line in [
            "appliancectl --state /s --json status",
            "appliancectl status --json --state /s",
        ] {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert!(arguments.json);
            assert_eq!(arguments.state, PathBuf::from("/s"));
        }
    }

    #[test]
    fn a_life_beyond_the_longest_is_refused() {
        let line = "appliancectl session-key create --representative ana --minutes";
        let with = |minutes: &str| {
            let words = line.split(' ').chain([minutes]);
            Arguments::try_parse_from(words).is_ok()
        };
        assert!(with("1440"));
        assert!(!with("1441"));
        assert!(!with("0"));
    }
}
