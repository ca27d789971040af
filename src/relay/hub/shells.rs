//! Shells of a case: opened, paused, joined again, closed.

use super::case::Case;
use super::event::{Effect, PeerId, Tap, TranscriptOrder};
use super::out::Out;
use super::peers::Peers;
use super::shell::{Shell, Side};
use crate::domain::entry::{Author, What};
use crate::domain::{Now, ShellId};
use crate::link::channel::Channel;
use crate::link::message::{ToConsole, ToCustomer};

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
        let (
            Side::Ready {
                received: input, ..
            },
            Side::Ready {
                received: output, ..
            },
        ) = (shell.customer, shell.console)
        else {
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
        let tap = self.tap(id);
        let session = self.id();
        self.emit(
            out,
            Effect::OpenChannel {
                peer: customer,
                channel: there,
                to: (console, here),
                send_from: input,
                receive_from: output,
                tap: Some(tap),
            },
        );
        self.emit(
            out,
            Effect::OpenChannel {
                peer: console,
                channel: here,
                to: (customer, there),
                send_from: output,
                receive_from: input,
                tap: None,
            },
        );
        let (columns, rows) = shell.size;
        let order = if shell.begun {
            ToCustomer::ShellResume {
                shell: id,
                channel: there,
                send_from: output,
                receive_from: input,
            }
        } else {
            ToCustomer::ShellOpen {
                shell: id,
                channel: there,
                columns,
                rows,
            }
        };
        self.to_customer(out, &order);
        let message = ToConsole::Shell {
            session,
            shell: id,
            channel: here,
            send_from: input,
            receive_from: output,
        };
        self.to_console(out, &message);
        let shell = self.shells.get_mut(&id).expect("looked up above");
        shell.customer = Side::Live { channel: there };
        shell.console = Side::Live { channel: here };
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
        let session = self.id();
        for id in self.shells.keys().copied().collect::<Vec<_>>() {
            let shell = self.shells.get_mut(&id).expect("listed above");
            shell.customer = shell.customer.lost(peer, channels);
            let closed = begin_close(&mut shell.console, self.console);
            if let Some(effect) = closed {
                self.emit(out, effect);
                self.to_console(out, &ToConsole::ShellPause { session, shell: id });
            }
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

    /// A new console has `told` bytes of a shell; `old` is the console it replaces, if that is
    /// still connected.
    pub fn console_side_returned(
        &mut self,
        out: &mut Out,
        old: Option<PeerId>,
        id: ShellId,
        told: u64,
    ) {
        let Some(shell) = self.shells.get_mut(&id) else {
            return;
        };
        shell.console = shell.console.returned(old, told);
        self.pause_at_customer(out, id);
    }

    /// A customer's program came back and has taken `told` bytes of input.
    pub fn customer_side_returned(
        &mut self,
        out: &mut Out,
        old: Option<PeerId>,
        id: ShellId,
        told: u64,
    ) {
        let Some(shell) = self.shells.get_mut(&id) else {
            return;
        };
        shell.customer = shell.customer.returned(old, told);
        let session = self.id();
        let shell = self.shells.get_mut(&id).expect("looked up above");
        if let Some(effect) = begin_close(&mut shell.console, self.console) {
            self.emit(out, effect);
            self.to_console(out, &ToConsole::ShellPause { session, shell: id });
        }
    }

    /// A channel's close was answered.
    pub fn channel_closed(&mut self, peer: PeerId, channel: u16, stood: &Channel) {
        for shell in self.shells.values_mut() {
            shell.customer = shell.customer.closed(peer, channel, stood);
            shell.console = shell.console.closed(peer, channel, stood);
        }
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
        let sides = [
            begin_close(&mut shell.customer, self.customer),
            begin_close(&mut shell.console, self.console),
        ];
        for effect in sides.into_iter().flatten() {
            self.emit(out, effect);
        }
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
        let Some(shell) = self.shells.get_mut(&id) else {
            return;
        };
        if let Some(effect) = begin_close(&mut shell.customer, self.customer) {
            self.emit(out, effect);
            self.to_customer(out, &ToCustomer::ShellPause { shell: id });
        }
    }

    fn tap(&self, shell: ShellId) -> Tap {
        Tap {
            session: self.id(),
            shell,
        }
    }
}

/// Begins to close a live side's channel.
fn begin_close(side: &mut Side, peer: Option<PeerId>) -> Option<Effect> {
    let (&mut Side::Live { channel }, Some(peer)) = (&mut *side, peer) else {
        return None;
    };
    *side = Side::Closing {
        peer,
        channel,
        told: None,
    };
    Some(Effect::CloseChannel { peer, channel })
}
