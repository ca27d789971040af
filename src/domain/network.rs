//! How an appliance is to be reached: what an administrator chooses.
//!
//! Every part is checked where it is made, so whoever holds a [`Network`] may pass its parts on to
//! a program as arguments.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Text;
use super::limits::{
    INTERFACE_NAME_BYTES_MAX, NAME_SERVERS_MAX, SITE_NAME_BYTES_MAX, TIME_SERVERS_MAX,
};

/// A checked text that is written as itself.
macro_rules! written_as_text {
    ($name:ident, $error:ident) => {
        impl TryFrom<String> for $name {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

/// How the appliance takes part in its network. What is left out is what most networks want.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// What people type to come here; the appliance's address if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<HostName>,
    /// The interface to use; if absent, the first one with a cable in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<InterfaceName>,
    /// Tagged, on that interface; untagged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    /// Servers that resolve names. If empty, those that DHCP names.
    #[serde(default)]
    pub dns: heapless::Vec<IpAddr, NAME_SERVERS_MAX>,
    /// Servers that know the time. If empty, those that DHCP names, or a public pool.
    #[serde(default)]
    pub ntp: heapless::Vec<HostName, TIME_SERVERS_MAX>,
    /// Through which the appliance itself reaches the Internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// Addresses of version 4.
    #[serde(default)]
    pub ipv4: Ipv4,
    /// Addresses of version 6.
    #[serde(default)]
    pub ipv6: Ipv6,
}

/// Where the address of version 4 comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ipv4 {
    /// Whatever the network gives.
    #[default]
    Dhcp,
    /// Always this one.
    Static(Static4),
}

/// Where addresses of version 6 come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ipv6 {
    /// What the network's routers announce.
    #[default]
    Auto,
    /// Always this one, and nothing that routers announce.
    Static(Static6),
    /// No version 6 at all.
    Off,
}

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Neither name nor address.
    #[error(
        "'{found}' is no name and no address; use a host name like support.example.com, or an address"
    )]
    HostName {
        /// What was given.
        found: String,
    },
    /// Not as the kernel names interfaces.
    #[error(
        "'{found}' is no interface name; it has 1 to {INTERFACE_NAME_BYTES_MAX} letters, digits, dots, dashes and underscores"
    )]
    InterfaceName {
        /// What was given.
        found: String,
    },
    /// Out of range.
    #[error("VLAN {found} does not exist; VLANs have numbers from 1 to 4094")]
    Vlan {
        /// What was given.
        found: String,
    },
    /// Not in the form `address/prefix`.
    #[error("'{found}' is no address with a prefix; write it like {example}")]
    Subnet {
        /// What was given.
        found: String,
        /// What it might be.
        example: &'static str,
    },
    /// No machine can have this address.
    #[error("{address} cannot be the address of a machine")]
    Address {
        /// What was given.
        address: IpAddr,
    },
    /// The gateway cannot be reached from the address.
    #[error("gateway {gateway} is not in the network of {address}")]
    Gateway {
        /// Of the router.
        gateway: IpAddr,
        /// Own, with its prefix.
        address: String,
    },
    /// Not in the form `host:port`.
    #[error("'{found}' is no proxy; write it like proxy.example.com:3128")]
    Proxy {
        /// What was given.
        found: String,
    },
}

/// A host name (RFC 1123) or an address: what can stand in a URL (an address of version 6 in
/// brackets there, without them here).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(Text<SITE_NAME_BYTES_MAX>);

written_as_text!(HostName, BadNetwork);

