//! The form for the network, and what comes before its settings are applied.

use std::fmt::Display;

use super::super::network::{Mode4, Mode6, Problem, Spot};
use crate::control::machine::Interface;
use crate::domain::Network;
use crate::domain::network::{BadNetwork, Ipv4, Ipv6};

/// Items with blanks between them, as they are typed.
pub(in super::super) fn list(items: &[impl Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(" ")
}

/// One that can be chosen.
pub(in super::super) fn interface(interface: &Interface) -> String {
    let link = if interface.has_link {
        "cable"
    } else {
        "NO CABLE"
    };
    format!("{}, {}, {link}", interface.name, interface.hardware_address)
}

/// Before the field.
pub(in super::super) fn network_name(spot: Spot) -> &'static str {
    match spot {
        Spot::Site => "Site name",
        Spot::Interface => "Interface",
        Spot::Vlan => "VLAN",
        Spot::Mode4 => "IPv4",
        Spot::Address4 | Spot::Address6 => "  Address",
        Spot::Gateway4 | Spot::Gateway6 => "  Gateway",
        Spot::Mode6 => "IPv6",
        Spot::Dns => "Name servers",
        Spot::Ntp => "Time servers",
        Spot::Proxy => "Proxy",
        Spot::Check => super::CHECK,
        Spot::Back => super::BACK,
    }
}

/// What a field is for, and what holds if it is empty.
pub(in super::super) fn network_hint(spot: Spot) -> &'static str {
    match spot {
        Spot::Site => {
            "What people type to come here, like support.example.com. It stands in links and in \
             the certificate. Empty: the machine's address."
        }
        Spot::Interface => "The interface that the appliance uses. The others stay unused.",
        Spot::Vlan => "Number of a virtual network (802.1Q), 1 to 4094. Empty: untagged.",
        Spot::Mode4 => "DHCP takes whatever the network gives. Or a fixed address.",
        Spot::Address4 => "Address and prefix, like 192.0.2.10/24 (255.255.255.0 is /24).",
        Spot::Gateway4 => {
            "The router in the same network, like 192.0.2.1. Empty: only that network is in reach."
        }
        Spot::Mode6 => {
            "Automatic takes what routers announce. Or a fixed address, or no IPv6 at all."
        }
        Spot::Address6 => "Address and prefix, like 2001:db8::10/64.",
        Spot::Gateway6 => {
            "The router, like 2001:db8::1 or fe80::1. Empty: only that network is in reach."
        }
        Spot::Dns => {
            "Up to three addresses with blanks between them. Empty: those that DHCP names."
        }
        Spot::Ntp => {
            "Up to four names or addresses with blanks between them. Empty: those that DHCP names, \
             or a public pool."
        }
        Spot::Proxy => {
            "Through which the appliance itself reaches the Internet, like proxy.example.com:3128. \
             Empty: directly."
        }
        Spot::Check => "Shows what would change. Nothing is applied before you said yes.",
        Spot::Back => "To the first screen. Nothing is applied.",
    }
}

/// What was chosen of two.
pub(in super::super) fn mode4(mode: Mode4) -> &'static str {
    match mode {
        Mode4::Dhcp => "DHCP",
        Mode4::Static => "fixed address",
    }
}

/// What was chosen of three.
pub(in super::super) fn mode6(mode: Mode6) -> &'static str {
    match mode {
        Mode6::Auto => "automatic",
        Mode6::Static => "fixed address",
        Mode6::Off => "off",
    }
}

/// What is wrong with a field.
pub(in super::super) fn network_problem(problem: &Problem) -> String {
    match problem {
        Problem::Key => "That cannot be part of this field; it was not taken.".to_owned(),
        Problem::TooMany { most } => format!("Too many: at most {most} can be used."),
        Problem::NoAddress { found, example } => {
            format!("Not yet: '{found}' is no address. Write it like {example}.")
        }
        Problem::Bad(bad) => bad_network(bad),
    }
}

