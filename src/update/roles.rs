//! The agent's processes, as the supervisor starts them on an appliance image.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io, thread};

use super::fetch::{self, Authorities, Plaintext, Transport};
use super::verify::link::Link;
use super::verify::serve::{Head, Origin};
use super::write::facts::Machine;
use super::write::serve::{FOLDER, Others, Writer};
use crate::config::{Paths, Ready, ready};
use crate::control::update::Happened;
use crate::control::{Client, MachineClient, Reply, Request, machine};
use crate::domain::limits::{
    FETCH_AUTHORITIES_BYTES_MAX, FETCH_STALL_MAX, TRUST_ROOT_BYTES_MAX, UPDATE_FIRST_CHECK_AFTER,
    UPDATE_SOURCE_BYTES_MAX, UPDATE_TICK,
};
use crate::domain::{Stamp, Text, text};
use crate::sandbox::users::{FETCH, UPDATE, WEB};
use crate::sandbox::{self, Handed, Profile};

/// Whom an image believes that never saw an update: the root of trust it was made with.
const FIRST_ROOT: &str = "/etc/jumpgate/update-root.json";
/// Where its maker's versions are, if he said so.
const SOURCE: &str = "/etc/jumpgate/update-source";
/// Who may vouch for that server in the place of the public authorities: certificates, PEM.
const AUTHORITIES: &str = "/etc/jumpgate/update-authorities.pem";
/// What names are resolved by.
const RESOLVER: [&str; 3] = ["/etc/hosts", "/etc/nsswitch.conf", "/run/names"];

/// Why a process does not serve; the supervisor hears it.
pub type Failure = Box<dyn std::error::Error>;

/// The head. Returns when its hands are gone.
pub fn verify(paths: &Paths) -> Result<(), Failure> {
    sandbox::tie_to_parent()?;
    let mut handed = Handed::take()?;
    let (listener, fetchers) = (handed.unix("update")?, handed.unix("fetch")?);
    let origin = Origin {
        root: read(FIRST_ROOT, TRUST_ROOT_BYTES_MAX)?.ok_or("no root of trust")?,
        source: source()?,
    };
    let link = Link::new(UnixStream::connect(paths.writer_socket())?);
    let held = sandbox::enter(&Profile::update_verifier())?;
    tracing::info!(?held, "locked_in");
    let head = Arc::new(Head::new(link, origin));
    now_and_then(&head, Duration::ZERO, Head::tick);
    now_and_then(&head, UPDATE_FIRST_CHECK_AFTER, Head::look);
    let host = head.clone();
    thread::spawn(move || {
        host.fetcher
            .welcome(&fetchers, |user| [0, FETCH].contains(&user));
    });
    ready::announce(&Ready::default())?;
    head.serve(&listener, |user| [0, WEB].contains(&user));
    Ok(())
}

/// Has the head do something every [`UPDATE_TICK`], for the first time after `first`.
fn now_and_then(head: &Arc<Head>, first: Duration, act: fn(&Head)) {
    let head = head.clone();
    thread::spawn(move || {
        thread::sleep(first);
        loop {
            act(&head);
            thread::sleep(UPDATE_TICK);
        }
    });
}

fn source() -> Result<Option<Text<UPDATE_SOURCE_BYTES_MAX>>, Failure> {
    let Some(text) = read(SOURCE, UPDATE_SOURCE_BYTES_MAX as u64)? else {
        return Ok(None);
    };
    let text = String::from_utf8(text)?;
    let source = Text::try_from(text.trim()).map_err(|_| format!("{SOURCE} is too long"))?;
    Ok(Some(source))
}

/// A file of the image, if it is there.
fn read(path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, Failure> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    if bytes.len() as u64 > bytes_max {
        return Err(format!("{path} has {} bytes, {bytes_max} are allowed", bytes.len()).into());
    }
    Ok(Some(bytes))
}

/// The mouth. Never returns while all is well: a verifier that went is waited for.
pub fn fetch(paths: &Paths) -> Result<(), Failure> {
    sandbox::tie_to_parent()?;
    let own = read(AUTHORITIES, FETCH_AUTHORITIES_BYTES_MAX as u64)?;
    let transport = Transport::new(&fetch::Settings {
        proxy: None,
        plaintext: Plaintext::Refuse,
        authorities: own.map_or(Ok(Authorities::Public), |pem| Authorities::own(&pem))?,
        stall_max: FETCH_STALL_MAX,
    })?;
    let held = sandbox::enter(&Profile::update_fetcher(
        RESOLVER.iter().map(PathBuf::from).collect(),
    ))?;
    tracing::info!(?held, "locked_in");
    ready::announce(&Ready::default())?;
    loop {
        // The supervisor keeps the socket, so that this waits while there is no verifier.
        let mut verifier = UnixStream::connect(paths.fetch_socket())?;
        if let Err(error) = fetch::serve(&mut verifier, &transport) {
            tracing::info!(%error, "verifier_gone");
        }
    }
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

    fn slots_changed(&self) {
        // Pages show what was before until the next time.
        if let Err(error) = self.supervisor.ask(&machine::Request::LookAtSlots) {
            tracing::warn!(%error, "slots_not_looked_at");
        }
    }

    fn record(&self, happened: &Happened) -> bool {
        let happened = Box::new(happened.clone());
        let told = self.relay.ask(&Request::RecordUpdate { happened });
        matches!(told, Ok(Reply::Done))
    }
}
