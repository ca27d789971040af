//! A representative's console: its coming, what it asks for, its going.

use super::arrive::welcome;
use super::event::{Effect, PeerId};
use super::peers::Who;
use super::{Hub, Turn, suspend};
use crate::domain::entry::{EndReason, What};
use crate::domain::limits::KEY_LIFE_MAX;
use crate::domain::token::Fingerprint;
use crate::domain::{AccountId, Label, Now, SessionId, ShellId, Tool};
use crate::link::channel::Channel;
use crate::link::connection::encode;
use crate::link::message::{Failure, FromConsole, SessionShellPosition, ToConsole, ToCustomer};
use crate::session::consent::{self, Consent};
use crate::session::policy::{self, Denied};
use crate::session::state;

/// A representative's place: one console at a time, the newest.
#[derive(Debug)]
pub(super) struct Seat {
    /// Connected, if so.
    pub peer: Option<PeerId>,
    /// The sign-in it was opened under.
    pub sign_in: Fingerprint,
    /// As customers see the representative.
    pub name: Label,
    /// What still comes from it is ignored.
    pub is_signed_out: bool,
}

/// Columns and rows a terminal may have.
const COLUMNS: std::ops::RangeInclusive<u16> = 2..=1_000;
const ROWS: std::ops::RangeInclusive<u16> = 1..=1_000;

impl Hub {
    pub(super) fn console_arrived(
        &mut self,
        peer: PeerId,
        account: AccountId,
        name: Label,
        sign_in: Fingerprint,
        shells: &[SessionShellPosition],
        now: Now,
    ) {
        let seat = Seat {
            peer: Some(peer),
            sign_in,
            name: name.clone(),
            is_signed_out: false,
        };
        let old = self.seats.insert(account, seat).and_then(|seat| seat.peer);
        if let Some(old) = old {
            self.out.say(old, &ToConsole::Replaced);
            self.out.now(Effect::HangUp { peer: old });
        }
        self.peers.insert(peer, Who::Console(account));
        self.out.say(peer, &ToConsole::Welcome(welcome(now)));
        let mut theirs: Vec<_> = self
            .cases
            .values_mut()
            .filter(|case| case.record.owner == account)
            .collect();
        theirs.sort_by_key(|case| case.record.started);
        let sessions = theirs.iter().map(|case| case.id()).collect();
        let key_seconds_max = u32::try_from(KEY_LIFE_MAX.as_secs()).unwrap_or(u32::MAX);
        self.out.say(
            peer,
            &ToConsole::Desk {
                name,
                key_seconds_max,
                sessions,
            },
        );
        if self.restart.is_some() {
            let seconds = suspend::seconds_until(self.restart, now);
            self.out.say(peer, &ToConsole::Restart { seconds });
        }
        for case in theirs {
            let out = &mut self.out;
            case.console = Some(peer);
            case.show(out);
            if !case.state.is_accepted() {
                continue;
            }
            case.replay_to_console(out);
            case.show_asking(out, now);
            let was_away = !case.state.owner_is_here();
            let _ = case.advance(state::Event::OwnerBack);
            if was_away {
                case.log(out, now, case.by_owner(), What::RepresentativeBack);
                case.introduce(out);
            }
            let session = case.id();
            case.disown_shells(out, shells);
            for id in case.shells.keys().copied().collect::<Vec<ShellId>>() {
                let told = shells
                    .iter()
                    .find(|p| p.session == session && p.shell == id);
                let told = told.map_or(0, |position| position.received);
                case.console_side_returned(out, old, id, told);
            }
            case.join_all(out, &mut self.peers);
        }
    }

