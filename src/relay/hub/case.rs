//! One session as the hub holds it: its state, the customer's consent, its shells and its log.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::event::{Effect, PeerId, Record, SessionRecord};
use super::log::Log;
use super::out::Out;
use super::shell::Shell;
use crate::domain::entry::{Author, EndReason, What};
use crate::domain::limits::{CONSENT_WITHIN, ENTRIES_FOR_THE_END, ENTRIES_PER_SESSION_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{Facts, Label, Now, PromptId, SessionId, ShellId, Token, Tool};
use crate::link::connection::encode;
use crate::link::message::{Overview, Status, ToConsole, ToCustomer};
use crate::session::consent::{self, Consent, Outcome};
use crate::session::state::{Event, Refused, Session};

/// One session that is not over, or whose end is not yet on record.
#[derive(Debug)]
pub struct Case {
    /// What the store keeps of it.
    pub record: SessionRecord,
    /// Where it stands.
    pub state: Session,
    /// The customer's connection.
    pub customer: Option<PeerId>,
    /// The console of its representative.
    pub console: Option<PeerId>,
    /// Open shells.
    pub shells: BTreeMap<ShellId, Shell>,
    /// The representative wants a shell of this size once the customer allows it.
    pub wanted: Option<(u16, u16)>,
    consents: BTreeMap<Tool, Consent>,
    next_prompt: u32,
    log: Log,
    /// Effects that wait for a batch, and those behind them: what one session shows stays in
    /// order without waiting for other sessions' records.
    outbox: VecDeque<(u64, Effect)>,
    /// The batch that has to be on record before anything new is shown.
    barrier: u64,
    /// Who hears that something is on record, once it is: after what was shown before, and without
    /// holding up what is shown next.
    receipts: VecDeque<(u64, Effect)>,
}

impl Case {
    /// A session that just began, or one that the store remembers (with its log).
    pub fn new(record: SessionRecord, state: Session, log: Log) -> Self {
        let allowed = record
            .allowed
            .iter()
            .map(|tool| (*tool, Consent::Allowed))
            .collect();
        Self {
            record,
            state,
            customer: None,
            console: None,
            shells: BTreeMap::new(),
            wanted: None,
            consents: allowed,
            next_prompt: 1,
            log,
            outbox: VecDeque::new(),
            barrier: 0,
            receipts: VecDeque::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.record.session
    }

    /// The name by which the customer is shown (QU-20).
    pub fn customer_name(&self) -> Label {
        shown_name(&self.record.facts)
    }

    /// The customer, as a log's author.
    pub fn by_customer(&self) -> Author {
        Author::Customer(self.customer_name())
    }

    /// The representative, as a log's author.
    pub fn by_owner(&self) -> Author {
        Author::Representative(self.record.owner_name.clone())
    }

    /// Does `effect` after everything this session showed before, and after what it has to have
    /// on record.
    pub fn emit(&mut self, out: &mut Out, effect: Effect) {
        if self.outbox.is_empty() && out.is_recorded(self.barrier) {
            out.now(effect);
        } else {
            self.outbox.push_back((self.barrier, effect));
        }
    }

    /// Takes back the opening of a channel, if that still waits for the record.
    pub fn cancel_opening(&mut self, peer: PeerId, channel: u16) -> bool {
        let waiting = self.outbox.iter().position(|(_, effect)| {
            matches!(effect, Effect::OpenChannel { peer: p, channel: c, .. }
                if *p == peer && *c == channel)
        });
        waiting.is_some_and(|at| self.outbox.remove(at).is_some())
    }

    /// Releases what no longer has to wait.
    pub fn flush(&mut self, out: &mut Out) {
        while let Some((barrier, _)) = self.outbox.front()
            && out.is_recorded(*barrier)
        {
            let (_, effect) = self.outbox.pop_front().expect("front was there");
            out.now(effect);
        }
        while let Some((batch, _)) = self.receipts.front()
            && out.is_recorded(*batch)
        {
            let (_, effect) = self.receipts.pop_front().expect("front was there");
            out.now(effect);
        }
    }

    /// Hands everything that still waits to `out`, before the case is dropped.
    pub fn hand_over(mut self, out: &mut Out) {
        for (barrier, effect) in self.outbox.drain(..) {
            out.after(barrier, effect);
        }
    }

    /// Says something to the customer, in order.
    pub fn to_customer(&mut self, out: &mut Out, message: &ToCustomer) {
        self.say(out, self.customer, message);
    }

    /// Says something to the representative's console, in order.
    pub fn to_console(&mut self, out: &mut Out, message: &ToConsole) {
        self.say(out, self.console, message);
    }

    fn say(&mut self, out: &mut Out, peer: Option<PeerId>, message: &impl Serialize) {
        if let Some(peer) = peer {
            self.emit(
                out,
                Effect::Say {
                    peer,
                    json: encode(message),
                },
            );
        }
    }

    /// Puts `record` on record; nothing this session shows from now on comes before that.
    pub fn must_record(&mut self, out: &mut Out, record: Record) {
        self.barrier = out.record(record);
    }

    /// Adds a line to the log and shows it to both sides at once; chat is not held up by the
    /// store, its writer hears separately that it is on record.
    pub fn log(&mut self, out: &mut Out, now: Now, by: Author, what: What) {
        let is_chat = matches!(what, What::Chat { .. });
        let entry = self.log.add(now.stamp, by, what);
        if self.log_is_full() {
            out.log_is_full(self.id());
        }
        let (session, number) = (self.id(), entry.number);
        let batch = out.record(Record::Entry {
            session,
            entry: entry.clone(),
        });
        self.to_customer(out, &ToCustomer::Entry(entry.clone()));
        if self.state.is_accepted() {
            self.to_console(out, &ToConsole::Entry { session, entry });
        }
        if !is_chat {
            return;
        }
        if let Some(peer) = self.customer {
            let json = encode(&ToCustomer::Recorded { number });
            self.receipts.push_back((batch, Effect::Say { peer, json }));
        }
        if let Some(peer) = self.console.filter(|_| self.state.is_accepted()) {
            let json = encode(&ToConsole::Recorded { session, number });
            self.receipts.push_back((batch, Effect::Say { peer, json }));
        }
    }

    /// The same for a step that changes who may do what: it is on record before anybody sees it.
    pub fn log_step(&mut self, out: &mut Out, now: Now, by: Author, what: What) {
        self.record_standing(out, now);
        self.log(out, now, by, what);
    }

    /// Whether the log holds as much as a session may say: what is left is for its end.
    fn log_is_full(&self) -> bool {
        self.log.last() as usize + ENTRIES_FOR_THE_END >= ENTRIES_PER_SESSION_MAX
    }

    /// Sends the console the log, in pieces.
    pub fn replay_to_console(&mut self, out: &mut Out) {
        let session = self.id();
        for entries in self.log.pieces_after(0) {
            self.to_console(out, &ToConsole::Log { session, entries });
        }
    }

    /// Sends the customer what it has missed since entry `after`.
    pub fn replay_to_customer(&mut self, out: &mut Out, after: u32) {
        let after = self.log.surely_seen(after);
        for entry in self.log.pieces_after(after).into_iter().flatten() {
            self.to_customer(out, &ToCustomer::Entry(entry));
        }
    }

    /// Moves the state on.
    pub fn advance(&mut self, event: Event) -> Result<(), Refused> {
        self.state = self.state.after(event)?;
        Ok(())
    }

    /// Puts on record what is needed to go on after a restart.
    pub fn record_standing(&mut self, out: &mut Out, now: Now) {
        self.record.accepted = self.state.is_accepted();
        self.record.allowed = self.allowed().to_vec();
        let record = Record::Changed {
            session: self.id(),
            accepted: self.record.accepted,
            allowed: self.record.allowed.clone(),
            next_shell: self.record.next_shell,
            at: now.stamp,
        };
        self.must_record(out, record);
    }

    /// Tools the customer allows.
    pub fn allowed(&self) -> heapless::Vec<Tool, 8> {
        let allowed = self
            .consents
            .iter()
            .filter(|(_, consent)| **consent == Consent::Allowed);
        allowed.map(|(tool, _)| *tool).take(8).collect()
    }

    /// Consent to one tool.
    pub fn consent(&self, tool: Tool) -> Consent {
        self.consents.get(&tool).copied().unwrap_or_default()
    }

    /// Asks the customer for `tool`. Says whether it is being asked now.
    pub fn ask(&mut self, out: &mut Out, now: Now, tool: Tool) -> bool {
        let prompt = PromptId(self.next_prompt);
        let asked = self.consent_after(
            tool,
            consent::Event::Ask {
                prompt,
                at: now.moment,
            },
        );
        if asked != Outcome::Ask {
            return false;
        }
        self.next_prompt += 1;
        let seconds = u32::try_from(CONSENT_WITHIN.as_secs()).unwrap_or(u32::MAX);
        let representative = self.record.owner_name.clone();
        self.log(out, now, self.by_owner(), What::Asked { tool });
        self.to_customer(
            out,
            &ToCustomer::Ask {
                prompt,
                tool,
                representative,
                seconds,
            },
        );
        let session = self.id();
        self.to_console(
            out,
            &ToConsole::Asking {
                session,
                prompt,
                tool,
                seconds,
            },
        );
        true
    }

    /// Asks a customer again who came back on a new connection: the question, or the answer, may
    /// have been lost with the old one.
    pub fn ask_again(&mut self, out: &mut Out, now: Now) {
        for (tool, consent) in self.consents.clone() {
            if let Consent::Asked { prompt, until } = consent {
                let seconds = until.since(now.moment).as_secs();
                let ask = ToCustomer::Ask {
                    prompt,
                    tool,
                    representative: self.record.owner_name.clone(),
                    seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
                };
                self.to_customer(out, &ask);
            }
        }
    }

    /// Tells a console that came back which questions stand.
    pub fn show_asking(&mut self, out: &mut Out, now: Now) {
        for (tool, consent) in self.consents.clone() {
            if let Consent::Asked { prompt, until } = consent {
                let seconds = until.since(now.moment).as_secs();
                let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
                let session = self.id();
                self.to_console(
                    out,
                    &ToConsole::Asking {
                        session,
                        prompt,
                        tool,
                        seconds,
                    },
                );
            }
        }
    }

    /// Moves every tool's consent on and says what came of it, with the prompt that is over.
    pub fn consents_after(&mut self, event: consent::Event) -> Vec<(Tool, Outcome, PromptId)> {
        let tools: Vec<Tool> = self.consents.keys().copied().collect();
        let mut outcomes = Vec::new();
        for tool in tools {
            let prompt = match self.consent(tool) {
                Consent::Asked { prompt, .. } => prompt,
                Consent::None | Consent::Allowed => PromptId(0),
            };
            let outcome = self.consent_after(tool, event);
            if outcome != Outcome::Nothing {
                outcomes.push((tool, outcome, prompt));
            }
        }
        outcomes
    }

    /// Tells both sides that a question no longer stands.
    pub fn ask_is_over(&mut self, out: &mut Out, prompt: PromptId) {
        let session = self.id();
        self.to_customer(out, &ToCustomer::AskOver { prompt });
        self.to_console(out, &ToConsole::AskOver { session, prompt });
    }

    fn consent_after(&mut self, tool: Tool, event: consent::Event) -> Outcome {
        let consent = self.consents.entry(tool).or_default();
        let (next, outcome) = consent.after(event);
        *consent = next;
        outcome
    }

    /// The session as the queue shows it.
    pub fn overview(&self) -> Overview {
        let status = match (self.state.is_accepted(), self.state.customer_is_here()) {
            (false, _) => Status::Waiting,
            (true, true) => Status::InProgress,
            (true, false) => Status::CustomerAbsent,
        };
        Overview {
            session: self.id(),
            kind: self.record.kind,
            status,
            facts: self.record.facts.clone(),
            public_address: self.record.public_address.clone(),
            since: self.record.started,
            allowed: self.allowed(),
            shells: self.shells.keys().copied().take(16).collect(),
        }
    }

    /// Shows the representative how the session stands now.
    pub fn show(&mut self, out: &mut Out) {
        let overview = Box::new(self.overview());
        self.to_console(out, &ToConsole::Session(overview));
    }

    /// Tells the customer who is on the other side.
    pub fn introduce(&mut self, out: &mut Out) {
        let name = self.record.owner_name.clone();
        let accepted = self.state.owner_is_here();
        self.to_customer(out, &ToCustomer::Representative { name, accepted });
    }

    /// What a customer's program hears after its welcome.
    pub fn present(&mut self, out: &mut Out, token: Token) {
        let message = ToCustomer::Session {
            session: self.id(),
            token,
            customer: self.customer_name(),
            representative: self.record.owner_name.clone(),
            accepted: self.state.owner_is_here(),
            allowed: self.allowed(),
        };
        self.to_customer(out, &message);
    }

    /// Whether `token` is the one its customer was given.
    pub fn is_resumed_by(&self, token: &Token) -> bool {
        let given: Fingerprint = token.fingerprint();
        self.record.resume.matches(&given)
    }

    /// Ends it for everybody: the caller drops the case afterwards by [`Self::hand_over`].
    pub fn end(&mut self, out: &mut Out, now: Now, by: Author, reason: EndReason) {
        self.close_all_shells(out, now, &by);
        let _ = self.consents_after(consent::Event::Revoke);
        let session = self.id();
        self.must_record(
            out,
            Record::Ended {
                session,
                reason,
                at: now.stamp,
            },
        );
        self.log(out, now, by, What::Ended { reason });
        // The end is shown once it is on record, and so is everything before.
        self.receipts.clear();
        let number = self.log.last();
        self.to_customer(out, &ToCustomer::Recorded { number });
        if self.state.is_accepted() {
            self.to_console(out, &ToConsole::Recorded { session, number });
        }
        self.to_customer(out, &ToCustomer::Ended { reason });
        self.to_console(out, &ToConsole::Gone { session, reason });
        // The caller may have learnt of the end from the state machine already.
        let _ = self.advance(Event::Close(reason));
        if let Some(peer) = self.customer.take() {
            self.emit(out, Effect::HangUp { peer });
        }
    }
}

/// The first of these that the customer's side told us.
pub fn shown_name(facts: &Facts) -> Label {
    let names = [&facts.customer, &facts.computer];
    let told = names.into_iter().find(|name| !name.is_empty());
    told.cloned()
        .unwrap_or_else(|| Label::try_from("Customer").expect("8 bytes fit a label"))
}
