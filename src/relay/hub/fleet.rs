//! Jump Clients: which machines are known, which are connected, and who may come in next.
//!
//! A machine is known by its device key, which its connection has proved. A new one brings the token
//! of a deployment, which counts how many it lets in.

use std::collections::HashMap;

use super::admission::{Admission, Newcomer, Queue};
use super::arrive::welcome;
use super::event::{Door, Effect, JumpClientRecord, PeerId, Record};
use super::peers::Who;
use super::{Hub, Turn};
use crate::domain::limits::{DEPLOYMENTS_MAX, JUMP_CLIENTS_MAX, STATISTICS_EVERY};
use crate::domain::text::label;
use crate::domain::token::Fingerprint;
use crate::domain::turned::JumpClientTurned;
use crate::domain::{AdmissionRate, JumpClientId, Label, Moment, Now, Stamp, Token};
use crate::link::VERSION;
use crate::link::message::{FromJumpClient, ToJumpClient};

/// What the store remembers of Jump Clients, and what the model allows.
#[derive(Clone, Debug, Default)]
pub struct FleetMemory {
    /// Jump Clients connected at once (JC-02).
    pub active_max: u32,
    /// How many are let in each second.
    pub rate: AdmissionRate,
    /// Each with its device key.
    pub clients: Vec<(Fingerprint, JumpClientId)>,
    /// Those that can still be used.
    pub deployments: Vec<Deployment>,
}

/// What lets new machines in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Of its token.
    pub token: Fingerprint,
    /// Machines that it may still let in.
    pub left: u32,
    /// Up to and including then.
    pub expires: Stamp,
}

/// The hub's part of it.
#[derive(Debug, Default)]
pub struct Fleet {
    active_max: u32,
    active: u32,
    clients: HashMap<Fingerprint, Client>,
    deployments: HashMap<Fingerprint, Deployment>,
    admission: Admission,
    /// Messages with statistics since the start.
    statistics: u64,
}

#[derive(Debug)]
struct Client {
    id: JumpClientId,
    peer: Option<PeerId>,
}

/// Who a device key is.
#[derive(Clone, Copy)]
enum Found {
    Known(JumpClientId),
    /// Let in by the deployment with this token.
    New(Fingerprint),
}

/// What the status page shows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetFigures {
    /// Connected.
    pub active: u32,
    /// In the store, connected or not.
    pub known: usize,
    /// A second's.
    pub rate: AdmissionRate,
    /// Those who were told when to come.
    pub queue: Queue,
    /// Messages with statistics since the start.
    pub statistics: u64,
}

impl Fleet {
    pub(super) fn restore(memory: FleetMemory) -> Self {
        let client = |(key, id)| (key, Client { id, peer: None });
        let deployment = |one: Deployment| (one.token, one);
        Self {
            active_max: memory.active_max,
            clients: memory.clients.into_iter().map(client).collect(),
            deployments: memory.deployments.into_iter().map(deployment).collect(),
            admission: Admission::new(memory.rate),
            ..Self::default()
        }
    }

    pub(super) fn set_rate(&mut self, rate: AdmissionRate) {
        self.admission.set_rate(rate);
    }

    /// Whether it was added.
    pub(super) fn add_deployment(&mut self, deployment: Deployment, now: Now) -> bool {
        self.forget_deployments(now);
        let fits = self.deployments.len() < DEPLOYMENTS_MAX;
        if fits {
            self.deployments.insert(deployment.token, deployment);
        }
        fits
    }

    pub(super) fn time_passed(&mut self, now: Now) {
        self.admission.time_passed(now.moment);
    }

    pub(super) fn figures(&self, now: Moment) -> FleetFigures {
        FleetFigures {
            active: self.active,
            known: self.clients.len(),
            rate: self.admission.rate(),
            queue: self.admission.queue(now),
            statistics: self.statistics,
        }
    }

    /// Everybody who is connected.
    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.clients.values().filter_map(|client| client.peer)
    }

    fn forget_deployments(&mut self, now: Now) {
        self.deployments
            .retain(|_, one| one.left > 0 && one.expires >= now.stamp);
    }

    /// Which Jump Client this is, or the deployment that makes it a new one.
    fn find(
        &self,
        device: &Fingerprint,
        deployment: Option<&Token>,
        now: Now,
    ) -> Result<Found, JumpClientTurned> {
        if let Some(client) = self.clients.get(device) {
            return Ok(Found::Known(client.id));
        }
        let token = deployment.ok_or(JumpClientTurned::Device)?.fingerprint();
        let counts = |one: &&Deployment| one.left > 0 && one.expires >= now.stamp;
        let found = self.deployments.get(&token).filter(counts);
        found.ok_or(JumpClientTurned::Device)?;
        if self.clients.len() >= JUMP_CLIENTS_MAX {
            return Err(JumpClientTurned::Full);
        }
        Ok(Found::New(token))
    }

    /// Whether there is room, and if so whether it is this one's turn. A machine that is connected
    /// still, as it seems, takes its own place.
    fn admit(
        &mut self,
        device: Fingerprint,
        found: Found,
        now: Now,
    ) -> Result<(), JumpClientTurned> {
        let here = self
            .clients
            .get(&device)
            .is_some_and(|one| one.peer.is_some());
        if self.active >= self.active_max && !here {
            let limit = self.active_max;
            return Err(JumpClientTurned::Limit { limit });
        }
        let newcomer = match found {
            Found::Known(_) => None,
            Found::New(deployment) => Some(Newcomer {
                deployment,
                left: self.deployments.get(&deployment).map_or(0, |one| one.left),
            }),
        };
        let asked = self.admission.ask(device, newcomer, now.moment);
        asked.map_err(|wait| {
            let millis = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
            JumpClientTurned::ComeBack { millis }
        })
    }
}

