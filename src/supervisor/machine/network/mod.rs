//! The network: one interface, made what the settings say.
//!
//! ```text
//! settings, leases ─> Task ─> plan (pure) ─> ip, udhcpc, /proc/sys, resolv.conf
//!                      └────> NetworkFacts, for whoever watches
//! ```
//!
//! The kernel and two small tools of the base system do the work. What comes from strangers (a DHCP
//! server's answer) is read by the client, checked by our own event program, and arrives here as
//! addresses. Start at [`Task::run`].

mod interfaces;
mod plan;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::{mpsc, watch};

use super::client::{Client, Kept};
use super::journal::note;
use super::places::{self, Places};
use crate::control::machine::{Interface, Lease, NetworkFacts};
use crate::domain::limits::{INTERFACES_MAX, NETWORK_LOOK_EVERY, TOOL_WITHIN};
use crate::domain::network::{InterfaceName, Ipv4, Network, Vlan};
use plan::{Step, View};

pub(super) use interfaces::is_global;

/// Holds the settings, if anybody chose any.
const FILE: &str = "network.toml";
const HEADER: &str = "# Chosen on the console. What is left out is automatic.\n\n";

/// The settings as they were chosen; defaults if nobody did. What cannot be read is told, put aside
/// and counts as nothing: DHCP is the best guess then.
pub(super) fn settings(places: &Places) -> Network {
    let path = places.state(FILE);
    let text = match places::text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Network::default(),
        Err(error) => {
            note(&format!("cannot read {}: {error}", path.display()));
            return Network::default();
        }
    };
    toml::from_str(&text).unwrap_or_else(|error| {
        note(&format!(
            "{} is not understood, the network is automatic: {}",
            path.display(),
            error.message()
        ));
        let _ = fs::rename(&path, path.with_extension("bad"));
        Network::default()
    })
}

/// What names are resolved by.
const NAMES: &str = "run/names";

/// Keeps `settings` for later starts.
pub(super) fn keep(places: &Places, settings: &Network) -> io::Result<()> {
    let text = toml::to_string(settings).map_err(io::Error::other)?;
    places::replace(&places.state(FILE), &format!("{HEADER}{text}"))
}

/// What a task is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Use these from now on.
    Settings(Box<Network>),
    /// The DHCP client got this, or lost what it had.
    Lease {
        interface: InterfaceName,
        lease: Option<Lease>,
    },
}

/// Looks after the network as long as it runs.
pub(super) struct Task {
    pub(super) places: Places,
    pub(super) settings: Network,
    /// The program that tells us of leases.
    pub(super) events: PathBuf,
    /// What the tools write goes there.
    pub(super) log: PathBuf,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) facts: watch::Sender<NetworkFacts>,
}

/// What is configured.
#[derive(Default)]
struct Configured {
    physical: Option<InterfaceName>,
    vlan: Option<Vlan>,
    had_link: bool,
    lease: Option<Lease>,
    client: Option<Kept>,
    complaint: Option<String>,
}

impl Configured {
    fn used(&self) -> Option<InterfaceName> {
        let physical = self.physical.as_ref()?;
        Some(plan::used(physical, self.vlan))
    }
}

