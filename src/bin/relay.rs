//! The relay: front door and switchboard. Started by the supervisor, which hands it its sockets.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use crossbeam::channel::{Sender, bounded, select};
use jumpgate::config::generation::GenerationArguments;
use jumpgate::config::{Config, Paths, Ready, ready};
use jumpgate::domain::limits::HAND_OVER_WITHIN;
use jumpgate::metrics::Sandbox;
use jumpgate::relay::handover::{Predecessor, Successor};
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
        predecessor: handed
            .other("predecessor")
            .map(Predecessor::new)
            .transpose()?,
    };
    let successor = handed.other("successor").map(Successor::new).transpose()?;
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
    let (heir, heirs) = bounded(1);
    if let Some(successor) = successor {
        std::thread::Builder::new()
            .name("successor".into())
            .spawn(move || await_successor(successor, &heir))?;
    } else {
        // Nobody comes, which is no reason to stop.
        std::mem::forget(heir);
    }
    select! {
        recv(stop) -> _ => relay.stop(None),
        recv(heirs) -> heir => relay.stop(heir?),
        recv(relay.failed()) -> _ => return Err("a thread of the relay ended".into()),
    }
    Ok(())
}

/// Says when another relay takes over, and to whom what can go on is to be given.
fn await_successor(successor: Successor, tell: &Sender<Option<Arc<Successor>>>) {
    let understands = match successor.asked() {
        Ok(Some(understands)) => understands,
        Ok(None) => return park(),
        Err(error) => {
            tracing::warn!(%error, "no_successor");
            return park();
        }
    };
    tracing::info!(understands, "handing_over");
    let successor = Arc::new(successor);
    let _ = tell.send(understands.then_some(successor));
    // The other one waits no longer either, and only one of us may serve.
    std::thread::sleep(HAND_OVER_WITHIN);
    tracing::error!("not_handed_over_in_time");
    std::process::exit(1);
}

/// Nobody comes any more, which is no reason to stop.
fn park() {
    loop {
        std::thread::park();
    }
}
