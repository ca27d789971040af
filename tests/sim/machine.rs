//! A Jump Client as far as its connection goes: a device key, a deployment's token, and patience.

use std::time::Duration;

use jumpgate::domain::limits::{REDIAL_AFTER, REDIAL_AFTER_MAX, STATISTICS_EVERY};
use jumpgate::domain::text::label;
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::turned::JumpClientTurned;
use jumpgate::domain::{JumpClientId, Moment, PeerAddress, Token};
use jumpgate::link::connection::{Assembler, decode};
use jumpgate::link::frame::split_frame;
use jumpgate::link::message::{FromJumpClient, Hello, HelloTag, Purpose, Statistics, ToJumpClient};
use jumpgate::link::{Connection, Incoming, VERSION};
use jumpgate::relay::hub::PeerId;

use crate::random::Random;

/// See the head of this file.
pub struct Machine {
    pub device: Fingerprint,
    deployment: Token,
    pub address: PeerAddress,
    pub peer: Option<PeerId>,
    pub redial_at: Moment,
    /// Let in by this connection.
    pub is_in: bool,
    /// Not to be let in: its deployment was used up, or never was.
    pub is_refused: bool,
    id: Option<JumpClientId>,
    statistics_at: Moment,
    link: Connection,
    assembler: Assembler,
}

impl Machine {
    pub fn new(number: u8, deployment: Token, address: PeerAddress, now: Moment) -> Self {
        Self {
            device: Fingerprint([number; 32]),
            deployment,
            address,
            peer: None,
            redial_at: now,
            is_in: false,
            is_refused: false,
            id: None,
            statistics_at: now,
            link: Connection::new(now),
            assembler: Assembler::default(),
        }
    }

    pub fn link_up(&mut self, peer: PeerId, now: Moment) {
        self.peer = Some(peer);
        self.link = Connection::new(now);
        self.assembler = Assembler::default();
        self.link.say(&Hello {
            tag: HelloTag::Hello,
            versions: (VERSION, VERSION),
            program: label("simulation"),
            purpose: Purpose::JumpClient {
                deployment: Some(self.deployment.clone()),
                computer: label("machine"),
                platform: label("Linux"),
            },
        });
    }

    pub fn link_down(&mut self, random: &mut Random, now: Moment) {
        self.peer = None;
        self.is_in = false;
        // What it was told counts.
        if self.redial_at <= now {
            let most = usize::try_from(REDIAL_AFTER_MAX.as_millis()).unwrap();
            let more = Duration::from_millis(random.below(most) as u64);
            self.redial_at = now + REDIAL_AFTER + more;
        }
    }

    /// False if the relay has been silent for too long.
    pub fn tick(&mut self, now: Moment) -> bool {
        if self.peer.is_none() {
            return true;
        }
        if self.is_in && now >= self.statistics_at {
            self.statistics_at = now + STATISTICS_EVERY;
            self.link
                .say(&FromJumpClient::Statistics(Statistics::default()));
        }
        self.link.tick(now).is_ok()
    }

    pub fn take_output(&mut self) -> Vec<u8> {
        self.link.take_output()
    }

    /// Returns whether it goes.
    pub fn received(&mut self, bytes: &[u8], now: Moment) -> bool {
        let mut assembler = std::mem::take(&mut self.assembler);
        let input = assembler.join(bytes).into_owned();
        let mut rest = &input[..];
        let mut goes = false;
        while let Some((frame, taken)) = split_frame(rest).unwrap() {
            rest = &rest[taken..];
            if let Incoming::Message(json) = self.link.accept(frame, now).unwrap() {
                let message = decode(json).unwrap();
                goes |= self.hears(&message, now);
            }
        }
        assembler.keep(rest);
        self.assembler = assembler;
        goes
    }

    fn hears(&mut self, message: &ToJumpClient, now: Moment) -> bool {
        match *message {
            ToJumpClient::Welcome(_) | ToJumpClient::Restart { .. } => return false,
            ToJumpClient::JumpClient { client, .. } => {
                let before = self.id.replace(client);
                assert!(
                    before.is_none_or(|id| id == client),
                    "it is another one now: {client}"
                );
                self.is_in = true;
                return false;
            }
            ToJumpClient::Turned { reason } => match reason {
                JumpClientTurned::ComeBack { millis } => {
                    self.redial_at = now + Duration::from_millis(millis.into());
                }
                JumpClientTurned::Limit { .. } => self.redial_at = now + REDIAL_AFTER_MAX,
                reason => {
                    assert_eq!(reason, JumpClientTurned::Device);
                    assert!(self.id.is_none(), "it was let in before");
                    self.is_refused = true;
                }
            },
            ToJumpClient::Replaced => {}
        }
        true
    }
}
