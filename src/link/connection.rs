//! One link: frames in order, credit kept, signs of life asked for.
//!
//! ```text
//! received bytes ─> Assembler ─> Frame ─> Connection::accept ─> Incoming
//! say, send, grant ─> Connection ─> take_output ─> bytes to send
//! ```

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::channel::Channel;
use super::frame::{self, Frame, FrameKind};
use super::{FrameKind as Kind, LinkError};
use crate::domain::Moment;
use crate::domain::limits::{
    CHANNELS_PER_LINK_MAX, CONTROL_BACKLOG_BYTES_MAX, KEEP_ALIVE_EVERY, PAYLOAD_BYTES_MAX,
    SILENCE_MAX, WINDOW_BYTES,
};

/// What a frame means to the layer above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// JSON for [`decode`].
    Message(&'a [u8]),
    /// Bytes of a tool.
    Data {
        /// On which channel.
        channel: u16,
        /// Position of the first byte since the tool began.
        offset: u64,
        /// At most [`PAYLOAD_BYTES_MAX`].
        bytes: &'a [u8],
    },
    /// The peer takes data up to here.
    Credit {
        /// On which channel.
        channel: u16,
        /// Absolute.
        up_to: u64,
    },
    /// Nothing to do: a ping was answered, a pong counted, or a channel was closed meanwhile.
    Nothing,
}

/// Turns chunks of bytes, cut anywhere, into whole frames.
#[derive(Debug, Default)]
pub struct Assembler {
    partial: Vec<u8>,
}

impl Assembler {
    /// Everything there is to read now: what was kept, then `bytes`. Copies only if something was
    /// kept. Split frames off it, then [`Self::keep`] what is left.
    pub fn join<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.partial.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(bytes);
        Cow::Owned(joined)
    }

    /// Keeps the beginning of a frame. Less than one frame, since whole ones were split off.
    pub fn keep(&mut self, rest: &[u8]) {
        self.partial.extend_from_slice(rest);
    }

    /// Bytes of a frame that has begun.
    pub fn kept(&self) -> usize {
        self.partial.len()
    }

    /// Whether the bytes so far end inside a frame.
    pub fn is_inside_frame(&self) -> bool {
        !self.partial.is_empty()
    }
}

/// One side of a link, without its socket. Both sides use the same.
#[derive(Debug)]
pub struct Connection {
    output: Vec<u8>,
    /// Index 0 is channel 1. `None` once closed; numbers are never used twice.
    channels: Vec<Option<Channel>>,
    heard: Moment,
    pinged: bool,
}

impl Connection {
    /// A link whose transport is up since `now`.
    pub fn new(now: Moment) -> Self {
        Self {
            output: Vec::new(),
            channels: Vec::new(),
            heard: now,
            pinged: false,
        }
    }

