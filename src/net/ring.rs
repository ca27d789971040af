//! One thread's io_uring with its listeners and streams.

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, register, squeue};
use nix::libc;

use super::buffer_ring::{BUFFERS, BufferRing};
use super::lent::Lent;
use super::operation::{GENERATION_MASK, Operation};
use super::socket::{Listener, Socket, register_table};
use super::waker::Waker;

mod pass;

/// Operations that may be submitted at once; more are submitted when these are taken.
const SUBMISSIONS: u32 = 1024;
/// Completions that may wait. The kernel keeps what does not fit (`IORING_FEAT_NODROP`).
const COMPLETIONS: u32 = 8192;

/// A stream of this ring. The generation keeps a late answer from reaching a successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// Its slot.
    pub slot: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

/// A listener of this ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerId(u16);

/// What the kernel did.
#[derive(Debug)]
pub enum Completion {
    /// A peer connected.
    Accepted {
        /// Where.
        listener: ListenerId,
        /// Its stream, not yet receiving.
        stream: StreamId,
        /// Its address, and ours.
        peer: (SocketAddr, SocketAddr),
    },
    /// No peer can be accepted just now (out of descriptors or memory).
    AcceptFailed {
        /// Where.
        listener: ListenerId,
        /// Why.
        error: io::Error,
    },
    /// Bytes, to be given back by [`Ring::give_back`].
    Received {
        /// Whose.
        stream: StreamId,
        /// Which.
        lent: Lent,
    },
    /// The peer has sent its last byte, or the connection failed.
    Ended {
        /// Whose.
        stream: StreamId,
        /// The failure, if it is one.
        error: Option<io::Error>,
    },
    /// The peer takes no more. What it said before may still be received.
    SendFailed {
        /// Whose.
        stream: StreamId,
        /// Why.
        error: io::Error,
    },
    /// Everything given to [`Ring::send`] is with the kernel; the buffer is given back, empty.
    Sent {
        /// Whose.
        stream: StreamId,
        /// To use again.
        buffer: Vec<u8>,
    },
    /// A stream that [`Ring::take_over`] was given can be used.
    TakenOver {
        /// Which.
        stream: StreamId,
    },
    /// What [`Ring::release`] was asked for. The stream is gone, or else as it was before.
    Released {
        /// Which it was.
        stream: StreamId,
        /// Its socket, or why it could not be had.
        socket: io::Result<OwnedFd>,
    },
    /// [`Waker::wake`] was called.
    Woken,
}

/// What is still to come of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Open,
    /// It receives no more, see [`Ring::halt`].
    Halted,
    /// It is closed when the kernel has nothing of it to do.
    Closing,
}

struct Stream {
    socket: Socket,
    receiving: bool,
    /// The kernel reads this while a send is under way.
    sending: Option<Sending>,
    finishing: bool,
    course: Course,
    /// On its way into the ring's table or out of it.
    passing: bool,
}

impl Stream {
    fn new(socket: Socket) -> Self {
        Self {
            socket,
            receiving: false,
            sending: None,
            finishing: false,
            course: Course::Open,
            passing: false,
        }
    }

    fn is_closing(&self) -> bool {
        self.course == Course::Closing
    }

    /// Whether the kernel has nothing of it to do.
    fn is_idle(&self) -> bool {
        !self.receiving && self.sending.is_none() && !self.finishing && !self.passing
    }
}

struct Sending {
    bytes: Vec<u8>,
    sent: usize,
}

/// Listeners and streams of one thread. Must be made on the thread that uses it.
pub struct Ring {
    /// Dropped first, see `Drop`: the kernel uses what the other fields own.
    uring: ManuallyDrop<IoUring>,
    buffers: BufferRing,
    listeners: Vec<Listener>,
    slots: Vec<(u32, Option<Stream>)>,
    free: Vec<u32>,
    waker: Waker,
    woken: Box<[u8; 8]>,
    /// Receives that found no buffer, and those asked for after them: first come, first served.
    starved: VecDeque<StreamId>,
    /// Only to be used again.
    entries: Vec<cqueue::Entry>,
    sockets: u32,
    /// Whether the kernel gives sockets out of the table.
    lets_go: bool,
}

