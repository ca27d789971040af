//! The customer's side of a session: what it knows, decides and says.
//!
//! ```text
//! bytes from the link ─┐               ┌─> bytes for the link (take_output)
//! typed, shell events ─┼─> Customer ───┤
//! time ────────────────┘               └─> Effect: show, ask, open a shell, end
//! ```
//!
//! Pure: no sockets, clocks or threads, so the simulator runs the same code. It owns consent: a
//! shell opens only after the customer allowed it in this program, whatever the relay says, a
//! question that is not answered in time is refused, and stopping closes every shell at once,
//! with or without a link.
//!
//! Start at [`Customer`]; what the relay says arrives in `hear.rs`, shells' bytes are in
//! [`super::shells`].

use std::collections::VecDeque;

use super::log::Log;
use super::shells::Shells;
use crate::domain::limits::{
    CHATS_UNSENT_MAX, CUSTOMER_RETURN_WITHIN, FIRST_LINK_WITHIN, HELLO_WITHIN, LEAVE_WITHIN,
    RESTART_RETURN_WITHIN,
};
use crate::domain::turned::{KeyText, PuzzleAnswer};
use crate::domain::{Facts, Label, LongText, Moment, PromptId, SessionId, ShellId, Text};
use crate::domain::{Token, Tool};
use crate::link::connection::Assembler;
use crate::link::frame::split_frame;
use crate::link::message::{FromCustomer, Hello, HelloTag, Purpose};
use crate::link::{Connection, LinkError, VERSION};

mod effect;
mod hear;

pub use effect::{Effect, End, PromptEnd};

/// One customer's side of one session. See the head of this file.
#[derive(Debug)]
pub struct Customer {
    key: KeyText,
    facts: Facts,
    program: Label,
    puzzle: Option<PuzzleAnswer>,
    solving: bool,
    link: Option<Link>,
    session: Option<Session>,
    /// Since when there has been no link.
    alone_since: Moment,
    /// Tools the customer allowed in this program and has not withdrawn.
    allowed: Vec<Tool>,
    prompt: Option<Prompt>,
    /// The last answer and until when it holds, for a relay that lost it with the link.
    answered: Option<(PromptId, bool, Moment)>,
    shells: Shells,
    outlook: Outlook,
    /// Sharing was stopped while the relay could not hear it.
    owes_stop: bool,
    /// The customer left; over at this moment even if nobody heard.
    leaving: Option<Moment>,
    chats: VecDeque<Chat>,
    /// Not before this: the log may still bring what was sent.
    chats_from: Moment,
    over: bool,
    effects: VecDeque<Effect>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    assembler: Assembler,
    stage: Stage,
    since: Moment,
}

/// What the appliance said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outlook {
    /// Nothing: a lost link is nobody's plan.
    Stays,
    /// It restarts: it is away for longer, and comes back.
    Restarts,
}

/// What a link may bring next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The answer to the hello.
    Welcome,
    /// Which session it is.
    Session,
    /// Anything else.
    Up,
    /// Nothing: it is closing.
    Closing,
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    token: Token,
    representative: Label,
    present: bool,
    /// What arrived of its log.
    log: Log,
}

#[derive(Debug)]
struct Prompt {
    id: PromptId,
    tool: Tool,
    until: Moment,
}

#[derive(Debug)]
struct Chat {
    text: LongText,
    sent: bool,
    /// Where it stands in the log, once it does. It is kept until it is on record too: an appliance
    /// that dies forgets what it had only shown.
    shown: Option<u32>,
}

impl Chat {
    /// It has to be said, now or once the link is back.
    fn is_unsaid(&self) -> bool {
        !self.sent && self.shown.is_none()
    }
}

/// Chat is waiting for the link already, as much as is kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{CHATS_UNSENT_MAX} messages are waiting already")]
pub struct TooMuchChat;

