//! The machine around the programs, on an appliance image.
//!
//! ```text
//!        init (initramfs) ─> /run/jumpgate ─> run: watchdogs, reset, clock, folders, kernel log
//! appliancectl ─ machine.sock ─> requests ┐
//! udhcpc ─────── event link ─> (the same) ├─> life: the one loop that decides ─> network, esp, power
//! relay, web ── keep ── Event ────────────┘                 └─> machine.json, for pages
//! ```
//!
//! The model, the ports and the folders are what the image and the machine say; there are no
//! options. What strangers on the network say is read by small programs, and arrives here as checked
//! values. Start at [`run`], then [`life`].
//!
//! Not here: everything before the checked root ([`crate::boot`], `init`), and what the person at
//! the console sees (`crate::cli`).

mod agent;
mod button;
mod client;
mod clock;
mod facts;
mod hardware;
mod health;
mod journal;
mod kernel_log;
mod life;
mod network;
mod places;
mod power;
mod probe;
mod proof;
mod reach;
mod requests;
mod reset;
mod room;
mod starts;
mod stick;
mod support;
mod time_servers;
mod watchdog;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::time::{ClockId, clock_gettime};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};

use self::agent::Agent;
use self::clock::Clock;
use self::health::Relapses;
use self::journal::note;
use self::kernel_log::KernelLog;
use self::life::{Elsewhere, End, Inlets, Levers, Life, Rest};
use self::places::Places;
use self::power::Power;
use self::probe::Probe;
use self::proof::Proof;
use self::reset::Due;
use self::time_servers::TimeServers;
use self::watchdog::Watchdogs;
use super::arguments::Arguments;
use super::backoff::Backoff;
use super::keep::Kept;
use super::ports::Ports;
use super::state::{Mode, State};
use super::{Programs, StopAsked, SupervisorError, log, settings, system};
use crate::boot::facts::FACTS_FILE;
use crate::boot::{Facts as BootFacts, Release, Slot, pairs::PairsError};
use crate::config::{Config, Generation, ON_APPLIANCE, Paths};
use crate::control::machine::{ClockSource, Facts, Health, NetworkFacts, SlotFacts, notice};
use crate::domain::limits::MACHINE_QUEUE_MAX;
use crate::domain::{Moment, Now, Stamp};
use crate::esp::{self, Access};

/// On the state partition: restarts for crashes ([`health`]).
const RELAPSES: &str = "relapses";
/// On the state partition, once there is an administrator: an empty data partition is a loss then.
const SET_UP: &str = "set-up";

/// Why there is no machine to look after. One line for the console.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// Everything here is root's.
    #[error("--appliance needs root, and an appliance image")]
    NotRoot,
    /// `init` left nothing: this is some other system, and nothing of it is touched.
    #[error("--appliance is for an appliance image: {FACTS_FILE}: {error}")]
    NoImage {
        /// The system's word.
        error: io::Error,
    },
    /// It left something else.
    #[error("{FACTS_FILE}: {0}")]
    NotUnderstood(#[from] PairsError),
    /// The machine does not restart.
    #[error("cannot ask for a restart: {0}")]
    NoRestart(nix::Error),
}

/// Both clocks. The one for waiting counts from the machine's start, so that it means the same to
/// the next supervisor of this boot.
pub(super) fn now() -> Now {
    let since_start = clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(Duration::from)
        .unwrap_or_default();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Now {
        moment: Moment::from_millis(millis(since_start)),
        stamp: Stamp::of(SystemTime::now()),
    }
}

