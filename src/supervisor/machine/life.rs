//! The main loop: everything that happens to the machine comes here, one thing after the other.
//!
//! It also feeds the watchdogs, so nothing in here may take long; what does runs elsewhere and
//! tells when it is done.

mod proving;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::agent;
use super::clock::{self, Clock, Heard};
use super::facts;
use super::health::{Crashes, Gate, Part, Relapses, Sign};
use super::journal::note;
use super::network::{self, Order, is_global};
use super::places::{self, Places};
use super::power::Power;
use super::probe::Probe;
use super::proof::{self, Proof};
use super::requests::Asked;
use super::reset;
use super::stick::{self, Updates};
use super::support::Support;
use super::time_servers::{TimeServers, write_hardware_clock};
use super::watchdog::Watchdogs;
use super::{SET_UP, hardware, now};
use crate::boot::Slot;
use crate::config::{Config, Paths, Ready};
use crate::control::UpdateClient;
use crate::control::machine::{Facts, Health, Lease, NetworkFacts, Reply, Request, Site, notice};
use crate::domain::limits::{
    FIRST_ADDRESS_WITHIN, LOGS_LOOKED_AT_EVERY, MACHINE_TICK, PROBE_EVERY, STICK_INSTALL_WITHIN,
    STICK_LIST_WITHIN, SUPPORT_BUNDLE_WITHIN, UPDATE_SILENCE_MAX,
};
use crate::domain::network::{InterfaceName, Network};
use crate::domain::{Moment, Secret};
use crate::esp::{self, Access};
use crate::supervisor::StopAsked;
use crate::supervisor::keep::Event;
use crate::supervisor::log;
use crate::supervisor::settings;
use crate::supervisor::state::Mode;

/// Programs without which there are no pages.
const PAGES: [&str; 2] = ["relay", "web"];
/// Programs without which a version could never be replaced.
const AGENT: [&str; 3] = [agent::WRITER, agent::VERIFIER, agent::FETCHER];

/// How the loop ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Somebody who looks after the rest told us to stop.
    Stopped,
    /// The machine restarts or switches off.
    Power(Power),
    /// It forgets everything now, and restarts.
    Wipe,
}

/// What happens away from the loop.
#[derive(Debug)]
pub(super) enum Elsewhere {
    /// Whether a page was served.
    Probed(bool),
    /// Something that a version on trial has to show was looked at.
    Looked {
        /// What.
        part: Part,
        /// What was wrong with it, if something was.
        shown: Result<(), String>,
    },
    /// What time servers say, if they do.
    Time(Option<i64>),
    /// Somebody pressed the machine's button.
    Button,
}

/// Where things that happen come from.
pub(super) struct Inlets {
    pub(super) stop_asked: StopAsked,
    pub(super) told: mpsc::Receiver<Event>,
    pub(super) asked: mpsc::Receiver<Asked>,
    pub(super) network: watch::Receiver<NetworkFacts>,
    pub(super) elsewhere: mpsc::Receiver<Elsewhere>,
}

/// What can be moved from here.
pub(super) struct Levers {
    pub(super) network: mpsc::Sender<Order>,
    /// True once the programs may start.
    pub(super) go: watch::Sender<bool>,
    /// True once the relay has served: the store is there.
    pub(super) relay_up: watch::Sender<bool>,
    /// True once pages were served: the rest may start.
    pub(super) pages_up: watch::Sender<bool>,
    /// Changes when the programs have to begin anew.
    pub(super) again: watch::Sender<u32>,
    pub(super) elsewhere: mpsc::Sender<Elsewhere>,
}

/// Everything that is known and done.
pub(super) struct Life<'a> {
    pub(super) places: &'a Places,
    pub(super) paths: &'a Paths,
    pub(super) config: Config,
    pub(super) settings: Network,
    pub(super) facts: Facts,
    pub(super) watchdogs: Watchdogs,
    pub(super) clock: Clock,
    /// None in the recovery system.
    pub(super) relapses: Option<Relapses>,
    pub(super) probe: Probe,
    pub(super) time_servers: TimeServers,
    pub(super) proof: Proof,
    pub(super) levers: Levers,
    pub(super) began: Moment,
    pub(super) rest: Rest,
}

/// What is not there at the start.
pub(super) struct Rest {
    gate: Gate,
    crashes: Crashes,
    serving: BTreeSet<&'static str>,
    site: Option<Site>,
    published: Option<Facts>,
    probed: Option<Moment>,
    /// The last page that was asked for came.
    served: bool,
    looked_at_logs: Option<Moment>,
    sticks: stick::Turn,
    end: Option<End>,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            gate: Gate::Shut,
            crashes: Crashes::default(),
            serving: BTreeSet::new(),
            site: None,
            published: None,
            probed: None,
            served: false,
            looked_at_logs: None,
            sticks: stick::Turn::default(),
            end: None,
        }
    }
}