impl Customer {
    /// A customer with a session key, before any link. `program` is for the appliance's log.
    pub fn new(key: KeyText, facts: Facts, program: Label, now: Moment) -> Self {
        Self {
            key,
            facts,
            program,
            puzzle: None,
            solving: false,
            link: None,
            session: None,
            alone_since: now,
            allowed: Vec::new(),
            prompt: None,
            answered: None,
            shells: Shells::default(),
            outlook: Outlook::Stays,
            owes_stop: false,
            leaving: None,
            chats: VecDeque::new(),
            chats_from: now,
            over: false,
            effects: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Bytes for the link.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.link
            .as_mut()
            .map_or_else(Vec::new, |link| link.connection.take_output())
    }

    /// Whether there are bytes for the link.
    pub fn has_output(&self) -> bool {
        self.link
            .as_ref()
            .is_some_and(|link| link.connection.has_output())
    }

    /// Whether to dial.
    pub fn wants_link(&self) -> bool {
        !self.over && !self.solving && self.link.is_none()
    }

    /// Whether the appliance restarts, as it said: to be dialed without pause once the link is gone.
    pub fn expects_restart(&self) -> bool {
        self.outlook == Outlook::Restarts
    }

    /// Whether the session was ever joined.
    pub fn is_joined(&self) -> bool {
        self.session.is_some()
    }

    /// Whether a question waits for an answer.
    pub fn is_asked(&self) -> bool {
        self.prompt.is_some()
    }

    /// Whether the representative could do anything beyond chat, or is asking to.
    pub fn is_sharing(&self) -> bool {
        !self.allowed.is_empty() || self.prompt.is_some() || self.shells.running().next().is_some()
    }

    /// Who is, or was last, on the other side.
    pub fn representative(&self) -> Option<&Label> {
        self.session.as_ref().map(|session| &session.representative)
    }

    // ---- the link ----

    /// A link is up: says hello. `private_address` is ours on the way to the appliance.
    pub fn link_up(&mut self, private_address: Text<45>, now: Moment) {
        if !self.wants_link() {
            return;
        }
        self.facts.private_address = private_address;
        let purpose = match &self.session {
            None => Purpose::Start {
                key: Some(self.key.clone()),
                facts: self.facts.clone(),
                puzzle: self.puzzle.take(),
            },
            Some(session) => Purpose::Resume {
                session: session.id,
                token: session.token.clone(),
                entries: session.log.last(),
                shells: self.shells.positions(),
            },
        };
        let mut connection = Connection::new(now);
        connection.say(&Hello {
            tag: HelloTag::Hello,
            versions: (VERSION, VERSION),
            program: self.program.clone(),
            purpose,
        });
        self.link = Some(Link {
            connection,
            assembler: Assembler::default(),
            stage: Stage::Welcome,
            since: now,
        });
    }

    /// The link is gone, for whatever reason.
    pub fn link_down(&mut self, now: Moment) {
        let Some(lost) = self.link.take().filter(|_| !self.over) else {
            return;
        };
        if lost.stage == Stage::Up {
            self.alone_since = now;
            self.effects.push_back(Effect::LinkLost);
        }
        self.shells.pause_all();
        if self.prompt.take().is_some() {
            self.effects
                .push_back(Effect::PromptOver(PromptEnd::Interrupted));
        }
        for chat in &mut self.chats {
            chat.sent = false;
        }
    }

    /// Bytes came. An error is the relay's fault: close the link and report it down.
    pub fn received(&mut self, bytes: &[u8], now: Moment) -> Result<(), LinkError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        let input = link.assembler.join(bytes);
        let mut rest = &input[..];
        while let Some((frame, taken)) = split_frame(rest)? {
            rest = &rest[taken..];
            self.frame(frame, now)?;
        }
        if let Some(link) = &mut self.link {
            link.assembler.keep(rest);
        }
        Ok(())
    }

    /// Time passed. An error closes the link, as with [`Self::received`].
    pub fn tick(&mut self, now: Moment) -> Result<(), LinkError> {
        if self.over {
            return Ok(());
        }
        if self.leaving.is_some_and(|until| now >= until) {
            self.finish(End::Left);
            return Ok(());
        }
        if self.alone_until().is_some_and(|until| now >= until) {
            self.finish(if self.session.is_some() {
                End::Lost
            } else {
                End::NeverReached
            });
            return Ok(());
        }
        if self.prompt.as_ref().is_some_and(|p| now >= p.until) {
            self.close_prompt(false, PromptEnd::Lapsed);
        }
        self.send_chats(now);
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        let early = matches!(link.stage, Stage::Welcome | Stage::Session);
        if early && now >= link.since + HELLO_WITHIN {
            return Err(LinkError::NoHello);
        }
        link.connection.tick(now)
    }

