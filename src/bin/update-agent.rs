//! Gets updates of the appliance, tells genuine ones from others, and brings them to the disk.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jumpgate::config::{Paths, Ready, ready};
use jumpgate::update::{roles, tuf_client};
use tracing_subscriber::EnvFilter;

#[derive(Debug, Parser)]
#[command(about = "Gets updates of the appliance, and tells genuine ones from others")]
enum Program {
    /// Fetches what the verifier wishes; started by the supervisor
    Fetch(Place),
    /// Takes updates apart and decides; started by the supervisor
    Verify(Place),
    /// Brings what was verified to the disk; started by the supervisor
    Write(Place),
    /// A client of The Update Framework over a plain folder
    TufClient(tuf_client::Arguments),
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The state directory
    #[arg(long)]
    state: PathBuf,
}

fn main() -> ExitCode {
    let done = match Program::parse() {
        Program::Fetch(place) => serve(&place, roles::fetch),
        Program::Verify(place) => serve(&place, roles::verify),
        Program::Write(place) => serve(&place, roles::write),
        Program::TufClient(arguments) => tuf_client::run(&arguments).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("update-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(
    place: &Place,
    role: impl FnOnce(&Paths) -> Result<(), roles::Failure>,
) -> Result<(), roles::Failure> {
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        // It would end the program where the log's disk is full.
        .log_internal_errors(false)
        .init();
    role(&Paths::new(&place.state)).inspect_err(|error| {
        // Whoever waits for us hears it too; if nobody does, the log has it.
        let _ = ready::announce(&Ready::failed(error));
    })
}