    /// What `frame` means. Answers pings by itself.
    pub fn accept<'a>(&mut self, frame: Frame<'a>, now: Moment) -> Result<Incoming<'a>, LinkError> {
        self.heard = now;
        self.pinged = false;
        let channel = frame.channel;
        match frame.kind {
            Kind::Control => Ok(Incoming::Message(frame.payload)),
            Kind::Ping => {
                frame::push_frame(&mut self.output, FrameKind::Pong, 0, frame.payload);
                Ok(Incoming::Nothing)
            }
            Kind::Pong => Ok(Incoming::Nothing),
            Kind::Data => {
                let Some(open) = self.channel_mut(channel)? else {
                    return Ok(Incoming::Nothing);
                };
                let offset = open.count_received(channel, frame.payload.len())?;
                Ok(Incoming::Data {
                    channel,
                    offset,
                    bytes: frame.payload,
                })
            }
            Kind::Credit => {
                let Some(open) = self.channel_mut(channel)? else {
                    return Ok(Incoming::Nothing);
                };
                let up_to = <[u8; 8]>::try_from(frame.payload).expect("checked with the header");
                let up_to = u64::from_be_bytes(up_to);
                open.raise_send_limit(channel, up_to)?;
                Ok(Incoming::Credit { channel, up_to })
            }
        }
    }

    /// Queues a message.
    ///
    /// # Panics
    ///
    /// If its JSON does not fit a frame: our own messages all do (see `tests/golden`).
    pub fn say(&mut self, message: &impl Serialize) {
        self.say_encoded(&encode(message));
    }

    /// Queues a message that [`encode`] made.
    pub fn say_encoded(&mut self, json: &[u8]) {
        frame::push_frame(&mut self.output, FrameKind::Control, 0, json);
    }

    /// Opens a channel with these offsets, or moves it there. The relay chooses the number and
    /// tells the peer by message; both then call this.
    ///
    /// Returns false if the number is 0 or above [`CHANNELS_PER_LINK_MAX`].
    pub fn open(&mut self, channel: u16, send_from: u64, receive_from: u64) -> bool {
        self.open_at(channel, Channel::new(send_from, receive_from))
    }

    /// The same, for a channel about which more is known than where to go on.
    pub fn open_at(&mut self, channel: u16, stands: Channel) -> bool {
        if channel == 0 || channel > CHANNELS_PER_LINK_MAX {
            return false;
        }
        let index = usize::from(channel) - 1;
        if self.channels.len() <= index {
            self.channels.resize(index + 1, None);
        }
        self.channels[index] = Some(stands);
        true
    }

    /// Closes a channel and says where it stood; `None` if it was not open. What still comes on
    /// it is ignored.
    pub fn close(&mut self, channel: u16) -> Option<Channel> {
        self.slot(channel).and_then(Option::take)
    }

    /// Where an open channel stands.
    pub fn channel(&self, channel: u16) -> Option<&Channel> {
        self.channels
            .get(usize::from(channel).checked_sub(1)?)?
            .as_ref()
    }

    /// Every open channel and where it stands.
    pub fn open_channels(&self) -> impl Iterator<Item = (u16, &Channel)> {
        (1_u16..)
            .zip(&self.channels)
            .filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// Queues as much of `bytes` as credit allows and returns how much that was; 0 on a channel
    /// that is not open.
    pub fn send(&mut self, channel: u16, bytes: &[u8]) -> usize {
        let Some(open) = self.slot(channel).and_then(Option::as_mut) else {
            return 0;
        };
        let taken = bytes.len().min(open.room());
        open.count_sent(taken);
        for piece in bytes[..taken].chunks(PAYLOAD_BYTES_MAX) {
            frame::push_frame(&mut self.output, FrameKind::Data, channel, piece);
        }
        taken
    }

    /// Lets the peer send up to this byte.
    pub fn grant(&mut self, channel: u16, up_to: u64) {
        if let Some(open) = self.slot(channel).and_then(Option::as_mut) {
            open.raise_receive_limit(up_to);
            frame::push_frame(
                &mut self.output,
                FrameKind::Credit,
                channel,
                &up_to.to_be_bytes(),
            );
        }
    }

    /// Where [`Self::take_output`] will find what is queued: for somebody who has memory to lend.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Everything queued since the last call.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Bytes that are queued.
    pub fn queued(&self) -> usize {
        self.output.len()
    }

    /// Whether something is queued.
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Refuses to queue without end: `waiting` bytes are with the transport, the rest is here.
    /// Data is bounded by credit, so only messages can pass this limit. `more` is what this peer
    /// may be sent at once beyond the common limit.
    pub fn check_backlog(&self, waiting: usize, more: usize) -> Result<(), LinkError> {
        let windows = self.open_channels().count() * usize::try_from(WINDOW_BYTES).unwrap_or(0);
        if self.output.len() + waiting > CONTROL_BACKLOG_BYTES_MAX + windows + more {
            return Err(LinkError::DoesNotRead);
        }
        Ok(())
    }

    /// Pings a peer that has been silent, gives up one that stays so.
    pub fn tick(&mut self, now: Moment) -> Result<(), LinkError> {
        let silent = now.since(self.heard);
        if silent >= SILENCE_MAX {
            return Err(LinkError::Silent);
        }
        if silent >= KEEP_ALIVE_EVERY && !self.pinged {
            self.pinged = true;
            frame::push_frame(&mut self.output, FrameKind::Ping, 0, &[0; 8]);
        }
        Ok(())
    }

    /// When to [`Self::tick`] next.
    pub fn deadline(&self) -> Moment {
        self.heard
            + if self.pinged {
                SILENCE_MAX
            } else {
                KEEP_ALIVE_EVERY
            }
    }

    fn slot(&mut self, channel: u16) -> Option<&mut Option<Channel>> {
        self.channels.get_mut(usize::from(channel).checked_sub(1)?)
    }

    /// The channel, `None` if it was closed, an error if it never was.
    fn channel_mut(&mut self, channel: u16) -> Result<Option<&mut Channel>, LinkError> {
        let slot = self
            .slot(channel)
            .ok_or(LinkError::UnknownChannel { channel })?;
        Ok(slot.as_mut())
    }
}

/// A message as JSON.
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages hold nothing JSON cannot express")
}

/// A message from JSON. The error names the place, not the peer's text.
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, LinkError> {
    serde_json::from_slice(json).map_err(|error| {
        let why = format!("{:?} error at byte {}", error.classify(), error.column());
        LinkError::BadMessage { why }
    })
}

