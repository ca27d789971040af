//! A customer: the real customer side of the agent, with shells that produce and take numbered
//! bytes in place of real ones.

use std::collections::BTreeMap;

use jumpgate::agent::{Customer, Effect, End};
use jumpgate::domain::Token;
use jumpgate::domain::entry::What;
use jumpgate::domain::text::label;
use jumpgate::domain::turned::{KeyText, PuzzleAnswer};
use jumpgate::domain::{Entry, Facts, LongText, Moment, PeerAddress, SessionId, ShellId, Text};
use jumpgate::relay::hub::PeerId;
use jumpgate::relay::hub::event::Tap;

use crate::random::Random;
use crate::stream::Stream;

/// A shell's program.
#[derive(Debug)]
pub struct Pty {
    stream: (Stream, Stream),
    /// Output made so far.
    pub made: u64,
    /// Output still to make.
    pub to_make: u64,
    /// Input that arrived.
    pub given: u64,
    /// Input it took.
    pub taken: u64,
    /// Takes input at all.
    pub reads: bool,
    /// Ends once it made everything.
    pub exits: bool,
}

/// One customer, from the first dial to the end.
pub struct CustomerEnd {
    pub name: String,
    pub agent: Customer,
    pub address: PeerAddress,
    /// A browser's tickets: to start with this key's token. `None` for a customer client.
    pub chat: Option<Token>,
    pub peer: Option<PeerId>,
    pub redial_at: Moment,
    pub waits_for_ticket: bool,
    pub session: Option<SessionId>,
    pub ptys: BTreeMap<ShellId, Pty>,
    pub log: Vec<Entry>,
    pub chats: Vec<String>,
    pub is_asked: bool,
    pub prompts: u32,
    pub over: Option<End>,
    pub cuts: u32,
    /// A yes in this program that was not taken back.
    consents: bool,
    puzzle: Option<(Token, u8)>,
}

impl CustomerEnd {
    pub fn new(
        name: String,
        key: &str,
        chat: Option<Token>,
        address: PeerAddress,
        now: Moment,
    ) -> Self {
        let facts = Facts {
            customer: label(&name),
            ..Facts::default()
        };
        let key = KeyText::try_from(key).unwrap();
        Self {
            agent: Customer::new(key, facts, label("simulated"), now),
            name,
            address,
            chat,
            peer: None,
            redial_at: now,
            waits_for_ticket: false,
            session: None,
            ptys: BTreeMap::new(),
            log: Vec::new(),
            chats: Vec::new(),
            is_asked: false,
            prompts: 0,
            over: None,
            cuts: 0,
            consents: false,
            puzzle: None,
        }
    }

    pub fn link_up(&mut self, peer: PeerId, now: Moment) {
        self.peer = Some(peer);
        self.agent.link_up(Text::default(), now);
        self.follow(now);
    }

    pub fn link_down(&mut self, random: &mut Random, now: Moment) {
        if self.peer.take().is_some() {
            self.cuts += 1;
            self.agent.link_down(now);
            self.redial_at = now + std::time::Duration::from_millis(200 + random.next() % 2_000);
            self.follow(now);
        }
    }

    /// Bytes came. False closes the link.
    pub fn received(&mut self, bytes: &[u8], now: Moment) {
        let received = self.agent.received(bytes, now);
        assert_eq!(
            received,
            Ok(()),
            "{}: the relay broke the protocol",
            self.name
        );
        self.follow(now);
    }

    /// Time passed. False if the link has to be closed.
    pub fn tick(&mut self, now: Moment) -> bool {
        let due = self
            .agent
            .deadline()
            .is_some_and(|deadline| deadline <= now);
        if !due || self.over.is_some() {
            return true;
        }
        let alive = self.agent.tick(now).is_ok();
        self.follow(now);
        alive
    }

    pub fn chat(&mut self, text: &str, now: Moment) {
        if self.agent.chat(LongText::new(text).unwrap(), now).is_ok() {
            self.chats.push(text.to_owned());
        }
    }

    pub fn answer(&mut self, allow: bool, now: Moment) {
        let taken = self.agent.answer(allow, now);
        self.consents |= taken && allow;
        self.follow(now);
    }

    pub fn stop(&mut self, now: Moment) {
        self.agent.stop();
        self.follow(now);
        assert!(
            self.ptys.is_empty(),
            "{}: a shell survives stopping",
            self.name
        );
        self.consents = false;
    }

    pub fn leave(&mut self, now: Moment) {
        self.agent.leave(now);
        self.follow(now);
        assert!(
            self.ptys.is_empty(),
            "{}: a shell survives leaving",
            self.name
        );
        self.consents = false;
    }

