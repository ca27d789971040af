//! Each command, as a function.

use std::io;
use std::path::{Path, PathBuf};

use super::arguments::{
    Admin, Arguments, Command, Config as ConfigCommand, JumpClients, Machine, Representative,
    SessionKey,
};
use super::console;
use super::outcome::Outcome;
use super::password::{self, PasswordError};
use super::{loop_back, probe, time, update};
use crate::config::{Config, ConfigError, Paths};
use crate::control::wire::WireError;
use crate::control::{Client, MachineClient, Reply, Request, machine};
use crate::domain::AdmissionRate;

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// No relay behind the socket.
    #[error(
        "the appliance with state directory {state} is not running; start it with: \
         scripts/run --state {state}"
    )]
    NotRunning {
        /// As given.
        state: PathBuf,
    },
    /// The socket is for root, or for whoever started the appliance.
    #[error("no permission to ask the appliance with state directory {state}; try again with sudo")]
    NotPermitted {
        /// As given.
        state: PathBuf,
    },
    /// It runs, but no answer came.
    #[error("the relay did not answer: {0}")]
    Unanswered(WireError),
    /// The file about the machine.
    #[error("cannot read what is known of this machine: {0}")]
    NoFacts(WireError),
    /// It answered with something that this request does not get.
    #[error("the relay answered something else; are appliancectl and relay of one version?")]
    OutOfTurn,
    /// No update agent behind its socket.
    #[error(
        "no update agent runs with state directory {state}; updates are for appliance images, where \
         the state directory is {on_appliance}",
        on_appliance = crate::config::ON_APPLIANCE
    )]
    NoUpdateAgent {
        /// As given.
        state: PathBuf,
    },
    /// It runs, but no answer came.
    #[error("the update agent did not answer: {0}; see: appliancectl update status")]
    UpdateAgentSilent(WireError),
    /// What somebody wanted to install.
    #[error("cannot read {path}: {error}", path = path.display())]
    UpdateFile {
        /// As given.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// It would not, and says why.
    #[error("{why}")]
    Refused {
        /// The relay's words.
        why: String,
    },
    /// No password, or one that is not allowed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The start-up file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No page is served.
    #[error(transparent)]
    Probe(#[from] probe::ProbeError),
    /// Nobody knows the time.
    #[error(transparent)]
    Time(#[from] time::TimeError),
    /// The machine's own screen.
    #[error(transparent)]
    Console(#[from] console::ConsoleError),
}

/// Does what `arguments` ask.
pub(super) fn perform(arguments: &Arguments) -> Result<Outcome, CliError> {
    let state = arguments.state.as_path();
    match &arguments.command {
        Command::Status => match ask(state, &Request::Status)? {
            Reply::Status(now) => {
                let machine = machine::Facts::read(&Paths::new(state).machine())
                    .map_err(CliError::NoFacts)?
                    .map(Box::new);
                Ok(Outcome::Status { now, machine })
            }
            _ => Err(CliError::OutOfTurn),
        },
        Command::Admin(Admin::ResetPassword { name, password }) => {
            let request = Request::ResetPassword {
                name: name.clone(),
                password: password::obtain(*password)?,
            };
            account(ask(state, &request)?, Outcome::PasswordReset)
        }
        Command::Representative(Representative::Create {
            name,
            display_name,
            password,
        }) => {
            let request = Request::CreateRepresentative {
                name: name.clone(),
                display_name: display_name.clone(),
                password: password::obtain(*password)?,
            };
            account(ask(state, &request)?, Outcome::Created)
        }
        Command::SessionKey(SessionKey::Create {
            representative,
            minutes,
        }) => {
            let request = Request::CreateKey {
                representative: representative.clone(),
                seconds: minutes.map(|minutes| minutes.saturating_mul(60)),
            };
            match ask(state, &request)? {
                Reply::Key {
                    key, url, expires, ..
                } => Ok(Outcome::Key { key, url, expires }),
                _ => Err(CliError::OutOfTurn),
            }
        }
        Command::JumpClients(JumpClients::Deploy { machines, days }) => {
            let seconds = u64::from(*days) * 86_400;
            let machines = *machines;
            match ask(state, &Request::Deploy { machines, seconds })? {
                Reply::Deployment { token, expires } => Ok(Outcome::Deployment { token, expires }),
                _ => Err(CliError::OutOfTurn),
            }
        }
        Command::JumpClients(JumpClients::Admission { rate, .. }) => {
            let rate = AdmissionRate::try_from(*rate).map_err(|error| CliError::Refused {
                why: error.to_string(),
            })?;
            match ask(state, &Request::SetAdmissionRate { rate })? {
                Reply::Done => Ok(Outcome::AdmissionRate(rate)),
                _ => Err(CliError::OutOfTurn),
            }
        }
        Command::Config(ConfigCommand::Show) => {
            let config = Config::read(&Paths::new(state).config())?;
            Ok(Outcome::Config(config))
        }
        Command::Machine(order) => machine(state, *order),
        Command::Update(order) => Ok(Outcome::Update(update::perform(state, order)?)),
        Command::Probe {
            port,
            certificate,
            rescue,
        } => {
            probe::page(*port, *certificate, *rescue)?;
            Ok(Outcome::Served)
        }
        Command::LoopBack(ends) => {
            loop_back::carry(ends)?;
            Ok(Outcome::Carried)
        }
        Command::Time { since, servers } => Ok(Outcome::Offset(time::ask(servers, *since)?)),
        Command::Console { tty } => {
            console::run(state, tty.as_deref())?;
            Ok(Outcome::ConsoleLeft)
        }
    }
}

fn machine(state: &Path, order: Machine) -> Result<Outcome, CliError> {
    let request = match order {
        Machine::Facts => machine::Request::Facts,
        Machine::Reboot => machine::Request::Reboot,
        Machine::PowerOff => machine::Request::PowerOff,
    };
    let client = MachineClient::new(&Paths::new(state).machine_socket());
    match client.ask(&request) {
        Ok(machine::Reply::Facts { facts, .. }) => Ok(Outcome::Machine(facts)),
        Ok(machine::Reply::Done) => Ok(Outcome::Ending),
        Ok(machine::Reply::Refused { why }) => Err(CliError::Refused {
            why: why.to_string(),
        }),
        Ok(_) => Err(CliError::OutOfTurn),
        Err(WireError::Io(error)) => Err(unreached(state, error)),
        Err(error) => Err(CliError::Unanswered(error)),
    }
}

fn account(
    reply: Reply,
    outcome: impl FnOnce(crate::domain::Account) -> Outcome,
) -> Result<Outcome, CliError> {
    match reply {
        Reply::Account(account) => Ok(outcome(account)),
        _ => Err(CliError::OutOfTurn),
    }
}

/// Asks the running relay; what it refuses is an error.
fn ask(state: &Path, request: &Request) -> Result<Reply, CliError> {
    let client = Client::new(&Paths::new(state).control_socket());
    match client.ask(request) {
        Ok(Reply::Refused { why }) => Err(CliError::Refused { why }),
        Ok(reply) => Ok(reply),
        Err(WireError::Io(error)) => Err(unreached(state, error)),
        Err(error) => Err(CliError::Unanswered(error)),
    }
}

fn unreached(state: &Path, error: io::Error) -> CliError {
    let state = state.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            CliError::NotRunning { state }
        }
        io::ErrorKind::PermissionDenied => CliError::NotPermitted { state },
        _ => CliError::Unanswered(error.into()),
    }
}
