//! What travels with a downloaded customer client: where to dial, whom to trust, which session.
//!
//! ```text
//! executable │ JSON │ length of the JSON (u32, big-endian) │ "JUMPGATE"
//! ```
//!
//! A trailer, because an ELF file may be followed by anything: the one program that was built and
//! tested is the one that everybody runs. Not here: reading `/proc/self/exe`, and serving the file.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::limits::{PASS_BYTES_MAX, SITE_NAME_BYTES_MAX};
use super::token::{Fingerprint, Token};

/// The last bytes of every file that carries a pass.
pub const PASS_MARK: [u8; 8] = *b"JUMPGATE";
/// Length and mark behind the JSON.
const TAIL_BYTES: usize = 4 + PASS_MARK.len();

/// Everything a customer client needs to know of its appliance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// Where to dial.
    pub address: SiteAddress,
    /// SHA-256 of the link certificate's subject public key info: the one key to trust.
    pub link_key: Fingerprint,
    /// Token of the unique URL; starts the session.
    pub key: Token,
}

/// A file that ends in [`PASS_MARK`] but carries no pass. Says that the file was damaged: no
/// program without a pass ends in the mark.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPass {
    /// Nothing was read for the announced length.
    #[error("the pass announces {bytes} bytes, it has at most {PASS_BYTES_MAX} and fits its file")]
    Length {
        /// What was announced.
        bytes: usize,
    },
    /// Not the JSON of a pass.
    #[error("the pass is damaged: {0}")]
    NotUnderstood(String),
}

impl Pass {
    /// The trailer to put behind the executable.
    pub fn trailer(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("plain fields always have a JSON form");
        let length = u32::try_from(bytes.len()).expect("fields of limited length");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&PASS_MARK);
        bytes
    }

    /// The pass at the end of `file`, of which the last [`Pass::BYTES_NEEDED`] bytes are enough.
    ///
    /// Returns `None` for a file without one.
    ///
    /// # Errors
    ///
    /// [`BadPass`] if the mark is there and the pass is not.
    pub fn split(file: &[u8]) -> Result<Option<Self>, BadPass> {
        let Some(rest) = file.strip_suffix(&PASS_MARK) else {
            return Ok(None);
        };
        let Some((rest, length)) = rest.split_last_chunk::<4>() else {
            return Err(BadPass::Length { bytes: 0 });
        };
        let bytes = u32::from_be_bytes(*length) as usize;
        let start = rest.len().checked_sub(bytes);
        let Some(start) = start.filter(|_| bytes <= PASS_BYTES_MAX) else {
            return Err(BadPass::Length { bytes });
        };
        serde_json::from_slice(&rest[start..])
            .map(Some)
            .map_err(|error| BadPass::NotUnderstood(error.to_string()))
    }

    /// How much of a file's end [`Pass::split`] wants to see.
    pub const BYTES_NEEDED: usize = PASS_BYTES_MAX + TAIL_BYTES;
}

/// A host name or address and a port: `support.example.com:443`, `[::1]:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteAddress {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(Box<str>),
    Address(IpAddr),
}

/// Text that is no host with a port.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address: HOST:PORT expected")]
pub struct BadSiteAddress;

impl SiteAddress {
    /// Reads a URL's authority; a missing port is `default_port`. User names, paths, empty labels
    /// and everything else that is no host name are refused, so that the text can go into a file,
    /// a page or a command line as it is.
    pub fn parse(authority: &str, default_port: u16) -> Result<Self, BadSiteAddress> {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, parse_port(port)?),
            _ => (authority, default_port),
        };
        let host = parse_host(host)?;
        Ok(Self { host, port })
    }

    /// A name to look up, or an address without brackets.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.to_string(),
            Host::Address(address) => address.to_string(),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn parse_port(text: &str) -> Result<u16, BadSiteAddress> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().map_err(|_| BadSiteAddress)?;
    (digits && port != 0).then_some(port).ok_or(BadSiteAddress)
}

fn parse_host(text: &str) -> Result<Host, BadSiteAddress> {
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let address: std::net::Ipv6Addr = inner.parse().map_err(|_| BadSiteAddress)?;
        return Ok(Host::Address(address.into()));
    }
    if let Ok(address) = text.parse::<std::net::Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !text.split('.').all(is_label) {
        return Err(BadSiteAddress);
    }
    let fits = text.len() <= SITE_NAME_BYTES_MAX;
    fits.then(|| Host::Name(text.into())).ok_or(BadSiteAddress)
}