impl HostName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same as an address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl FromStr for HostName {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork::HostName {
            found: super::text::label(text).to_string(),
        };
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        // What ends in a number is read as an address everywhere, and then has to be one.
        let last = text.rsplit('.').next().unwrap_or_default();
        let ends_in_number = last.bytes().all(|b| b.is_ascii_digit());
        let is_name = text.split('.').all(is_label) && !ends_in_number;
        let is_address = text.parse::<IpAddr>().is_ok();
        if !is_name && !is_address {
            return Err(bad());
        }
        Text::try_from(text).map(Self).map_err(|_| bad())
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As the kernel calls a network interface. It goes into paths below /proc and /sys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceName(Text<INTERFACE_NAME_BYTES_MAX>);

written_as_text!(InterfaceName, BadNetwork);

impl InterfaceName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork::InterfaceName {
            found: super::text::label(text).to_string(),
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        // A dash in front would be an option to `ip`; dots alone are folders.
        let is_name =
            text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(allowed);
        if !is_name {
            return Err(bad());
        }
        Text::try_from(text).map(Self).map_err(|_| bad())
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Number of a virtual network (IEEE 802.1Q): 1 to 4094.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Vlan(u16);

impl TryFrom<u16> for Vlan {
    type Error = BadNetwork;
    fn try_from(number: u16) -> Result<Self, BadNetwork> {
        let found = || number.to_string();
        let exists = (1..=4094).contains(&number);
        exists
            .then_some(Self(number))
            .ok_or_else(|| BadNetwork::Vlan { found: found() })
    }
}

impl From<Vlan> for u16 {
    fn from(vlan: Vlan) -> Self {
        vlan.0
    }
}

impl FromStr for Vlan {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let number: Result<u16, _> = text.trim().parse();
        number
            .map_err(|_| BadNetwork::Vlan {
                found: super::text::label(text).to_string(),
            })?
            .try_into()
    }
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fixed address of version 4 and the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Static4 {
    address: Ipv4Addr,
    prefix: u8,
    gateway: Option<Ipv4Addr>,
}

/// A fixed address of version 6 and the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Static6 {
    address: Ipv6Addr,
    prefix: u8,
    gateway: Option<Ipv6Addr>,
}

/// Either as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<IpAddr>,
}

impl Static4 {
    /// From `address/prefix` and the address of a router in that network.
    pub fn new(subnet: &str, gateway: Option<Ipv4Addr>) -> Result<Self, BadNetwork> {
        let (address, prefix) = split::<Ipv4Addr>(subnet, 32, "192.0.2.10/24")?;
        let mask = u32::MAX << (32 - u32::from(prefix));
        let (bits, host) = (address.to_bits(), address.to_bits() & !mask);
        let no_machine = address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || address.octets()[0] == 0
            || address.octets()[0] >= 240
            // The network itself, and everybody in it. Smaller networks have neither (RFC 3021).
            || (prefix < 31 && (host == 0 || host == !mask));
        if no_machine {
            let address = address.into();
            return Err(BadNetwork::Address { address });
        }
        if let Some(gateway) = gateway
            && (gateway == address || gateway.to_bits() & mask != bits & mask)
        {
            let (gateway, address) = (gateway.into(), subnet.trim().to_owned());
            return Err(BadNetwork::Gateway { gateway, address });
        }
        Ok(Self {
            address,
            prefix,
            gateway,
        })
    }

    /// Own address.
    pub fn address(self) -> Ipv4Addr {
        self.address
    }

    /// The router's.
    pub fn gateway(self) -> Option<Ipv4Addr> {
        self.gateway
    }

    /// As `address/prefix`.
    pub fn subnet(self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }
}

impl Static6 {
    /// From `address/prefix` and the address of a router: in that network, or link-local.
    pub fn new(subnet: &str, gateway: Option<Ipv6Addr>) -> Result<Self, BadNetwork> {
        let (address, prefix) = split::<Ipv6Addr>(subnet, 128, "2001:db8::10/64")?;
        let no_machine = address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || address.is_unicast_link_local()
            || address.to_ipv4_mapped().is_some();
        if no_machine {
            let address = address.into();
            return Err(BadNetwork::Address { address });
        }
        let mask = u128::MAX << (128 - u32::from(prefix));
        if let Some(gateway) = gateway {
            let near = gateway.to_bits() & mask == address.to_bits() & mask
                || gateway.is_unicast_link_local();
            if gateway == address || !near {
                let (gateway, address) = (gateway.into(), subnet.trim().to_owned());
                return Err(BadNetwork::Gateway { gateway, address });
            }
        }
        Ok(Self {
            address,
            prefix,
            gateway,
        })
    }

