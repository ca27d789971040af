//! How a relay goes on with the connections of the one before it (FEATURES GX-02).
//!
//! ```text
//! new relay                        old relay
//!    ├──── take over ────────────────>│  accepts and receives no more, puts everything on record
//!    │<─── the store is closed ───────┤
//!    │  opens it, serves              │
//!    │<─── connections, 32 at once ───┤  those of Jump Clients with nothing under way
//!    │<─── end ───────────────────────┤  ends
//! ```
//!
//! The two ends are made by the supervisor and named nowhere, so nobody else can ask for what goes over
//! them: descriptors, and the keys of their connections. Sessions are not among what is handed over.
//! They are on record, and their sides come back by themselves, before everybody else.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crossbeam::channel::{Receiver, Sender, bounded};
use zeroize::{Zeroize as _, Zeroizing};

use super::hub::PeerId;
use crate::domain::limits::HAND_OVER_WITHIN;
use crate::domain::token::Fingerprint;
use crate::net::courier::{Courier, SOCKETS_PER_MESSAGE_MAX};
use crate::tls::Pipe;
use crate::tls::estate::ESTATE_BYTES;

/// Changes with what a connection is written as: a relay that does not know it is given none.
const VERSION: u8 = 1;

const TAKE_OVER: u8 = 1;
const STORE_IS_CLOSED: u8 = 2;
const CONNECTIONS: u8 = 3;
const END: u8 = 4;

const DEVICE_BYTES: usize = 32;
const CONNECTION_BYTES: usize = DEVICE_BYTES + ESTATE_BYTES;
const MESSAGE_BYTES_MAX: usize = 1 + SOCKETS_PER_MESSAGE_MAX * CONNECTION_BYTES;

/// A Jump Client's connection that goes on.
pub struct Connection {
    /// Its socket.
    pub socket: OwnedFd,
    /// The device key it has proved.
    pub device: Fingerprint,
    /// Its encryption.
    pub pipe: Pipe,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not its keys.
        f.debug_struct("Connection")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// The old relay's end.
#[derive(Debug)]
pub struct Successor {
    courier: Courier,
    given: AtomicU32,
}

impl Successor {
    /// From what the supervisor handed over.
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            courier: Courier::new(end, HAND_OVER_WITHIN)?,
            given: AtomicU32::new(0),
        })
    }

    /// Waits until somebody asks to take over. Returns whether it is one who understands us, or
    /// `None` if nobody will ask any more.
    pub fn asked(&self) -> io::Result<Option<bool>> {
        let mut message = [0; 2];
        let came = self.courier.receive(&mut message, None)?;
        Ok(came.map(|_| message == [TAKE_OVER, VERSION]))
    }

    /// The other one may open it.
    pub fn store_is_closed(&self) -> io::Result<()> {
        self.courier.send(&[STORE_IS_CLOSED], &[])
    }

    /// Gives at most [`SOCKETS_PER_MESSAGE_MAX`] connections. Nothing may be sealed for them any
    /// more.
    pub fn give(&self, batch: &Batch) -> io::Result<()> {
        if batch.sockets.is_empty() {
            return Ok(());
        }
        self.courier.send(&batch.message, &batch.sockets)?;
        let count = u32::try_from(batch.sockets.len()).unwrap_or(u32::MAX);
        self.given.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    /// There are no more. Returns how many there were.
    pub fn end(&self) -> io::Result<u32> {
        let given = self.given.load(Ordering::Relaxed);
        let [a, b, c, d] = given.to_be_bytes();
        self.courier.send(&[END, a, b, c, d], &[])?;
        Ok(given)
    }
}

/// Connections of one message.
pub struct Batch {
    message: Zeroizing<Vec<u8>>,
    sockets: Vec<OwnedFd>,
}

impl Batch {
    /// None yet.
    pub fn empty() -> Self {
        // Never grows, so that keys lie nowhere else.
        let mut message = Zeroizing::new(Vec::with_capacity(MESSAGE_BYTES_MAX));
        message.push(CONNECTIONS);
        Self {
            message,
            sockets: Vec::new(),
        }
    }

    /// Adds one. Returns false if it cannot go on.
    pub fn add(&mut self, socket: OwnedFd, device: &Fingerprint, pipe: &Pipe) -> bool {
        debug_assert!(self.sockets.len() < SOCKETS_PER_MESSAGE_MAX);
        let before = self.message.len();
        self.message.extend_from_slice(&device.0);
        let added = pipe.bequeath(&mut self.message);
        if added {
            self.sockets.push(socket);
        } else {
            self.message.truncate(before);
        }
        added
    }
}

