//! Everything one turn of the hub brings about, and what waits for the record.

use std::collections::{BTreeSet, VecDeque};

use serde::Serialize;

use super::event::{Effect, PeerId, Record};
use crate::domain::SessionId;
use crate::link::connection::encode;

/// Collects a turn's effects. Records of one turn form one batch, hence one transaction.
#[derive(Debug, Default)]
pub struct Out {
    effects: Vec<Effect>,
    batch: Vec<Record>,
    /// Number of the last batch handed out.
    issued: u64,
    /// Number of the last batch on record.
    recorded: u64,
    /// Effects that wait for a batch, in order.
    waiting: VecDeque<(u64, Effect)>,
    /// Sessions whose logs are full.
    full: BTreeSet<SessionId>,
}

impl Out {
    /// Puts `record` into this turn's batch and returns the batch's number.
    pub fn record(&mut self, record: Record) -> u64 {
        self.batch.push(record);
        self.issued + 1
    }

    /// This session has said as much as it may: it has to end.
    pub fn log_is_full(&mut self, session: SessionId) {
        self.full.insert(session);
    }

    /// A session that has to end because its log is full, each once.
    pub fn take_full(&mut self) -> Option<SessionId> {
        self.full.pop_first()
    }

    /// Does this at once.
    pub fn now(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Does this once batch `number` is on record, after everything that waits already.
    pub fn after(&mut self, number: u64, effect: Effect) {
        if self.is_recorded(number) && self.waiting.is_empty() {
            self.effects.push(effect);
            return;
        }
        let number = self
            .waiting
            .back()
            .map_or(number, |(last, _)| number.max(*last));
        self.waiting.push_back((number, effect));
    }

    /// Says something at once.
    pub fn say(&mut self, peer: PeerId, message: &impl Serialize) {
        self.now(Effect::Say {
            peer,
            json: encode(message),
        });
    }

    /// Number of the batch that has everything decided so far; it is on record if nothing waits.
    pub fn issued_so_far(&self) -> u64 {
        self.issued + u64::from(!self.batch.is_empty())
    }

    /// Says something once batch `number` is on record.
    pub fn say_after(&mut self, number: u64, peer: PeerId, message: &impl Serialize) {
        let json = encode(message);
        self.after(number, Effect::Say { peer, json });
    }

    /// Whether batch `number` is on record.
    pub fn is_recorded(&self, number: u64) -> bool {
        number <= self.recorded
    }

    /// The recorder got so far.
    pub fn recorded(&mut self, through: u64) {
        self.recorded = self.recorded.max(through);
        while let Some((number, _)) = self.waiting.front()
            && *number <= self.recorded
        {
            let (_, effect) = self.waiting.pop_front().expect("front was there");
            self.effects.push(effect);
        }
    }

    /// Ends the turn: its batch, if any, then its effects.
    pub fn take(&mut self) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.effects);
        if !self.batch.is_empty() {
            self.issued += 1;
            let records = std::mem::take(&mut self.batch);
            effects.insert(
                0,
                Effect::Record {
                    number: self.issued,
                    records,
                },
            );
        }
        effects
    }
}
