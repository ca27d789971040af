//! Whether the network is as it was before an update.
//!
//! The version before writes down what it reached when it restarts the machine in order ([`Reach`]);
//! the new one compares. What nobody wrote down (the power went) is not missed.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::network::is_global;
use crate::control::machine::NetworkFacts;
use crate::domain::limits::INTERFACES_MAX;
use crate::domain::network::InterfaceName;

/// On the state partition, between a restart and the next proof.
pub(super) const FILE: &str = "update/network-before";

/// What matters of a network: not which address it gives, but that it gives one. Each version of IP
/// counts for itself: who is reached by one is not reached by the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reach {
    /// By version 4.
    v4: Family,
    /// By version 6.
    v6: Family,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Family {
    /// Interfaces with an address that works beyond the cable.
    interfaces: heapless::Vec<InterfaceName, INTERFACES_MAX>,
    /// There is a way to other networks.
    routed: bool,
}

impl Reach {
    /// What is reached now. `routes4` and `routes6` are what the kernel says in `/proc/net/route` and
    /// `/proc/net/ipv6_route`.
    pub(super) fn of(facts: &NetworkFacts, routes4: &str, routes6: &str) -> Self {
        let family = |is_ours: fn(&IpAddr) -> bool, routed| Family {
            interfaces: interfaces(facts, |address| is_ours(address) && is_global(*address)),
            routed,
        };
        Self {
            v4: family(IpAddr::is_ipv4, has_default_route(routes4)),
            v6: family(IpAddr::is_ipv6, has_default_route6(routes6)),
        }
    }

    /// What `now` lacks of it.
    pub(super) fn compare(&self, now: &Self) -> Result<(), String> {
        for (version, before, now) in [(4, &self.v4, &now.v4), (6, &self.v6, &now.v6)] {
            let lost = |name: &&InterfaceName| !now.interfaces.contains(name);
            if let Some(name) = before.interfaces.iter().find(lost) {
                let why = format!("{name} has no IPv{version} address any more");
                return Err(why);
            }
            if before.routed && !now.routed {
                let why = format!("there is no way to other IPv{version} networks any more");
                return Err(why);
            }
        }
        Ok(())
    }
}

/// Interfaces that have an address which `counts`.
fn interfaces(
    facts: &NetworkFacts,
    counts: impl Fn(&IpAddr) -> bool,
) -> heapless::Vec<InterfaceName, INTERFACES_MAX> {
    let found = facts.interfaces.iter();
    let found = found.filter(|interface| interface.addresses.iter().any(&counts));
    let mut names: heapless::Vec<_, INTERFACES_MAX> =
        found.map(|interface| interface.name.clone()).collect();
    // A tagged one is not among those with a cable.
    if let Some(used) = &facts.used
        && facts.addresses.iter().any(counts)
        && !names.contains(used)
    {
        // Where there are that many, one less is remembered.
        drop(names.push(used.clone()));
    }
    names
}

const REJECTED: u32 = 0x200; // RTF_REJECT in <linux/route.h>

fn is_usable(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & REJECTED == 0)
}

/// Interface, destination, gateway, flags, three counters, mask, and more.
fn has_default_route(routes: &str) -> bool {
    routes.lines().skip(1).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "00000000", _, flags, _, _, _, "00000000", ..] = words[..] else {
            return false;
        };
        is_usable(flags)
    })
}

/// Destination, its prefix, source, its prefix, next hop, three counters, flags, interface.
fn has_default_route6(routes: &str) -> bool {
    routes.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [destination, "00", .., flags, device] = words[..] else {
            return false;
        };
        let is_all = destination.bytes().all(|digit| digit == b'0');
        is_all && device != "lo" && is_usable(flags)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::machine::Interface;

    fn facts(interfaces: &[(&str, &[&str])]) -> NetworkFacts {
        let interface = |(name, addresses): &(&str, &[&str])| Interface {
            name: name.parse().unwrap(),
            hardware_address: "52:54:00:12:34:56".try_into().unwrap(),
            has_link: true,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        };
        NetworkFacts {
            interfaces: interfaces.iter().map(interface).collect(),
            ..NetworkFacts::default()
        }
    }

    const HEAD: &str =
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
    const LOCAL: &str = "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    const DEFAULT: &str = "eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";

    fn all() -> String {
        format!("{HEAD}{LOCAL}{DEFAULT}")
    }

    #[test]
    fn the_network_is_as_before_with_another_address_and_not_without_one() {
        let before = [("eth0", &["192.0.2.7", "2001:db8::7"][..]), ("eth1", &[])];
        let before = Reach::of(&facts(&before), &all(), "");
        let same = [
            ("eth0", &["192.0.2.9", "2001:db8::9"][..]),
            ("eth1", &["198.51.100.1"]),
        ];
        let same = Reach::of(&facts(&same), &all(), "");
        assert_eq!(before.compare(&same), Ok(()));
        for (addresses, routes, why) in [
            (&["fe80::1"][..], all(), "eth0 has no IPv4 address any more"),
            (&["2001:db8::7"], all(), "eth0 has no IPv4 address any more"),
            (&["192.0.2.7"], all(), "eth0 has no IPv6 address any more"),
            (
                &["192.0.2.7", "2001:db8::7"],
                format!("{HEAD}{LOCAL}"),
                "there is no way to other IPv4 networks any more",
            ),
        ] {
            let now = Reach::of(&facts(&[("eth0", addresses)]), &routes, "");
            assert_eq!(before.compare(&now).unwrap_err(), why);
        }
        // What was not there before is not asked for.
        assert_eq!(Reach::default().compare(&before), Ok(()));
    }

    #[test]
    fn a_tagged_interface_counts_though_it_has_no_cable_of_its_own() {
        let mut tagged = facts(&[("eth0", &[])]);
        tagged.used = Some("eth0.7".parse().unwrap());
        tagged.addresses.push("192.0.2.7".parse().unwrap()).unwrap();
        let before = Reach::of(&tagged, "", "");
        assert_eq!(before.compare(&before), Ok(()));
        let without = Reach::of(&facts(&[("eth0", &[])]), "", "");
        assert!(before.compare(&without).is_err());
    }

    #[test]
    fn default_routes_are_told_from_others() {
        let refused = all().replace("0003", "0203");
        assert!(has_default_route(&all()));
        for routes in [format!("{HEAD}{LOCAL}"), refused, String::new()] {
            assert!(!has_default_route(&routes), "{routes}");
        }
        let zeros = "0".repeat(32);
        let none =
            format!("{zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n");
        let router = "fe800000000000000000000000000002";
        let six = format!(
            "{zeros} 00 {zeros} 00 {router} 00000400 00000001 00000000 00450003     eth0\n"
        );
        assert!(has_default_route6(&format!("{none}{six}")));
        assert!(!has_default_route6(&none) && !has_default_route6(""));
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let before = Reach::of(&facts(&[("eth0", &["192.0.2.7"])]), &all(), "");
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Reach>(&text).unwrap(), before);
    }
}