/// What a ring thread of the old relay hands over when everything is on record.
#[derive(Clone, Debug)]
pub struct Testament {
    /// To whom.
    pub to: Arc<Successor>,
    /// Jump Clients that were let in, and the keys they have proved.
    pub machines: Arc<HashMap<PeerId, Fingerprint>>,
}

/// How the threads of an old relay agree: each parts, everything is put on record, and then each
/// gives away what it has.
#[derive(Clone, Debug)]
pub struct Parting {
    asked: Arc<AtomicBool>,
    /// Nothing is sent: they have all parted when the last of them is dropped.
    parted: Sender<()>,
    testaments: Receiver<Testament>,
}

/// The end of [`Parting`] that the threads wait for.
#[derive(Debug)]
pub struct Executor {
    asked: Arc<AtomicBool>,
    parted: Receiver<()>,
    testaments: Sender<Testament>,
}

/// For so many threads.
pub fn parting(threads: u16) -> (Parting, Executor) {
    let asked = Arc::new(AtomicBool::new(false));
    let (parted, all_parted) = bounded(0);
    let (write, testaments) = bounded(threads.into());
    let executor = Executor {
        asked: asked.clone(),
        parted: all_parted,
        testaments: write,
    };
    let parting = Parting {
        asked,
        parted,
        testaments,
    };
    (parting, executor)
}

impl Parting {
    /// Whether another relay takes over.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// This thread has parted. Waits until all is on record; `None` if nothing is handed over.
    pub fn await_testament(self) -> Option<Testament> {
        drop(self.parted);
        self.testaments.recv().ok()
    }
}

impl Executor {
    /// Another relay takes over: to be called before the threads are told to stop.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Waits until every thread has parted or ended.
    pub fn await_parted(&self) {
        while self.parted.recv().is_ok() {}
    }

    /// All is on record: says to every thread what to do with its connections.
    pub fn execute(self, testament: &Testament) {
        while self.testaments.try_send(testament.clone()).is_ok() {}
    }
}

/// The new relay's end.
#[derive(Debug)]
pub struct Predecessor(Courier);

/// Why nothing, or nothing more, is taken over.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// The old relay's word is awaited in vain, or the socket fails.
    #[error("the relay before this one does not hand over: {0}")]
    Silent(#[from] io::Error),
    /// Not what this relay writes either.
    #[error(
        "a message of kind {kind} with {length} bytes and {sockets} sockets is none of a hand-over"
    )]
    Unknown {
        /// Its first byte.
        kind: u8,
        /// Its bytes.
        length: usize,
        /// Sockets with it.
        sockets: usize,
    },
}

impl Predecessor {
    /// From what the supervisor handed over.
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        Courier::new(end, HAND_OVER_WITHIN).map(Self)
    }

    /// Asks for everything and waits until the store is closed. Returns whether something will
    /// come: nothing will from one that has ended.
    pub fn take_over(&self) -> Result<bool, HandOverError> {
        // Who has ended does not take it, and has closed its store.
        if self.0.send(&[TAKE_OVER, VERSION], &[]).is_err() {
            return Ok(false);
        }
        match self.next()? {
            None => Ok(false),
            Some(Heard::StoreIsClosed) => Ok(true),
            Some(Heard::Connections(connections)) => Err(HandOverError::Unknown {
                kind: CONNECTIONS,
                length: 0,
                sockets: connections.len(),
            }),
            Some(Heard::End(_)) => Err(HandOverError::Unknown {
                kind: END,
                length: 0,
                sockets: 0,
            }),
        }
    }

    /// What comes next; `None` when the other end is gone.
    pub fn next(&self) -> Result<Option<Heard>, HandOverError> {
        let mut buffer = Zeroizing::new([0; MESSAGE_BYTES_MAX]);
        let came = self.0.receive(&mut buffer[..], Some(HAND_OVER_WITHIN))?;
        came.map(|(length, sockets)| heard(&buffer[..length], sockets))
            .transpose()
    }
}

/// See [`Predecessor::next`].
pub enum Heard {
    /// It may be opened.
    StoreIsClosed,
    /// Those that go on.
    Connections(Vec<Connection>),
    /// So many there were.
    End(u32),
}

