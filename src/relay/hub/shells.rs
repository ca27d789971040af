//! Shells of a case: opened, paused, joined again, closed.

use super::case::Case;
use super::event::{Effect, PeerId, Tap, TranscriptOrder};
use super::out::Out;
use super::peers::Peers;
use super::shell::{Shell, Side};
use crate::domain::entry::{Author, What};
use crate::domain::{Now, ShellId};
use crate::link::channel::Channel;
use crate::link::connection::encode;
use crate::link::message::{SessionShellPosition, ShellPosition, ToConsole, ToCustomer};

impl Case {
    /// Starts a shell on the customer's computer. Consent and policy have been checked.
    pub fn open_shell(&mut self, out: &mut Out, now: Now, peers: &mut Peers, size: (u16, u16)) {
        let shell = ShellId(self.record.next_shell);
        self.record.next_shell += 1;
        self.record_standing(out, now);
        let new = Shell {
            customer: Side::NEW,
            console: Side::NEW,
            begun: false,
            begins: false,
            runs: false,
            size,
        };
        self.shells.insert(shell, new);
        let tap = self.tap(shell);
        let (columns, rows) = size;
        let begin = TranscriptOrder::Begin {
            tap,
            at: now.stamp,
            columns,
            rows,
        };
        self.emit(out, Effect::Transcript(begin));
        self.join(out, peers, shell);
    }

    /// Joins the two sides if both are ready.
    pub fn join(&mut self, out: &mut Out, peers: &mut Peers, id: ShellId) {
        let (Some(customer), Some(console)) = (self.customer, self.console) else {
            return;
        };
        let Some(shell) = self.shells.get(&id).copied() else {
            return;
        };
        let (Side::Ready(input), Side::Ready(output)) = (shell.customer, shell.console) else {
            return;
        };
        let (Some(there), Some(here)) = (peers.channel(customer), peers.channel(console)) else {
            // A link that used up its channel numbers starts afresh; its shells then go on.
            for peer in [customer, console] {
                if peers.is_used_up(peer) {
                    self.emit(out, Effect::HangUp { peer });
                }
            }
            return;
        };
        let (columns, rows) = shell.size;
        let to_customer = if shell.begun {
            ToCustomer::ShellResume {
                shell: id,
                channel: there,
                send_from: output.sent,
                receive_from: input.sent,
            }
        } else {
            ToCustomer::ShellOpen {
                shell: id,
                channel: there,
                columns,
                rows,
            }
        };
        let to_console = ToConsole::Shell {
            session: self.id(),
            shell: id,
            channel: here,
            send_from: input.sent,
            receive_from: output.sent,
        };
        let tap = self.tap(id);
        self.emit(
            out,
            Effect::OpenChannel {
                peer: customer,
                channel: there,
                to: (console, here),
                acknowledged: input.acknowledged,
                send_from: input.sent,
                receive_from: output.sent,
                tap: Some(tap),
                announcement: encode(&to_customer),
            },
        );
        self.emit(
            out,
            Effect::OpenChannel {
                peer: console,
                channel: here,
                to: (customer, there),
                acknowledged: output.acknowledged,
                send_from: output.sent,
                receive_from: input.sent,
                tap: None,
                announcement: encode(&to_console),
            },
        );
        let shell = self.shells.get_mut(&id).expect("looked up above");
        shell.customer = Side::Live {
            channel: there,
            from: input,
        };
        shell.console = Side::Live {
            channel: here,
            from: output,
        };
        shell.begins = !shell.begun;
        shell.begun = true;
    }

    /// Joins every shell that can be.
    pub fn join_all(&mut self, out: &mut Out, peers: &mut Peers) {
        for shell in self.shells.keys().copied().collect::<Vec<_>>() {
            self.join(out, peers, shell);
        }
    }

    /// The customer's connection is gone: the console's channels close, its terminals wait.
    pub fn customer_side_lost(&mut self, out: &mut Out, peer: PeerId, channels: &[(u16, Channel)]) {
        for id in self.shells.keys().copied().collect::<Vec<_>>() {
            self.cancel_at_customer(peer, id);
            let shell = self.shells.get_mut(&id).expect("listed above");
            shell.customer = shell.customer.lost(peer, channels);
            self.pause_at_console(out, id);
        }
    }

