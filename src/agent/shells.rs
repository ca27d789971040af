//! The customer's end of command shells, without the shells: which byte is where.
//!
//! ```text
//! PTY output ─> Retained ─> channel          channel ─> input position ─> PTY
//!                    ^ credit                              credit <─ taken
//! ```
//!
//! A shell outlives the link it was opened on. Its output is kept until the console has consumed
//! it and its input is counted, so that after a resume every byte arrives once and in order.

use std::collections::BTreeMap;

use crate::domain::limits::{CREDIT_STEP_BYTES, PAYLOAD_BYTES_MAX, WINDOW_BYTES};
use crate::domain::{Label, ShellId};
use crate::link::channel::Channel;
use crate::link::message::{FromCustomer, ShellPosition};
use crate::link::{Connection, LinkError, Retained};

/// Every shell of a session that is not known to be over on both sides.
#[derive(Debug, Default)]
pub struct Shells(BTreeMap<ShellId, Shell>);

/// One shell.
#[derive(Debug, Default)]
struct Shell {
    /// Where its bytes go; `None` while the link is gone or the relay paused it.
    channel: Option<u16>,
    output: Retained,
    /// Input bytes that arrived, since the shell began.
    received: u64,
    /// Input bytes the shell has taken. The difference waits at the PTY.
    taken: u64,
    /// What the console may send up to on this channel.
    granted: u64,
    end: ShellEnd,
}

/// Whether a shell still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ShellEnd {
    #[default]
    Runs,
    /// No more output will come; what is kept still has to be sent.
    Over,
    /// And the relay was told, on this link. Kept until the log shows that it heard.
    Told,
}

impl Shells {
    /// Whether there is such a shell.
    pub fn contains(&self, shell: ShellId) -> bool {
        self.0.contains_key(&shell)
    }

    /// Every shell, over or not.
    pub fn all(&self) -> Vec<ShellId> {
        self.0.keys().copied().collect()
    }

    /// Shells whose program still runs.
    pub fn running(&self) -> impl Iterator<Item = ShellId> {
        let runs = |(id, shell): (&ShellId, &Shell)| (shell.end == ShellEnd::Runs).then_some(*id);
        self.0.iter().filter_map(runs)
    }

    /// A new shell on a channel that was just opened.
    pub fn open(&mut self, id: ShellId, channel: u16) {
        let shell = Shell {
            channel: Some(channel),
            granted: WINDOW_BYTES,
            ..Shell::default()
        };
        self.0.insert(id, shell);
    }

    /// Forgets a shell; its kept output goes with it. Closes its channel.
    pub fn forget(&mut self, id: ShellId, link: Option<&mut Connection>) {
        let channel = self.0.remove(&id).and_then(|shell| shell.channel);
        if let (Some(channel), Some(link)) = (channel, link) {
            link.close(channel);
        }
    }

    /// The link is gone: every shell waits.
    pub fn pause_all(&mut self) {
        for shell in self.0.values_mut() {
            shell.channel = None;
            if shell.end == ShellEnd::Told {
                shell.end = ShellEnd::Over;
            }
        }
    }

    /// One shell's channel is gone for now.
    pub fn pause(&mut self, id: ShellId, link: &mut Connection) {
        if let Some(channel) = self.0.get_mut(&id).and_then(|shell| shell.channel.take()) {
            link.close(channel);
        }
    }

    /// A shell goes on, on a new channel.
    ///
    /// Returns false if the relay asks for output that is not kept any more, or announces input
    /// beyond what arrived: then the two sides cannot agree again, and the shell has to end.
    pub fn resume(
        &mut self,
        id: ShellId,
        channel: u16,
        send_from: u64,
        receive_from: u64,
        link: &mut Connection,
    ) -> Result<bool, LinkError> {
        if !link.open(channel, send_from, receive_from) {
            return Err(LinkError::UnknownChannel { channel });
        }
        let Some(shell) = self.0.get_mut(&id) else {
            link.close(channel);
            return Ok(false);
        };
        if let Some(before) = shell.channel.replace(channel).filter(|old| *old != channel) {
            link.close(before);
        }
        if receive_from > shell.received || shell.output.rewind(send_from).is_err() {
            return Ok(false);
        }
        // The console keeps what the shell has not surely taken, and credit given on the last
        // channel may be lost: it is given again at once.
        shell.granted = 0;
        if shell.end == ShellEnd::Told {
            shell.end = ShellEnd::Over;
        }
        self.pump(id, link);
        self.taken(id, 0, Some(link));
        Ok(true)
    }