    /// When to [`Self::tick`] next at the latest.
    pub fn deadline(&self) -> Option<Moment> {
        if self.over {
            return None;
        }
        let link = self.link.as_ref();
        let hello = link
            .filter(|link| matches!(link.stage, Stage::Welcome | Stage::Session))
            .map(|link| link.since + HELLO_WITHIN);
        let chats = (link.is_some_and(|link| link.stage == Stage::Up)
            && self.chats.iter().any(Chat::is_unsaid))
        .then_some(self.chats_from);
        [
            self.leaving,
            self.alone_until(),
            self.prompt.as_ref().map(|prompt| prompt.until),
            hello,
            chats,
            link.map(|link| link.connection.deadline()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // ---- the customer ----

    /// Something typed. Waits for the link if it has to.
    pub fn chat(&mut self, text: LongText, now: Moment) -> Result<(), TooMuchChat> {
        let waiting = self.chats.iter().filter(|chat| chat.shown.is_none());
        if waiting.count() >= CHATS_UNSENT_MAX {
            return Err(TooMuchChat);
        }
        self.chats.push_back(Chat {
            text,
            sent: false,
            shown: None,
        });
        self.send_chats(now);
        Ok(())
    }

    /// The customer's answer. Returns false if no question stands any more.
    pub fn answer(&mut self, allow: bool, now: Moment) -> bool {
        let Some(prompt) = self.prompt.as_ref().filter(|prompt| now < prompt.until) else {
            return false;
        };
        self.answered = Some((prompt.id, allow, prompt.until));
        let end = if allow {
            PromptEnd::Allowed
        } else {
            PromptEnd::Refused
        };
        self.close_prompt(allow, end);
        true
    }

    /// Withdraws everything and closes every shell, now, whether or not anybody can be told.
    /// Returns false if nothing was shared.
    pub fn stop(&mut self) -> bool {
        // A yes that the appliance may not have heard is taken back too: asked again, it is asked.
        self.answered = None;
        if self.over || !self.is_sharing() {
            return false;
        }
        if self.prompt.is_some() {
            self.close_prompt(false, PromptEnd::Refused);
        }
        self.withdraw();
        self.owes_stop = true;
        self.pay_stop();
        self.effects.push_back(Effect::Stopped);
        true
    }

    /// Ends the session. Shells close at once; the appliance has [`LEAVE_WITHIN`] to confirm.
    pub fn leave(&mut self, now: Moment) {
        if self.over || self.leaving.is_some() {
            return;
        }
        if self.prompt.is_some() {
            self.close_prompt(false, PromptEnd::Refused);
        }
        self.withdraw();
        if self.session.is_none() {
            self.finish(End::Left);
            return;
        }
        self.leaving = Some(now + LEAVE_WITHIN);
        if let Some(link) = self.up() {
            link.say(&FromCustomer::Leave);
        }
    }

    /// The way to the appliance waits for the customer (a proxy's password, say): not yet in vain.
    pub fn keep_waiting(&mut self, now: Moment) {
        if self.session.is_none() {
            self.alone_since = now;
        }
    }

    /// A puzzle was solved: dial again.
    pub fn solved(&mut self, answer: PuzzleAnswer, now: Moment) {
        self.solving = false;
        self.alone_since = now;
        self.puzzle = Some(answer);
    }

    // ---- shells ----

    /// A shell runs.
    pub fn shell_started(&mut self, shell: ShellId) {
        if self.shells.contains(shell)
            && let Some(link) = self.up()
        {
            link.say(&FromCustomer::ShellStarted { shell });
        }
    }

    /// A shell could not be started.
    pub fn shell_failed(&mut self, shell: ShellId, reason: Label) {
        if self.shells.contains(shell) {
            let link = self.link.as_mut().map(|link| &mut link.connection);
            self.shells.forget(shell, link);
            if let Some(link) = self.up() {
                link.say(&FromCustomer::ShellFailed { shell, reason });
            }
        }
    }

    /// Bytes a shell may produce now; 0 makes its reader wait.
    pub fn shell_room(&self, shell: ShellId) -> usize {
        self.shells.room(shell)
    }

    /// A shell produced output, at most [`Self::shell_room`]. Ignored if the shell was closed.
    pub fn shell_output(&mut self, shell: ShellId, bytes: &[u8]) {
        let (shells, link) = self.shells_and_link();
        shells.output(shell, bytes, link);
    }

    /// A shell took so many bytes of its input.
    pub fn shell_took(&mut self, shell: ShellId, bytes: usize) {
        let (shells, link) = self.shells_and_link();
        shells.taken(shell, bytes, link);
    }

    /// A shell ended by itself, and all its output was brought before.
    pub fn shell_ended(&mut self, shell: ShellId) {
        let (shells, link) = self.shells_and_link();
        shells.ended(shell, link);
    }

    // ---- inside ----

    fn close_prompt(&mut self, allow: bool, end: PromptEnd) {
        if let Some(prompt) = self.prompt.take() {
            if allow && !self.allowed.contains(&prompt.tool) {
                self.allowed.push(prompt.tool);
            }
            // An unanswered question lapses at the relay too, which records it as such: saying no
            // in the customer's name would record a refusal that nobody made.
            if end != PromptEnd::Lapsed {
                self.say_answer(prompt.id, allow);
            }
            self.effects.push_back(Effect::PromptOver(end));
        }
    }

    fn say_answer(&mut self, prompt: PromptId, allow: bool) {
        if let Some(link) = self.up() {
            link.say(&FromCustomer::Answer { prompt, allow });
        }
    }

    /// Closes a shell at the relay's wish and says that it is over, known or not: both sides may
    /// end one at once.
    fn end_shell(&mut self, shell: ShellId) {
        self.close_shell(shell);
        if let Some(link) = self.up() {
            link.say(&FromCustomer::ShellEnded { shell });
        }
    }

    fn close_shell(&mut self, shell: ShellId) {
        if self.shells.contains(shell) {
            let (shells, link) = self.shells_and_link();
            shells.forget(shell, link);
            self.effects.push_back(Effect::CloseShell(shell));
        }
    }

    /// Takes back every permission and closes every shell.
    fn withdraw(&mut self) {
        self.allowed.clear();
        self.answered = None;
        for shell in self.shells.all() {
            self.close_shell(shell);
        }
    }

    fn pay_stop(&mut self) {
        if self.owes_stop
            && let Some(link) = self.up()
        {
            link.say(&FromCustomer::StopSharing);
            self.owes_stop = false;
        }
    }

    fn send_chats(&mut self, now: Moment) {
        if now < self.chats_from {
            return;
        }
        let Some(link) = self.link.as_mut().filter(|link| link.stage == Stage::Up) else {
            return;
        };
        for chat in self.chats.iter_mut().filter(|chat| chat.is_unsaid()) {
            chat.sent = true;
            let text = chat.text.clone();
            link.connection.say(&FromCustomer::Chat { text });
        }
    }

    fn finish(&mut self, end: End) {
        if self.over {
            return;
        }
        if self.prompt.take().is_some() {
            self.effects
                .push_back(Effect::PromptOver(PromptEnd::Withdrawn));
        }
        self.withdraw();
        self.set_stage(Stage::Closing);
        self.over = true;
        self.effects.push_back(Effect::Over(end));
    }

    fn alone_until(&self) -> Option<Moment> {
        let patience = match self.outlook {
            Outlook::Restarts => RESTART_RETURN_WITHIN,
            Outlook::Stays if self.session.is_some() => CUSTOMER_RETURN_WITHIN,
            Outlook::Stays => FIRST_LINK_WITHIN,
        };
        let alone = self
            .link
            .as_ref()
            .is_none_or(|link| link.stage != Stage::Up);
        (alone && !self.solving).then(|| self.alone_since + patience)
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(link) = &mut self.link {
            link.stage = stage;
        }
    }

    /// The link, if it carries the session.
    fn up(&mut self) -> Option<&mut Connection> {
        let link = self.link.as_mut()?;
        (link.stage == Stage::Up).then_some(&mut link.connection)
    }

    fn shells_and_link(&mut self) -> (&mut Shells, Option<&mut Connection>) {
        let link = self.link.as_mut();
        let up = link.filter(|link| link.stage == Stage::Up);
        (&mut self.shells, up.map(|link| &mut link.connection))
    }
}

#[cfg(test)]
mod tests;
