//! What to do to make an interface what the settings say. Pure.
//!
//! Each step is a call of the base system's `ip` or one value written below `/proc/sys`; steps that
//! undo may find nothing to undo.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use crate::control::machine::{Lease, Notice, notice};
use crate::domain::limits::{NAME_SERVERS_MAX, TIME_SERVERS_MAX};
use crate::domain::network::{HostName, InterfaceName, Ipv4, Ipv6, Network, Static4, Vlan};

/// Asked for the time if nobody names another server. A vendor with many appliances asks the pool
/// for a zone of its own and names it here.
const PUBLIC_TIME_SERVER: &str = "pool.ntp.org";

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Call `ip` with these words. What it says to be wrong is told.
    Ip(Vec<String>),
    /// The same, but it may fail.
    Try(Vec<String>),
    /// Write a value of the kernel's; it may be missing.
    Write {
        /// Below `/proc/sys`.
        path: String,
        /// What.
        value: &'static str,
    },
}

fn ip(words: &str) -> Step {
    Step::Ip(words.split(' ').map(str::to_owned).collect())
}

fn attempt(words: &str) -> Step {
    Step::Try(words.split(' ').map(str::to_owned).collect())
}

/// The interface that has the addresses: `physical` itself, or the tagged one on it.
pub(super) fn used(physical: &InterfaceName, vlan: Option<Vlan>) -> InterfaceName {
    match vlan {
        None => physical.clone(),
        // Short whatever the other one is called.
        Some(vlan) => format!("vlan{vlan}")
            .parse()
            .expect("eight letters and digits are a name"),
    }
}

/// Takes everything back that [`begin`] and [`lease`] did to `physical`.
pub(super) fn end(physical: &InterfaceName, vlan: Option<Vlan>) -> Vec<Step> {
    let used = used(physical, vlan);
    let mut steps = vec![
        attempt(&format!("addr flush dev {used}")),
        attempt(&format!("route flush dev {used}")),
        setting(&used, "disable_ipv6", "1"),
    ];
    if vlan.is_some() {
        steps.push(attempt(&format!("link del {used}")));
    }
    steps
}

/// Makes `physical` what `settings` say; with DHCP, ready for a lease.
pub(super) fn begin(physical: &InterfaceName, settings: &Network) -> Vec<Step> {
    let used = used(physical, settings.vlan);
    let mut steps = vec![ip(&format!("link set dev {physical} up"))];
    if let Some(vlan) = settings.vlan {
        // Untagged, it shall have no address of its own making either.
        steps.push(setting(physical, "disable_ipv6", "1"));
        steps.push(attempt(&format!("link del {used}")));
        steps.push(ip(&format!(
            "link add link {physical} name {used} type vlan id {vlan}"
        )));
    }
    // Before it is up, so that no router's word is believed which should not be.
    let (disabled, believes) = match settings.ipv6 {
        Ipv6::Off => ("1", "0"),
        Ipv6::Auto => ("0", "1"),
        Ipv6::Static(_) => ("0", "0"),
    };
    steps.push(setting(&used, "accept_ra", believes));
    steps.push(setting(&used, "autoconf", believes));
    steps.push(setting(&used, "disable_ipv6", disabled));
    if settings.vlan.is_some() {
        steps.push(ip(&format!("link set dev {used} up")));
    }
    if let Ipv4::Static(fixed) = settings.ipv4 {
        steps.extend(address4(&used, fixed));
    }
    if let Ipv6::Static(fixed) = settings.ipv6 {
        let subnet = fixed.subnet();
        steps.push(ip(&format!("-6 addr add {subnet} dev {used}")));
        if let Some(gateway) = fixed.gateway() {
            steps.push(ip(&format!(
                "-6 route add default via {gateway} dev {used}"
            )));
        }
    }
    steps
}