impl Life<'_> {
    /// Runs until there is a reason to end.
    pub(super) async fn run(&mut self, inlets: &mut Inlets) -> End {
        let mut tick = tokio::time::interval(MACHINE_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = inlets.stop_asked.wait() => return End::Stopped,
                Some(event) = inlets.told.recv() => self.hear(event),
                Some(asked) = inlets.asked.recv() => self.answer(asked),
                Ok(()) = inlets.network.changed() => {
                    self.facts.network = inlets.network.borrow_and_update().clone();
                }
                Some(happened) = inlets.elsewhere.recv() => match happened {
                    Elsewhere::Probed(served) => self.probed(served),
                    Elsewhere::Looked { part, shown } => self.looked(part, shown),
                    Elsewhere::Time(offset) => self.hear_time(offset),
                    Elsewhere::Button => {
                        note("the power button was pressed");
                        self.rest.end = Some(End::Power(Power::Off));
                    }
                },
                _ = tick.tick() => self.tick(),
            }
            self.call_the_site();
            self.ask_for_time();
            self.publish();
            if let Some(end) = self.rest.end.take() {
                if end == End::Power(Power::Restart) && self.rest.gate == Gate::Passed {
                    proof::remember_network(self.places, &self.facts.network);
                }
                return end;
            }
        }
    }

    /// Once a second.
    fn tick(&mut self) {
        self.watchdogs.feed();
        let at = now().moment;
        let due =
            |last: Option<Moment>, every: Duration| last.is_none_or(|last| at.since(last) >= every);
        if self.is_serving() && self.rest.gate != Gate::Passed && due(self.rest.probed, PROBE_EVERY)
        {
            self.rest.probed = Some(at);
            self.probe.ask(
                self.rest.site.as_ref(),
                self.facts.rescue.is_some(),
                &self.levers.elsewhere,
            );
            self.look_at_proof();
        }
        if self.rest.gate != Gate::Passed
            && !matches!(self.facts.health, Health::Failing { .. })
            && at.since(self.began) >= self.gate() + self.within()
        {
            self.out_of_time();
        }
        if due(self.rest.looked_at_logs, LOGS_LOOKED_AT_EVERY) {
            self.rest.looked_at_logs = Some(at);
            self.facts.storage = facts::storage(self.places);
            self.facts.hardware.memory_used_mib = hardware::memory_used_mib(self.places);
            let folder = self.paths.logs();
            tokio::task::spawn_blocking(move || {
                if let Err(error) = log::cap(&folder) {
                    note(&format!("cannot cap the logs: {error}"));
                }
            });
        }
    }

    fn is_serving(&self) -> bool {
        PAGES.iter().all(|name| self.rest.serving.contains(name))
    }

    fn is_whole(&self) -> bool {
        let has_agent = AGENT.iter().all(|name| self.rest.serving.contains(name));
        self.is_serving() && has_agent
    }

    // ---- programs ----

    fn hear(&mut self, event: Event) {
        match event {
            Event::Ended { name, how, wait } => {
                let wait = wait.as_secs_f32();
                note(&format!(
                    "{name} ended ({how}), starting it again in {wait} s"
                ));
                self.crashed(name, &how);
            }
            Event::NotStarted { error, wait } => {
                let wait = wait.as_secs_f32();
                note(&format!("{error}; trying again in {wait} s"));
                self.crashed(error.name(), &error.to_string());
            }
            Event::Started { name, ready } => {
                note(&format!("{name} serves"));
                self.rest.serving.insert(name);
                // Only the relay's line has facts.
                if ready.certificate.is_some() {
                    self.rest.site = Some(self.site(&ready));
                    self.remember_set_up(&ready);
                    self.levers.relay_up.send_replace(true);
                }
                if self.is_serving() {
                    self.levers.pages_up.send_replace(true);
                    if self.facts.health == Health::Starting {
                        self.facts.health = Health::Serving;
                    }
                }
            }
        }
    }

    /// From now on an empty data partition is a loss.
    fn remember_set_up(&self, ready: &Ready) {
        let mark = self.places.state(SET_UP);
        if ready.setup.is_some() || self.facts.rescue.is_some() || mark.exists() {
            return;
        }
        if let Err(error) = places::replace(&mark, "") {
            note(&format!("{}: {error}", mark.display()));
        }
    }

    fn site(&self, ready: &Ready) -> Site {
        let url = self.config.url();
        // Nobody sets up an appliance that forgets it at the next start.
        let setup = ready.setup.as_ref().filter(|_| self.facts.rescue.is_none());
        let link = setup.map(|token| format!("{url}/login/setup?token={}", token.reveal()));
        Site {
            url: format!("{url}/"),
            certificate: ready.certificate,
            setup_url: link.map(Secret::new),
        }
    }

    fn crashed(&mut self, name: &'static str, how: &str) {
        let at = now().moment;
        self.rest.serving.remove(name);
        self.see(Sign::Crashed);
        // Sessions go on without the update agent.
        if self.rest.crashes.add(name, at) && !AGENT.contains(&name) {
            let why = notice(&format!("{name} keeps failing ({how})"));
            self.give_up(why);
        }
    }

    // ---- network and time ----

    /// Keeps the site's name what it should be, and lets the programs start once it is known.
    fn call_the_site(&mut self) {
        let has_gone = *self.levers.go.borrow();
        let waited = now().moment.since(self.began) >= FIRST_ADDRESS_WITHIN;
        let addresses = &self.facts.network.addresses;
        let name = site_name(&self.settings, addresses, has_gone || waited);
        let is_known = name.is_some() || self.config.site != Config::default().site;
        if let Some(name) = name.filter(|name| *name != self.config.site) {
            note(&format!("the site is called {name}"));
            self.config.site = name;
            if let Err(error) = settings::write(self.paths, &self.config, Mode::Root) {
                note(&error.to_string());
            }
            if has_gone {
                self.begin_anew();
            }
        }
        if !has_gone && (is_known || waited) {
            self.levers.go.send_replace(true);
        }
    }

    /// The programs read their settings only at their start.
    fn begin_anew(&mut self) {
        self.rest.serving.retain(|name| AGENT.contains(name));
        self.see(Sign::Silent);
        self.levers
            .again
            .send_modify(|times| *times = times.wrapping_add(1));
    }

    fn ask_for_time(&mut self) {
        let facts = &self.facts.network;
        if facts.addresses.iter().any(|address| is_global(*address)) {
            let (since, at) = (self.clock.since(), now().moment);
            let elsewhere = &self.levers.elsewhere;
            self.time_servers.ask(&facts.ntp, since, at, elsewhere);
        }
    }

    fn hear_time(&mut self, offset: Option<i64>) {
        let now = now();
        let heard = offset.map(|offset| self.clock.hear(offset, now));
        let was_of_use = matches!(heard, Some(Heard::Agreed { .. }));
        self.time_servers.answered(was_of_use, now.moment);
        match heard {
            None => return,
            Some(Heard::Absurd) => note("time servers say a time before this version was built"),
            Some(Heard::Agreed { set_by, keep }) => {
                if let Some(millis) = set_by {
                    note(&format!("the clock was off by {millis} ms"));
                    if let Err(error) = clock::set_by(millis) {
                        note(&format!("the clock cannot be set: {error}"));
                    }
                }
                if let Some(Err(error)) = keep.map(|keep| clock::keep(self.places, keep)) {
                    note(&format!("the time is not kept: {error}"));
                }
                if set_by.is_some() || keep.is_some() {
                    write_hardware_clock(self.places);
                }
            }
        }
        self.facts.clock = self.clock.facts();
    }

    fn hear_lease(&self, interface: InterfaceName, lease: Option<Lease>) {
        let order = Order::Lease { interface, lease };
        self.order_network(order);
    }

    fn order_network(&self, order: Order) {
        if let Err(error) = self.levers.network.try_send(order) {
            // It has room for more than anybody asks for in the time it takes.
            note(&format!("the network takes no orders: {error}"));
        }
    }

    /// What lies on the boot partition now.
    fn look_at_slots(&mut self) -> Reply {
        let looked = self
            .places
            .esp()
            .mounted(Access::Read, |folder| Ok(esp::slots(folder)));
        match looked {
            Ok(slots) => {
                self.facts.boot.slots = slots;
                Reply::Done
            }
            Err(error) => Reply::Refused {
                why: notice(&error.to_string()),
            },
        }
    }

    // ---- questions ----

    fn answer(&mut self, Asked { request, answer }: Asked) {
        let reply = match request {
            Request::Facts => {
                let mut facts = Box::new(self.facts.clone());
                facts.hardware.memory_used_mib = hardware::memory_used_mib(self.places);
                let site = self.rest.site.clone();
                Reply::Facts { facts, site }
            }
            Request::Network => Reply::Network {
                settings: Box::new(self.settings.clone()),
            },
            Request::SetNetwork { settings } => self.set_network(settings),
            Request::PreviousVersion => self.previous_version(),
            Request::ListSupportBundle => return self.bundle(answer, Support::list_reply),
            Request::WriteSupportBundle => return self.bundle(answer, Support::write_reply),
            Request::ListSticks => {
                let updates = self.updates();
                let list = move || updates.list_reply();
                return self.rest.sticks.take(answer, STICK_LIST_WITHIN, list);
            }
            Request::InstallFromStick { file, accept } => {
                let updates = self.updates();
                let install = move || updates.install_reply(&file, accept);
                // Reading has its limit; what was read is still compared and marked.
                let within = STICK_INSTALL_WITHIN + UPDATE_SILENCE_MAX;
                return self.rest.sticks.take(answer, within, install);
            }
            Request::LookAtSlots => self.look_at_slots(),
            Request::FactoryReset => self.factory_reset(),
            Request::Reboot => self.end(End::Power(Power::Restart)),
            Request::PowerOff => self.end(End::Power(Power::Off)),
            Request::Lease { interface, lease } => {
                self.hear_lease(interface, lease);
                Reply::Done
            }
        };
        // Whoever asked may have gone.
        drop(answer.send(reply));
    }

    fn end(&mut self, end: End) -> Reply {
        note(&format!("asked for an end: {end:?}"));
        self.rest.end = Some(end);
        Reply::Done
    }

    fn set_network(&mut self, settings: Network) -> Reply {
        if let Err(error) = network::keep(self.places, &settings) {
            return refused(&format!("the settings cannot be kept: {error}"));
        }
        note("new network settings");
        self.settings = settings.clone();
        self.order_network(Order::Settings(Box::new(settings)));
        Reply::Done
    }

    fn previous_version(&mut self) -> Reply {
        let Slot::System(running) = self.facts.boot.slot else {
            return refused(
                "this is the recovery system, which ran no version before. Restart to try the \
                 installed versions",
            );
        };
        let told = self
            .places
            .esp()
            .mounted(Access::Write, |folder| esp::prefer_other(folder, running));
        match told {
            Ok(()) => self.end(End::Power(Power::Restart)),
            Err(error) => refused(&error.to_string()),
        }
    }

    fn factory_reset(&mut self) -> Reply {
        if self.places.run("state-unreadable").exists() {
            // No order would last until the next start.
            return self.end(End::Wipe);
        }
        match reset::order(self.places) {
            Ok(()) => self.end(End::Power(Power::Restart)),
            Err(error) => refused(&format!("it cannot be ordered: {error}")),
        }
    }

    fn bundle(&self, answer: oneshot::Sender<Reply>, work: fn(&Support) -> Reply) {
        let support = Support {
            places: self.places.clone(),
            paths: self.paths.clone(),
            facts: self.facts.clone(),
            now: now().stamp,
        };
        let write = move || work(&support);
        self.rest.sticks.take(answer, SUPPORT_BUNDLE_WITHIN, write);
    }

    fn updates(&self) -> Updates {
        Updates {
            places: self.places.clone(),
            booted: self.facts.boot.disk.clone(),
            agent: UpdateClient::new(&self.paths.update_socket()),
        }
    }

    /// Writes down what has changed, for pages.
    pub(super) fn publish(&mut self) {
        if self.rest.published.as_ref() == Some(&self.facts) {
            return;
        }
        match facts::publish(self.paths, &self.facts) {
            Ok(()) => self.rest.published = Some(self.facts.clone()),
            Err(error) => note(&format!("pages know nothing new: {error}")),
        }
    }
}