    /// The console's connection is gone: the customer's channels close, the shells go on.
    pub fn console_side_lost(&mut self, out: &mut Out, peer: PeerId, channels: &[(u16, Channel)]) {
        for id in self.shells.keys().copied().collect::<Vec<_>>() {
            let shell = self.shells.get_mut(&id).expect("listed above");
            shell.console = shell.console.lost(peer, channels);
            self.pause_at_customer(out, id);
        }
    }

    /// Tells a console that came back which of its shells ended meanwhile.
    pub fn disown_shells(&mut self, out: &mut Out, listed: &[SessionShellPosition]) {
        let session = self.id();
        for shell in listed
            .iter()
            .filter(|p| p.session == session)
            .map(|p| p.shell)
        {
            if !self.shells.contains_key(&shell) {
                self.to_console(out, &ToConsole::ShellClosed { session, shell });
            }
        }
    }

    /// A new console has `told` bytes of a shell; `old` is the console it replaces, if that is
    /// still connected.
    pub fn console_side_returned(
        &mut self,
        out: &mut Out,
        old: Option<PeerId>,
        id: ShellId,
        told: u64,
    ) {
        if let Some(shell) = self.shells.get_mut(&id) {
            shell.console = shell.console.returned(old, told);
            self.pause_at_customer(out, id);
        }
    }

    /// A customer's program came back with these shells; `old` is its connection before, if that
    /// is still there.
    pub fn shells_returned(
        &mut self,
        out: &mut Out,
        now: Now,
        old: Option<PeerId>,
        listed: &[ShellPosition],
    ) {
        for id in self.shells.keys().copied().collect::<Vec<_>>() {
            if let Some(position) = listed.iter().find(|listed| listed.shell == id) {
                self.customer_side_returned(out, old, id, position.received);
                // That it runs may have been said into a connection that was dead.
                self.shell_started(out, now, id);
                continue;
            }
            if let Some(old) = old {
                self.cancel_at_customer(old, id);
            }
            if self.shells[&id].begun {
                let what = self.shell_closed(id);
                self.close_shell(out, now, self.by_customer(), id, what);
            } else {
                // It was never told to start this one, and is as soon as it can be.
                self.customer_side_returned(out, old, id, 0);
            }
        }
        for shell in listed.iter().map(|listed| listed.shell) {
            if !self.shells.contains_key(&shell) {
                self.to_customer(out, &ToCustomer::ShellClose { shell });
            }
        }
    }

    /// A customer's program came back and has taken `told` bytes of input.
    fn customer_side_returned(
        &mut self,
        out: &mut Out,
        old: Option<PeerId>,
        id: ShellId,
        told: u64,
    ) {
        if let Some(old) = old {
            self.cancel_at_customer(old, id);
        }
        if let Some(shell) = self.shells.get_mut(&id) {
            shell.customer = shell.customer.returned(old, told);
            self.pause_at_console(out, id);
        }
    }

    /// A channel's close was answered. Returns whether a shell here waited for that.
    pub fn channel_closed(&mut self, peer: PeerId, channel: u16, stood: &Channel) -> bool {
        let mut found = false;
        for shell in self.shells.values_mut() {
            for side in [&mut shell.customer, &mut shell.console] {
                found |= side.is_closing(peer, channel);
                *side = side.closed(peer, channel, stood);
            }
        }
        found
    }

    /// The terminal has another size.
    pub fn resize_shell(&mut self, out: &mut Out, id: ShellId, size: (u16, u16)) {
        let Some(shell) = self.shells.get_mut(&id) else {
            return;
        };
        shell.size = size;
        let (columns, rows) = size;
        self.to_customer(
            out,
            &ToCustomer::ShellResize {
                shell: id,
                columns,
                rows,
            },
        );
        let tap = self.tap(id);
        let order = TranscriptOrder::Resize { tap, columns, rows };
        self.emit(out, Effect::Transcript(order));
    }

    /// The computer says that a shell runs.
    pub fn shell_started(&mut self, out: &mut Out, now: Now, id: ShellId) {
        let Some(shell) = self.shells.get_mut(&id) else {
            return;
        };
        if !std::mem::replace(&mut shell.runs, true) {
            self.log(out, now, self.by_owner(), What::ShellOpened { shell: id });
            self.show(out);
        }
    }

