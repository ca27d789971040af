//! The words on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::loop_back::Ends;
use super::update;
use crate::control::update::{Automatic, Line, Window};
use crate::domain::limits::{
    ADMISSION_RATE_MAX, DEPLOYMENT_LIFE_MAX, KEY_LIFE_MAX, UPDATE_SOURCE_BYTES_MAX,
};
use crate::domain::network::HostName;
use crate::domain::token::Fingerprint;
use crate::domain::{AccountName, DisplayName, Stamp, Text};

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
    /// Jump Clients: machines that are reached without anybody at them
    #[command(subcommand)]
    JumpClients(JumpClients),
    /// The start-up file
    #[command(subcommand)]
    Config(Config),
    /// The machine, on an appliance image
    #[command(subcommand)]
    Machine(Machine),
    /// Versions, on an appliance image
    #[command(subcommand)]
    Update(Update),
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
    /// Carry bytes through this machine's relay, from one end of a session to the other
    #[command(hide = true)]
    LoopBack(Ends),
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

/// Jump Clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum JumpClients {
    /// Make a token by which new machines become Jump Clients
    Deploy {
        /// How many
        #[arg(long)]
        machines: u32,
        /// For how long
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=DEPLOYMENT_DAYS_MAX))]
        days: u32,
    },
    /// Set how many are let in each second after a restart or an outage
    Admission {
        /// A second's
        #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(ADMISSION_RATE_MAX)), required_unless_present = "lifted")]
        rate: Option<u32>,
        /// As many as come
        #[arg(long, conflicts_with = "rate")]
        lifted: bool,
    },
}

#[allow(clippy::cast_possible_wrap)] // A year's.
const DEPLOYMENT_DAYS_MAX: i64 = (DEPLOYMENT_LIFE_MAX.as_secs() / 86_400) as i64;

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

/// Versions, on an appliance image.
#[derive(Clone, Debug, Subcommand)]
pub enum Update {
    /// Show where everything stands, and what happened
    Status,
    /// Install a version; what runs goes on running until a restart
    Install {
        /// An update file; the version that the last check found unless given
        file: Option<PathBuf>,
        /// Even if it is not newer than the running one
        #[arg(long)]
        older: bool,
        /// Even if its time is over, or no time server has confirmed the clock
        #[arg(long)]
        expired: bool,
    },
    /// Look for a newer version at the source
    Check,
    /// Say when the version that is ready is started
    Restart {
        /// When
        #[arg(long, value_enum, default_value = "now", conflicts_with = "at")]
        when: Moment,
        /// At this time instead, like 2026-11-24T02:00:00Z
        #[arg(long, value_name = "RFC3339", value_parser = update::at)]
        at: Option<Stamp>,
    },
    /// Show what the appliance does by itself, or change what is given
    Settings(SettingsWords),
}

/// When a version that is ready is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Moment {
    /// At once
    Now,
    /// When the weekly window opens
    Window,
    /// Not until somebody says so
    Later,
}

/// What to change of the settings for updates.
#[derive(Clone, Debug, Args)]
pub struct SettingsWords {
    /// What happens without anybody
    #[arg(long, value_enum)]
    pub automatic: Option<AutomaticWord>,
    /// When versions are started without anybody, in UTC: 'daily 02:00', 'sun 23:30'
    #[arg(long, value_name = "WINDOW", value_parser = update::window)]
    pub window: Option<Window>,
    /// Which line of versions
    #[arg(long, value_enum)]
    pub line: Option<LineWord>,
    /// Where versions come from, https://…/; 'none' for the image's own
    #[arg(long, value_name = "ADDRESS", value_parser = Source::read)]
    pub source: Option<Source>,
}

/// What happens without anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AutomaticWord {
    /// Nothing
    Off,
    /// New versions are fetched
    Download,
    /// New versions are fetched, and started when the window opens
    Install,
}

impl From<AutomaticWord> for Automatic {
    fn from(word: AutomaticWord) -> Self {
        match word {
            AutomaticWord::Off => Self::Off,
            AutomaticWord::Download => Self::Download,
            AutomaticWord::Install => Self::Install,
        }
    }
}

/// Which line of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LineWord {
    /// Proven elsewhere before
    Stable,
    /// As soon as they are there
    Early,
}

impl From<LineWord> for Line {
    fn from(word: LineWord) -> Self {
        match word {
            LineWord::Stable => Self::Stable,
            LineWord::Early => Self::Early,
        }
    }
}

/// Where versions come from.
#[derive(Clone, Debug)]
pub struct Source(pub Option<Text<UPDATE_SOURCE_BYTES_MAX>>);

impl Source {
    fn read(word: &str) -> Result<Self, String> {
        if word == "none" {
            return Ok(Self(None));
        }
        let address = word.trim_end_matches('/');
        if address.len() <= "https://".len() || !address.starts_with("https://") {
            return Err("an address begins with https:// and a name".to_owned());
        }
        let kept = Text::try_from(format!("{address}/").as_str());
        let long = |_| format!("an address has at most {UPDATE_SOURCE_BYTES_MAX} bytes");
        kept.map(|kept| Self(Some(kept))).map_err(long)
    }
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