fn refused(why: &str) -> Reply {
    Reply::Refused { why: notice(why) }
}

/// What people type: the chosen name, or an address that works from elsewhere. One of version 6
/// only counts if there was `time` to get the other.
fn site_name(settings: &Network, addresses: &[IpAddr], time: bool) -> Option<String> {
    if let Some(chosen) = &settings.site {
        return Some(chosen.to_string());
    }
    let first = addresses.iter().find(|address| is_global(**address))?;
    (first.is_ipv4() || time).then(|| first.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_is_called_as_chosen_or_by_its_address() {
        let addresses: Vec<IpAddr> = ["2001:db8::1", "fe80::1"]
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        let automatic = Network::default();
        assert_eq!(site_name(&automatic, &addresses, false), None);
        assert_eq!(
            site_name(&automatic, &addresses, true).unwrap(),
            "2001:db8::1"
        );
        let v4 = ["192.0.2.7".parse().unwrap()];
        assert_eq!(site_name(&automatic, &v4, false).unwrap(), "192.0.2.7");
        let local = ["169.254.7.7".parse().unwrap()];
        assert_eq!(site_name(&automatic, &local, true), None);
        let chosen = Network {
            site: Some("support.example.com".parse().unwrap()),
            ..Network::default()
        };
        assert_eq!(
            site_name(&chosen, &v4, false).unwrap(),
            "support.example.com"
        );
    }
}
