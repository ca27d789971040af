//! The customer client for Linux: one file, downloaded for one session.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use jumpgate::agent::Dialer;
use jumpgate::endpoint::options::{Options, Plan, own_pass};
use jumpgate::endpoint::run::run;
use jumpgate::endpoint::seat::Seat;
use jumpgate::endpoint::{window, words};

fn main() -> ExitCode {
    let options = Options::parse();
    let talks = std::io::stdin().is_terminal() || options.key.is_some();
    if !talks {
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        if window::open(&arguments) {
            return ExitCode::SUCCESS;
        }
        return fail(words::NO_TERMINAL);
    }
    let own_window = options.own_window;
    let plan = match own_pass()
        .map_err(Into::into)
        .and_then(|pass| options.plan(pass))
    {
        Ok(plan) => plan,
        Err(error) => return fail_in(own_window, error),
    };
    match begin(plan, own_window) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail_in(own_window, error),
    }
}

fn begin(plan: Plan, own_window: bool) -> Result<bool, Box<dyn std::error::Error>> {
    let environment = |name: &str| std::env::var(name).ok();
    let dialer = Dialer::new(plan.address.clone(), plan.link_key, environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let well = runtime.block_on(async {
        let mut seat = Seat::standard()?;
        Ok(run(plan, dialer, own_window, &mut seat).await)
    });
    // A puzzle may still be in the works; nobody waits for it.
    runtime.shutdown_background();
    well
}

/// A window of our own would close before anybody has read why.
fn fail_in(own_window: bool, why: impl std::fmt::Display) -> ExitCode {
    let code = fail(why);
    if own_window {
        eprintln!("{}", words::PRESS_ENTER);
        let _ = std::io::stdin().read_line(&mut String::new());
    }
    code
}

fn fail(why: impl std::fmt::Display) -> ExitCode {
    eprintln!("jumpgate-customer-client: {why}");
    ExitCode::FAILURE
}