impl Ring {
    /// A ring that `waker` wakes, with room for so many accepted peers, or for as many as the system
    /// allows.
    ///
    /// # Errors
    ///
    /// The kernel is older than 6.1, or io_uring is switched off.
    pub fn new(waker: Waker, sockets_max: u32) -> io::Result<Self> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .setup_r_disabled()
            .build(SUBMISSIONS)?;
        let buffers = BufferRing::register(&uring.submitter())?;
        let sockets = register_table(&uring.submitter(), sockets_max)?;
        let lets_go = lets_go(&uring)?;
        restrict(&uring, lets_go)?;
        let mut ring = Self {
            uring: ManuallyDrop::new(uring),
            buffers,
            listeners: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            waker,
            woken: Box::new([0; 8]),
            starved: VecDeque::new(),
            entries: Vec::new(),
            sockets,
            lets_go,
        };
        ring.await_wake();
        Ok(ring)
    }

    /// Peers that can be connected at once.
    pub fn sockets_max(&self) -> u32 {
        self.sockets
    }

    /// Peers that are connected.
    pub fn sockets(&self) -> u32 {
        u32::try_from(self.slots.len() - self.free.len()).unwrap_or(u32::MAX)
    }

    /// Accepts on a bound listener.
    pub fn listen(&mut self, socket: TcpListener) -> io::Result<ListenerId> {
        let id = u16::try_from(self.listeners.len()).expect("a handful of listeners");
        self.listeners.push(Listener::new(socket)?);
        self.accept(ListenerId(id));
        Ok(ListenerId(id))
    }

    /// Waits for the next peers of a listener: to be called again after [`Completion::Accepted`],
    /// when there is room for more, and some time after [`Completion::AcceptFailed`].
    pub fn accept(&mut self, listener: ListenerId) {
        let resting: Vec<u16> = self.listeners[usize::from(listener.0)].resting().collect();
        for caller in resting {
            self.accept_one(listener.0, caller);
        }
    }

    fn accept_one(&mut self, listener: u16, caller: u16) {
        let submission = self.listeners[usize::from(listener)].accept(caller);
        // The address lives in a box of `listeners`, which only grows until the ring is dropped.
        self.submit(submission, Operation::Accept { listener, caller });
    }

    /// Takes a connected stream socket.
    pub fn adopt(&mut self, fd: OwnedFd) -> StreamId {
        self.add(Socket::Owned(fd))
    }

    fn add(&mut self, socket: Socket) -> StreamId {
        let stream = Stream::new(socket);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).expect("fewer slots than descriptors")
        });
        let (generation, place) = &mut self.slots[slot as usize];
        *place = Some(stream);
        StreamId {
            slot,
            generation: *generation,
        }
    }

    /// Asks for the next bytes, unless that is done already.
    pub fn receive(&mut self, id: StreamId) {
        let Some(stream) = self
            .stream(id)
            .filter(|stream| !stream.receiving && stream.course == Course::Open)
        else {
            return;
        };
        stream.receiving = true;
        // The kernel gives out buffers in the order in which it is asked. Without a queue, streams
        // that always have bytes waiting would take every buffer again before the others get one.
        if self.starved.is_empty() {
            self.submit_receive(id);
        } else {
            self.starved.push_back(id);
        }
    }

    fn submit_receive(&mut self, id: StreamId) {
        let Some(stream) = self.stream(id) else {
            return;
        };
        let submission = stream.socket.receive();
        let StreamId { slot, generation } = id;
        // The kernel writes into the buffer ring only, which outlives the io_uring.
        self.submit(submission, Operation::Receive { slot, generation });
    }

    /// Sends all of `bytes`. One send at a time: wait for [`Completion::Sent`] before the next.
    /// Returns false, dropping the bytes, if the stream is gone.
    ///
    /// # Panics
    ///
    /// If a send is under way.
    pub fn send(&mut self, id: StreamId, bytes: Vec<u8>) -> bool {
        let Some(stream) = self.stream(id).filter(|stream| !stream.is_closing()) else {
            return false;
        };
        assert!(stream.sending.is_none(), "one send at a time");
        stream.sending = Some(Sending { bytes, sent: 0 });
        self.submit_send(id);
        true
    }

    /// Whether a send is under way.
    pub fn is_sending(&self, id: StreamId) -> bool {
        let (generation, place) = &self.slots[id.slot as usize];
        *generation == id.generation && place.as_ref().is_some_and(|s| s.sending.is_some())
    }

    /// Tells the peer that nothing more will come, and goes on receiving.
    pub fn finish(&mut self, id: StreamId) {
        if let Some(stream) = self
            .stream(id)
            .filter(|stream| !stream.finishing && !stream.is_closing())
        {
            // A worker of the kernel's does it some time later. Until then the stream keeps its
            // place: the worker looks the socket up by that.
            stream.finishing = true;
            let submission = stream.socket.finish();
            let StreamId { slot, generation } = id;
            // It points to nothing.
            self.submit(submission, Operation::Finish { slot, generation });
        }
    }

    /// Closes a stream at once. Nothing more is reported of it.
    pub fn close(&mut self, id: StreamId) {
        if let Some(stream) = self.stream(id) {
            stream.course = Course::Closing;
            let (receiving, sending) = (stream.receiving, stream.sending.is_some());
            let StreamId { slot, generation } = id;
            // Their completions free the slot.
            if receiving {
                self.cancel(Operation::Receive { slot, generation });
            }
            if sending {
                self.cancel(Operation::Send { slot, generation });
            }
            self.free_if_idle(id);
        }
    }

    /// Gives the buffer of a [`Completion::Received`] back.
    pub fn give_back(&mut self, lent: Lent) {
        self.buffers.give_back(lent.into_id());
    }

    /// Submits what was asked for and waits for completions, at most `limit`. Appends them to
    /// `completions`.
    pub fn wait(&mut self, limit: Duration, completions: &mut Vec<Completion>) -> io::Result<()> {
        self.feed_starved();
        // Those who still queue have to get their turn though the ones before them stay silent.
        let rests = self.starved.is_empty();
        let limit = Timespec::from(if rests { limit } else { Duration::ZERO });
        match self
            .uring
            .submitter()
            .submit_with_args(1, &SubmitArgs::new().timespec(&limit))
        {
            Ok(_) => {}
            Err(error) if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR)) => {}
            // The completion queue is full: emptying it below is the answer.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            // No memory for a request just now: what was not submitted is still in the queue.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            Err(error) => return Err(error),
        }
        let mut entries = std::mem::take(&mut self.entries);
        entries.extend(self.uring.completion());
        for entry in entries.drain(..) {
            self.complete(&entry, completions);
        }
        self.entries = entries;
        Ok(())
    }

    /// Asks again for those who found no buffer, as many as there are buffers: the rest would find
    /// none once more, which costs as much as finding one.
    fn feed_starved(&mut self) {
        let mut left = BUFFERS;
        while left > 0
            && let Some(id) = self.starved.pop_front()
        {
            match self.stream(id) {
                Some(stream) if stream.course != Course::Open => {
                    stream.receiving = false;
                    if stream.is_closing() {
                        self.free_if_idle(id);
                    }
                }
                Some(_) => {
                    left -= 1;
                    self.submit_receive(id);
                }
                None => {}
            }
        }
    }

    fn complete(&mut self, entry: &cqueue::Entry, completions: &mut Vec<Completion>) {
        match Operation::unpack(entry.user_data()) {
            Operation::Wake => {
                completions.push(Completion::Woken);
                self.await_wake();
            }
            Operation::Accept { listener, caller } => {
                let accepted = self.accepted(listener, caller, entry.result());
                completions.extend(accepted);
            }
            Operation::Finish { slot, generation } => {
                let id = StreamId { slot, generation };
                if let Some(stream) = self.stream(id) {
                    stream.finishing = false;
                    if stream.is_closing() {
                        self.free_if_idle(id);
                    }
                }
            }
            Operation::Farewell => {}
            Operation::Receive { slot, generation } => {
                let id = StreamId { slot, generation };
                completions.extend(self.received(id, entry));
            }
            Operation::Send { slot, generation } => {
                let id = StreamId { slot, generation };
                completions.extend(self.sent(id, entry.result()));
            }
            Operation::TakeOver { slot, generation } => {
                let id = StreamId { slot, generation };
                completions.extend(self.taken_over(id, entry.result()));
            }
            Operation::Release { slot, generation } => {
                let id = StreamId { slot, generation };
                completions.extend(self.released(id, entry.result()));
            }
        }
    }

    fn accepted(&mut self, listener: u16, caller: u16, result: i32) -> Option<Completion> {
        let id = ListenerId(listener);
        let accepted = self.listeners[usize::from(listener)].accepted(caller, result);
        let error = match accepted {
            Ok((socket, Ok(peer))) => {
                return Some(Completion::Accepted {
                    listener: id,
                    stream: self.add(socket),
                    peer,
                });
            }
            Ok((socket, Err(error))) => {
                let nobody = self.add(socket);
                self.close(nobody);
                error
            }
            // It was told to, see `deafen`.
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => return None,
            Err(error) => error,
        };
        Some(Completion::AcceptFailed {
            listener: id,
            error,
        })
    }

    fn received(&mut self, id: StreamId, entry: &cqueue::Entry) -> Option<Completion> {
        let lent = cqueue::buffer_select(entry.flags()).map(|buffer| self.buffers.take(buffer));
        let stream = self.stream(id)?;
        stream.receiving = false;
        let (closing, halted) = (stream.is_closing(), stream.course == Course::Halted);
        let result = entry.result();
        match (u32::try_from(result), lent) {
            (Ok(length @ 1..), Some(lent)) if !closing => {
                return Some(Completion::Received {
                    stream: id,
                    lent: Lent::new(&self.buffers, lent, length),
                });
            }
            (_, Some(lent)) => self.buffers.give_back(lent),
            (_, None) => {}
        }
        if closing {
            self.free_if_idle(id);
            return None;
        }
        if halted && result < 0 {
            return None;
        }
        match -result {
            libc::ENOBUFS | libc::EINTR | libc::EAGAIN => {
                // Asked for still, so nobody asks twice and the slot stays.
                if let Some(stream) = self.stream(id) {
                    stream.receiving = true;
                }
                self.starved.push_back(id);
                None
            }
            0 => Some(Completion::Ended {
                stream: id,
                error: None,
            }),
            code => {
                let error = Some(io::Error::from_raw_os_error(code));
                Some(Completion::Ended { stream: id, error })
            }
        }
    }

    fn sent(&mut self, id: StreamId, result: i32) -> Option<Completion> {
        let stream = self.stream(id)?;
        let sending = stream.sending.as_mut()?;
        let failed = match usize::try_from(result) {
            Ok(count) => {
                sending.sent += count;
                false
            }
            Err(_) => !matches!(-result, libc::EINTR | libc::EAGAIN),
        };
        if stream.course == Course::Closing {
            stream.sending = None;
            self.free_if_idle(id);
            return None;
        }
        if failed {
            stream.sending = None;
            let error = io::Error::from_raw_os_error(-result);
            return Some(Completion::SendFailed { stream: id, error });
        }
        if sending.sent < sending.bytes.len() {
            self.submit_send(id);
            return None;
        }
        let mut buffer = stream
            .sending
            .take()
            .map(|sending| sending.bytes)
            .unwrap_or_default();
        buffer.clear();
        Some(Completion::Sent { stream: id, buffer })
    }

    fn submit_send(&mut self, id: StreamId) {
        let Some(stream) = self.stream(id) else {
            return;
        };
        let Some(sending) = &stream.sending else {
            return;
        };
        let submission = stream.socket.send(&sending.bytes[sending.sent..]);
        let StreamId { slot, generation } = id;
        // The bytes stay in the slot, unchanged, until this operation's completion.
        self.submit(submission, Operation::Send { slot, generation });
    }

    fn cancel(&mut self, operation: Operation) {
        let submission = opcode::AsyncCancel::new(operation.pack()).build();
        // It points to nothing.
        self.submit(submission, Operation::Farewell);
    }

    fn await_wake(&mut self) {
        let fd = Fd(self.waker.0.as_fd().as_raw_fd());
        let submission = opcode::Read::new(fd, self.woken.as_mut_ptr(), 8).build();
        // The eight bytes live in a box until the ring is dropped.
        self.submit(submission, Operation::Wake);
    }

    /// Queues an operation. Every pointer in it must stay valid until its completion: each caller
    /// says why it does.
    fn submit(&mut self, submission: squeue::Entry, operation: Operation) {
        let submission = submission.user_data(operation.pack());
        loop {
            // SAFETY: the callers above keep what the operation points to, in boxes, slots and
            // the buffer ring of `self`, and `Drop` ends the io_uring before any of them goes.
            if unsafe { self.uring.submission().push(&submission) }.is_ok() {
                return;
            }
            // The queue is full: hand it over without waiting. Nothing else can go wrong that
            // trying again would not show in `wait`.
            let _ = self.uring.submit();
        }
    }

    fn stream(&mut self, id: StreamId) -> Option<&mut Stream> {
        let (generation, place) = self.slots.get_mut(id.slot as usize)?;
        place.as_mut().filter(|_| *generation == id.generation)
    }

    fn free_if_idle(&mut self, id: StreamId) {
        if self.stream(id).is_some_and(|stream| stream.is_idle()) {
            let (generation, place) = &mut self.slots[id.slot as usize];
            let stream = place.take();
            *generation = generation.wrapping_add(1) & GENERATION_MASK;
            self.free.push(id.slot);
            if let Some(submission) = stream.and_then(|stream| stream.socket.close()) {
                // It points to nothing.
                self.submit(submission, Operation::Farewell);
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Closing an io_uring cancels its operations, but only after a moment. Until then the
        // kernel may still touch buffers, so what operations use is given up for good: a ring
        // ends with its program.
        for stream in self.slots.drain(..).filter_map(|(_, place)| place) {
            std::mem::forget(stream.sending);
            if let Socket::Entering(_, place) = stream.socket {
                std::mem::forget(place);
            }
        }
        for listener in self.listeners.drain(..) {
            listener.forget();
        }
        std::mem::forget(std::mem::take(&mut self.woken));
        // SAFETY: dropped once, here, and not used afterwards. The buffer ring never frees its
        // memory, for the reason above.
        unsafe { ManuallyDrop::drop(&mut self.uring) };
    }
}

/// Whether the kernel has `IORING_OP_FIXED_FD_INSTALL` (Linux 6.8). One that has not refuses to be
/// told of it.
fn lets_go(uring: &IoUring) -> io::Result<bool> {
    let mut probe = register::Probe::new();
    uring.submitter().register_probe(&mut probe)?;
    Ok(probe.is_supported(opcode::FixedFdInstall::CODE))
}

/// Lets the ring do what this file asks of it and nothing else, for good, and switches it on. The
/// system call filter does not see what a ring is told, so without this a ring could open files
/// and sockets. What was registered before stays; nothing more can be.
fn restrict(uring: &IoUring, lets_go: bool) -> io::Result<()> {
    let mut allowed = vec![
        register::Restriction::sqe_op(opcode::Accept::CODE),
        register::Restriction::sqe_op(opcode::Recv::CODE),
        register::Restriction::sqe_op(opcode::Send::CODE),
        register::Restriction::sqe_op(opcode::Shutdown::CODE),
        register::Restriction::sqe_op(opcode::Close::CODE),
        register::Restriction::sqe_op(opcode::AsyncCancel::CODE),
        // Into its table and out of it, what this program was given or has accepted.
        register::Restriction::sqe_op(opcode::FilesUpdate::CODE),
        // Of the waker's eight bytes.
        register::Restriction::sqe_op(opcode::Read::CODE),
        register::Restriction::sqe_flags_allowed(
            (squeue::Flags::BUFFER_SELECT | squeue::Flags::FIXED_FILE).bits(),
        ),
    ];
    if lets_go {
        let release = opcode::FixedFdInstall::CODE;
        allowed.push(register::Restriction::sqe_op(release));
    }
    uring.submitter().register_restrictions(&mut allowed)?;
    uring.submitter().register_enable_rings()
}

#[cfg(test)]
mod tests;