/// Looks after the machine until it ends.
pub(super) fn run() -> Result<(), SupervisorError> {
    if Mode::of_this_process() != Mode::Root {
        return Err(MachineError::NotRoot.into());
    }
    let places = Places::of_this_machine();
    let text = fs::read(FACTS_FILE).map_err(|error| MachineError::NoImage { error })?;
    let boot = BootFacts::decode(&text).map_err(MachineError::from)?;
    let mut watchdogs = Watchdogs::open(&places, note);
    let due = reset::due(&places);
    if due != Due::Nothing {
        return wipe(&places, due, &mut watchdogs);
    }
    if starts::too_many(&places, now().moment) && give_up(&places, &boot) {
        return restart();
    }
    let release = release(&places);
    let clock = begin_time(&places, release.as_ref());
    stand_in_for_lost_data(&places);
    let (end, watchdogs) = serve(&places, &boot, release.as_ref(), watchdogs, clock)?;
    starts::ended(&places);
    finish(&places, end, watchdogs)
}

/// After everything of ours is closed.
fn finish(places: &Places, end: End, mut watchdogs: Watchdogs) -> Result<(), SupervisorError> {
    match end {
        End::Stopped => Ok(()),
        End::Wipe => wipe(places, Due::Reset, &mut watchdogs),
        End::Power(power) => {
            watchdogs.feed();
            hand_over(power)
        }
    }
}

fn hand_over(power: Power) -> Result<(), SupervisorError> {
    match power.ask_init() {
        Ok(never) => match never {},
        Err(errno) => Err(MachineError::NoRestart(errno).into()),
    }
}

fn restart() -> Result<(), SupervisorError> {
    hand_over(Power::Restart)
}

/// Whatever comes of it, the machine restarts: what could not be wiped is tried again then.
fn wipe(places: &Places, due: Due, watchdogs: &mut Watchdogs) -> Result<(), SupervisorError> {
    let doing = places.run("doing");
    let tell = |line: &str| {
        note(line);
        drop(fs::write(&doing, format!("Factory reset: {line}\n")));
    };
    if let Err(error) = reset::perform(places, due, watchdogs, tell) {
        tell(&format!("not done, {error}. Trying again after a restart"));
    }
    restart()
}

/// The supervisor itself keeps failing. Returns whether the machine shall restart.
fn give_up(places: &Places, boot: &BootFacts) -> bool {
    note("the supervisor keeps failing");
    let kept = places::line(&places.state(RELAPSES)).and_then(|line| Relapses::decode(&line));
    let next = Relapses::of(boot.slot, kept).and_then(Relapses::allow);
    let in_rescue = places.run("data-unreadable").exists();
    next.filter(|_| !in_rescue && !facts::forgets_state(places))
        .is_some_and(|next| places::replace(&places.state(RELAPSES), &next.encode()).is_ok())
}

fn release(places: &Places) -> Option<Release> {
    let path = places.release();
    let read = fs::read(&path).map_err(|error| error.to_string());
    let read = read.and_then(|text| Release::decode(&text).map_err(|error| error.to_string()));
    read.inspect_err(|error| note(&format!("{}: {error}", path.display())))
        .ok()
}

/// Sets the clock if it cannot be right.
fn begin_time(places: &Places, release: Option<&Release>) -> Clock {
    let built = release.map_or(Stamp(0), |release| facts::stamp(release.built));
    let (clock, set) = Clock::new(built, clock::kept(places), now().stamp);
    if let Some(Err(error)) = set.map(clock::set) {
        note(&format!("the clock cannot be set: {error}"));
    }
    clock
}

/// A repair may leave nothing. An appliance that was set up does not begin anew then, as if nobody
/// had ever used it: it says that its data is lost.
fn stand_in_for_lost_data(places: &Places) {
    let has_store = Paths::new(&places.path(ON_APPLIANCE)).has_store();
    let unreadable = places.run("data-unreadable");
    if !places.state(SET_UP).exists() || has_store || unreadable.exists() {
        return;
    }
    let why = "its file system is empty, although this appliance was set up\n";
    let done = fs::write(&unreadable, why).and_then(|()| memory(&places.data(), "25%"));
    if let Err(error) = done {
        note(&format!("nothing stands in for the data: {error}"));
    }
}