    pub(super) fn console_left(
        &mut self,
        account: AccountId,
        peer: PeerId,
        channels: &[(u16, Channel)],
        now: Now,
    ) {
        let is_current = self
            .seats
            .get(&account)
            .is_some_and(|seat| seat.peer == Some(peer));
        if is_current {
            self.seats.remove(&account);
        }
        let out = &mut self.out;
        for case in self
            .cases
            .values_mut()
            .filter(|case| case.record.owner == account)
        {
            if is_current {
                case.console = None;
                case.console_side_lost(out, peer, channels);
                if case.state.is_accepted() {
                    let _ = case.advance(state::Event::OwnerLost { at: now.moment });
                    case.log(out, now, case.by_owner(), What::RepresentativeLost);
                    case.introduce(out);
                }
            } else {
                for shell in case.shells.values_mut() {
                    if shell.console.is_closing_at(peer) {
                        shell.console = shell.console.lost(peer, channels);
                    }
                }
                case.join_all(out, &mut self.peers);
            }
        }
    }

    pub(super) fn from_console(
        &mut self,
        account: AccountId,
        peer: PeerId,
        message: FromConsole,
        turn: &mut Turn<'_>,
    ) {
        let Some(seat) = self
            .seats
            .get(&account)
            .filter(|seat| seat.peer == Some(peer) && !seat.is_signed_out)
        else {
            return; // its successor is connected already, or it may not any more
        };
        let now = turn.now;
        let done = match message {
            FromConsole::CreateKey { request, seconds } => {
                let name = seat.name.clone();
                return self.console_creates_key(peer, request, account, name, seconds, turn);
            }
            FromConsole::Accept { session } => (session, self.accept(account, session, now)),
            FromConsole::Chat { session, text } => {
                (session, self.console_chats(account, session, text, now))
            }
            FromConsole::OpenShell {
                session,
                columns,
                rows,
            } => (
                session,
                self.console_opens_shell(account, session, (columns, rows), now),
            ),
            FromConsole::Withdraw { session, prompt } => (
                session,
                self.console_withdraws(account, session, prompt, now),
            ),
            FromConsole::ResizeShell {
                session,
                shell,
                columns,
                rows,
            } => (
                session,
                self.console_resizes(account, session, shell, (columns, rows)),
            ),
            FromConsole::CloseShell { session, shell } => {
                let done = self.owned(account, session).map(|case| {
                    // The computer ends it and says so; its last output comes first.
                    let running = case.shells.contains_key(&shell);
                    (running, case.customer.is_some())
                });
                let done = done.map(|state| self.console_closes_shell(session, shell, state, now));
                (session, done)
            }
            FromConsole::Hold { session } => {
                let owned = self.owned(account, session).map(|case| case.by_owner());
                (
                    session,
                    owned.map(|by| self.requeue(session, now, by, What::Held)),
                )
            }
            FromConsole::End { session } => {
                let owned = self.owned(account, session).map(|case| case.by_owner());
                let reason = EndReason::Representative;
                (
                    session,
                    owned.map(|by| self.end_case(session, now, by, reason)),
                )
            }
        };
        if let (session, Err(reason)) = done {
            let failed = ToConsole::Failed {
                request: 0,
                session: Some(session),
                reason,
            };
            self.out.say(peer, &failed);
        }
    }

    fn console_creates_key(
        &mut self,
        peer: PeerId,
        request: u32,
        account: AccountId,
        name: Label,
        seconds: u32,
        turn: &mut Turn<'_>,
    ) {
        match self.create_key(account, name, seconds, turn) {
            Ok((batch, key)) => {
                let made = ToConsole::Key {
                    request,
                    key: key.digits,
                    ak: key.ak,
                    expires: key.expires,
                };
                self.out.after(
                    batch,
                    Effect::Say {
                        peer,
                        json: encode(&made),
                    },
                );
            }
            Err(reason) => self.out.say(
                peer,
                &ToConsole::Failed {
                    request,
                    session: None,
                    reason,
                },
            ),
        }
    }

    /// The representative's session, accepted.
    fn owned(
        &mut self,
        account: AccountId,
        session: SessionId,
    ) -> Result<&mut super::Case, Failure> {
        let case = self.cases.get_mut(&session).ok_or(Failure::NoSession)?;
        // A session in somebody else's queue is none of this representative's business, so it is
        // not even confirmed.
        if case.record.owner != account {
            return Err(Failure::NoSession);
        }
        if case.state.is_accepted() {
            Ok(case)
        } else {
            Err(Failure::NotOwner)
        }
    }

