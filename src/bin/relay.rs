//! The relay: front door and switchboard. Started by the supervisor, which hands it its sockets.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use crossbeam::channel::{bounded, select};
use jumpgate::config::generation::GenerationArguments;
use jumpgate::config::{Config, Paths, Ready, ready};
use jumpgate::metrics::Sandbox;
use jumpgate::relay::run::{Relay, Sockets};
use jumpgate::sandbox::{self, Handed, Profile};
use nix::sys::signal::{SigSet, Signal};
use tracing_subscriber::EnvFilter;

/// The relay of a Jumpgate appliance.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The state directory.
    #[arg(long)]
    state: PathBuf,
    #[command(flatten)]
    store: GenerationArguments,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        // It would end the program where the log's disk is full.
        .log_internal_errors(false)
        .init();
    let paths = Paths::new(&arguments.state).of_generation(arguments.store.generation());
    match serve(&paths) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "relay_not_serving");
            // Whoever waits for us hears it too; if nobody does, the log has it.
            let _ = ready::announce(&Ready::failed(&error));
            ExitCode::FAILURE
        }
    }
}

fn serve(paths: &Paths) -> Result<(), Box<dyn std::error::Error>> {
    sandbox::tie_to_parent()?;
    let mut handed = Handed::take()?;
    let sockets = Sockets {
        https: handed.tcp("https")?,
        http: handed.tcp("http")?.into_iter().next(),
        control: handed.unix("control")?,
    };
    let config = Config::read(&paths.config())?;
    let read = vec![paths.config(), paths.sockets()];
    let write = vec![
        paths.keys(),
        paths.store_folder(),
        paths.recordings(),
        paths.backups(),
    ];
    let held = sandbox::enter(&Profile::relay(read, write))?;
    let sandbox = Sandbox {
        own_user: held.own_user,
        seccomp: held.seccomp,
        landlock: held.landlock,
    };

    // Blocked before any thread is made, so that only the one below takes them.
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block()?;
    let relay = Relay::start(&config, paths, sockets, sandbox)?;
    ready::announce(relay.ready())?;

    let (asked, stop) = bounded(1);
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let _ = asked.send(signals.wait());
        })?;
    select! {
        recv(stop) -> _ => relay.stop(),
        recv(relay.failed()) -> _ => return Err("a thread of the relay ended".into()),
    }
    Ok(())
}