/// From one lease to the next on `used`; none if the network took it back.
pub(super) fn lease(
    used: &InterfaceName,
    before: Option<&Lease>,
    after: Option<&Lease>,
) -> Vec<Step> {
    let fixed = after.and_then(usable);
    if before.and_then(usable) == fixed {
        return Vec::new();
    }
    let mut steps = vec![attempt(&format!("-4 addr flush dev {used}"))];
    if let Some(fixed) = fixed {
        steps.extend(address4(used, fixed));
    }
    steps
}

/// What a lease gives, if a machine can have that. A gateway outside its network is left out.
pub(super) fn usable(lease: &Lease) -> Option<Static4> {
    let subnet = format!("{}/{}", lease.address, lease.prefix);
    let with_gateway = lease
        .gateway
        .map(|gateway| Static4::new(&subnet, Some(gateway)));
    with_gateway
        .and_then(Result::ok)
        .or_else(|| Static4::new(&subnet, None).ok())
}

fn address4(used: &InterfaceName, fixed: Static4) -> Vec<Step> {
    let subnet = fixed.subnet();
    let mut steps = vec![ip(&format!("-4 addr add {subnet} broadcast + dev {used}"))];
    if let Some(gateway) = fixed.gateway() {
        // What another address left behind is in the way.
        steps.push(attempt(&format!("-4 route del default dev {used}")));
        steps.push(ip(&format!(
            "-4 route add default via {gateway} dev {used}"
        )));
    }
    steps
}

fn setting(interface: &InterfaceName, name: &str, value: &'static str) -> Step {
    Step::Write {
        path: format!("net/ipv6/conf/{interface}/{name}"),
        value,
    }
}

/// Words for the DHCP client on `used`, whose `events` go to that program. It stays, asks for ever
/// and tells nobody our name.
pub(super) fn dhcp_words(used: &InterfaceName, events: &str) -> Vec<String> {
    let words = format!("-f -i {used} -s {events} -t 3 -T 2 -A 10 -O ntpsrv");
    words.split(' ').map(str::to_owned).collect()
}

/// Servers that resolve names: the chosen ones, or those of the lease.
pub(super) fn name_servers(
    settings: &Network,
    lease: Option<&Lease>,
) -> heapless::Vec<IpAddr, NAME_SERVERS_MAX> {
    if !settings.dns.is_empty() {
        return settings.dns.clone();
    }
    let given = lease.into_iter().flat_map(|lease| &lease.dns);
    given.map(|server| IpAddr::V4(*server)).collect()
}

/// Servers that know the time: the chosen ones, or those of the lease, or a public one.
pub(super) fn time_servers(
    settings: &Network,
    lease: Option<&Lease>,
) -> heapless::Vec<HostName, TIME_SERVERS_MAX> {
    if !settings.ntp.is_empty() {
        return settings.ntp.clone();
    }
    let given = lease.into_iter().flat_map(|lease| &lease.ntp);
    let mut servers: heapless::Vec<HostName, TIME_SERVERS_MAX> = given
        .filter_map(|server| server.to_string().parse().ok())
        .collect();
    if servers.is_empty() {
        let public = PUBLIC_TIME_SERVER.parse().expect("ours is a name");
        drop(servers.push(public));
    }
    servers
}

/// Routers in use.
pub(super) fn gateways(settings: &Network, lease: Option<&Lease>) -> heapless::Vec<IpAddr, 2> {
    let v4: Option<Ipv4Addr> = match settings.ipv4 {
        Ipv4::Dhcp => lease.and_then(usable).and_then(Static4::gateway),
        Ipv4::Static(fixed) => fixed.gateway(),
    };
    let v6 = match settings.ipv6 {
        Ipv6::Static(fixed) => fixed.gateway(),
        Ipv6::Auto | Ipv6::Off => None,
    };
    let both = [v4.map(IpAddr::V4), v6.map(IpAddr::V6)];
    both.into_iter().flatten().collect()
}

