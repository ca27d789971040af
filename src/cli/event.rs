//! What the base system's DHCP client tells.
//!
//! It starts a program at every event, with one word and facts in the environment. Here that
//! program is this one, under another name. What a stranger on the network said is
//! checked here, so that the supervisor gets addresses and numbers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;

use crate::config::{ON_APPLIANCE, Paths};
use crate::control::MachineClient;
use crate::control::machine::{Lease, Request};
use crate::domain::network::InterfaceName;

/// What the supervisor calls this program for the DHCP client.
const NAME: &str = "lease-event";

/// Variables by name.
type Facts = BTreeMap<String, String>;

/// Tells the supervisor, if this program was started under that name with an event's word.
/// `None` if it was not.
pub(super) fn told() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    let name = words.next()?;
    if Path::new(&name).file_name()? != NAME {
        return None;
    }
    let word = words.next().unwrap_or_default();
    let facts: Facts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let Some(request) = lease(word.to_str().unwrap_or_default(), &facts) else {
        return Some(ExitCode::SUCCESS);
    };
    let socket = Paths::new(Path::new(ON_APPLIANCE)).machine_socket();
    Some(match MachineClient::new(&socket).ask(&request) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{request:?}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// An event of the DHCP client (`BusyBox`, `networking/udhcp/dhcpc.c`); `None` for those that change
/// nothing.
fn lease(word: &str, facts: &Facts) -> Option<Request> {
    let interface: InterfaceName = facts.get("interface")?.parse().ok()?;
    let lease = match word {
        "bound" | "renew" => Some(given(facts)?),
        "deconfig" => None,
        // No server answered, or one refused; then comes `deconfig`.
        _ => return None,
    };
    Some(Request::Lease { interface, lease })
}

fn given(facts: &Facts) -> Option<Lease> {
    let address = facts.get("ip")?.parse().ok()?;
    let prefix: Option<u8> = facts.get("mask").and_then(|mask| mask.parse().ok());
    Some(Lease {
        address,
        // A server that does not say means what the address itself once meant (RFC 2132, 3.3).
        prefix: prefix.unwrap_or_else(|| by_class(address)),
        gateway: list(facts, "router").next(),
        dns: list(facts, "dns")
            .take(crate::domain::limits::NAME_SERVERS_MAX)
            .collect(),
        ntp: list(facts, "ntpsrv")
            .take(crate::domain::limits::TIME_SERVERS_MAX)
            .collect(),
    })
}

fn list<'a>(facts: &'a Facts, name: &str) -> impl Iterator<Item = Ipv4Addr> + 'a {
    let text = facts.get(name).map_or("", String::as_str);
    text.split_ascii_whitespace()
        .filter_map(|address| address.parse().ok())
}

fn by_class(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        192..=255 => 24,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(pairs: &[(&str, &str)]) -> Facts {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn a_lease_is_told_with_everything_that_was_given() {
        let given = facts(&[
            ("interface", "eth0"),
            ("ip", "10.0.2.15"),
            ("mask", "24"),
            ("subnet", "255.255.255.0"),
            ("router", "10.0.2.2 10.0.2.9"),
            ("dns", "10.0.2.3 x 10.0.2.4 10.0.2.5 10.0.2.6"),
            ("ntpsrv", "10.0.2.7"),
        ]);
        let Some(Request::Lease {
            interface,
            lease: Some(lease),
        }) = lease("bound", &given)
        else {
            panic!("no lease");
        };
        assert_eq!(interface.as_str(), "eth0");
        assert_eq!(
            (lease.address.to_string().as_str(), lease.prefix),
            ("10.0.2.15", 24)
        );
        assert_eq!(lease.gateway.unwrap().to_string(), "10.0.2.2");
        assert_eq!(lease.dns.len(), 3);
        assert_eq!(lease.ntp[0].to_string(), "10.0.2.7");
    }

    #[test]
    fn a_lost_lease_is_told_and_silence_of_servers_is_not() {
        let eth0 = facts(&[("interface", "eth0")]);
        assert!(matches!(
            lease("deconfig", &eth0),
            Some(Request::Lease { lease: None, .. })
        ));
        assert!(lease("leasefail", &eth0).is_none());
        assert!(lease("nak", &eth0).is_none());
        assert!(lease("bound", &eth0).is_none(), "without an address");
        assert!(lease("deconfig", &facts(&[("interface", "../x")])).is_none());
    }

    #[test]
    fn a_server_that_names_no_mask_means_the_old_one() {
        for (ip, prefix) in [("10.1.2.3", 8), ("172.16.0.1", 16), ("192.168.0.1", 24)] {
            assert_eq!(given(&facts(&[("ip", ip)])).unwrap().prefix, prefix);
        }
    }

    proptest! {
        #[test]
        fn any_facts_end_in_an_event_or_nothing(
            word in "(bound|renew|deconfig|nak)",
            values in prop::collection::vec((
                prop::sample::select(vec!["interface", "ip", "mask", "router", "dns"]),
                "[ -~]{0,20}",
            ), 0..8),
        ) {
            let facts: Facts = values.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
            let _ = lease(&word, &facts);
        }
    }
}
