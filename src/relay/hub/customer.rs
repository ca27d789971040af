//! What a customer's program says, and its going.

use super::Hub;
use super::event::PeerId;
use crate::domain::entry::{EndReason, What};
use crate::domain::{Now, SessionId, Tool};
use crate::link::channel::Channel;
use crate::link::message::FromCustomer;
use crate::session::consent::{self, Outcome};
use crate::session::{policy, state};

impl Hub {
    pub(super) fn from_customer(
        &mut self,
        session: SessionId,
        peer: PeerId,
        message: FromCustomer,
        now: Now,
    ) {
        let Some(case) = self.cases.get_mut(&session) else {
            return;
        };
        if case.customer != Some(peer) {
            return; // its successor is connected already
        }
        let out = &mut self.out;
        let by = case.by_customer();
        match message {
            FromCustomer::Chat { text } => {
                if case.log_is_full() {
                    return self.end_case(session, now, by, EndReason::Limit);
                }
                case.log(out, now, by, What::Chat { text });
            }
            FromCustomer::Answer { prompt, allow } => {
                let answered = case.consents_after(consent::Event::Answer { prompt, allow });
                let Some((tool, outcome, _)) = answered.first().copied() else {
                    return;
                };
                let allowed = outcome == Outcome::Allowed;
                if allowed {
                    case.log_step(out, now, by, What::Allowed { tool });
                } else {
                    case.log(out, now, by, What::Refused { tool });
                }
                case.ask_is_over(out, prompt);
                case.show(out);
                self.answered(session, tool, allowed, now);
            }
            FromCustomer::ShellStarted { shell } => case.shell_started(out, now, shell),
            FromCustomer::ShellFailed { shell, reason } => {
                let reason = crate::domain::text::label(&reason);
                case.close_shell(out, now, by, shell, What::ShellFailed { reason });
            }
            FromCustomer::ShellEnded { shell } => {
                let what = case.shell_closed(shell);
                case.close_shell(out, now, by, shell, what);
            }
            FromCustomer::StopSharing => {
                case.withdraw_everything(out, now, &by);
                case.log_step(out, now, by, What::SharingStopped);
                case.show(out);
            }
            FromCustomer::Leave => self.end_case(session, now, by, EndReason::Customer),
        }
    }

    /// A question was answered: opens what was waiting for it.
    fn answered(&mut self, session: SessionId, tool: Tool, allowed: bool, now: Now) {
        let Some(case) = self.cases.get_mut(&session) else {
            return;
        };
        match tool {
            Tool::Shell => {
                let Some(size) = case.wanted.take() else {
                    return;
                };
                let open = case.shells.len();
                if allowed && policy::may_open_shell(case.state, case.record.kind, open).is_ok() {
                    case.open_shell(&mut self.out, now, &mut self.peers, size);
                }
            }
        }
    }

    pub(super) fn customer_left(
        &mut self,
        session: SessionId,
        peer: PeerId,
        channels: &[(u16, Channel)],
        now: Now,
    ) {
        let Some(case) = self.cases.get_mut(&session) else {
            return;
        };
        let out = &mut self.out;
        if case.customer != Some(peer) {
            // A replaced connection: what its channels knew was waited for.
            for shell in case.shells.values_mut() {
                if shell.customer.is_closing_at(peer) {
                    shell.customer = shell.customer.lost(peer, channels);
                }
            }
            return case.join_all(out, &mut self.peers);
        }
        case.customer = None;
        case.customer_side_lost(out, peer, channels);
        case.advance(state::Event::CustomerLost { at: now.moment })
            .expect("losing a connection is never refused");
        // A question nobody can answer any more; the representative may ask again.
        case.wanted = None;
        for tool in [Tool::Shell] {
            if let consent::Consent::Asked { prompt, .. } = case.consent(tool) {
                let _ = case.consents_after(consent::Event::Withdraw { prompt });
                case.log(
                    out,
                    now,
                    crate::domain::entry::Author::Appliance,
                    What::Withdrawn { tool },
                );
                case.ask_is_over(out, prompt);
            }
        }
        case.log(out, now, case.by_customer(), What::CustomerLost);
        case.show(out);
    }
}