fn bad_network(bad: &BadNetwork) -> String {
    match bad {
        BadNetwork::HostName { found } => format!(
            "Not yet: '{found}' is no name and no address. Write it like support.example.com."
        ),
        BadNetwork::InterfaceName { found } => {
            format!("Not yet: '{found}' is no interface's name.")
        }
        BadNetwork::Vlan { found } => {
            format!("Not yet: there is no VLAN {found}. They have numbers from 1 to 4094.")
        }
        BadNetwork::Subnet { found, example } if found.is_empty() => {
            format!("An address with its prefix is needed, like {example}.")
        }
        BadNetwork::Subnet { found, example } => {
            format!("Not yet: '{found}' is no address with a prefix. Write it like {example}.")
        }
        BadNetwork::Address { address } => format!("No machine can have the address {address}."),
        BadNetwork::Gateway { gateway, address } => {
            format!("{gateway} cannot be reached from {address}: it is not in that network.")
        }
        BadNetwork::Proxy { found } => {
            format!("Not yet: '{found}' is no proxy. Write it like proxy.example.com:3128.")
        }
    }
}

/// Before it can go on.
pub(in super::super) fn network_unfinished(spot: Spot) -> String {
    let name = network_name(spot).trim();
    format!("Not yet: something is wrong with the field {name}, marked with an exclamation mark.")
}

/// Every setting in words.
pub(in super::super) fn network_values(network: &Network) -> [(&'static str, String); 8] {
    let or = |value: String, none: &str| {
        if value.is_empty() {
            none.to_owned()
        } else {
            value
        }
    };
    let text = |value: Option<String>, none: &str| or(value.unwrap_or_default(), none);
    let gateway = |gateway: Option<String>| match gateway {
        Some(gateway) => format!("gateway {gateway}"),
        None => "no gateway".to_owned(),
    };
    let ipv4 = match network.ipv4 {
        Ipv4::Dhcp => "by DHCP".to_owned(),
        Ipv4::Static(fixed) => {
            let gateway = gateway(fixed.gateway().map(|gateway| gateway.to_string()));
            format!("{}, {gateway}", fixed.subnet())
        }
    };
    let ipv6 = match network.ipv6 {
        Ipv6::Auto => "automatic".to_owned(),
        Ipv6::Off => "off".to_owned(),
        Ipv6::Static(fixed) => {
            let gateway = gateway(fixed.gateway().map(|gateway| gateway.to_string()));
            format!("{}, {gateway}", fixed.subnet())
        }
    };
    let name = |spot| network_name(spot);
    let interface = network.interface.as_ref().map(ToString::to_string);
    let vlan = network.vlan.map(|vlan| vlan.to_string());
    [
        (
            name(Spot::Site),
            text(
                network.site.as_ref().map(ToString::to_string),
                "the machine's address",
            ),
        ),
        (name(Spot::Interface), text(interface, super::ANY_INTERFACE)),
        (name(Spot::Vlan), text(vlan, "untagged")),
        (name(Spot::Mode4), ipv4),
        (name(Spot::Mode6), ipv6),
        (
            name(Spot::Dns),
            or(list(&network.dns), "those that DHCP names"),
        ),
        (
            name(Spot::Ntp),
            or(
                list(&network.ntp),
                "those that DHCP names, or a public pool",
            ),
        ),
        (
            name(Spot::Proxy),
            text(network.proxy.as_ref().map(ToString::to_string), "none"),
        ),
    ]
}

/// What follows from the change.
pub(in super::super) fn network_consequences(before: &Network, after: &Network) -> Vec<String> {
    let mut texts = Vec::new();
    let moves = (
        before.interface.as_ref(),
        before.vlan,
        before.ipv4,
        before.ipv6,
    ) != (after.interface.as_ref(), after.vlan, after.ipv4, after.ipv6);
    if moves {
        texts.push(
            "Everybody who is connected now is cut off, and support sessions with them. If the new \
             settings are wrong, nobody reaches the appliance until they are changed here."
                .to_owned(),
        );
    }
    if let Ipv4::Static(fixed) = after.ipv4 {
        if fixed.gateway().is_none() {
            texts.push("Without a gateway, only the machine's own network reaches it.".to_owned());
        }
        if after.dns.is_empty() {
            texts.push(
                "Without DHCP and name servers, the appliance finds no names, also not those of \
                 time servers."
                    .to_owned(),
            );
        }
    }
    if before.site != after.site {
        texts.push("Links made so far keep the old name; new ones carry the new one.".to_owned());
    }
    texts
}
