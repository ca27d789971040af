//! Both ends of a session of the appliance with itself: a customer client's, by the link protocol,
//! and a console's, through a WebSocket. Both come over TCP and TLS on the loop-back address, and what
//! one end sends has to arrive at the other as it was.
//!
//! A version on trial shows by this that it carries sessions. The tokens let these two ends in and
//! open nothing else ([`crate::control::Request::LoopBack`]).

use std::io::{self, Read as _, Write as _};

use super::probe::{self, ProbeError, Tls};
use crate::domain::limits::{LOOP_BACK_BYTES, WINDOW_BYTES};
use crate::domain::text::label;
use crate::domain::token::Fingerprint;
use crate::domain::{Facts, Moment, Text, Token};
use crate::link::connection::{Assembler, decode};
use crate::link::frame::split_frame;
use crate::link::message::{Hello, HelloTag, Purpose, ToConsole, ToCustomer};
use crate::link::{ALPN, Connection, Incoming, LinkError, VERSION};

/// Longest message that is taken from the relay: whole frames, as many as wait.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Who is let in where.
#[derive(Clone, Debug, clap::Args)]
pub struct Ends {
    /// Where it serves HTTPS
    #[arg(long)]
    port: u16,
    /// SHA-256 of the certificate that browsers see
    #[arg(long, value_name = "HEX")]
    certificate: Fingerprint,
    /// SHA-256 of the certificate that customer clients see
    #[arg(long, value_name = "HEX")]
    link_certificate: Fingerprint,
    /// Lets the customer's end in
    #[arg(long, value_name = "TOKEN")]
    customer: Token,
    /// Lets the console's end in
    #[arg(long, value_name = "TOKEN")]
    console: Token,
}

/// Carries bytes from one end to the other, and some back.
pub(super) fn carry(ends: &Ends) -> Result<(), ProbeError> {
    let broke = |error: io::Error| ProbeError::NoSession {
        why: error.to_string(),
    };
    let link = probe::connect(ends.port, ends.link_certificate, &[ALPN])?;
    let mut customer = End::new(link, false);
    let socket = probe::connect(ends.port, ends.certificate, &[b"http/1.1"])?;
    let mut console = End::new(socket, true);
    console.upgrade(ends.port, &ends.console).map_err(broke)?;
    let key = Text::try_from(ends.customer.reveal().as_str()).ok();
    let facts = Facts::default();
    customer
        .say_hello(Purpose::Start {
            key,
            facts,
            puzzle: None,
        })
        .map_err(broke)?;
    let purpose = Purpose::Console {
        ticket: None,
        shells: heapless::Vec::new(),
    };
    console.say_hello(purpose).map_err(broke)?;
    carry_between(&mut customer, &mut console, LOOP_BACK_BYTES).map_err(broke)?;
    carry_between(&mut console, &mut customer, 1).map_err(broke)
}

/// Sends as much as credit allows, lets it arrive, and goes on.
fn carry_between(from: &mut End, to: &mut End, bytes: usize) -> io::Result<()> {
    while from.channel.is_none() {
        from.listen()?;
    }
    while to.channel.is_none() {
        to.listen()?;
    }
    let content: Vec<u8> = (0_u32..).map(pattern).take(bytes).collect();
    let mut sent = 0;
    while sent < bytes {
        let taken = from.send(&content[sent..])?;
        if taken == 0 {
            from.listen()?;
        }
        sent += taken;
        while to.received < sent {
            to.listen()?;
        }
    }
    Ok(())
}

/// What the byte at this place is.
fn pattern(at: u32) -> u8 {
    at.wrapping_mul(2_654_435_761).to_be_bytes()[0]
}

struct End {
    stream: Tls,
    /// Frames come and go in WebSocket messages.
    is_socket: bool,
    link: Connection,
    assembler: Assembler,
    /// Once both ends are joined.
    channel: Option<u16>,
    /// Bytes of the other end that have arrived, all of them right.
    received: usize,
}

impl End {
    fn new(stream: Tls, is_socket: bool) -> Self {
        Self {
            stream,
            is_socket,
            link: Connection::new(Moment::default()),
            assembler: Assembler::default(),
            channel: None,
            received: 0,
        }
    }

