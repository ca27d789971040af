//! Gets updates of the appliance, and tells genuine ones from others.

use std::process::ExitCode;

use clap::Parser;
use jumpgate::update::tuf_client;

#[derive(Debug, Parser)]
#[command(about = "Gets updates of the appliance, and tells genuine ones from others")]
enum Program {
    /// A client of The Update Framework over a plain folder
    TufClient(tuf_client::Arguments),
}

fn main() -> ExitCode {
    let done = match Program::parse() {
        Program::TufClient(arguments) => tuf_client::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("update-agent: {error}");
            ExitCode::FAILURE
        }
    }
}
