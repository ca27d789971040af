//! The PROXY protocol's preamble, version 2: who is behind a connection that is handed over.

use std::net::SocketAddr;

use crate::domain::PeerAddress;

/// From the specification's section 2.2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command PROXY.
const VERSION_AND_COMMAND: u8 = 0x21;

/// The preamble for a stream from `peer` to `local` over TCP. The ports and addresses that the web
/// side sees are these, whatever headers the client sends.
pub fn preamble(peer: PeerAddress, local: SocketAddr) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.push(VERSION_AND_COMMAND);
    match (peer.socket(), local) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            bytes.extend([0x11, 0, 12]);
            bytes.extend(from.ip().octets());
            bytes.extend(to.ip().octets());
        }
        (from, to) => {
            bytes.extend([0x21, 0, 36]);
            bytes.extend(as_v6(from));
            bytes.extend(as_v6(to));
        }
    }
    bytes.extend(peer.socket().port().to_be_bytes());
    bytes.extend(local.port().to_be_bytes());
    bytes
}

fn as_v6(address: SocketAddr) -> [u8; 16] {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped().octets(),
        SocketAddr::V6(v6) => v6.ip().octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preamble_has_the_length_it_announces() {
        let local: SocketAddr = "127.0.0.1:8443".parse().unwrap();
        for (peer, announced) in [("10.1.2.3:4", 12), ("[2001:db8::1]:4", 36)] {
            let bytes = preamble(PeerAddress::new(peer.parse().unwrap()), local);
            assert_eq!(bytes[..12], SIGNATURE);
            assert_eq!(u16::from_be_bytes([bytes[14], bytes[15]]), announced);
            assert_eq!(bytes.len(), 16 + usize::from(announced));
        }
    }
}
