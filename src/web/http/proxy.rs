//! The preamble in front of a handed-over connection: PROXY protocol, version 2.
//!
//! Only the relay connects to our socket, and it is the only one that knows who is at the other
//! end of the TLS connection. What a browser writes into `X-Forwarded-*` is ignored everywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::domain::PeerAddress;
use crate::domain::limits::PREAMBLE_BYTES_MAX;

/// Section 2.2 of the protocol: can be the start of no HTTP request and no TLS record.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
pub(super) const HEADER_BYTES: usize = 16;
/// Version 2, command PROXY. Version 2's other command, LOCAL, is for a proxy that speaks for
/// itself, which the relay never does.
const VERSION_2_PROXY: u8 = 0x21;
/// Address families with TCP.
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Why a connection has no address. Our own relay's fault, or somebody else's connection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PreambleError {
    /// Another protocol.
    #[error("connection does not begin with a PROXY version 2 preamble")]
    NoPreamble,
    /// Version, command, family or transport we do not take.
    #[error("preamble has version and command {command:#04x}, family {family:#04x}")]
    NotTcp {
        /// As found.
        command: u8,
        /// As found.
        family: u8,
    },
    /// Nothing was allocated for the announced length.
    #[error(
        "preamble announces {bytes} bytes behind its header, its addresses need {needed} and \
         {PREAMBLE_BYTES_MAX} are allowed in all"
    )]
    Length {
        /// As announced.
        bytes: usize,
        /// By the family.
        needed: usize,
    },
}

/// The peer's address from the preamble at the start of `input`, and the bytes it took.
///
/// Returns `None` if `input` ends inside the preamble.
///
/// # Errors
///
/// [`PreambleError`] as soon as the bytes there are cannot become a preamble.
pub(crate) fn split(input: &[u8]) -> Result<Option<(PeerAddress, usize)>, PreambleError> {
    let seen = input.len().min(SIGNATURE.len());
    if input[..seen] != SIGNATURE[..seen] {
        return Err(PreambleError::NoPreamble);
    }
    let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let [.., command, family, high, low] = *header;
    let bytes = usize::from(u16::from_be_bytes([high, low]));
    let needed = match (command, family) {
        (VERSION_2_PROXY, TCP_OVER_IPV4) => 12,
        (VERSION_2_PROXY, TCP_OVER_IPV6) => 36,
        _ => return Err(PreambleError::NotTcp { command, family }),
    };
    if bytes < needed || HEADER_BYTES + bytes > PREAMBLE_BYTES_MAX {
        return Err(PreambleError::Length { bytes, needed });
    }
    let Some(block) = rest.get(..bytes) else {
        return Ok(None);
    };
    // Source address, destination address, source port, destination port; then extensions.
    let source: IpAddr = if needed == 12 {
        Ipv4Addr::from(first::<4>(block)).into()
    } else {
        Ipv6Addr::from(first::<16>(block)).into()
    };
    let port = u16::from_be_bytes(first(&block[needed - 4..]));
    let peer = PeerAddress::new(SocketAddr::new(source, port));
    Ok(Some((peer, HEADER_BYTES + bytes)))
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("the length was checked")
}

/// For `tests/fuzz` and the smoke run below: any bytes end in an address, a wish for more or an
/// error.
#[cfg(any(test, fuzzing))]
pub fn fuzz(input: &[u8]) {
    if let Ok(Some((_, taken))) = split(input) {
        assert!(taken <= input.len() && taken <= PREAMBLE_BYTES_MAX);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the relay writes it.
    pub(crate) fn preamble(from: SocketAddr, extensions: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        let (family, addresses) = match from.ip() {
            IpAddr::V4(v4) => (0x11, [v4.octets(), [10, 0, 0, 1]].concat()),
            IpAddr::V6(v6) => (0x21, [v6.octets(), [0; 16]].concat()),
        };
        let length = addresses.len() + 4 + extensions.len();
        bytes.extend_from_slice(&[0x21, family]);
        bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        bytes.extend_from_slice(&addresses);
        bytes.extend_from_slice(&from.port().to_be_bytes());
        bytes.extend_from_slice(&443u16.to_be_bytes());
        bytes.extend_from_slice(extensions);
        bytes
    }

    #[test]
    fn ipv4_inside_ipv6_is_undressed() {
        let bytes = preamble("[::ffff:192.0.2.7]:50000".parse().unwrap(), &[]);
        let (peer, taken) = split(&bytes).unwrap().unwrap();
        assert_eq!(peer.to_string(), "192.0.2.7:50000");
        assert_eq!(taken, bytes.len());
    }

    #[test]
    fn whatever_is_no_preamble_is_refused_at_its_first_wrong_byte() {
        for other in [&b"GET / HTTP/1.1\r\n"[..], b"\r\n\r\nG", b"PROXY TCP4 "] {
            assert_eq!(split(other), Err(PreambleError::NoPreamble));
        }
    }

    #[test]
    fn local_commands_other_families_and_bad_lengths_are_refused() {
        let good = preamble("192.0.2.7:1".parse().unwrap(), &[]);
        for (at, byte) in [(12, 0x20), (12, 0x11), (13, 0x12), (13, 0x31), (13, 0)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(matches!(split(&bad), Err(PreambleError::NotTcp { .. })));
        }
        for length in [0u16, 11, 521, u16::MAX] {
            let mut bad = good.clone();
            bad[14..16].copy_from_slice(&length.to_be_bytes());
            assert!(matches!(split(&bad), Err(PreambleError::Length { .. })));
        }
    }

    proptest! {
        #[test]
        fn every_prefix_asks_for_more_and_the_rest_is_left(
            v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), is_v4 in any::<bool>(),
            port in any::<u16>(), extensions in proptest::collection::vec(any::<u8>(), 0..300),
            rest in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            let ip = if is_v4 { IpAddr::from(v4) } else { IpAddr::from(v6) };
            let from = SocketAddr::new(ip, port);
            let preamble = preamble(from, &extensions);
            for end in 0..preamble.len() {
                prop_assert_eq!(split(&preamble[..end]), Ok(None));
            }
            let whole = [preamble.clone(), rest].concat();
            prop_assert_eq!(split(&whole), Ok(Some((PeerAddress::new(from), preamble.len()))));
        }

        #[test]
        fn any_bytes_end_in_an_address_a_wish_or_an_error(
            tail in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            fuzz(&tail);
            fuzz(&[&SIGNATURE[..], &tail].concat());
            fuzz(&[&SIGNATURE[..], &[VERSION_2_PROXY], &tail].concat());
        }
    }
}