impl Task {
    /// Never returns; the network stays as it is when this is dropped, except for DHCP.
    pub(super) async fn run(mut self) {
        // Whoever resolves names may look into it before there are any.
        if let Err(error) = fs::create_dir_all(self.places.path(NAMES)) {
            note(&format!("names cannot be resolved: {error}"));
        }
        let mut configured = Configured::default();
        let lo = Step::Ip(
            ["link", "set", "dev", "lo", "up"]
                .map(str::to_owned)
                .to_vec(),
        );
        drop(self.perform(&[lo]).await);
        let mut look = tokio::time::interval(NETWORK_LOOK_EVERY);
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::Settings(settings)) => {
                        self.settings = *settings;
                        self.take_down(&mut configured).await;
                    }
                    Some(Order::Lease { interface, lease }) => {
                        self.take_lease(&mut configured, &interface, lease).await;
                    }
                    // Nobody is left who could ask for anything.
                    None => return,
                },
                _ = look.tick() => {}
            }
            self.look(&mut configured).await;
        }
    }

    /// Compares what is with what should be.
    async fn look(&mut self, configured: &mut Configured) {
        let found = interfaces::read(&self.places);
        self.raise_all(&found).await;
        let chosen = self.settings.interface.as_ref();
        let physical = interfaces::choose(&found, chosen, configured.physical.as_ref()).cloned();
        if physical != configured.physical {
            self.take_down(configured).await;
            if let Some(physical) = physical {
                self.bring_up(configured, physical).await;
            }
        }
        let by_name = |name: &InterfaceName| found.iter().find(|i| i.name == *name);
        let has_link = configured
            .physical
            .as_ref()
            .and_then(by_name)
            .is_some_and(|interface| interface.has_link);
        if has_link && !configured.had_link && configured.client.is_some() {
            // It may be another network now.
            configured.client = None;
            configured.client = self.ask_for_lease(configured);
        }
        configured.had_link = has_link;
        self.publish(configured, found);
    }

    /// An interface has to be up to notice a cable.
    async fn raise_all(&self, found: &[Interface]) {
        for interface in found.iter().filter(|interface| !interface.has_link) {
            let name = &interface.name;
            let flags = places::line(
                &self
                    .places
                    .path("sys/class/net")
                    .join(name.as_str())
                    .join("flags"),
            );
            if !flags.is_some_and(|flags| is_up(&flags)) {
                let words = ["link", "set", "dev", name.as_str(), "up"];
                let step = Step::Try(words.map(str::to_owned).to_vec());
                drop(self.perform(&[step]).await);
            }
        }
    }

    async fn bring_up(&self, configured: &mut Configured, physical: InterfaceName) {
        configured.vlan = self.settings.vlan;
        // What an earlier supervisor of this boot left is in the way.
        drop(self.perform(&plan::end(&physical, configured.vlan)).await);
        note(&format!("using {physical}"));
        let done = self.perform(&plan::begin(&physical, &self.settings)).await;
        configured.complaint = done.err();
        configured.physical = Some(physical);
        if self.settings.ipv4 == Ipv4::Dhcp {
            configured.client = self.ask_for_lease(configured);
        }
    }

    fn ask_for_lease(&self, configured: &Configured) -> Option<Kept> {
        let used = configured.used()?;
        let events = self.events.to_string_lossy();
        let client = Client {
            name: "udhcpc",
            program: self.places.tool("udhcpc"),
            words: plan::dhcp_words(&used, &events),
            log: self.log.clone(),
            pid_file: self.places.run("udhcpc.pid"),
        };
        Some(client.keep())
    }

    async fn take_down(&self, configured: &mut Configured) {
        let before = std::mem::take(configured);
        // Ends the DHCP client first, so that it tells nothing any more.
        drop(before.client);
        if let Some(physical) = before.physical {
            drop(self.perform(&plan::end(&physical, before.vlan)).await);
        }
    }

    async fn take_lease(
        &self,
        configured: &mut Configured,
        interface: &InterfaceName,
        lease: Option<Lease>,
    ) {
        if configured.used().as_ref() != Some(interface) || configured.client.is_none() {
            note(&format!("a lease on {interface} comes too late"));
            return;
        }
        let steps = plan::lease(interface, configured.lease.as_ref(), lease.as_ref());
        if !steps.is_empty() {
            match lease.as_ref().and_then(plan::usable) {
                Some(fixed) => note(&format!("{interface} has {} by DHCP", fixed.subnet())),
                None => note(&format!("{interface} has no address by DHCP any more")),
            }
            configured.complaint = self.perform(&steps).await.err();
        }
        configured.lease = lease;
    }

    /// Does one step after the other, all of them; returns what was last complained about.
    async fn perform(&self, steps: &[Step]) -> Result<(), String> {
        let mut complaint = Ok(());
        for step in steps {
            match step {
                Step::Ip(words) => {
                    if let Err(error) = self.ip(words).await {
                        note(&format!("ip {}: {error}", words.join(" ")));
                        complaint = Err(error);
                    }
                }
                Step::Try(words) => drop(self.ip(words).await),
                Step::Write { path, value } => {
                    // Without version 6 in the kernel there is nothing to write to.
                    let path = self.places.path("proc/sys").join(path);
                    drop(fs::write(path, value));
                }
            }
        }
        complaint
    }

    async fn ip(&self, words: &[String]) -> Result<(), String> {
        let output = Command::new(self.places.tool("ip"))
            .args(words)
            .env_clear()
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(TOOL_WITHIN, output).await;
        let output = output.map_err(|_| "no answer".to_owned())?;
        let output = output.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        Err(last.unwrap_or("it failed without a word").trim().to_owned())
    }

    /// Tells whoever watches, and whoever resolves names.
    fn publish(
        &self,
        configured: &Configured,
        interfaces: heapless::Vec<Interface, INTERFACES_MAX>,
    ) {
        let lease = configured.lease.as_ref();
        let used = configured.used();
        let all = interfaces::addresses();
        let own = used
            .as_ref()
            .map(|used| interfaces::of::<8>(&all, used))
            .unwrap_or_default();
        let view = View {
            any: !interfaces.is_empty(),
            physical: configured.physical.as_ref(),
            has_link: configured.had_link,
            reachable: own.iter().any(|address| is_global(*address)),
            complaint: configured.complaint.as_deref(),
        };
        let facts = NetworkFacts {
            gateways: plan::gateways(&self.settings, lease),
            dns: plan::name_servers(&self.settings, lease),
            ntp: plan::time_servers(&self.settings, lease),
            trouble: plan::trouble(&self.settings, view),
            addresses: own,
            interfaces,
            used,
        };
        self.facts.send_if_modified(|before| {
            if *before == facts {
                return false;
            }
            if before.dns != facts.dns
                && let Err(error) = self.write_resolv_conf(&facts)
            {
                note(&format!("names cannot be resolved: {error}"));
            }
            *before = facts;
            true
        });
    }

    /// The image's `/etc/resolv.conf` points there. In a folder of its own, which may be shown to
    /// those who may see nothing else.
    fn write_resolv_conf(&self, facts: &NetworkFacts) -> io::Result<()> {
        let path = self.places.path(NAMES).join("resolv.conf");
        let new = path.with_extension("new");
        fs::write(&new, plan::resolv_conf(&facts.dns))?;
        fs::rename(new, path)
    }
}