    /// What a resuming hello says; running shells first, since the list is limited.
    pub fn positions(&self) -> heapless::Vec<ShellPosition, 16> {
        let mut positions = heapless::Vec::new();
        let (running, over): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .partition(|(_, shell)| shell.end == ShellEnd::Runs);
        for (id, shell) in running.into_iter().chain(over) {
            let position = ShellPosition {
                shell: *id,
                // Also what waits at the PTY: it gets there whatever happens to the link.
                received: shell.received,
            };
            if positions.push(position).is_err() {
                break;
            }
        }
        positions
    }

    /// Input arrived on `channel`. Returns whose it is and what of it is new: after a resume the
    /// console repeats what the shell had not taken.
    pub fn input<'a>(
        &mut self,
        channel: u16,
        offset: u64,
        bytes: &'a [u8],
    ) -> Option<(ShellId, &'a [u8])> {
        let (id, shell) = self
            .0
            .iter_mut()
            .find(|(_, shell)| shell.channel == Some(channel))?;
        let known = shell.received.saturating_sub(offset);
        let fresh = bytes.get(usize::try_from(known).ok()?..)?;
        shell.received += fresh.len() as u64;
        (!fresh.is_empty() && shell.end == ShellEnd::Runs).then_some((*id, fresh))
    }

    /// Input arrived that the shell had taken before: the console hears how far it got.
    pub fn renew_credit(&mut self, channel: u16, link: &mut Connection) {
        let found = self.0.iter().find(|(_, s)| s.channel == Some(channel));
        if let Some(id) = found.map(|(id, _)| *id) {
            self.taken(id, 0, Some(link));
        }
    }

    /// The shell took `bytes` of its input: the console may send more.
    pub fn taken(&mut self, id: ShellId, bytes: usize, link: Option<&mut Connection>) {
        let Some(shell) = self.0.get_mut(&id) else {
            return;
        };
        shell.taken = (shell.taken + bytes as u64).min(shell.received);
        if let (Some(channel), Some(link)) = (shell.channel, link) {
            // Never beyond what came on this link: after a resume the console may still be
            // repeating bytes that were taken before.
            let reached = link.channel(channel).map_or(0, Channel::received);
            let up_to = shell.taken.min(reached).saturating_add(WINDOW_BYTES);
            if up_to >= shell.granted.saturating_add(CREDIT_STEP_BYTES) {
                shell.granted = up_to;
                link.grant(channel, up_to);
            }
        }
    }

    /// Output bytes the shell may still produce. 0 makes its reader wait.
    pub fn room(&self, id: ShellId) -> usize {
        self.0.get(&id).map_or(0, |shell| shell.output.room())
    }

    /// The shell produced output.
    ///
    /// # Panics
    ///
    /// If that exceeds [`Self::room`]: its reader did not look.
    pub fn output(&mut self, id: ShellId, bytes: &[u8], link: Option<&mut Connection>) {
        if let Some(shell) = self.0.get_mut(&id) {
            shell.output.push(bytes);
            if let Some(link) = link {
                self.pump(id, link);
            }
        }
    }

    /// The shell will produce no more output.
    pub fn ended(&mut self, id: ShellId, link: Option<&mut Connection>) {
        if let Some(shell) = self.0.get_mut(&id) {
            if shell.end == ShellEnd::Runs {
                shell.end = ShellEnd::Over;
            }
            if let Some(link) = link {
                self.pump(id, link);
            }
        }
    }

    /// The console has consumed output; more may be sent.
    pub fn credit(&mut self, channel: u16, link: &mut Connection) {
        let found = self.0.iter_mut().find(|(_, s)| s.channel == Some(channel));
        if let Some((id, shell)) = found {
            let id = *id;
            if let Some(open) = link.channel(channel) {
                shell.output.consumed(open.acknowledged());
            }
            self.pump(id, link);
        }
    }

    /// Sends what may be sent, then says that the shell is over if it is.
    fn pump(&mut self, id: ShellId, link: &mut Connection) {
        let Some((shell, channel)) = self.0.get_mut(&id).and_then(|s| s.channel.map(|c| (s, c)))
        else {
            return;
        };
        loop {
            let piece = shell.output.unsent(PAYLOAD_BYTES_MAX);
            let sent = link.send(channel, piece);
            if sent == 0 {
                break;
            }
            shell.output.sent(sent);
        }
        if shell.end == ShellEnd::Over && shell.output.unsent(1).is_empty() {
            shell.end = ShellEnd::Told;
            link.say(&FromCustomer::ShellEnded { shell: id });
        }
    }
}

/// What the representative reads when a shell is refused by this program itself.
pub fn refusal(words: &str) -> Label {
    crate::domain::text::label(words)
}
