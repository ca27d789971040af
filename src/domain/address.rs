//! Where a peer connected from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A peer's address and port as the relay saw them. IPv4 in IPv6 clothes is undressed, so that
/// one machine counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerAddress(SocketAddr);

impl PeerAddress {
    /// As the socket gave it.
    pub fn new(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// Without the port: what limits count by.
    pub fn ip(self) -> IpAddr {
        self.0.ip()
    }

    /// With the port.
    pub fn socket(self) -> SocketAddr {
        self.0
    }

    /// What guesses are counted by: an IPv4 address, or the /64 that one IPv6 customer owns.
    pub fn neighbourhood(self) -> IpAddr {
        match self.ip() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => {
                let mut octets = v6.octets();
                octets[8..].fill(0);
                IpAddr::from(octets)
            }
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