fn heard(message: &[u8], sockets: Vec<OwnedFd>) -> Result<Heard, HandOverError> {
    let unknown = || HandOverError::Unknown {
        kind: message.first().copied().unwrap_or(0),
        length: message.len(),
        sockets: sockets.len(),
    };
    match message {
        [STORE_IS_CLOSED] => Ok(Heard::StoreIsClosed),
        &[END, a, b, c, d] => Ok(Heard::End(u32::from_be_bytes([a, b, c, d]))),
        [CONNECTIONS, written @ ..] if written.len() == sockets.len() * CONNECTION_BYTES => {
            let written = written.chunks_exact(CONNECTION_BYTES);
            let read: Option<Vec<_>> = written.map(read).collect();
            let read = read.ok_or_else(unknown)?;
            let connections = sockets.into_iter().zip(read);
            let connections = connections.map(|(socket, (device, pipe))| Connection {
                socket,
                device,
                pipe,
            });
            Ok(Heard::Connections(connections.collect()))
        }
        _ => Err(unknown()),
    }
}

fn read(written: &[u8]) -> Option<(Fingerprint, Pipe)> {
    let (device, estate) = written.split_first_chunk::<DEVICE_BYTES>()?;
    let mut estate: [u8; ESTATE_BYTES] = estate.try_into().ok()?;
    let pipe = Pipe::inherit(&estate);
    estate.zeroize();
    Some((Fingerprint(*device), pipe?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use proptest::prelude::*;

    use super::*;

    fn ends() -> (Successor, Predecessor) {
        let (old, new) = Courier::pair().unwrap();
        (Successor::new(old).unwrap(), Predecessor::new(new).unwrap())
    }

    fn socket() -> OwnedFd {
        UnixStream::pair().unwrap().0.into()
    }

    #[test]
    fn connections_arrive_with_their_machines_and_their_count() {
        let (old, new) = ends();
        let asking = std::thread::spawn(move || (new.take_over().unwrap(), new));
        assert_eq!(old.asked().unwrap(), Some(true));
        old.store_is_closed().unwrap();
        let pipe = Pipe::inherit(&[0; ESTATE_BYTES]).unwrap();
        let mut batch = Batch::empty();
        for number in 0..u8::try_from(SOCKETS_PER_MESSAGE_MAX).unwrap() {
            assert!(batch.add(socket(), &Fingerprint([number; 32]), &pipe));
        }
        old.give(&batch).unwrap();
        assert_eq!(old.end().unwrap(), 32);
        let (comes, new) = asking.join().unwrap();
        assert!(comes);
        let Some(Heard::Connections(connections)) = new.next().unwrap() else {
            panic!("no connections");
        };
        let devices: Vec<u8> = connections.iter().map(|one| one.device.0[0]).collect();
        assert_eq!(devices, (0..32).collect::<Vec<u8>>());
        assert!(matches!(new.next().unwrap(), Some(Heard::End(32))));
        drop(old);
        assert!(new.next().unwrap().is_none());
    }

    #[test]
    fn one_that_cannot_go_on_is_not_among_them() {
        let mut batch = Batch::empty();
        assert!(!batch.add(socket(), &Fingerprint([1; 32]), &Pipe::default()));
        assert_eq!((batch.message.len(), batch.sockets.len()), (1, 0));
    }

    #[test]
    fn nothing_is_taken_over_from_one_that_has_ended() {
        let (old, new) = ends();
        drop(old);
        assert!(!new.take_over().unwrap());
        // Nor from one that ends when it is asked.
        let (old, new) = ends();
        let ends = std::thread::spawn(move || old.asked().unwrap());
        assert!(!new.take_over().unwrap());
        assert_eq!(ends.join().unwrap(), Some(true));
    }

    #[test]
    fn who_writes_connections_otherwise_is_not_understood() {
        let (old, new) = Courier::pair().unwrap();
        let old = Successor::new(old).unwrap();
        let new = Courier::new(new, HAND_OVER_WITHIN).unwrap();
        new.send(&[TAKE_OVER, VERSION + 1], &[]).unwrap();
        assert_eq!(old.asked().unwrap(), Some(false));
        drop(new);
        assert_eq!(old.asked().unwrap(), None);
    }

    proptest! {
        /// Bytes of any kind are connections or an error, and never a panic.
        #[test]
        fn no_message_is_taken_for_more_connections_than_it_has_sockets(
            kind in 0..6_u8,
            mut rest in proptest::collection::vec(any::<u8>(), 0..3 * CONNECTION_BYTES),
            whole in any::<bool>(),
            sockets in 0..4_usize,
        ) {
            if whole {
                rest.resize(sockets * CONNECTION_BYTES, 0);
            }
            rest.insert(0, kind);
            let given = (0..sockets).map(|_| socket()).collect();
            if let Ok(Heard::Connections(connections)) = heard(&rest, given) {
                prop_assert_eq!(kind, CONNECTIONS);
                prop_assert_eq!(connections.len(), sockets);
                prop_assert_eq!(rest.len(), 1 + sockets * CONNECTION_BYTES);
            }
        }
    }
}
