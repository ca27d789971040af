//! `appliancectl`: what an administrator does at the machine itself.
//!
//! ```text
//! arguments ─> command ─> control::Client ─> relay
//!                  ├────> Outcome ─> text for a person, or one JSON object
//!                  ├────> console, on the machine's own screen
//!                  └────> probe, loop_back: is a page served, a session carried? time: how far is the clock off?
//! ```
//!
//! Start at [`run`]. Not here: what a request does ([`crate::control::Request`]).

mod arguments;
mod command;
mod console;
mod event;
mod loop_back;
mod machine;
mod outcome;
mod password;
mod probe;
mod time;
mod update;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

pub use arguments::Arguments;

/// Reads the program's arguments, does what they ask and prints the answer.
pub fn run() -> ExitCode {
    if let Some(code) = event::told() {
        return code;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let (code, text) = match command::perform(&arguments) {
        Ok(outcome) if arguments.json => (ExitCode::SUCCESS, outcome.to_json()),
        Ok(outcome) => (ExitCode::SUCCESS, outcome.to_text()),
        Err(error) if arguments.json => (ExitCode::FAILURE, outcome::error_json(&error)),
        Err(error) => {
            eprintln!("appliancectl: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut out = io::stdout().lock();
    // Whoever closed the pipe has read enough.
    drop(out.write_all(text.as_bytes()));
    code
}

/// Help and version as clap words them; a script that asked for JSON gets its mistakes as JSON.
fn misused(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|word| word == "--json");
    if wants_json && error.use_stderr() {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let plain = first.strip_prefix("error: ").unwrap_or(first);
        print!("{}", outcome::error_json(&plain));
    } else {
        drop(error.print());
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
