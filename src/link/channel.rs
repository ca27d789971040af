//! Credit: how much may be under way on a channel.
//!
//! Offsets are absolute: bytes since the tool (a shell, say) began, in one direction. They go on
//! counting when the tool moves to a new channel after a lost connection, so both ends always
//! agree on what is missing.

use super::LinkError;
use crate::domain::limits::WINDOW_BYTES;

/// Both directions of one open channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    acknowledged: u64,
    sent: u64,
    send_limit: u64,
    received: u64,
    receive_limit: u64,
}

impl Channel {
    /// Opens at these offsets, with a window each way.
    pub fn new(send_from: u64, receive_from: u64) -> Self {
        Self::resumed(0, send_from, receive_from)
    }

    /// The same, where the other side is known to have consumed what came before `acknowledged`.
    /// The bytes from there to `send_from` went out on an earlier channel of the same link, and may
    /// still be lost with it.
    pub fn resumed(acknowledged: u64, send_from: u64, receive_from: u64) -> Self {
        Self {
            acknowledged,
            sent: send_from,
            send_limit: send_from.saturating_add(WINDOW_BYTES),
            received: receive_from,
            receive_limit: receive_from.saturating_add(WINDOW_BYTES),
        }
    }

    /// Bytes sent in all.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes received in all.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes the other side has surely consumed, as far as this channel knows.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Bytes that may be sent now.
    pub fn room(&self) -> usize {
        usize::try_from(self.send_limit - self.sent).unwrap_or(usize::MAX)
    }

    /// Counts bytes about to be sent.
    ///
    /// # Panics
    ///
    /// If they exceed [`Self::room`]: the sender did not look.
    pub fn count_sent(&mut self, bytes: usize) {
        assert!(
            bytes <= self.room(),
            "{bytes} bytes with room for {}",
            self.room()
        );
        self.sent += bytes as u64;
    }

    /// Counts received bytes and returns the offset of the first.
    pub fn count_received(&mut self, channel: u16, bytes: usize) -> Result<u64, LinkError> {
        let offset = self.received;
        let reached = offset.saturating_add(bytes as u64);
        if reached > self.receive_limit {
            let allowed = self.receive_limit;
            return Err(LinkError::CreditExceeded {
                channel,
                reached,
                allowed,
            });
        }
        self.received = reached;
        Ok(offset)
    }

    /// Takes the other side's credit. It may be lower than what this channel opened with: the
    /// other side has not consumed all that came on the channel before. That lowers nothing, but
    /// says what need not be kept any more.
    pub fn raise_send_limit(&mut self, channel: u16, granted: u64) -> Result<(), LinkError> {
        let highest = self.sent.saturating_add(WINDOW_BYTES);
        if granted > highest {
            return Err(LinkError::BadCredit {
                channel,
                granted,
                highest,
            });
        }
        let consumed = granted.saturating_sub(WINDOW_BYTES);
        self.acknowledged = self.acknowledged.max(consumed);
        self.send_limit = self.send_limit.max(granted);
        Ok(())
    }

    /// Gives the other side credit. Never lowers what was given.
    pub fn raise_receive_limit(&mut self, granted: u64) {
        self.receive_limit = self.receive_limit.max(granted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_beyond_the_credit_is_refused() {
        let mut channel = Channel::new(0, 10);
        let window = usize::try_from(WINDOW_BYTES).unwrap();
        assert_eq!(channel.count_received(1, window), Ok(10));
        let error = channel.count_received(1, 1).unwrap_err();
        let allowed = 10 + WINDOW_BYTES;
        assert_eq!(
            error,
            LinkError::CreditExceeded {
                channel: 1,
                reached: allowed + 1,
                allowed
            }
        );
        channel.raise_receive_limit(allowed + 5);
        assert_eq!(channel.count_received(1, 5), Ok(allowed));
    }

    #[test]
    fn credit_does_not_outrun_what_was_sent_by_more_than_a_window() {
        let mut channel = Channel::new(0, 0);
        assert!(channel.raise_send_limit(1, WINDOW_BYTES + 1).is_err());
        channel.count_sent(100);
        assert_eq!(channel.raise_send_limit(1, WINDOW_BYTES + 100), Ok(()));
        assert_eq!(channel.acknowledged(), 100);
    }

    #[test]
    fn late_credit_for_an_earlier_channel_acknowledges_and_takes_nothing_away() {
        let mut channel = Channel::resumed(10, 100, 0);
        let room = channel.room();
        assert_eq!(channel.raise_send_limit(1, WINDOW_BYTES + 60), Ok(()));
        assert_eq!((channel.acknowledged(), channel.room()), (60, room));
        assert_eq!(channel.raise_send_limit(1, WINDOW_BYTES + 20), Ok(()));
        assert_eq!((channel.acknowledged(), channel.room()), (60, room));
    }
}