    fn accept(&mut self, account: AccountId, session: SessionId, now: Now) -> Result<(), Failure> {
        let found = self
            .cases
            .get_mut(&session)
            .filter(|case| case.record.owner == account);
        let case = found.ok_or(Failure::NoSession)?;
        case.advance(state::Event::Accept)
            .map_err(|_| Failure::Taken)?;
        let out = &mut self.out;
        case.record_standing(out, now);
        case.show(out);
        case.replay_to_console(out);
        case.log(out, now, case.by_owner(), What::Accepted);
        case.introduce(out);
        Ok(())
    }

    fn console_chats(
        &mut self,
        account: AccountId,
        session: SessionId,
        text: crate::domain::LongText,
        now: Now,
    ) -> Result<(), Failure> {
        let case = self.owned(account, session)?;
        policy::may_chat(case.state).map_err(failure)?;
        let by = case.by_owner();
        let case = self.cases.get_mut(&session).expect("found above");
        case.log(&mut self.out, now, by, What::Chat { text });
        Ok(())
    }

    fn console_opens_shell(
        &mut self,
        account: AccountId,
        session: SessionId,
        size: (u16, u16),
        now: Now,
    ) -> Result<(), Failure> {
        let case = self.owned(account, session)?;
        if !COLUMNS.contains(&size.0) || !ROWS.contains(&size.1) {
            return Err(Failure::Range);
        }
        policy::may_open_shell(case.state, case.record.kind, case.shells.len()).map_err(failure)?;
        let case = self.cases.get_mut(&session).expect("found above");
        match case.consent(Tool::Shell) {
            Consent::Allowed => case.open_shell(&mut self.out, now, &mut self.peers, size),
            Consent::Asked { .. } => return Err(Failure::Asking),
            Consent::None => {
                case.wanted = Some(size);
                case.ask(&mut self.out, now, Tool::Shell);
            }
        }
        Ok(())
    }

    fn console_withdraws(
        &mut self,
        account: AccountId,
        session: SessionId,
        prompt: crate::domain::PromptId,
        now: Now,
    ) -> Result<(), Failure> {
        let case = self.owned(account, session)?;
        let by = case.by_owner();
        let withdrawn = case.consents_after(consent::Event::Withdraw { prompt });
        let case = self.cases.get_mut(&session).expect("found above");
        for (tool, _, prompt) in withdrawn {
            case.wanted = None;
            case.log(&mut self.out, now, by.clone(), What::Withdrawn { tool });
            case.ask_is_over(&mut self.out, prompt);
        }
        Ok(())
    }

    fn console_resizes(
        &mut self,
        account: AccountId,
        session: SessionId,
        id: ShellId,
        size: (u16, u16),
    ) -> Result<(), Failure> {
        if !COLUMNS.contains(&size.0) || !ROWS.contains(&size.1) {
            return Err(Failure::Range);
        }
        self.owned(account, session)?;
        let case = self.cases.get_mut(&session).expect("found above");
        case.resize_shell(&mut self.out, id, size);
        Ok(())
    }

    /// Ends a shell. While the customer is away nobody can answer, so it is over at once; the
    /// computer ends it when it comes back and finds it unknown.
    fn console_closes_shell(
        &mut self,
        session: SessionId,
        shell: ShellId,
        (running, reachable): (bool, bool),
        now: Now,
    ) {
        let Some(case) = self.cases.get_mut(&session) else {
            return;
        };
        if running && reachable {
            case.to_customer(&mut self.out, &ToCustomer::ShellClose { shell });
        } else if running {
            let what = case.shell_closed(shell);
            case.close_shell(&mut self.out, now, case.by_owner(), shell, what);
        }
    }
}

fn failure(denied: Denied) -> Failure {
    match denied {
        Denied::NotAccepted => Failure::NotOwner,
        Denied::CustomerAbsent => Failure::CustomerAbsent,
        Denied::ChatOnly => Failure::ChatOnly,
        Denied::Limit => Failure::Limit,
    }
}