    /// Own address.
    pub fn address(self) -> Ipv6Addr {
        self.address
    }

    /// The router's.
    pub fn gateway(self) -> Option<Ipv6Addr> {
        self.gateway
    }

    /// As `address/prefix`.
    pub fn subnet(self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }
}

/// Address and prefix; a prefix has at least one bit, or every address would be near.
fn split<A: FromStr>(
    text: &str,
    prefix_max: u8,
    example: &'static str,
) -> Result<(A, u8), BadNetwork> {
    let parts = text.trim().split_once('/').and_then(|(address, prefix)| {
        let digits = prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|_| digits)?;
        let fits = (1..=prefix_max).contains(&prefix);
        Some((address.parse().ok()?, fits.then_some(prefix)?))
    });
    parts.ok_or_else(|| BadNetwork::Subnet {
        found: super::text::label(text).to_string(),
        example,
    })
}

impl TryFrom<Written> for Static4 {
    type Error = BadNetwork;
    fn try_from(written: Written) -> Result<Self, BadNetwork> {
        let gateway = match written.gateway {
            None => None,
            Some(IpAddr::V4(gateway)) => Some(gateway),
            Some(gateway) => {
                let address = written.address;
                return Err(BadNetwork::Gateway { gateway, address });
            }
        };
        Self::new(&written.address, gateway)
    }
}

impl TryFrom<Written> for Static6 {
    type Error = BadNetwork;
    fn try_from(written: Written) -> Result<Self, BadNetwork> {
        let gateway = match written.gateway {
            None => None,
            Some(IpAddr::V6(gateway)) => Some(gateway),
            Some(gateway) => {
                let address = written.address;
                return Err(BadNetwork::Gateway { gateway, address });
            }
        };
        Self::new(&written.address, gateway)
    }
}

impl From<Static4> for Written {
    fn from(value: Static4) -> Self {
        Self {
            address: value.subnet(),
            gateway: value.gateway.map(IpAddr::V4),
        }
    }
}

impl From<Static6> for Written {
    fn from(value: Static6) -> Self {
        Self {
            address: value.subnet(),
            gateway: value.gateway.map(IpAddr::V6),
        }
    }
}

/// An HTTP proxy, `host:port` (an address of version 6 in brackets).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proxy {
    /// Where it is.
    pub host: HostName,
    /// Where it listens.
    pub port: u16,
}

written_as_text!(Proxy, BadNetwork);

impl FromStr for Proxy {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let parts = || {
            let (host, port) = text.trim().rsplit_once(':')?;
            let port = port.parse().ok().filter(|port| *port != 0)?;
            let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
            let host: HostName = bare.unwrap_or(host).parse().ok()?;
            let bracketed = bare.is_some();
            let needs_brackets = matches!(host.address(), Some(IpAddr::V6(_)));
            (bracketed == needs_brackets).then_some(Self { host, port })
        };
        parts().ok_or_else(|| BadNetwork::Proxy {
            found: super::text::label(text).to_string(),
        })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host.address() {
            Some(IpAddr::V6(v6)) => write!(f, "[{v6}]:{port}"),
            _ => write!(f, "{host}:{port}"),
        }
    }
}

