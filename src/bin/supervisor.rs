//! Runs the appliance: binds its ports, starts its programs, keeps them running.

use std::process::ExitCode;

use clap::Parser as _;
use jumpgate::supervisor::{Arguments, run};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("supervisor: {error}");
            ExitCode::FAILURE
        }
    }
}
