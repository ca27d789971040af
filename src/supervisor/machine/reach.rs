//! Whether the network is as it was before an update.
//!
//! The version before writes down what it reached when it restarts the machine in order ([`Reach`]);
//! the new one compares. What nobody wrote down (the power went) is not missed.

use serde::{Deserialize, Serialize};

use super::network::is_global;
use crate::control::machine::{NetworkFacts, Notice, notice};
use crate::domain::limits::INTERFACES_MAX;
use crate::domain::network::InterfaceName;

/// On the state partition, between a restart and the next proof.
pub(super) const FILE: &str = "update/network-before";

/// What matters of a network: not which address it gives, but that it gives one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reach {
    /// Interfaces with an address that works beyond the cable.
    interfaces: heapless::Vec<InterfaceName, INTERFACES_MAX>,
    /// There is a way to other networks.
    routed: bool,
}

impl Reach {
    /// What is reached now; `routed` as [`has_default_route`] says.
    pub(super) fn of(facts: &NetworkFacts, routed: bool) -> Self {
        let reaches = |addresses: &[std::net::IpAddr]| addresses.iter().copied().any(is_global);
        let physical = facts.interfaces.iter();
        let physical = physical.filter(|interface| reaches(&interface.addresses));
        let mut interfaces: heapless::Vec<_, INTERFACES_MAX> =
            physical.map(|interface| interface.name.clone()).collect();
        // A tagged one is not among those with a cable.
        if let Some(used) = facts.used.as_ref().filter(|_| reaches(&facts.addresses))
            && !interfaces.contains(used)
        {
            // One cable less is remembered where there are that many.
            drop(interfaces.push(used.clone()));
        }
        Self { interfaces, routed }
    }

    /// What `now` lacks of it.
    pub(super) fn compare(&self, now: &Self) -> Result<(), Notice> {
        let lost = |name: &&InterfaceName| !now.interfaces.contains(name);
        if let Some(name) = self.interfaces.iter().find(lost) {
            return Err(notice(&format!("{name} has no address any more")));
        }
        if self.routed && !now.routed {
            return Err(notice("there is no way to other networks any more"));
        }
        Ok(())
    }
}

/// Whether there is a default route in what the kernel says in `/proc/net/route` and
/// `/proc/net/ipv6_route`.
pub(super) fn has_default_route(v4: &str, v6: &str) -> bool {
    const REJECTED: u32 = 0x200; // RTF_REJECT in <linux/route.h>
    let flags = |word: Option<&str>| word.and_then(|word| u32::from_str_radix(word, 16).ok());
    let usable = |flags: Option<u32>| flags.is_some_and(|flags| flags & REJECTED == 0);
    let by_v4 = v4.lines().skip(1).any(|line| {
        let mut words = line.split_whitespace().skip(1);
        // Destination, gateway, flags, three counters, mask.
        let is_all = words.next() == Some("00000000");
        let flags = flags(words.nth(1));
        is_all && words.nth(3) == Some("00000000") && usable(flags)
    });
    let by_v6 = v6.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [destination, prefix, .., flags_word, device] = words[..] else {
            return false;
        };
        let is_all = destination.bytes().all(|digit| digit == b'0') && prefix == "00";
        is_all && device != "lo" && usable(flags(Some(flags_word)))
    });
    by_v4 || by_v6
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

    #[test]
    fn the_network_is_as_before_with_another_address_and_not_without_one() {
        let before = Reach::of(&facts(&[("eth0", &["192.0.2.7"]), ("eth1", &[])]), true);
        let same = [("eth0", &["192.0.2.9"][..]), ("eth1", &["198.51.100.1"])];
        assert_eq!(before.compare(&Reach::of(&facts(&same), true)), Ok(()));
        for (now, routed, why) in [
            (&["fe80::1"][..], true, "eth0 has no address any more"),
            (&[], true, "eth0 has no address any more"),
            (
                &["192.0.2.7"],
                false,
                "there is no way to other networks any more",
            ),
        ] {
            let now = Reach::of(&facts(&[("eth0", now)]), routed);
            assert_eq!(before.compare(&now).unwrap_err().as_str(), why);
        }
        // What was not there before is not asked for.
        let nothing = Reach::default();
        assert_eq!(nothing.compare(&Reach::of(&facts(&[]), false)), Ok(()));
    }

    #[test]
    fn a_tagged_interface_counts_though_it_has_no_cable_of_its_own() {
        let mut tagged = facts(&[("eth0", &[])]);
        tagged.used = Some("eth0.7".parse().unwrap());
        tagged.addresses.push("192.0.2.7".parse().unwrap()).unwrap();
        let before = Reach::of(&tagged, false);
        assert_eq!(before.compare(&before), Ok(()));
        assert!(
            before
                .compare(&Reach::of(&facts(&[("eth0", &[])]), false))
                .is_err()
        );
    }

    #[test]
    fn default_routes_are_told_from_others() {
        let head =
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
        let local = format!("{head}eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
        let all = format!("{local}eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        let refused = all.replace("0003", "0203");
        let zeros = "0".repeat(32);
        let none =
            format!("{zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n");
        let six = format!(
            "{zeros} 00 {zeros} 00 fe80000000000000000000000000000 00000400 00000001 00000000 \
             00450003     eth0\n"
        );
        assert!(has_default_route(&all, &none));
        assert!(has_default_route(&local, &six));
        for (v4, v6) in [(&*local, &*none), (&*refused, ""), ("", "")] {
            assert!(!has_default_route(v4, v6), "{v4}{v6}");
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let before = Reach::of(&facts(&[("eth0", &["192.0.2.7"])]), true);
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Reach>(&text).unwrap(), before);
    }
}