/// Memory in the place of a folder; once is enough.
fn memory(at: &Path, size: &str) -> io::Result<()> {
    fs::create_dir_all(at)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let options = format!("mode=0755,size={size}");
    Ok(mount(
        Some("tmpfs"),
        at,
        Some("tmpfs"),
        flags,
        Some(options.as_str()),
    )?)
}

/// From the folders to the end of the programs.
fn serve(
    places: &Places,
    boot: &BootFacts,
    release: Option<&Release>,
    watchdogs: Watchdogs,
    clock: Clock,
) -> Result<(End, Watchdogs), SupervisorError> {
    let paths = Paths::new(&places.path(ON_APPLIANCE));
    // Sockets in memory: none is left over from before a power cut, and a full disk has room.
    let is_memory = statfs(&paths.sockets()).is_ok_and(|at| at.filesystem_type() == TMPFS_MAGIC);
    let rescue = facts::rescue(places);
    if !is_memory {
        memory(&paths.sockets(), "1m").map_err(system("make a folder for sockets"))?;
    }
    let room = rescue.is_none().then(|| room::settle(places)).flatten();
    let state = State::prepare(paths.root(), Mode::Root)?;
    let log_of = |name| log::file(&paths.logs(), name);
    if let Err(error) = journal::write_to(&log_of("supervisor")) {
        note(&format!("the log goes to the console: {error}"));
    }
    let hardware = hardware::read(places, release);
    let image = facts::image(release);
    let title = format!("version {}, slot {}", image.version, boot.slot);
    note(&format!("{title}, disk {}, {}", boot.disk, hardware.model));
    if let Some(said) = room {
        note(&said);
    }
    if clock.facts().source == ClockSource::Floor {
        note("the machine's clock said a time that cannot be right");
    }
    let kernel = KernelLog::follow(places, &log_of("kernel"), &title)
        .inspect_err(|error| note(&format!("the kernel's log is not followed: {error}")))
        .ok();

    let network = network::settings(places);
    let before = Config::read(&paths.config()).unwrap_or_default();
    let site = network
        .site
        .as_ref()
        .map_or(before.site, ToString::to_string);
    let mut arguments = Arguments::of_appliance(hardware.model, site);
    let Looked {
        slots,
        generation,
        on_trial,
    } = look_at_slots(places, boot.slot);
    if let Some(generation) = generation {
        arguments.store = generation.into();
    }
    let mut config = settings::merge(&paths, &arguments)?;
    let ports = Ports::bind(&config, &paths, Mode::Root, state.patience())?;
    (config.https_port, config.http_port) = (ports.https_port(), ports.http_port());
    if let Err(error) = settings::write(&paths, &config, Mode::Root) {
        note(&error.to_string());
    }
    let programs = Programs::find(&arguments, &state, &ports, Mode::Root)?;
    warm(&programs);
    let agent = Agent::new(
        &paths,
        &arguments.programs().map_err(system("find the programs"))?,
    )?;
    let tool = arguments
        .programs()
        .map_err(system("find the programs"))?
        .join("appliancectl");

    let mut boot_facts = facts::boot(boot, watchdogs.count());
    boot_facts.slots = slots;
    let kept = places::line(&places.state(RELAPSES)).and_then(|line| Relapses::decode(&line));
    let (levers, outlets) = connect();
    let mut life = Life {
        places,
        paths: &paths,
        facts: Facts {
            hardware,
            image,
            boot: boot_facts,
            health: Health::Starting,
            network: NetworkFacts {
                trouble: Some(notice("it is being set up")),
                ..NetworkFacts::default()
            },
            clock: clock.facts(),
            storage: facts::storage(places),
            rescue,
        },
        probe: Probe {
            program: tool.clone(),
            port: config.https_port,
            busy: false,
        },
        config,
        settings: network.clone(),
        watchdogs,
        clock,
        relapses: Relapses::of(boot.slot, kept),
        time_servers: TimeServers::new(tool.clone()),
        levers,
        proof: Proof::new(places, on_trial, generation),
        began: now().moment,
        rest: Rest::default(),
    };
    // Programs read it at their start.
    life.publish();
    let network = network::Task {
        places: places.clone(),
        settings: network,
        events: events(places, "lease-event", &tool),
        log: log_of("network"),
        orders: outlets.orders,
        facts: outlets.network_facts,
    };

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("wait for events"))?;
    let end = runtime.block_on(async {
        let listener = requests::listen(&paths.machine_socket())
            .map_err(system("listen for questions about the machine"))?;
        let inlets = Inlets {
            stop_asked: StopAsked::new().map_err(system("listen for signals"))?,
            told: outlets.told,
            asked: outlets.asked,
            network: outlets.network,
            elsewhere: outlets.elsewhere,
        };
        button::watch(places, &life.levers.elsewhere);
        let threads = Threads {
            network,
            listener,
            ask: outlets.ask,
            tell: outlets.tell,
            go: outlets.go,
            relay_up: outlets.relay_up,
            pages_up: outlets.pages_up,
            again: outlets.again,
        };
        Ok::<_, SupervisorError>(all_at_once(&programs, &agent, &mut life, inlets, threads).await)
    })?;
    note("stopped");
    drop(runtime);
    if let Some(kernel) = kernel {
        kernel.stop();
    }
    let watchdogs = life.watchdogs;
    ports.close();
    state.left_cleanly();
    // Nothing may be open on the data partition when it is unmounted.
    journal::close();
    Ok((end, watchdogs))
}

