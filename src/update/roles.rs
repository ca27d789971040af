//! The agent's processes, as the supervisor starts them on an appliance image.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::verify::link::Link;
use super::verify::serve::Head;
use super::write::facts::Machine;
use super::write::serve::{FOLDER, Others, Writer};
use crate::config::{Paths, Ready, ready};
use crate::control::update::Happened;
use crate::control::{Client, MachineClient, Reply, Request, machine};
use crate::domain::limits::{TRUST_ROOT_BYTES_MAX, UPDATE_TICK};
use crate::domain::{Stamp, text};
use crate::sandbox::users::{UPDATE, WEB};
use crate::sandbox::{self, Handed, Profile};

/// Whom an image believes that never saw an update: the root of trust it was made with.
const FIRST_ROOT: &str = "/etc/jumpgate/update-root.json";

/// Why a process does not serve; the supervisor hears it.
pub type Failure = Box<dyn std::error::Error>;

/// The head. Returns when its hands are gone.
pub fn verify(paths: &Paths) -> Result<(), Failure> {
    sandbox::tie_to_parent()?;
    let listener = Handed::take()?.unix("update")?;
    let first_root = fs::read(FIRST_ROOT)?;
    if first_root.len() as u64 > TRUST_ROOT_BYTES_MAX {
        return Err(format!("{FIRST_ROOT} has {} bytes", first_root.len()).into());
    }
    let link = Link::new(UnixStream::connect(paths.writer_socket())?);
    let held = sandbox::enter(&Profile::update_verifier())?;
    tracing::info!(?held, "locked_in");
    let head = Arc::new(Head::new(link, first_root));
    let watch = head.clone();
    thread::spawn(move || {
        loop {
            watch.tick();
            thread::sleep(UPDATE_TICK);
        }
    });
    ready::announce(&Ready::default())?;
    head.serve(&listener, |user| [0, WEB].contains(&user));
    Ok(())
}

/// The hands. Serves one verifier after the other.
pub fn write(paths: &Paths) -> Result<(), Failure> {
    sandbox::tie_to_parent()?;
    let listener = Handed::take()?.unix("writer")?;
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder)?;
    let machine = Machine::of_this_machine(paths.machine());
    let others = Box::new(Programs {
        supervisor: MachineClient::new(&paths.machine_socket()),
        relay: Client::new(&paths.control_socket()),
    });
    sandbox::enter_writer()?;
    let mut writer = Writer::new(machine, folder, others);
    ready::announce(&Ready::default())?;
    loop {
        let (socket, _) = listener.accept()?;
        let user =
            nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::PeerCredentials)?
                .uid();
        if ![0, UPDATE].contains(&user) {
            tracing::warn!(user, "not_the_verifier");
            continue;
        }
        socket.set_nonblocking(true)?;
        let done = tokio_uring::start(async {
            let socket = tokio_uring::net::UnixStream::from_std(socket);
            Box::pin(writer.serve(&socket)).await
        });
        if let Err(error) = done {
            tracing::warn!(%error, "verifier_gone");
        }
    }
}

/// The programs beside us.
struct Programs {
    supervisor: MachineClient,
    relay: Client,
}

impl Others for Programs {
    fn restart(&self) -> Result<(), String> {
        match self.supervisor.ask(&machine::Request::Reboot) {
            Ok(machine::Reply::Done) => Ok(()),
            Ok(machine::Reply::Refused { why }) => Err(why.to_string()),
            Ok(_) => Err("the machine does not restart; do it at its console".into()),
            Err(error) => Err(format!("the machine does not restart: {error}")),
        }
    }

    fn announce(&self, restart: Option<Stamp>) -> Result<(), String> {
        match self.relay.ask(&Request::Announce { restart }) {
            Ok(Reply::Done) => Ok(()),
            Ok(Reply::Refused { why }) => Err(why),
            Ok(_) => Err("the relay answers something else".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn back_up(&self, label: &str) -> Result<(), String> {
        let label = text::label(label);
        match self.relay.ask(&Request::BackUp { label }) {
            Ok(Reply::BackedUp { .. }) => Ok(()),
            Ok(Reply::Refused { why }) => Err(why),
            Ok(_) => Err("the relay answers something else".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn record(&self, happened: &Happened) -> bool {
        let happened = Box::new(happened.clone());
        let told = self.relay.ask(&Request::RecordUpdate { happened });
        matches!(told, Ok(Reply::Done))
    }
}
