//! Looks after an appliance on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    jumpgate::cli::run()
}
