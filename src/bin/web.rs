//! Serves the appliance's pages to the connections that the relay hands over.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use jumpgate::config::generation::GenerationArguments;
use jumpgate::config::{Config, Paths, Ready, ready::announce};
use jumpgate::control::machine::Facts;
use jumpgate::sandbox::{self, Handed, Profile};
use jumpgate::store::Database;
use jumpgate::web::{self, Endpoint, Site, Store};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Pages. Started by the supervisor, with its listening socket.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The appliance's folder.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The customer client to hand out.
    #[arg(long, value_name = "FILE")]
    endpoint: Option<PathBuf>,
    #[command(flatten)]
    store: GenerationArguments,
}

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        // It would end the program where the log's disk is full.
        .log_internal_errors(false)
        .init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(event = "web_not_started", %error);
            if let Err(unheard) = announce(&Ready::failed(&error)) {
                tracing::error!(event = "not_announced", error = %unheard);
            }
            ExitCode::FAILURE
        }
    }
}

/// Opens everything, locks the program in, and serves.
fn run(arguments: &Arguments) -> Result<(), Error> {
    sandbox::tie_to_parent()?;
    let paths = Paths::new(&arguments.state).of_generation(arguments.store.generation());
    let config = Config::read(&paths.config())?;
    let listener = Handed::take()?.unix("web")?;
    listener.set_nonblocking(true)?;
    let database = Database::open(&paths.store())?;
    let endpoint = match &arguments.endpoint {
        Some(file) => Some(Endpoint::open(file).map_err(|error| {
            format!(
                "cannot read the customer client {}: {error}",
                file.display()
            )
        })?),
        None => None,
    };
    let zone = jiff::tz::TimeZone::system();
    let machine = Facts::read(&paths.machine()).unwrap_or_else(|error| {
        tracing::error!(event = "machine_facts_unread", %error);
        None
    });
    let rescue = machine.and_then(|machine| machine.rescue);
    let read = vec![paths.recordings(), paths.sockets()];
    let report = sandbox::enter(&Profile::web(read, vec![paths.store_folder()]))?;
    tracing::info!(
        event = "locked_in",
        own_user = report.own_user,
        seccomp = report.seccomp,
        landlock = report.landlock,
    );
    let store = Store::start(database)?;
    let site = Site::new(config, paths, store, endpoint, zone);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let site = Arc::new(site);
    let router = match rescue {
        Some(why) => {
            tracing::warn!(event = "rescue", %why);
            web::rescue::router(site, &why)
        }
        None => web::router(site),
    };
    runtime.block_on(serve(listener, router))?;
    // Hashing that nobody waits for any more must not hold the program up.
    runtime.shutdown_background();
    Ok(())
}

async fn serve(
    listener: std::os::unix::net::UnixListener,
    router: axum::Router,
) -> Result<(), Error> {
    let listener = UnixListener::from_std(listener)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(web::serve(listener, router, stopping));
    announce(&Ready::default())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(event = "stopping");
    stop.send(true)?;
    serving.await?;
    Ok(())
}
