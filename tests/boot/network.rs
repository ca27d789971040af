//! A network without DHCP, and what is reachable from it.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use crate::support::{BOOT, Disk, Image, Machine, Setup};

/// The documentation's network (RFC 5737): this machine is .1, the appliance .30.
const APPLIANCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 30);

/// Makes a network of its own with a cable to the machine.
const WITHIN: [&str; 6] = [
    "unshare",
    "--net",
    "bash",
    "-euc",
    "ip link set lo up; ip tuntap add cable mode tap; ip address add 192.0.2.1/24 dev cable; \
     ip link set cable up; exec \"$@\"",
    "within",
];

#[test]
fn without_dhcp_the_console_says_what_to_do_and_with_an_address_only_80_and_443_are_open() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("only root can make a network");
        return;
    }
    let disk = Disk::flashed(&Image::under_test());
    let alone = Setup {
        within: WITHIN.map(str::to_owned).to_vec(),
        tap: Some("cable"),
        ..Setup::default()
    };
    let mut machine = Machine::start(&disk, &alone);
    machine.shows("No DHCP server has answered");
    give_address(&mut machine);
    machine.shows("https://192.0.2.30/");
    let inside = format!("/proc/{}/ns/net", machine.id());
    machine.until("port 443 of the appliance", BOOT, |_| {
        within(&inside, || open(443)).then_some(())
    });
    let found = within(&inside, || {
        (1..=u16::MAX)
            .filter(|port| open(*port))
            .collect::<Vec<_>>()
    });
    assert_eq!(found, [80, 443]);
}

/// By the console's menu.
fn give_address(machine: &mut Machine<'_>) {
    machine.press("1");
    machine.shows("< DHCP >");
    // Right: a fixed address; down: the address and the gateway.
    machine.press("\x1b[C");
    machine.press("\x1b[B");
    machine.press("192.0.2.30/24\t192.0.2.1");
    machine.press("\x1b[6~\r");
    machine.shows("now: by DHCP");
    machine.press("\r");
    machine.shows("The settings are kept");
}

/// Does something as if from that network.
fn within<T: Send>(network: &str, work: impl FnOnce() -> T + Send) -> T {
    let network = std::fs::File::open(network).unwrap();
    thread::scope(|scope| {
        let there = scope.spawn(|| {
            setns(network.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        there.join().unwrap()
    })
}

/// Whether anybody listens on this TCP port.
fn open(port: u16) -> bool {
    let address = SocketAddr::from((APPLIANCE, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok()
}