    /// Lets the shells run: each makes some output and takes some input.
    pub fn run_shells(&mut self, random: &mut Random, now: Moment) {
        for shell in self.ptys.keys().copied().collect::<Vec<_>>() {
            let pty = self.ptys.get_mut(&shell).unwrap();
            let room = self.agent.shell_room(shell);
            let most = usize::try_from(pty.to_make).unwrap().min(room);
            let count = if random.percent(50) {
                most
            } else {
                random.below(most + 1)
            };
            if count > 0 {
                let bytes = pty.stream.0.bytes(pty.made, count);
                pty.made += count as u64;
                pty.to_make -= count as u64;
                self.agent.shell_output(shell, &bytes);
            }
            let waiting = usize::try_from(pty.given - pty.taken).unwrap();
            if pty.reads && waiting > 0 {
                let count = if random.percent(50) {
                    waiting
                } else {
                    1 + random.below(waiting)
                };
                pty.taken += count as u64;
                self.agent.shell_took(shell, count);
            }
            if pty.exits && pty.to_make == 0 {
                self.ptys.remove(&shell);
                self.agent.shell_ended(shell);
            }
        }
        self.follow(now);
    }

    /// Whether its shells have something to do.
    pub fn shells_are_busy(&self) -> bool {
        self.ptys.iter().any(|(shell, pty)| {
            let can_make = pty.to_make > 0 && self.agent.shell_room(*shell) > 0;
            can_make || (pty.exits && pty.to_make == 0) || (pty.reads && pty.given > pty.taken)
        })
    }

    /// Solves the puzzle it was given, if it was.
    pub fn solve(&mut self, now: Moment) {
        if let Some((challenge, bits)) = self.puzzle.take() {
            self.agent.solved(PuzzleAnswer::find(&challenge, bits), now);
        }
    }

    pub fn says(&self) -> Vec<&str> {
        chats(&self.log)
    }

    fn follow(&mut self, now: Moment) {
        while let Some(effect) = self.agent.next_effect() {
            assert_eq!(self.over, None, "{}: {effect:?} after the end", self.name);
            self.one(effect, now);
        }
    }

    fn one(&mut self, effect: Effect, _now: Moment) {
        match effect {
            Effect::Joined { .. }
            | Effect::Representative { .. }
            | Effect::Stopped
            | Effect::Restart(_)
            | Effect::LinkLost
            | Effect::ResizeShell { .. } => {}
            Effect::Entry(entry) => {
                // What an appliance that crashed never put on record, it counts again.
                self.log.retain(|known| known.number < entry.number);
                let last = self.log.last().map_or(0, |known| known.number);
                assert_eq!(entry.number, last + 1, "{}: a gap in the log", self.name);
                if matches!(entry.what, What::Held | What::Requeued) {
                    self.consents = false;
                }
                self.log.push(entry);
            }
            Effect::Prompt { .. } => {
                self.is_asked = true;
                self.prompts += 1;
            }
            Effect::PromptOver(_) => self.is_asked = false,
            Effect::OpenShell { shell, .. } => {
                assert!(
                    self.consents,
                    "{}: a shell opens without consent",
                    self.name
                );
                let session = self.session.expect("the world told it at the join");
                let tap = Tap { session, shell };
                let pty = Pty {
                    stream: (Stream::output(tap), Stream::input(tap)),
                    made: 0,
                    to_make: 100,
                    given: 0,
                    taken: 0,
                    reads: true,
                    exits: false,
                };
                assert!(self.ptys.insert(shell, pty).is_none());
                self.agent.shell_started(shell);
            }
            Effect::Input { shell, bytes } => {
                let pty = self
                    .ptys
                    .get_mut(&shell)
                    .expect("input is for a shell that runs");
                pty.stream.1.check(pty.given, &bytes, &self.name);
                pty.given += bytes.len() as u64;
            }
            Effect::CloseShell(shell) => {
                self.ptys.remove(&shell);
            }
            Effect::Solve { challenge, bits } => self.puzzle = Some((challenge, bits)),
            Effect::Over(end) => {
                assert!(
                    self.ptys.is_empty(),
                    "{}: a shell survives the end",
                    self.name
                );
                self.over = Some(end);
            }
        }
    }
}

/// What was said in a log.
pub fn chats(log: &[Entry]) -> Vec<&str> {
    let said = log.iter().filter_map(|entry| match &entry.what {
        What::Chat { text } => Some(text.as_str()),
        _ => None,
    });
    said.collect()
}