/// The file that programs read to resolve names.
pub(super) fn resolv_conf(servers: &[IpAddr]) -> String {
    let mut text = String::new();
    for server in servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    text
}

/// What is seen of the network.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// Is there any interface?
    pub(super) any: bool,
    /// The one in use, without its tag.
    pub(super) physical: Option<&'a InterfaceName>,
    pub(super) has_link: bool,
    /// There is an address that others can use.
    pub(super) reachable: bool,
    /// What `ip` last complained about.
    pub(super) complaint: Option<&'a str>,
}

/// What is wrong and what to do about it, in one line.
pub(super) fn trouble(settings: &Network, view: View<'_>) -> Option<Notice> {
    let line = match (view.physical, &settings.interface) {
        (None, Some(chosen)) if view.any => {
            format!("{chosen}, which was chosen, is not there. Choose another interface")
        }
        (None, _) => "no network interface found. Add one that is supported".to_owned(),
        (Some(name), _) if !view.has_link => {
            format!("no link on {name}. Plug in a network cable, or check the other end")
        }
        (Some(_), _) if view.complaint.is_some() => {
            let complaint = view.complaint.unwrap_or_default();
            format!("the network settings could not be applied: {complaint}")
        }
        (Some(name), _) if !view.reachable => match settings.ipv4 {
            Ipv4::Dhcp => format!(
                "no DHCP server has answered on {name} yet. Check the network, or choose a fixed \
                 address under Network"
            ),
            Ipv4::Static(_) => format!("{name} has no address yet"),
        },
        (Some(_), _) => return None,
    };
    Some(notice(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> InterfaceName {
        text.parse().unwrap()
    }

    fn settings(json: &str) -> Network {
        serde_json::from_str(json).unwrap()
    }

    fn given(address: &str, prefix: u8, gateway: Option<&str>) -> Lease {
        Lease {
            address: address.parse().unwrap(),
            prefix,
            gateway: gateway.map(|g| g.parse().unwrap()),
            dns: heapless::Vec::from_slice(&["10.0.2.3".parse().unwrap()]).unwrap(),
            ntp: heapless::Vec::new(),
        }
    }

    /// As one would type them.
    fn lines(steps: &[Step]) -> Vec<String> {
        let line = |step: &Step| match step {
            Step::Ip(words) => format!("ip {}", words.join(" ")),
            Step::Try(words) => format!("try {}", words.join(" ")),
            Step::Write { path, value } => format!("{path}={value}"),
        };
        steps.iter().map(line).collect()
    }

    #[test]
    fn with_dhcp_the_interface_is_made_ready_and_nothing_more() {
        let steps = begin(&name("eth0"), &Network::default());
        let expected = [
            "ip link set dev eth0 up",
            "net/ipv6/conf/eth0/accept_ra=1",
            "net/ipv6/conf/eth0/autoconf=1",
            "net/ipv6/conf/eth0/disable_ipv6=0",
        ];
        assert_eq!(lines(&steps), expected);
    }

    #[test]
    fn a_tagged_interface_with_fixed_addresses_is_made_from_the_settings() {
        let settings = settings(
            r#"{"vlan":100,
                "ipv4":{"mode":"static","address":"192.0.2.10/24","gateway":"192.0.2.1"},
                "ipv6":{"mode":"static","address":"2001:db8::10/64","gateway":"fe80::1"}}"#,
        );
        let steps = begin(&name("enp0s31f6"), &settings);
        let expected = [
            "ip link set dev enp0s31f6 up",
            "net/ipv6/conf/enp0s31f6/disable_ipv6=1",
            "try link del vlan100",
            "ip link add link enp0s31f6 name vlan100 type vlan id 100",
            "net/ipv6/conf/vlan100/accept_ra=0",
            "net/ipv6/conf/vlan100/autoconf=0",
            "net/ipv6/conf/vlan100/disable_ipv6=0",
            "ip link set dev vlan100 up",
            "ip -4 addr add 192.0.2.10/24 broadcast + dev vlan100",
            "try -4 route del default dev vlan100",
            "ip -4 route add default via 192.0.2.1 dev vlan100",
            "ip -6 addr add 2001:db8::10/64 dev vlan100",
            "ip -6 route add default via fe80::1 dev vlan100",
        ];
        assert_eq!(lines(&steps), expected);
        let undone = lines(&end(&name("enp0s31f6"), settings.vlan));
        assert_eq!(undone.last().unwrap(), "try link del vlan100");
    }

    #[test]
    fn a_renewed_lease_changes_nothing_and_a_new_one_replaces_the_old() {
        let eth0 = name("eth0");
        let (one, two) = (
            given("10.0.2.15", 24, Some("10.0.2.2")),
            given("10.0.2.16", 24, None),
        );
        assert_eq!(lease(&eth0, Some(&one), Some(&one.clone())), []);
        let changed = lines(&lease(&eth0, Some(&one), Some(&two)));
        let expected = [
            "try -4 addr flush dev eth0",
            "ip -4 addr add 10.0.2.16/24 broadcast + dev eth0",
        ];
        assert_eq!(changed, expected);
        let lost = lines(&lease(&eth0, Some(&one), None));
        assert_eq!(lost, ["try -4 addr flush dev eth0"]);
    }

    #[test]
    fn a_lease_that_no_machine_can_have_is_none() {
        assert_eq!(usable(&given("224.0.0.1", 24, None)), None);
        assert_eq!(usable(&given("10.0.2.15", 77, None)), None);
        let far = usable(&given("10.0.2.15", 24, Some("10.9.9.9"))).unwrap();
        assert_eq!(far.gateway(), None);
    }

    #[test]
    fn chosen_servers_win_over_those_of_the_lease() {
        let lease = given("10.0.2.15", 24, None);
        let nothing = Network::default();
        assert_eq!(
            name_servers(&nothing, Some(&lease))[0].to_string(),
            "10.0.2.3"
        );
        assert!(name_servers(&nothing, None).is_empty());
        assert_eq!(
            time_servers(&nothing, Some(&lease))[0].as_str(),
            PUBLIC_TIME_SERVER
        );
        let chosen = settings(r#"{"dns":["192.0.2.53"],"ntp":["192.0.2.123"]}"#);
        assert_eq!(
            name_servers(&chosen, Some(&lease))[0].to_string(),
            "192.0.2.53"
        );
        assert_eq!(
            time_servers(&chosen, Some(&lease))[0].as_str(),
            "192.0.2.123"
        );
        assert_eq!(resolv_conf(&chosen.dns), "nameserver 192.0.2.53\n");
    }

    #[test]
    fn every_trouble_says_what_to_do() {
        let eth0 = name("eth0");
        let good = View {
            any: true,
            physical: Some(&eth0),
            has_link: true,
            reachable: true,
            complaint: None,
        };
        let nothing = Network::default();
        assert_eq!(trouble(&nothing, good), None);
        let chosen = settings(r#"{"interface":"eth9"}"#);
        for (settings, view, words) in [
            (
                &nothing,
                View {
                    any: false,
                    physical: None,
                    ..good
                },
                "Add one",
            ),
            (
                &chosen,
                View {
                    physical: None,
                    ..good
                },
                "eth9, which was chosen",
            ),
            (
                &nothing,
                View {
                    has_link: false,
                    reachable: false,
                    ..good
                },
                "cable",
            ),
            (
                &nothing,
                View {
                    reachable: false,
                    ..good
                },
                "fixed address",
            ),
            (
                &nothing,
                View {
                    complaint: Some("File exists"),
                    ..good
                },
                "File exists",
            ),
        ] {
            let told = trouble(settings, view).unwrap();
            assert!(told.contains(words), "{told}");
        }
    }
}