/// What the boot partition says at the start.
#[derive(Default)]
struct Looked {
    /// Both, as the boot loader sees them.
    slots: heapless::Vec<SlotFacts, 2>,
    /// Whose store the running version opens.
    generation: Option<Generation>,
    /// The running version was marked to be tried, and has not proved itself since.
    on_trial: bool,
}

fn look_at_slots(places: &Places, running: Slot) -> Looked {
    let looked = places.esp().mounted(Access::Read, |folder| {
        let sequence = |slot| Some(esp::trial::describe(folder, slot)?.sequence);
        let own = sequence(running);
        let (trial, other) = match running {
            Slot::System(system) => (
                esp::trial::marked(folder) == Some(system),
                sequence(Slot::System(system.other())),
            ),
            Slot::Recovery => (false, None),
        };
        let generation = own.map(|own| Generation {
            sequence: own,
            // Whoever goes back to an older version goes back to its store, and takes along what was
            // recorded since.
            trial: trial && other.is_none_or(|other| other < own),
        });
        Ok(Looked {
            slots: esp::slots(folder),
            generation,
            on_trial: trial,
        })
    });
    looked.unwrap_or_else(|error| {
        note(&error.to_string());
        Looked::default()
    })
}

/// Reads the programs while the network comes up. To unpack them and to check their blocks takes as
/// long as an address does; once they are started they are in memory.
fn warm(programs: &Programs) {
    let files = [&programs.relay, &programs.web].map(|program| program.file.clone());
    thread::spawn(move || {
        for path in files {
            // Whoever starts it says what is wrong with it.
            let file = File::open(path);
            drop(file.and_then(|mut file| io::copy(&mut file, &mut io::sink())));
        }
    });
}

/// A link by which another program starts `tool` as its event program.
fn events(places: &Places, name: &str, tool: &Path) -> PathBuf {
    let link = places.run(name);
    let _ = fs::remove_file(&link);
    if let Err(error) = symlink(tool, &link) {
        note(&format!("{}: {error}", link.display()));
    }
    link
}