/// For the fuzzer and the smoke run below: what one part takes, it writes so that it takes it
/// again.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(host) = text.parse::<HostName>() {
        assert_eq!(host.to_string().parse(), Ok(host));
    }
    if let Ok(name) = text.parse::<InterfaceName>() {
        assert!(!name.as_str().contains('/'));
    }
    if let Ok(proxy) = text.parse::<Proxy>() {
        assert_eq!(proxy.to_string().parse(), Ok(proxy));
    }
    if let Ok(fixed) = Static4::new(text, None) {
        assert_eq!(Static4::new(&fixed.subnet(), None), Ok(fixed));
    }
    if let Ok(fixed) = Static6::new(text, None) {
        assert_eq!(Static6::new(&fixed.subnet(), None), Ok(fixed));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_name_is_a_name_or_an_address() {
        for good in [
            "support.example.com",
            "a",
            "192.0.2.1",
            "2001:db8::1",
            "3com.example",
        ] {
            assert_eq!(good.parse::<HostName>().unwrap().as_str(), good);
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            ".",
            "a..b",
            "-a",
            "a b",
            "a/b",
            "192.0.2.256",
            "1.2",
            "[::1]",
            "ä",
            &long,
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_interface_name_can_be_an_argument_and_part_of_a_path() {
        for good in ["eth0", "enp0s3.100", "wan-1_x"] {
            assert_eq!(good.parse::<InterfaceName>().unwrap().as_str(), good);
        }
        for bad in ["", "-h", "..", "a/b", "a b", "sixteen-letters-"] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fixed_address_belongs_to_a_machine_and_reaches_its_gateway() {
        let near = Some("192.0.2.1".parse().unwrap());
        let good = Static4::new(" 192.0.2.10/24 ", near).unwrap();
        assert_eq!(good.subnet(), "192.0.2.10/24");
        Static4::new("192.0.2.0/31", near).unwrap();
        for bad in [
            "192.0.2.10",
            "192.0.2.10/0",
            "192.0.2.10/33",
            "192.0.2.10/+8",
            "192.0.2.0/24",
            "192.0.2.255/24",
            "127.0.0.1/8",
            "224.0.0.1/4",
            "0.0.0.0/8",
            "255.255.255.255/32",
        ] {
            assert!(Static4::new(bad, None).is_err(), "{bad}");
        }
        for far in ["192.0.3.1", "192.0.2.10"] {
            let refused = Static4::new("192.0.2.10/24", Some(far.parse().unwrap()));
            assert!(matches!(refused, Err(BadNetwork::Gateway { .. })), "{far}");
        }
    }

    #[test]
    fn a_router_of_version_six_may_be_link_local() {
        for near in ["2001:db8::1", "fe80::1"] {
            Static6::new("2001:db8::10/64", Some(near.parse().unwrap())).unwrap();
        }
        for far in ["2001:db9::1", "2001:db8::10"] {
            let refused = Static6::new("2001:db8::10/64", Some(far.parse().unwrap()));
            assert!(matches!(refused, Err(BadNetwork::Gateway { .. })), "{far}");
        }
        for bad in [
            "fe80::1/64",
            "::1/128",
            "ff02::1/16",
            "::/64",
            "2001:db8::10/129",
        ] {
            assert!(Static6::new(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_are_read_as_they_are_written_and_nothing_else_is() {
        let json = r#"{"site":"support.example.com","interface":"eth1","vlan":100,
            "dns":["192.0.2.53"],"ntp":["ntp.example.com"],"proxy":"[2001:db8::1]:3128",
            "ipv4":{"mode":"static","address":"192.0.2.10/24","gateway":"192.0.2.1"},
            "ipv6":{"mode":"off"}}"#;
        let read: Network = serde_json::from_str(json).unwrap();
        let again = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Network>(&again).unwrap(), read);
        assert_eq!(
            serde_json::from_str::<Network>("{}").unwrap(),
            Network::default()
        );
        for (from, to) in [
            ("100", "0"),
            ("100", "4095"),
            ("192.0.2.1\"", "192.0.3.1\""),
            ("192.0.2.1\"", "2001:db8::1\""),
            ("\"eth1\"", "\"../x\""),
            ("\"off\"", "\"on\""),
            ("[\"192.0.2.53\"]", "[\"::1\",\"::1\",\"::1\",\"::1\"]"),
            ("\"vlan\"", "\"lan\""),
        ] {
            let tampered = json.replace(from, to);
            assert!(
                serde_json::from_str::<Network>(&tampered).is_err(),
                "{tampered}"
            );
        }
    }

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, text in "[0-9a-f.:/\\[\\]-]{0,40}") {
            fuzz(&data);
            fuzz(text.as_bytes());
        }
    }
}
