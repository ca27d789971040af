//! Starts, watches and stops the programs.
//!
//! ```text
//! arguments ─> state (folders, lock) ─> settings ─> ports ─> program: relay, then web ─> front
//!                                                               │                   (ready.json)
//!                                             keep: restart with backoff, until a signal
//! ```
//!
//! On an appliance image it looks after the machine as well (`machine`).
//!
//! It may run as root, so it reads nothing that a stranger wrote: listening sockets go to the
//! programs unread. They stay open here as well; while a program is being started again, callers
//! wait in the kernel's queue and nobody is refused. Start at [`run`].

mod arguments;
mod backoff;
mod front;
mod keep;
mod log;
mod machine;
mod ports;
mod program;
mod settings;
mod state;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::config::{Config, Paths, Ready};
use crate::control::{Client, Reply, Request};
use crate::domain::limits::{READY_WITHIN, STORE_READY_WITHIN};
use crate::sandbox::mount::{Use, View};
use crate::sandbox::users::{Identity, RELAY, WEB};

pub use arguments::Arguments;
use backoff::Backoff;
use front::Front;
use keep::{Event, Kept};
use ports::Ports;
use program::{Program, Running};
use state::{Mode, State};

/// Why nothing runs. One line for whoever started us.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The state directory, or something in it.
    #[error(transparent)]
    State(#[from] state::StateError),
    /// The start-up file.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// A port or a local socket.
    #[error(transparent)]
    Ports(#[from] ports::PortsError),
    /// A program did not begin to serve.
    #[error(transparent)]
    Start(#[from] program::StartError),
    /// The relay runs but does not answer.
    #[error("relay does not answer: {0}")]
    Silent(String),
    /// On an appliance image: the machine around the programs.
    #[error(transparent)]
    Machine(#[from] machine::MachineError),
    /// The system refused what is never refused.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's word.
        error: io::Error,
    },
}

/// Runs the appliance until somebody stops it.
pub fn run(arguments: &Arguments) -> Result<(), SupervisorError> {
    crate::sandbox::keep_descriptors_from_children()
        .map_err(|errno| system("close what was left open")(errno.into()))?;
    // Programs inherit the limit; relay holds two descriptors for each of thousands of peers.
    drop(crate::sandbox::allow_many_descriptors());
    if arguments.appliance {
        return machine::run();
    }
    let mode = Mode::of_this_process();
    let state = State::prepare(&arguments.state, mode)?;
    let mut config = settings::merge(state.paths(), arguments)?;
    let ports = Ports::bind(&config, state.paths(), mode, state.patience())?;
    (config.https_port, config.http_port) = (ports.https_port(), ports.http_port());
    settings::write(state.paths(), &config, mode)?;
    let programs = Programs::find(arguments, &state, &ports, mode)?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("wait for events"))?;
    let served = runtime.block_on(serve(&programs, state.paths(), &config, mode));
    front::withdraw(state.paths());
    ports.close();
    if served.is_ok() {
        state.left_cleanly();
    }
    served
}

/// What is started.
struct Programs {
    relay: Program,
    web: Program,
}

impl Programs {
    /// With their sockets, where they can reach them.
    fn find(
        arguments: &Arguments,
        state: &State,
        ports: &Ports,
        mode: Mode,
    ) -> Result<Self, SupervisorError> {
        let folder = arguments.programs().map_err(system("find the programs"))?;
        let endpoint = arguments.endpoint(&folder);
        let root = state.paths().root();
        let reach = if arguments.appliance {
            // Everybody may pass through an image's folders.
            Reach::as_it_is(root, &folder, endpoint.as_deref())
        } else {
            Reach::new(mode, root, &folder, endpoint.as_deref())
        };
        let mut web_arguments: Vec<OsString> = vec!["--state".into(), reach.state.clone().into()];
        if let Some(generation) = arguments.store.generation() {
            web_arguments.extend(generation.arguments().into_iter().map(Into::into));
        }
        let relay_arguments = web_arguments.clone();
        if let Some(endpoint) = &reach.endpoint {
            web_arguments.extend(["--endpoint".into(), endpoint.into()]);
        }
        let identity = |user| (mode == Mode::Root).then_some(Identity::of(user));
        let program = |name, user, arguments, sockets: io::Result<Vec<(&'static str, OwnedFd)>>| {
            Ok::<_, SupervisorError>(Program {
                name,
                file: reach.programs.join(name),
                arguments,
                identity: identity(user),
                sockets: sockets.map_err(system("duplicate a listening socket"))?,
                hands_over: false,
                log: log::file(&state.paths().logs(), name),
                ready_within: READY_WITHIN,
            })
        };
        let mut relay = program("relay", RELAY, relay_arguments, ports.of_relay())?;
        relay.hands_over = true;
        if arguments.store.generation().is_some() {
            relay.ready_within = STORE_READY_WITHIN;
        }
        Ok(Self {
            relay,
            web: program("web", WEB, web_arguments, ports.of_web())?,
        })
    }
}

/// Where the programs find things.
struct Reach {
    state: PathBuf,
    programs: PathBuf,
    endpoint: Option<PathBuf>,
}

impl Reach {
    /// Shown in a view of our own when root may do that, so that folders only their owner can
    /// enter are no obstacle; else where they are.
    fn new(mode: Mode, state: &Path, programs: &Path, endpoint: Option<&Path>) -> Self {
        if mode != Mode::Root {
            return Self::as_it_is(state, programs, endpoint);
        }
        Self::shown(state, programs, endpoint).unwrap_or_else(|error| {
            front::note(&format!("no view of its own for the programs: {error}"));
            Self::as_it_is(state, programs, endpoint)
        })
    }

    fn as_it_is(state: &Path, programs: &Path, endpoint: Option<&Path>) -> Self {
        Self {
            state: state.to_owned(),
            programs: programs.to_owned(),
            endpoint: endpoint.map(Path::to_owned),
        }
    }

    fn shown(state: &Path, programs: &Path, endpoint: Option<&Path>) -> io::Result<Self> {
        let view = View::new()?;
        let endpoint = match endpoint.and_then(|file| Some((file.parent()?, file.file_name()?))) {
            Some((folder, name)) => Some(view.show(folder, "endpoint", Use::Programs)?.join(name)),
            None => None,
        };
        Ok(Self {
            state: view.show(state, "state", Use::Data)?,
            programs: view.show(programs, "programs", Use::Programs)?,
            endpoint,
        })
    }
}

/// From the first start to the last program's end.
async fn serve(
    programs: &Programs,
    paths: &Paths,
    config: &Config,
    mode: Mode,
) -> Result<(), SupervisorError> {
    let mut stop_asked = StopAsked::new().map_err(system("listen for signals"))?;
    // A new file in the relay's place, or other settings.
    let anew = signal(SignalKind::user_defined1());
    let mut relay_anew = anew.map_err(system("listen for signals"))?;
    let started = Instant::now();
    let (relay, web, ready) = tokio::select! {
        up = bring_up(programs, paths) => up?,
        // Dropping the programs that were being started ends them.
        () = stop_asked.wait() => return Ok(()),
    };
    let mut front = Front::new(paths, config, mode);
    front.publish(&ready).map_err(system("write ready.json"))?;
    front.greet(started.elapsed(), programs.web.has_endpoint());

    let (stop, stopped) = watch::channel(false);
    let (tell, told) = mpsc::channel(8);
    // Nothing changes here while web runs.
    let (_again, unchanged) = watch::channel(0);
    let (begin_anew, again) = watch::channel(0);
    let keep = |program, running, again: &watch::Receiver<u32>| Kept {
        program,
        running: Some(running),
        backoff: Backoff::default(),
        tell: tell.clone(),
        again: again.clone(),
        stopped: stopped.clone(),
    };
    let kept = async {
        tokio::join!(
            keep(&programs.relay, relay, &again).keep(),
            keep(&programs.web, web, &unchanged).keep()
        );
    };
    let watched = async {
        let mut told = told;
        loop {
            tokio::select! {
                () = stop_asked.wait() => break,
                _ = relay_anew.recv() => {
                    front::note("another relay takes over");
                    begin_anew.send_modify(|times: &mut u32| *times = times.wrapping_add(1));
                }
                Some(event) = told.recv() => react(event, &mut front),
            }
        }
        front::withdraw(paths);
        front::note("stopping");
        // A program that has something to tell from here on does not wait for us.
        drop(told);
        let _ = stop.send(true);
    };
    tokio::join!(kept, watched);
    Ok(())
}

/// Starts relay, then web (which opens the store that relay made), and asks whether pages would
/// be served.
async fn bring_up(
    programs: &Programs,
    paths: &Paths,
) -> Result<(Running, Running, Ready), SupervisorError> {
    let (relay, ready) = programs.relay.start(None).await?;
    let (web, _) = programs.web.start(None).await?;
    match Client::new(&paths.control_socket())
        .ask_async(&Request::Status)
        .await
    {
        Ok(Reply::Status(_)) => Ok((relay, web, ready)),
        Ok(other) => Err(SupervisorError::Silent(format!("got {other:?}"))),
        Err(error) => Err(SupervisorError::Silent(error.to_string())),
    }
}

fn react(event: Event, front: &mut Front) {
    match event {
        Event::Ended { name, how, wait } => {
            let wait = wait.as_secs_f32();
            front::note(&format!(
                "{name} ended ({how}), starting it again in {wait} s"
            ));
        }
        Event::NotStarted { error, wait } => {
            let wait = wait.as_secs_f32();
            front::note(&format!("{error}; trying again in {wait} s"));
        }
        Event::Started { name, ready } => {
            front::note(&format!("{name} serves again"));
            // Only the relay's line has facts; a new set-up link replaces the old one.
            if ready.certificate.is_some()
                && let Err(error) = front.publish(&ready)
            {
                front::note(&format!("cannot write ready.json: {error}"));
            }
        }
    }
}

/// Ctrl-C, a service manager's stop, or the terminal going away.
struct StopAsked([Signal; 3]);

impl StopAsked {
    fn new() -> io::Result<Self> {
        let listen = |kind| signal(kind);
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> SupervisorError {
    move |error| SupervisorError::System { what, error }
}
