//! Ports that stay free while an appliance is stopped.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

/// Below the ports that Linux gives to connections going out: one of those could take a port of
/// an appliance that is just being started again.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Two ports that no other test on this machine uses as long as this lives.
pub struct Ports {
    /// For pages and links.
    pub https: u16,
    /// Redirects there.
    pub http: u16,
    /// One for each; the system lets go of them however this process ends.
    _locks: [Flock<File>; 2],
}

impl Ports {
    /// Finds two.
    pub fn reserve() -> Self {
        let folder =
            std::env::temp_dir().join(format!("jumpgate-test-ports-{}", nix::unistd::getuid()));
        std::fs::create_dir_all(&folder).unwrap();
        let first = RANGE.start + u16::try_from(std::process::id() % 6_000).unwrap() * 2;
        let mut free = (first..RANGE.end)
            .chain(RANGE.start..first)
            .filter_map(|port| Some((port, lock(&folder, port)?)));
        let mut next = || free.next().expect("two of all these ports are free");
        let ((https, one), (http, two)) = (next(), next());
        Self {
            https,
            http,
            _locks: [one, two],
        }
    }
}

/// Holds `port`, unless another test does or somebody listens on it.
fn lock(folder: &Path, port: u16) -> Option<Flock<File>> {
    let file = File::create(folder.join(port.to_string())).unwrap();
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok()?;
    Some(held)
}
