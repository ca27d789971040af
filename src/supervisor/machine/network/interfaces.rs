//! Which network interfaces there are, and which one to use.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

use crate::control::machine::Interface;
use crate::domain::Text;
use crate::domain::limits::INTERFACES_MAX;
use crate::domain::network::InterfaceName;
use crate::supervisor::machine::places::{self, Places};

/// `ARPHRD_ETHER` of `<linux/if_arp.h>`.
const ETHERNET: &str = "1";

/// Every Ethernet interface with hardware behind it, by name.
pub(super) fn read(places: &Places) -> heapless::Vec<Interface, INTERFACES_MAX> {
    let folder = places.path("sys/class/net");
    let listed = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut names: Vec<InterfaceName> = listed
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|name: &InterfaceName| {
            let at = folder.join(name.as_str());
            // One that is made of another one has no device.
            at.join("device").exists()
                && places::line(&at.join("type")).as_deref() == Some(ETHERNET)
        })
        .collect();
    names.sort();
    let addresses = addresses();
    let interface = |name: InterfaceName| {
        let at = folder.join(name.as_str());
        let hardware_address = places::line(&at.join("address")).unwrap_or_default();
        Interface {
            hardware_address: Text::try_from(hardware_address.as_str()).unwrap_or_default(),
            // Cannot be read while the interface is down.
            has_link: places::line(&at.join("carrier")).as_deref() == Some("1"),
            addresses: of(&addresses, &name),
            name,
        }
    };
    names
        .into_iter()
        .map(interface)
        .take(INTERFACES_MAX)
        .collect()
}

/// The addresses that others may use, by interface.
pub(super) fn addresses() -> BTreeMap<String, Vec<IpAddr>> {
    let mut found: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for entry in getifaddrs().into_iter().flatten() {
        let Some(storage) = entry.address else {
            continue;
        };
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let v6 = storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
        if let Some(address) = v4.or(v6) {
            found.entry(entry.interface_name).or_default().push(address);
        }
    }
    found
}

/// Those of one interface; those that work from other networks first.
pub(super) fn of<const N: usize>(
    all: &BTreeMap<String, Vec<IpAddr>>,
    name: &InterfaceName,
) -> heapless::Vec<IpAddr, N> {
    let mut own = all.get(name.as_str()).cloned().unwrap_or_default();
    own.sort_by_key(|address| (!is_global(*address), address.is_ipv6()));
    own.into_iter().take(N).collect()
}

/// Whether people on other networks can use it.
pub(in crate::supervisor::machine) fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_loopback() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback() && !v6.is_unspecified(),
    }
}

/// The interface to use: the chosen one, if somebody chose and it is there. Else the one in use
/// as long as it has a link, then the first that has one, then the first of all.
pub(super) fn choose<'a>(
    interfaces: &'a [Interface],
    chosen: Option<&InterfaceName>,
    used: Option<&InterfaceName>,
) -> Option<&'a InterfaceName> {
    let by_name = |name: &InterfaceName| interfaces.iter().find(|i| i.name == *name);
    if let Some(chosen) = chosen {
        return by_name(chosen).map(|interface| &interface.name);
    }
    let used = used.and_then(by_name);
    let linked = used.filter(|used| used.has_link);
    linked
        .or_else(|| interfaces.iter().find(|interface| interface.has_link))
        .or(used)
        .or_else(|| interfaces.first())
        .map(|interface| &interface.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, has_link: bool) -> Interface {
        Interface {
            name: name.parse().unwrap(),
            hardware_address: Text::new(),
            has_link,
            addresses: heapless::Vec::new(),
        }
    }

    #[test]
    fn hardware_is_listed_by_name_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        for (name, kind, device, carrier) in [
            ("eth1", "1", true, Some("0")),
            ("eth0", "1", true, Some("1")),
            ("lo", "772", false, Some("1")),
            ("vlan7", "1", false, Some("1")),
            ("eth2", "1", true, None),
        ] {
            let at = places.path("sys/class/net").join(name);
            std::fs::create_dir_all(&at).unwrap();
            std::fs::write(at.join("type"), format!("{kind}\n")).unwrap();
            std::fs::write(at.join("address"), "52:54:00:12:34:56\n").unwrap();
            if device {
                std::fs::create_dir(at.join("device")).unwrap();
            }
            if let Some(carrier) = carrier {
                std::fs::write(at.join("carrier"), format!("{carrier}\n")).unwrap();
            }
        }
        let found = read(&places);
        let links: Vec<_> = found
            .iter()
            .map(|i| (i.name.as_str(), i.has_link))
            .collect();
        assert_eq!(links, [("eth0", true), ("eth1", false), ("eth2", false)]);
        assert_eq!(found[0].hardware_address, "52:54:00:12:34:56");
    }

    #[test]
    fn the_one_in_use_stays_while_it_has_a_link() {
        let three = |links: [bool; 3]| -> Vec<Interface> {
            let names = ["eth0", "eth1", "eth2"];
            names
                .into_iter()
                .zip(links)
                .map(|(n, l)| interface(n, l))
                .collect()
        };
        let used: InterfaceName = "eth1".parse().unwrap();
        for (links, expected) in [
            ([true, true, true], "eth1"),
            ([false, false, true], "eth2"),
            ([true, false, true], "eth0"),
            ([false, false, false], "eth1"),
        ] {
            let found = three(links);
            let name = choose(&found, None, Some(&used)).unwrap();
            assert_eq!(name.as_str(), expected, "{links:?}");
        }
        let found = three([false, false, true]);
        assert_eq!(choose(&found, None, None).unwrap().as_str(), "eth2");
        let found = three([false, false, false]);
        assert_eq!(choose(&found, None, None).unwrap().as_str(), "eth0");
        assert_eq!(choose(&[], None, Some(&used)), None);
    }

    #[test]
    fn a_choice_holds_also_without_a_link_and_never_means_another_one() {
        let found = [interface("eth0", true), interface("eth1", false)];
        let (there, gone) = ("eth1".parse().unwrap(), "eth9".parse().unwrap());
        let eth0: InterfaceName = "eth0".parse().unwrap();
        assert_eq!(choose(&found, Some(&there), Some(&eth0)), Some(&there));
        assert_eq!(choose(&found, Some(&gone), Some(&eth0)), None);
    }

    #[test]
    fn addresses_for_everybody_come_first() {
        let all = BTreeMap::from([(
            "eth0".to_owned(),
            ["fe80::1", "2001:db8::1", "169.254.1.1", "192.0.2.1"]
                .map(|a| a.parse().unwrap())
                .to_vec(),
        )]);
        let own: heapless::Vec<IpAddr, 3> = of(&all, &"eth0".parse().unwrap());
        let own: Vec<_> = own.iter().map(ToString::to_string).collect();
        assert_eq!(own, ["192.0.2.1", "2001:db8::1", "169.254.1.1"]);
        assert!(of::<3>(&all, &"eth1".parse().unwrap()).is_empty());
    }
}