/// What a machine says of itself, coming in.
pub(super) struct Machine<'a> {
    pub deployment: Option<&'a Token>,
    pub computer: &'a Label,
    pub platform: &'a Label,
}

impl Hub {
    /// A machine says hello.
    pub(super) fn jump_client_hello(
        &mut self,
        peer: PeerId,
        door: Door,
        (lowest, highest): (u16, u16),
        machine: &Machine<'_>,
        turn: &mut Turn<'_>,
    ) {
        let arrived = if !(lowest..=highest).contains(&VERSION) {
            let versions = (VERSION, VERSION);
            Err(JumpClientTurned::Version { versions })
        } else if let Door::Device(device) = door {
            self.jump_client_arrived(peer, device, machine, turn)
        } else {
            Err(JumpClientTurned::Device)
        };
        if let Err(reason) = arrived {
            self.out.say(peer, &ToJumpClient::Turned { reason });
            self.out.now(Effect::HangUp { peer });
        }
    }

    fn jump_client_arrived(
        &mut self,
        peer: PeerId,
        device: Fingerprint,
        machine: &Machine<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<(), JumpClientTurned> {
        let now = turn.now;
        let found = self.fleet.find(&device, machine.deployment, now)?;
        self.fleet.admit(device, found, now)?;
        let client = match found {
            Found::Known(client) => client,
            Found::New(token) => {
                let record = JumpClientRecord {
                    client: JumpClientId::from_random(turn.bytes()),
                    device,
                    computer: label(machine.computer),
                    platform: label(machine.platform),
                    enrolled: now.stamp,
                };
                self.enrol(record, token)
            }
        };
        // One that is new is let in when it is on record.
        let recorded = self.out.issued_so_far();
        let known = self.fleet.clients.get_mut(&device).expect("just looked up");
        if let Some(old) = known.peer.replace(peer) {
            // The old connection may look alive for minutes.
            self.peers.remove(old);
            self.out.say(old, &ToJumpClient::Replaced);
            self.out.now(Effect::HangUp { peer: old });
        } else {
            self.fleet.active += 1;
        }
        self.peers.insert(peer, Who::JumpClient(device));
        let here = ToJumpClient::JumpClient {
            client,
            statistics_seconds: u32::try_from(STATISTICS_EVERY.as_secs()).unwrap_or(u32::MAX),
        };
        for message in [ToJumpClient::Welcome(welcome(now)), here] {
            self.out.say_after(recorded, peer, &message);
        }
        Ok(())
    }

    /// One whose connection goes on from the relay before this one. It waits for no turn: it has
    /// been here all the time.
    pub(super) fn inherited(&mut self, peer: PeerId, device: Fingerprint) {
        let client = self.fleet.clients.get_mut(&device);
        // Who has come back meanwhile has given the old connection up.
        let absent = client.filter(|client| client.peer.is_none());
        match absent {
            Some(client) if self.fleet.active < self.fleet.active_max => {
                client.peer = Some(peer);
                self.fleet.active += 1;
                self.peers.insert(peer, Who::JumpClient(device));
            }
            _ => self.out.now(Effect::HangUp { peer }),
        }
    }

    /// Jump Clients that are here, each with its device key.
    pub fn machines(&self) -> HashMap<PeerId, Fingerprint> {
        let clients = self.fleet.clients.iter();
        let here = clients.filter_map(|(device, client)| Some((client.peer?, *device)));
        here.collect()
    }

    fn enrol(&mut self, record: JumpClientRecord, token: Fingerprint) -> JumpClientId {
        let id = record.client;
        let client = Client { id, peer: None };
        self.fleet.clients.insert(record.device, client);
        if let Some(deployment) = self.fleet.deployments.get_mut(&token) {
            deployment.left -= 1;
        }
        self.out.record(Record::Enrolled {
            client: Box::new(record),
            deployment: token,
        });
        id
    }

    pub(super) fn from_jump_client(&mut self, message: &FromJumpClient) {
        match message {
            FromJumpClient::Statistics(_) => self.fleet.statistics += 1,
        }
    }

    pub(super) fn jump_client_left(&mut self, device: &Fingerprint, peer: PeerId) {
        if let Some(client) = self.fleet.clients.get_mut(device)
            && client.peer == Some(peer)
        {
            client.peer = None;
            self.fleet.active -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