/// `IFF_UP` in the flags as sysfs writes them (`0x1003`).
fn is_up(flags: &str) -> bool {
    let digits = flags.trim().trim_start_matches("0x");
    u32::from_str_radix(digits, 16).is_ok_and(|flags| flags & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> (tempfile::TempDir, Places) {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        fs::create_dir(places.state("")).unwrap();
        (folder, places)
    }

    #[test]
    fn settings_are_kept_for_later_starts() {
        let (_folder, places) = machine();
        assert_eq!(settings(&places), Network::default());
        let chosen: Network = serde_json::from_str(
            r#"{"vlan":7,"dns":["192.0.2.53"],"site":"support.example.com",
                "ipv4":{"mode":"static","address":"192.0.2.10/24","gateway":"192.0.2.1"}}"#,
        )
        .unwrap();
        keep(&places, &chosen).unwrap();
        assert_eq!(settings(&places), chosen);
        let text = fs::read_to_string(places.state(FILE)).unwrap();
        assert!(text.starts_with("# Chosen"), "{text}");
        keep(&places, &Network::default()).unwrap();
        assert_eq!(settings(&places), Network::default());
    }

    #[test]
    fn settings_that_are_not_understood_are_put_aside() {
        let (_folder, places) = machine();
        fs::write(places.state(FILE), "vlan = 9999\n").unwrap();
        assert_eq!(settings(&places), Network::default());
        let aside = fs::read_to_string(places.state("network.bad")).unwrap();
        assert_eq!(aside, "vlan = 9999\n");
    }

    #[test]
    fn flags_say_whether_an_interface_is_up() {
        assert!(is_up("0x1003\n"));
        assert!(!is_up("0x1002"));
        assert!(!is_up(""));
    }
}