/// For `tests/fuzz` and the smoke run below: a stream of frames, cut at its first byte's whim, and
/// their messages.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    use super::message::{
        FromConsole, FromCustomer, FromJumpClient, Hello, ToConsole, ToCustomer, ToJumpClient,
    };
    /// What was understood is understood the same after being said again.
    fn say_again<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(json: &[u8]) {
        if let Ok(message) = decode::<T>(json) {
            assert_eq!(decode::<T>(&encode(&message)), Ok(message));
        }
    }
    let mut connection = Connection::new(Moment::default());
    connection.open(1, 0, 0);
    let mut assembler = Assembler::default();
    let cut = usize::from(data.first().copied().unwrap_or(0)).max(1);
    for chunk in data.chunks(cut) {
        let input = assembler.join(chunk);
        let mut rest = &input[..];
        loop {
            match frame::split_frame(rest) {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some((frame, taken))) => {
                    rest = &rest[taken..];
                    match connection.accept(frame, Moment::default()) {
                        Err(_) => return,
                        Ok(Incoming::Message(json)) => {
                            say_again::<Hello>(json);
                            say_again::<FromCustomer>(json);
                            say_again::<ToCustomer>(json);
                            say_again::<FromConsole>(json);
                            say_again::<ToConsole>(json);
                            say_again::<FromJumpClient>(json);
                            say_again::<ToJumpClient>(json);
                        }
                        Ok(_) => {}
                    }
                }
            }
        }
        let rest = rest.to_vec();
        assembler.keep(&rest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::frame::{push_frame, split_frame};
    use super::*;

    fn accept_all(connection: &mut Connection, bytes: &[u8]) -> Result<(), LinkError> {
        let mut rest = bytes;
        while let Some((frame, taken)) = split_frame(rest)? {
            connection.accept(frame, Moment::default())?;
            rest = &rest[taken..];
        }
        Ok(())
    }

    #[test]
    fn data_stops_at_the_credit_and_goes_on_with_more() {
        let window = usize::try_from(WINDOW_BYTES).unwrap();
        let mut sender = Connection::new(Moment::default());
        assert!(sender.open(1, 0, 0));
        assert_eq!(sender.send(1, &vec![7; window + 1]), window);
        assert_eq!(sender.send(1, &[7]), 0);
        let mut receiver = Connection::new(Moment::default());
        assert!(receiver.open(1, 0, 0));
        accept_all(&mut receiver, &sender.take_output()).unwrap();
        receiver.grant(1, WINDOW_BYTES + 1);
        accept_all(&mut sender, &receiver.take_output()).unwrap();
        assert_eq!(sender.send(1, &[7, 7]), 1);
    }

    #[test]
    fn late_data_on_a_closed_channel_is_ignored_and_on_an_unknown_one_refused() {
        let mut connection = Connection::new(Moment::default());
        connection.open(1, 0, 0);
        connection.close(1);
        let mut bytes = Vec::new();
        push_frame(&mut bytes, FrameKind::Data, 1, b"late");
        assert_eq!(accept_all(&mut connection, &bytes), Ok(()));
        let mut bytes = Vec::new();
        push_frame(&mut bytes, FrameKind::Data, 2, b"never");
        assert_eq!(
            accept_all(&mut connection, &bytes),
            Err(LinkError::UnknownChannel { channel: 2 })
        );
    }

    #[test]
    fn a_silent_peer_is_asked_once_and_then_given_up() {
        let mut connection = Connection::new(Moment::default());
        let asked = Moment::default() + KEEP_ALIVE_EVERY;
        assert_eq!(connection.deadline(), asked);
        assert_eq!(connection.tick(asked), Ok(()));
        let ping = connection.take_output();
        assert_eq!(split_frame(&ping).unwrap().unwrap().0.kind, FrameKind::Ping);
        assert_eq!(connection.tick(asked), Ok(()));
        assert!(!connection.has_output());
        assert_eq!(
            connection.tick(connection.deadline()),
            Err(LinkError::Silent)
        );
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_frames() {
        let mut bytes = Vec::new();
        for length in [1, 100, PAYLOAD_BYTES_MAX] {
            push_frame(&mut bytes, FrameKind::Data, 1, &vec![1; length]);
        }
        for cut in [1, 2, 7, 8, 9, 1_000, bytes.len()] {
            let mut assembler = Assembler::default();
            let mut lengths = Vec::new();
            for chunk in bytes.chunks(cut) {
                let input = assembler.join(chunk);
                let mut rest = &input[..];
                while let Some((frame, taken)) = split_frame(rest).unwrap() {
                    lengths.push(frame.payload.len());
                    rest = &rest[taken..];
                }
                let rest = rest.to_vec();
                assembler.keep(&rest);
            }
            assert_eq!(
                lengths,
                [1, 100, PAYLOAD_BYTES_MAX],
                "cut every {cut} bytes"
            );
            assert!(!assembler.is_inside_frame());
        }
    }

    /// Every golden frame, as it is.
    fn golden_frames() -> Vec<Vec<u8>> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/frames");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        files
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect()
    }

    proptest! {
        #[test]
        fn fuzz_smoke(
            which in any::<prop::sample::Index>(),
            next in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let frames = golden_frames();
            let mut data = [which.get(&frames).as_slice(), next.get(&frames).as_slice()].concat();
            fuzz(&data);
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
            fuzz(&data);
            // The payload alone, under a length that fits: what a change of length hides.
            let mut framed = Vec::new();
            push_frame(&mut framed, FrameKind::Control, 0, &data[8..]);
            fuzz(&framed);
        }
    }
}