/// The other ends of [`Levers`] and [`Inlets`].
struct Outlets {
    orders: mpsc::Receiver<network::Order>,
    network_facts: watch::Sender<NetworkFacts>,
    network: watch::Receiver<NetworkFacts>,
    ask: mpsc::Sender<requests::Asked>,
    asked: mpsc::Receiver<requests::Asked>,
    tell: mpsc::Sender<super::keep::Event>,
    told: mpsc::Receiver<super::keep::Event>,
    elsewhere: mpsc::Receiver<Elsewhere>,
    go: watch::Receiver<bool>,
    relay_up: watch::Receiver<bool>,
    pages_up: watch::Receiver<bool>,
    again: watch::Receiver<u32>,
}

fn connect() -> (Levers, Outlets) {
    let (network_orders, orders) = mpsc::channel(MACHINE_QUEUE_MAX);
    let (network_facts, network) = watch::channel(NetworkFacts::default());
    let (ask, asked) = mpsc::channel(MACHINE_QUEUE_MAX);
    let (tell, told) = mpsc::channel(MACHINE_QUEUE_MAX);
    let (to_elsewhere, elsewhere) = mpsc::channel(MACHINE_QUEUE_MAX);
    let (may_go, go) = watch::channel(false);
    let (relay_is_up, relay_up) = watch::channel(false);
    let (pages_are_up, pages_up) = watch::channel(false);
    let (begin_again, again) = watch::channel(0);
    let levers = Levers {
        network: network_orders,
        go: may_go,
        relay_up: relay_is_up,
        pages_up: pages_are_up,
        again: begin_again,
        elsewhere: to_elsewhere,
    };
    let outlets = Outlets {
        orders,
        network_facts,
        network,
        ask,
        asked,
        tell,
        told,
        elsewhere,
        go,
        relay_up,
        pages_up,
        again,
    };
    (levers, outlets)
}

/// What runs beside the main loop.
struct Threads {
    network: network::Task,
    listener: UnixListener,
    ask: mpsc::Sender<requests::Asked>,
    tell: mpsc::Sender<super::keep::Event>,
    go: watch::Receiver<bool>,
    relay_up: watch::Receiver<bool>,
    pages_up: watch::Receiver<bool>,
    again: watch::Receiver<u32>,
}

/// Everything, until the main loop has a reason to end and the programs have.
async fn all_at_once(
    programs: &Programs,
    agent: &Agent,
    life: &mut Life<'_>,
    mut inlets: Inlets,
    threads: Threads,
) -> End {
    let Threads {
        network,
        listener,
        ask,
        tell,
        go,
        relay_up,
        pages_up,
        again,
    } = threads;
    // New settings are nothing to the update agent.
    let (_again, unchanged) = watch::channel(0);
    let (stop, stopped) = watch::channel(false);
    let network = tokio::spawn(network.run());
    let requests = tokio::spawn(requests::serve(listener, ask));
    let keep = |program, mut start: watch::Receiver<bool>, again: &watch::Receiver<u32>| {
        let mut stopped = stopped.clone();
        let kept = Kept {
            program,
            running: None,
            backoff: Backoff::default(),
            tell: tell.clone(),
            again: again.clone(),
            stopped: stopped.clone(),
        };
        async move {
            tokio::select! {
                Ok(_) = start.wait_for(|start| *start) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            Box::pin(kept.keep()).await;
        }
    };
    let kept = async {
        tokio::join!(
            keep(&programs.relay, go, &again),
            keep(&programs.web, relay_up, &again),
            keep(&agent.writer, pages_up.clone(), &unchanged),
            keep(&agent.verifier, pages_up.clone(), &unchanged),
            keep(&agent.fetcher, pages_up, &unchanged),
        )
    };
    let lived = async {
        let end = life.run(&mut inlets).await;
        note("stopping");
        // A program that has something to tell from here on does not wait for us.
        drop(inlets);
        stop.send_replace(true);
        end
    };
    let (_, end) = tokio::join!(kept, lived);
    network.abort();
    requests.abort();
    // Their children go with them.
    let _ = (network.await, requests.await);
    end
}