    /// As a browser does it, with the ticket.
    fn upgrade(&mut self, port: u16, ticket: &Token) -> io::Result<()> {
        let ticket = ticket.reveal();
        let request = format!(
            "GET /link?ticket={ticket} HTTP/1.1\r\nHost: localhost:{port}\r\n\
             Origin: https://localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes())?;
        // No byte beyond its end: what follows is a frame's.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.push(byte[0]);
            if head.len() > crate::domain::limits::HTTP_HEAD_BYTES_MAX {
                return Err(io::Error::other("an answer without an end"));
            }
        }
        if head.starts_with(b"HTTP/1.1 101") {
            Ok(())
        } else {
            Err(io::Error::other("the console's end was not let in"))
        }
    }

    fn say_hello(&mut self, purpose: Purpose) -> io::Result<()> {
        self.link.say(&Hello {
            tag: HelloTag::Hello,
            versions: (VERSION, VERSION),
            program: label("loop-back"),
            purpose,
        });
        self.flush()
    }

    /// Sends what credit allows. Returns how much that was.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let channel = self.channel.expect("joined before");
        let taken = self.link.send(channel, bytes);
        self.flush()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let output = self.link.take_output();
        if output.is_empty() {
            return Ok(());
        }
        if self.is_socket {
            let length = u64::try_from(output.len()).unwrap_or(u64::MAX);
            // A binary message. Clients have to mask, and nothing is between here and the relay that
            // a mask of zeros could fool (RFC 6455, 10.3).
            let mut header = vec![0x82, 0x80 | 127];
            header.extend(length.to_be_bytes());
            header.extend([0; 4]);
            self.stream.write_all(&header)?;
        }
        self.stream.write_all(&output)?;
        self.stream.flush()
    }

    /// Waits for something and takes it in.
    fn listen(&mut self) -> io::Result<()> {
        let bytes = if self.is_socket {
            self.message()?
        } else {
            let mut bytes = vec![0; 16 << 10];
            let read = self.stream.read(&mut bytes)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.truncate(read);
            bytes
        };
        self.take(&bytes).map_err(io::Error::other)?;
        self.flush()
    }

    /// One WebSocket message, unmasked as servers send it.
    fn message(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        let mut length = [0; 8];
        match head[1] {
            126 => self.stream.read_exact(&mut length[6..])?,
            127 => self.stream.read_exact(&mut length)?,
            short => length[7] = short,
        }
        let length = usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX);
        if head[0] != 0x82 || length > MESSAGE_BYTES_MAX {
            return Err(io::Error::other("the relay closed the console's end"));
        }
        let mut message = vec![0; length];
        self.stream.read_exact(&mut message)?;
        Ok(message)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        let input = self.assembler.join(bytes).into_owned();
        let mut rest = &input[..];
        while let Some((frame, taken)) = split_frame(rest)? {
            rest = &rest[taken..];
            let mut opened = None;
            match self.link.accept(frame, Moment::default())? {
                Incoming::Message(json) => opened = channel(json, self.is_socket)?,
                Incoming::Data { channel, bytes, .. } => {
                    for byte in bytes {
                        let at = u32::try_from(self.received).unwrap_or(u32::MAX);
                        if *byte != pattern(at) {
                            return Err(Wrong::Changed { at: self.received });
                        }
                        self.received += 1;
                    }
                    let up_to = self.received as u64 + WINDOW_BYTES;
                    self.link.grant(channel, up_to);
                }
                Incoming::Credit { .. } | Incoming::Nothing => {}
            }
            if let Some(channel) = opened {
                self.link.open(channel, 0, 0);
                self.channel = Some(channel);
            }
        }
        self.assembler.keep(rest);
        Ok(())
    }
}

/// The channel that a message opens, if it does.
fn channel(json: &[u8], is_console: bool) -> Result<Option<u16>, Wrong> {
    if is_console {
        match decode(json)? {
            ToConsole::Shell { channel, .. } => Ok(Some(channel)),
            ToConsole::Welcome(_) => Ok(None),
            _ => Err(Wrong::Message),
        }
    } else {
        match decode(json)? {
            ToCustomer::ShellOpen { channel, .. } => Ok(Some(channel)),
            ToCustomer::Welcome(_) => Ok(None),
            _ => Err(Wrong::Message),
        }
    }
}

/// What an end hears and should not.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    /// Against the protocol.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It was turned away, or is taken for somebody else.
    #[error("an end was not let in")]
    Message,
    /// Not what the other end sent.
    #[error("byte {at} arrived changed")]
    Changed {
        /// Of its direction.
        at: usize,
    },
}