impl fmt::Display for SiteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

impl FromStr for SiteAddress {
    type Err = BadSiteAddress;
    /// With its port.
    fn from_str(text: &str) -> Result<Self, BadSiteAddress> {
        // No peer listens on port 0, so this tells a missing port from a given one.
        Self::parse(text, 0).and_then(|a| (a.port != 0).then_some(a).ok_or(BadSiteAddress))
    }
}

impl Serialize for SiteAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SiteAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// For `tests/fuzz` and the smoke run below: any bytes end in a pass, no pass or an error.
#[cfg(any(test, fuzzing))]
pub fn fuzz(input: &[u8]) {
    if let Ok(Some(pass)) = Pass::split(input) {
        assert_eq!(Pass::split(&pass.trailer()), Ok(Some(pass)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pass() -> Pass {
        Pass {
            address: "support.example.com:8443".parse().unwrap(),
            link_key: Fingerprint::of(b"link key"),
            key: Token::from_random([7; 16]),
        }
    }

    #[test]
    fn a_pass_is_found_behind_any_program() {
        for program in [&b""[..], b"\x7fELF", &[0; 5_000]] {
            let file = [program, &pass().trailer()].concat();
            assert_eq!(Pass::split(&file), Ok(Some(pass())));
            let end = file.len().saturating_sub(Pass::BYTES_NEEDED);
            assert_eq!(Pass::split(&file[end..]), Ok(Some(pass())));
        }
    }

    #[test]
    fn a_program_without_a_pass_has_none() {
        assert_eq!(Pass::split(b"\x7fELF and so on"), Ok(None));
        assert_eq!(Pass::split(b""), Ok(None));
    }

    #[test]
    fn a_damaged_pass_is_not_taken_for_none() {
        let whole = pass().trailer();
        for start in 1..whole.len() - PASS_MARK.len() {
            assert!(Pass::split(&whole[start..]).is_err(), "from byte {start}");
        }
        let mut long = vec![b' '; PASS_BYTES_MAX + 1];
        long.extend_from_slice(&u32::try_from(PASS_BYTES_MAX + 1).unwrap().to_be_bytes());
        long.extend_from_slice(&PASS_MARK);
        let bytes = PASS_BYTES_MAX + 1;
        assert_eq!(Pass::split(&long), Err(BadPass::Length { bytes }));
    }

    #[test]
    fn an_address_is_a_host_and_a_port_and_nothing_else() {
        for (text, host, port) in [
            ("support.example.com", "support.example.com", 443),
            ("localhost:8443", "localhost", 8443),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("[::1]", "::1", 443),
            ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ] {
            let address = SiteAddress::parse(text, 443).unwrap();
            assert_eq!((address.host().as_str(), address.port()), (host, port));
        }
        for bad in [
            "",
            ":443",
            "a..b",
            "a b",
            "user@host",
            "host/path",
            "host:0",
            "host:65536",
            "host:+1",
            "host:",
            "::1",
            "[::1",
            "[host]",
            "host\"",
            "a\nb",
            "höst",
            "host:443:443",
        ] {
            assert_eq!(SiteAddress::parse(bad, 443), Err(BadSiteAddress), "{bad}");
        }
        assert_eq!("host".parse::<SiteAddress>(), Err(BadSiteAddress));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_pass_none_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), length in 0u32..300) {
            let mut file = bytes;
            file.extend_from_slice(&length.to_be_bytes());
            file.extend_from_slice(&PASS_MARK);
            fuzz(&file);
            prop_assert!(Pass::split(&file).is_err());
        }

        #[test]
        fn a_damaged_pass_ends_in_one_none_or_an_error(
            at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut file = pass().trailer();
            fuzz(&file);
            let at = at.index(file.len());
            file[at] = byte;
            fuzz(&file);
        }

        #[test]
        fn an_address_survives_being_written_and_read(text in "[a-z0-9.\\[\\]:-]{1,30}") {
            if let Ok(address) = SiteAddress::parse(&text, 443) {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
