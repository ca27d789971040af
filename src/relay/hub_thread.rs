//! Runs the hub: gathers events, hands effects to the threads that do them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam::channel::{Receiver, Sender, select};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::clock::Clock;
use super::hub::event::{Answer, Order};
use super::hub::{Effect, Event, Hub, PeerId, Turn};
use super::recorder::{Acknowledged, Work};
use super::shard::{Mail, ShardHandle};
use super::transcripts;
use crate::domain::Moment;
use crate::domain::limits::HUB_TICK;
use crate::domain::token::Fingerprint;

/// Events taken in one turn of the loop: their records share a batch.
const EVENTS_PER_TURN_MAX: usize = 256;

/// Everything the hub's thread talks to.
pub struct HubThread {
    /// From shards, control and transcripts.
    pub events: Receiver<Event>,
    /// Rung by the recorder.
    pub bell: Receiver<()>,
    /// How far the recorder got.
    pub acknowledged: Acknowledged,
    /// By index.
    pub shards: Vec<ShardHandle>,
    /// For records.
    pub recorder: Sender<Work>,
    /// For transcripts' beginnings and ends.
    pub transcripts: tokio::sync::mpsc::Sender<transcripts::Mail>,
    /// Who waits for an answer.
    pub answers: Answers,
    /// Rung to stop.
    pub stop: Receiver<()>,
    /// Read once per event.
    pub clock: Clock,
}

/// Fills `buffer` from the system's random source.
///
/// # Panics
///
/// If the kernel has no randomness to give: nothing we make would be safe then.
pub fn random(buffer: &mut [u8]) {
    SystemRandom::new()
        .fill(buffer)
        .expect("the kernel gives random bytes");
}

impl HubThread {
    /// Runs until stopped. Returns the Jump Clients that were here.
    pub fn run(self, mut hub: Hub) -> HashMap<PeerId, Fingerprint> {
        let mut ticked = Moment::default();
        loop {
            select! {
                recv(self.stop) -> _ => break,
                recv(self.bell) -> _ => {}
                recv(self.events) -> event => match event {
                    Ok(event) => self.handle(&mut hub, event),
                    Err(_) => break,
                },
                default(HUB_TICK) => {}
            }
            for event in self.events.try_iter().take(EVENTS_PER_TURN_MAX - 1) {
                self.handle(&mut hub, event);
            }
            let through = self.acknowledged.through.load(Ordering::Acquire);
            self.handle(&mut hub, Event::Recorded { through });
            let moment = self.clock.moment();
            if moment.since(ticked) >= HUB_TICK {
                ticked = moment;
                self.handle(&mut hub, Event::TimePassed);
            }
            self.carry_out(hub.take_effects());
        }
        // Shards have stopped and said where everybody stood.
        for event in self.events.try_iter() {
            self.handle(&mut hub, event);
        }
        hub.suspend();
        self.carry_out(hub.take_effects());
        hub.machines()
    }

    fn handle(&self, hub: &mut Hub, event: Event) {
        hub.handle(
            event,
            &mut Turn {
                now: self.clock.now(),
                random: &mut random,
            },
        );
    }

    /// Hands effects on. May wait for a full queue: shards and recorder always empty theirs,
    /// whatever the hub does.
    ///
    /// Peers come first: what must not be shown before it is on record, the hub does not hand out
    /// before, and writing to the store would only compete with showing the rest.
    fn carry_out(&self, effects: Vec<Effect>) {
        let mut touched = vec![false; self.shards.len()];
        let mut to_keep = Vec::new();
        for effect in effects {
            match effect {
                Effect::Record { number, records } => {
                    to_keep.push(Keep::Record(Work::Batch { number, records }));
                }
                Effect::Transcript(order) => {
                    to_keep.push(Keep::Transcript(transcripts::Mail::Order(order)));
                }
                Effect::Answer { id, answer } => self.answers.give(id, answer),
                Effect::Admit { peer, .. }
                | Effect::Move { peer, .. }
                | Effect::Say { peer, .. }
                | Effect::OpenChannel { peer, .. }
                | Effect::CloseChannel { peer, .. }
                | Effect::HangUp { peer } => {
                    let index = usize::from(peer.shard);
                    // A shard that sleeps on a full queue would never empty it.
                    if self.shards[index].mail.is_full() {
                        self.shards[index].waker.wake();
                    }
                    let _ = self.shards[index].mail.send(Mail::Effect(effect));
                    touched[index] = true;
                }
            }
        }
        for (shard, _) in self
            .shards
            .iter()
            .zip(touched)
            .filter(|(_, touched)| *touched)
        {
            shard.waker.wake();
        }
        // In their own order: a transcript belongs to a shell that is on record.
        for keep in to_keep {
            match keep {
                Keep::Record(work) => drop(self.recorder.send(work)),
                Keep::Transcript(mail) => drop(self.transcripts.blocking_send(mail)),
            }
        }
    }
}

/// What outlives the turn.
enum Keep {
    Record(Work),
    Transcript(transcripts::Mail),
}

/// Who waits for the hub's answer.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    by_id: HashMap<u64, Sender<Answer>>,
}

impl Answers {
    /// Asks the hub and waits for its answer; `None` if it does not come in time.
    pub fn ask(
        &self,
        hub: &Sender<Event>,
        order: Order,
        within: std::time::Duration,
    ) -> Option<Answer> {
        let (give, take) = crossbeam::channel::bounded(1);
        let id = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.next += 1;
            let id = waiting.next;
            waiting.by_id.insert(id, give);
            id
        };
        let sent = hub.send_timeout(Event::Order { id, order }, within).is_ok();
        let answer = sent.then(|| take.recv_timeout(within).ok()).flatten();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_id
            .remove(&id);
        answer
    }

    fn give(&self, id: u64, answer: Answer) {
        let waiting = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_id
            .remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.try_send(answer);
        }
    }
}
