//! What the relay says to a customer's side, and what follows from it.

use std::time::Duration;

use super::effect::{Effect, End, PromptEnd};
use super::{Chat, Customer, Outlook, Prompt, Session, Stage};
use crate::agent::log::Log;
use crate::agent::shells::refusal;
use crate::domain::entry::{Author, What};
use crate::domain::limits::{
    CHAT_AGAIN_AFTER, CHATS_UNSENT_MAX, CONSENT_WITHIN, PUZZLE_BITS_MAX, SHELLS_PER_SESSION_MAX,
};
use crate::domain::turned::TurnedReason;
use crate::domain::{Entry, Label, Moment, PromptId, SessionId, ShellId, Token, Tool};
use crate::link::connection::decode;
use crate::link::frame::Frame;
use crate::link::message::{FromCustomer, ToCustomer};
use crate::link::{Incoming, LinkError, VERSION};

impl Customer {
    pub(super) fn frame(&mut self, frame: Frame<'_>, now: Moment) -> Result<(), LinkError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        if link.stage == Stage::Closing {
            return Ok(());
        }
        match link.connection.accept(frame, now)? {
            Incoming::Nothing => Ok(()),
            Incoming::Message(json) => {
                let message = decode::<ToCustomer>(json)?;
                self.hear(message, now)
            }
            Incoming::Data {
                channel,
                offset,
                bytes,
            } => {
                if let Some((shell, fresh)) = self.shells.input(channel, offset, bytes) {
                    let bytes = fresh.to_vec();
                    self.effects.push_back(Effect::Input { shell, bytes });
                }
                self.shells.renew_credit(channel, &mut link.connection);
                Ok(())
            }
            Incoming::Credit { channel, .. } => {
                self.shells.credit(channel, &mut link.connection);
                Ok(())
            }
        }
    }

    fn hear(&mut self, message: ToCustomer, now: Moment) -> Result<(), LinkError> {
        let stage = self.link.as_ref().map_or(Stage::Closing, |link| link.stage);
        let got = name_of(&message);
        let fits = match (&message, stage) {
            (ToCustomer::Welcome(_) | ToCustomer::Turned(_), at) => at == Stage::Welcome,
            (ToCustomer::Session { .. }, at) => at == Stage::Session,
            (_, at) => at == Stage::Up,
        };
        if !fits {
            let expected = match stage {
                Stage::Welcome => "welcome",
                Stage::Session => "session",
                Stage::Up => "news of a running session",
                Stage::Closing => "nothing",
            };
            return Err(LinkError::OutOfTurn { got, expected });
        }
        match message {
            ToCustomer::Welcome(welcome) => {
                if welcome.version != VERSION {
                    let why = format!("version {} was not offered", welcome.version);
                    return Err(LinkError::BadMessage { why });
                }
                self.set_stage(Stage::Session);
            }
            ToCustomer::Turned(turned) => self.turned(turned.reason),
            ToCustomer::Session {
                session,
                token,
                customer,
                representative,
                accepted,
                allowed,
            } => {
                let again = self.rejoin(session, token, &representative, accepted, &allowed)?;
                self.effects.push_back(Effect::Joined {
                    customer,
                    representative: representative.clone(),
                    again,
                });
                self.joined(again, now);
                self.set_present(representative, accepted, !again && accepted);
            }
            ToCustomer::Representative { name, accepted } => {
                self.set_present(name, accepted, false);
            }
            ToCustomer::Entry(entry) => self.entry(entry),
            ToCustomer::Recorded { number } => {
                let is_safe = |shown: u32| shown <= number;
                self.chats.retain(|chat| !chat.shown.is_some_and(is_safe));
            }
            ToCustomer::Ask {
                prompt,
                tool,
                representative,
                seconds,
            } => self.ask(prompt, tool, representative, seconds, now),
            ToCustomer::AskOver { prompt } => {
                if self.prompt.as_ref().is_some_and(|open| open.id == prompt) {
                    self.prompt = None;
                    self.effects
                        .push_back(Effect::PromptOver(PromptEnd::Withdrawn));
                }
            }
            ToCustomer::ShellOpen {
                shell,
                channel,
                columns,
                rows,
            } => self.open_shell(shell, channel, columns, rows)?,
            ToCustomer::ShellResume {
                shell,
                channel,
                send_from,
                receive_from,
            } => self.resume_shell(shell, channel, send_from, receive_from)?,
            ToCustomer::ShellPause { shell } => {
                let (shells, link) = self.shells_and_link();
                if let Some(link) = link {
                    shells.pause(shell, link);
                }
            }
            ToCustomer::ShellResize {
                shell,
                columns,
                rows,
            } => {
                if self.shells.contains(shell) {
                    let (columns, rows) = sensible(columns, rows);
                    self.effects.push_back(Effect::ResizeShell {
                        shell,
                        columns,
                        rows,
                    });
                }
            }
            ToCustomer::ShellClose { shell } => self.end_shell(shell),
            ToCustomer::Restart { seconds } => self.restart_announced(seconds),
            ToCustomer::Ended { reason } => self.finish(End::Session(reason)),
        }
        Ok(())
    }

    /// Why we were not let in decides what comes next.
    fn turned(&mut self, reason: TurnedReason) {
        self.set_stage(Stage::Closing);
        match reason {
            TurnedReason::Puzzle { challenge, bits } if bits <= PUZZLE_BITS_MAX => {
                self.solving = true;
                self.effects.push_back(Effect::Solve { challenge, bits });
            }
            // A full appliance may have room for a session it has already, in a moment.
            TurnedReason::Full | TurnedReason::SlowDown { .. } if self.session.is_some() => {}
            other @ (TurnedReason::Version { .. }
            | TurnedReason::Key
            | TurnedReason::SlowDown { .. }
            | TurnedReason::Puzzle { .. }
            | TurnedReason::Session
            | TurnedReason::Ticket
            | TurnedReason::Full) => self.finish(End::Turned(other)),
        }
    }

    /// Takes what the relay says of the session. Returns whether it was joined before.
    fn rejoin(
        &mut self,
        id: SessionId,
        token: Token,
        representative: &Label,
        accepted: bool,
        allowed: &[Tool],
    ) -> Result<bool, LinkError> {
        let Some(session) = &mut self.session else {
            self.session = Some(Session {
                id,
                token,
                representative: representative.clone(),
                present: accepted,
                log: Log::default(),
            });
            return Ok(false);
        };
        if session.id != id {
            let why = "welcomed to another session".to_owned();
            return Err(LinkError::BadMessage { why });
        }
        session.token = token;
        self.outlook = Outlook::Stays;
        // The relay may have forgotten a permission, but it cannot have gained one.
        self.allowed.retain(|tool| allowed.contains(tool));
        if allowed.iter().any(|tool| !self.allowed.contains(tool)) {
            self.owes_stop = true;
        }
        Ok(true)
    }

    /// Said again after every resume as long as it holds.
    fn restart_announced(&mut self, seconds: Option<u32>) {
        if self.expects_restart() || seconds.is_some() {
            let within = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            self.effects.push_back(Effect::Restart(within));
        }
        self.outlook = if seconds.is_some() {
            Outlook::Restarts
        } else {
            Outlook::Stays
        };
    }

    /// The link carries the session: says what could not be said before.
    fn joined(&mut self, again: bool, now: Moment) {
        self.set_stage(Stage::Up);
        if self.leaving.is_some() {
            if let Some(link) = self.up() {
                link.say(&FromCustomer::Leave);
            }
            return;
        }
        self.pay_stop();
        self.chats_from = if again { now + CHAT_AGAIN_AFTER } else { now };
        self.send_chats(now);
    }

    fn set_present(&mut self, name: Label, present: bool, announce: bool) {
        let Some(session) = &mut self.session else {
            return;
        };
        let changed = session.present != present || session.representative != name;
        session.present = present;
        session.representative.clone_from(&name);
        if changed || announce {
            self.effects
                .push_back(Effect::Representative { name, present });
        }
    }

    fn entry(&mut self, entry: Entry) {
        let Some(session) = &mut self.session else {
            return;
        };
        if !session.log.is_new(&entry) {
            return;
        }
        match entry.what {
            // The relay has heard that it is over; until now it might have asked again.
            What::ShellClosed { shell, .. } => self.close_shell(shell),
            // What was allowed, was allowed to the representative who is gone now.
            What::Held | What::Requeued => self.withdraw(),
            // Questions are numbered anew.
            What::ApplianceRestarted => self.answered = None,
            What::Arrived
            | What::Accepted
            | What::Chat { .. }
            | What::Asked { .. }
            | What::Allowed { .. }
            | What::Refused { .. }
            | What::Unanswered { .. }
            | What::Withdrawn { .. }
            | What::ShellOpened { .. }
            | What::ShellFailed { .. }
            | What::SharingStopped
            | What::CustomerLost
            | What::CustomerBack
            | What::RepresentativeLost
            | What::RepresentativeBack
            | What::Ended { .. } => {}
        }
        self.settle_chat(&entry);
        self.effects.push_back(Effect::Entry(entry));
    }

    /// What a new line of the log says of what was typed here.
    fn settle_chat(&mut self, entry: &Entry) {
        // A number that stood for something else: the appliance died before that was on record, so
        // it was never said.
        let is_undone = |chat: &&mut Chat| chat.shown.is_some_and(|shown| shown >= entry.number);
        for chat in self.chats.iter_mut().filter(is_undone) {
            chat.shown = None;
            chat.sent = false;
        }
        let (Author::Customer(_), What::Chat { text }) = (&entry.by, &entry.what) else {
            return;
        };
        let is_this = |chat: &&mut Chat| chat.shown.is_none() && chat.text == *text;
        if let Some(ours) = self.chats.iter_mut().find(is_this) {
            ours.shown = Some(entry.number);
        }
        // The word that they are on record may be lost with a link; the next one says it too.
        let shown = self.chats.iter().filter(|chat| chat.shown.is_some());
        if shown.count() > CHATS_UNSENT_MAX {
            let oldest = self.chats.iter().position(|chat| chat.shown.is_some());
            oldest.and_then(|oldest| self.chats.remove(oldest));
        }
    }

    fn ask(
        &mut self,
        prompt: PromptId,
        tool: Tool,
        representative: Label,
        seconds: u32,
        now: Moment,
    ) {
        if self.leaving.is_some() {
            self.say_answer(prompt, false);
            return;
        }
        if let Some((id, allow, until)) = self.answered.take()
            && id == prompt
            && now < until
        {
            // The same question again: the link was lost under the answer.
            self.answered = Some((id, allow, until));
            if allow && !self.allowed.contains(&tool) {
                self.allowed.push(tool);
            }
            self.say_answer(prompt, allow);
            return;
        }
        if self.prompt.is_some() {
            self.close_prompt(false, PromptEnd::Withdrawn);
        }
        let wait = Duration::from_secs(u64::from(seconds)).min(CONSENT_WITHIN);
        self.prompt = Some(Prompt {
            id: prompt,
            tool,
            until: now + wait,
        });
        self.effects.push_back(Effect::Prompt {
            tool,
            representative,
            wait,
        });
    }

    fn open_shell(
        &mut self,
        shell: ShellId,
        channel: u16,
        columns: u16,
        rows: u16,
    ) -> Result<(), LinkError> {
        if self.shells.contains(shell) {
            let why = format!("shell {shell} is open already");
            return Err(LinkError::BadMessage { why });
        }
        let permitted = self.allowed.contains(&Tool::Shell) && self.leaving.is_none();
        let full = self.shells.running().count() >= SHELLS_PER_SESSION_MAX;
        let Some(link) = self.up() else {
            return Ok(());
        };
        if !link.open(channel, 0, 0) {
            return Err(LinkError::UnknownChannel { channel });
        }
        if permitted && !full {
            self.shells.open(shell, channel);
            let (columns, rows) = sensible(columns, rows);
            self.effects.push_back(Effect::OpenShell {
                shell,
                columns,
                rows,
            });
            return Ok(());
        }
        // Opened and closed: input that is on its way already is ignored, not an error.
        link.close(channel);
        let reason = refusal(if permitted {
            "too many command shells are open"
        } else {
            "the customer has not allowed a command shell"
        });
        link.say(&FromCustomer::ShellFailed { shell, reason });
        Ok(())
    }

    fn resume_shell(
        &mut self,
        shell: ShellId,
        channel: u16,
        send_from: u64,
        receive_from: u64,
    ) -> Result<(), LinkError> {
        let (shells, Some(link)) = self.shells_and_link() else {
            return Ok(());
        };
        if !shells.resume(shell, channel, send_from, receive_from, link)? {
            self.end_shell(shell);
        }
        Ok(())
    }
}

/// A terminal size that programs survive.
fn sensible(columns: u16, rows: u16) -> (u16, u16) {
    (columns.clamp(2, 1_000), rows.clamp(1, 1_000))
}

fn name_of(message: &ToCustomer) -> &'static str {
    match message {
        ToCustomer::Welcome(_) => "welcome",
        ToCustomer::Turned(_) => "turned",
        ToCustomer::Session { .. } => "session",
        ToCustomer::Representative { .. } => "representative",
        ToCustomer::Entry(_) => "entry",
        ToCustomer::Recorded { .. } => "recorded",
        ToCustomer::Ask { .. } => "ask",
        ToCustomer::AskOver { .. } => "ask_over",
        ToCustomer::ShellOpen { .. } => "shell_open",
        ToCustomer::ShellResume { .. } => "shell_resume",
        ToCustomer::ShellPause { .. } => "shell_pause",
        ToCustomer::ShellResize { .. } => "shell_resize",
        ToCustomer::ShellClose { .. } => "shell_close",
        ToCustomer::Restart { .. } => "restart",
        ToCustomer::Ended { .. } => "ended",
    }
}
