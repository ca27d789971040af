//! Sockets that another process goes on with: out of one ring's table, into another's.
//!
//! ```text
//! halt ─> receive is over ─> release ─> Released(descriptor) ··· take_over ─> TakenOver
//! ```
//!
//! A ring that stops receiving takes nothing from a socket any more: what comes from then on waits in
//! the kernel for whoever has the socket next.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use io_uring::opcode;
use io_uring::types::Fixed;

use super::{Completion, Course, Operation, Ring, Socket, Stream, StreamId};

/// The kernel chooses the place in the table (`IORING_FILE_INDEX_ALLOC`).
const ANY_PLACE: i32 = -1;

impl Ring {
    /// Accepts nobody any more. Those whom the kernel has accepted by then are still reported.
    pub fn deafen(&mut self) {
        let mut calls = Vec::new();
        for (number, listener) in (0_u16..).zip(&self.listeners) {
            let accept = |caller| Operation::Accept {
                listener: number,
                caller,
            };
            calls.extend(listener.asking().map(accept));
        }
        for call in calls {
            self.cancel(call);
        }
    }

    /// Receives nothing more from a stream. What the kernel has taken from it by then is still
    /// reported: wait until [`Self::is_receiving`] says no.
    pub fn halt(&mut self, id: StreamId) {
        if let Some(stream) = self.stream(id)
            && stream.course == Course::Open
        {
            stream.course = Course::Halted;
            if !stream.receiving {
                return;
            }
            let StreamId { slot, generation } = id;
            self.cancel(Operation::Receive { slot, generation });
        }
    }

    /// Whether a receive is under way.
    pub fn is_receiving(&self, id: StreamId) -> bool {
        let (generation, place) = &self.slots[id.slot as usize];
        *generation == id.generation && place.as_ref().is_some_and(|s| s.receiving)
    }

    /// Whether [`Self::release`] can be asked for on this kernel.
    pub fn lets_go(&self) -> bool {
        self.lets_go
    }

    /// Asks for the socket of an accepted stream with which the kernel has nothing to do;
    /// [`Completion::Released`] answers. Returns false if it is none.
    pub fn release(&mut self, id: StreamId) -> bool {
        if !self.lets_go {
            return false;
        }
        let Some(stream) = self.stream(id).filter(|s| s.is_idle() && !s.is_closing()) else {
            return false;
        };
        let Socket::Direct(place) = stream.socket else {
            return false;
        };
        stream.passing = true;
        // The new descriptor is closed when a program is started, as by default.
        let submission = opcode::FixedFdInstall::new(Fixed(place), 0).build();
        let StreamId { slot, generation } = id;
        // It points to nothing.
        self.submit(submission, Operation::Release { slot, generation });
        true
    }

    pub(super) fn released(&mut self, id: StreamId, result: i32) -> Option<Completion> {
        let socket = if result < 0 {
            Err(io::Error::from_raw_os_error(-result))
        } else {
            // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
            Ok(unsafe { OwnedFd::from_raw_fd(result) })
        };
        let stream = self.stream(id)?;
        stream.passing = false;
        if socket.is_ok() || stream.is_closing() {
            stream.course = Course::Closing;
            self.free_if_idle(id);
        } else {
            stream.course = Course::Open;
        }
        Some(Completion::Released { stream: id, socket })
    }

    /// Takes a connected socket into the ring's table, so that it is none of the process's
    /// descriptors. To be used after [`Completion::TakenOver`]; or [`Completion::Ended`] says why
    /// it cannot be.
    pub fn take_over(&mut self, socket: OwnedFd) -> StreamId {
        let mut place = Box::new(socket.as_raw_fd());
        let submission = opcode::FilesUpdate::new(&raw mut *place, 1).offset(ANY_PLACE);
        let id = self.add(Socket::Entering(socket, place));
        if let Some(stream) = self.stream(id) {
            stream.passing = true;
        }
        let StreamId { slot, generation } = id;
        // The number lies in a box of the slot until this operation's completion.
        self.submit(submission.build(), Operation::TakeOver { slot, generation });
        id
    }

    pub(super) fn taken_over(&mut self, id: StreamId, result: i32) -> Option<Completion> {
        let stream = self.stream(id)?;
        stream.passing = false;
        let closing = stream.is_closing();
        let error = stream.enter(result).err();
        if closing {
            self.free_if_idle(id);
            return None;
        }
        Some(match error {
            None => Completion::TakenOver { stream: id },
            error => Completion::Ended { stream: id, error },
        })
    }
}

impl Stream {
    /// The descriptor is closed; the table has the socket.
    fn enter(&mut self, result: i32) -> io::Result<()> {
        let Socket::Entering(_, place) = &self.socket else {
            return Ok(());
        };
        match result {
            1 => {
                let place = u32::try_from(**place).map_err(io::Error::other)?;
                self.socket = Socket::Direct(place);
                Ok(())
            }
            0 => Err(io::ErrorKind::QuotaExceeded.into()),
            code => Err(io::Error::from_raw_os_error(-code)),
        }
    }
}