    /// A shell is over: routes, transcript, log and both sides learn it.
    pub fn close_shell(&mut self, out: &mut Out, now: Now, by: Author, id: ShellId, what: What) {
        let Some(mut shell) = self.shells.remove(&id) else {
            return;
        };
        self.cut(out, &mut shell.customer, self.customer);
        self.cut(out, &mut shell.console, self.console);
        let tap = self.tap(id);
        self.emit(out, Effect::Transcript(TranscriptOrder::Finish { tap }));
        let session = self.id();
        self.to_console(out, &ToConsole::ShellClosed { session, shell: id });
        self.log(out, now, by, what);
        self.show(out);
    }

    /// What a shell shows can no longer be recorded: it closes.
    pub fn transcript_failed(&mut self, out: &mut Out, now: Now, shell: ShellId) {
        self.to_customer(out, &ToCustomer::ShellClose { shell });
        let reason = crate::domain::text::label("the recording cannot be written");
        self.close_shell(
            out,
            now,
            Author::Appliance,
            shell,
            What::ShellFailed { reason },
        );
    }

    /// Closes every shell, and tells the computer to end them.
    pub fn close_all_shells(&mut self, out: &mut Out, now: Now, by: &Author) {
        for id in self.shells.keys().copied().collect::<Vec<_>>() {
            self.to_customer(out, &ToCustomer::ShellClose { shell: id });
            let what = self.shell_closed(id);
            self.close_shell(out, now, by.clone(), id, what);
        }
    }

    /// The log's line for a shell that is about to close.
    pub fn shell_closed(&self, shell: ShellId) -> What {
        let others = self.shells.keys().filter(|id| **id != shell).count();
        What::ShellClosed {
            shell,
            open: u32::try_from(others).unwrap_or(u32::MAX),
        }
    }

    /// The customer's channel closes; its shell goes on and its output waits.
    fn pause_at_customer(&mut self, out: &mut Out, id: ShellId) {
        let Some(mut shell) = self.shells.get(&id).copied() else {
            return;
        };
        match self.cut(out, &mut shell.customer, self.customer) {
            Cut::Closing => self.to_customer(out, &ToCustomer::ShellPause { shell: id }),
            Cut::Cancelled => shell.join_was_cancelled(),
            Cut::Nothing => {}
        }
        self.shells.insert(id, shell);
    }

    /// The console's channel closes; its terminal waits.
    fn pause_at_console(&mut self, out: &mut Out, id: ShellId) {
        let Some(mut shell) = self.shells.get(&id).copied() else {
            return;
        };
        if self.cut(out, &mut shell.console, self.console) == Cut::Closing {
            let session = self.id();
            self.to_console(out, &ToConsole::ShellPause { session, shell: id });
        }
        self.shells.insert(id, shell);
    }

    /// The customer's connection `peer` will not hear of a join that waits for the record.
    fn cancel_at_customer(&mut self, peer: PeerId, id: ShellId) {
        let live = self.shells.get(&id).map(|shell| shell.customer);
        if let Some(Side::Live { channel, .. }) = live
            && self.cancel_opening(peer, channel)
            && let Some(shell) = self.shells.get_mut(&id)
        {
            shell.join_was_cancelled();
        }
    }

    /// Closes a live side's channel at once: taking something away waits for no record, and what
    /// still waits to be opened never is.
    fn cut(&mut self, out: &mut Out, side: &mut Side, peer: Option<PeerId>) -> Cut {
        let (Side::Live { channel, from }, Some(peer)) = (*side, peer) else {
            return Cut::Nothing;
        };
        if self.cancel_opening(peer, channel) {
            *side = Side::Ready(from);
            return Cut::Cancelled;
        }
        *side = Side::Closing {
            peer,
            channel,
            from,
            told: None,
        };
        out.now(Effect::CloseChannel { peer, channel });
        Cut::Closing
    }

    fn tap(&self, shell: ShellId) -> Tap {
        Tap {
            session: self.id(),
            shell,
        }
    }
}

/// What became of a side that was to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// It was not open.
    Nothing,
    /// [`super::Event::ChannelClosed`] follows.
    Closing,
    /// It was about to open, and now is not.
    Cancelled,
}
