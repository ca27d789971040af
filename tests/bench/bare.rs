//! What this machine takes for a chat message's hand-overs alone: into a socket, through three
//! threads, out of another socket. No encryption, no frames, no decisions, nothing recorded. A
//! chat message cannot be faster, and when this is slow, the machine is.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Threads that pass on what they are given, until this is dropped.
pub struct Bare {
    into: TcpStream,
    out: TcpStream,
}

const MESSAGE_BYTES: usize = 100;

impl Bare {
    /// One thread each for the sender's connection, the decision and the receiver's connection.
    pub fn start() -> Self {
        let (into, mut arriving) = pair();
        let (mut leaving, out) = pair();
        let (to_decide, decide) = mpsc::channel::<[u8; MESSAGE_BYTES]>();
        let (to_leave, leave) = mpsc::channel();
        std::thread::spawn(move || {
            let mut message = [0; MESSAGE_BYTES];
            while arriving.read_exact(&mut message).is_ok() && to_decide.send(message).is_ok() {}
        });
        std::thread::spawn(move || {
            while decide
                .recv()
                .is_ok_and(|message| to_leave.send(message).is_ok())
            {}
        });
        std::thread::spawn(move || {
            while leave
                .recv()
                .is_ok_and(|message| leaving.write_all(&message).is_ok())
            {}
        });
        Self { into, out }
    }

    /// Sends one message and waits for it.
    pub fn once(&mut self) -> Duration {
        let mut message = [b'x'; MESSAGE_BYTES];
        let sent = Instant::now();
        self.into.write_all(&message).unwrap();
        self.out.read_exact(&mut message).unwrap();
        sent.elapsed()
    }
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    for end in [&one, &other] {
        end.set_nodelay(true).unwrap();
    }
    (one, other)
}
