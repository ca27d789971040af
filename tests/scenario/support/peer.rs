//! A customer that speaks the link protocol itself: for figures, and for breaking the rules.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use jumpgate::agent::Dialer;
use jumpgate::domain::{Facts, Moment, Text, text::label};
use jumpgate::link::connection::{Assembler, Incoming, decode};
use jumpgate::link::frame::split_frame;
use jumpgate::link::message::{FromCustomer, Hello, HelloTag, Purpose, ToCustomer};
use jumpgate::link::{ALPN, Connection, VERSION};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::tls::{connector, name};
use super::{Appliance, SOON};

/// One link.
pub struct Peer {
    stream: TlsStream<TcpStream>,
    link: Connection,
    assembler: Assembler,
    heard: VecDeque<ToCustomer>,
}

impl Peer {
    /// Connects, and proves the link key as every endpoint does.
    pub async fn connect(appliance: &Appliance) -> Self {
        let dialer = Dialer::new(appliance.address(), appliance.link_key(), |_| None).unwrap();
        Self::on(dialer.dial().await.unwrap().stream)
    }

    /// Connects from one of the loopback's many addresses.
    pub async fn connect_from(appliance: &Appliance, address: Ipv4Addr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        let there = (Ipv4Addr::LOCALHOST, appliance.https()).into();
        let tcp = socket.connect(there).await.unwrap();
        let tls = connector(&[ALPN]).connect(name(), tcp).await;
        Self::on(tls.unwrap())
    }

    fn on(stream: TlsStream<TcpStream>) -> Self {
        Self {
            stream,
            link: Connection::new(Moment::default()),
            assembler: Assembler::default(),
            heard: VecDeque::new(),
        }
    }

    /// Connects and starts the session behind a key.
    pub async fn start(appliance: &Appliance, key: &str) -> Self {
        let mut peer = Self::connect(appliance).await;
        peer.say(&hello(key)).await;
        peer
    }

    /// Connects from `address` and tries a key; the relay's word.
    pub async fn tries(appliance: &Appliance, address: Ipv4Addr, key: &str) -> ToCustomer {
        let mut peer = Self::connect_from(appliance, address).await;
        peer.say(&hello(key)).await;
        peer.next().await.unwrap()
    }

    /// Sends a message.
    pub async fn say(&mut self, message: &impl Serialize) {
        self.link.say(message);
        let bytes = self.link.take_output();
        self.send(&bytes).await;
    }

    /// Says something in chat.
    pub async fn chat(&mut self, text: &str) {
        let text = jumpgate::domain::LongText::new(text).unwrap();
        self.say(&FromCustomer::Chat { text }).await;
    }

    /// Sends any bytes. They may not arrive if the other side has closed.
    pub async fn send(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).await.is_ok() {
            let _ = self.stream.flush().await;
        }
    }

    /// The next message; `None` once the relay has closed.
    pub async fn next(&mut self) -> Option<ToCustomer> {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return Some(message);
            }
            let mut buffer = vec![0; 16_384];
            let read = timeout(SOON, self.stream.read(&mut buffer)).await;
            let read = read.expect("the relay says something in time");
            let Ok(read @ 1..) = read else { return None };
            self.take(&buffer[..read]);
            let answers = self.link.take_output();
            if !answers.is_empty() {
                self.send(&answers).await;
            }
        }
    }

    /// Waits for a message, leaving others out.
    pub async fn hears<T>(&mut self, mut look: impl FnMut(ToCustomer) -> Option<T>) -> T {
        loop {
            let message = self.next().await.expect("the relay goes on");
            if let Some(found) = look(message) {
                return found;
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let input = self.assembler.join(bytes).into_owned();
        let mut rest = &input[..];
        while let Some((frame, taken)) = split_frame(rest).unwrap() {
            rest = &rest[taken..];
            if let Incoming::Message(json) = self.link.accept(frame, Moment::default()).unwrap() {
                self.heard.push_back(decode(json).unwrap());
            }
        }
        self.assembler.keep(rest);
    }
}

/// The hello of somebody with a session key.
pub fn hello(key: &str) -> Hello {
    Hello {
        tag: HelloTag::Hello,
        versions: (VERSION, VERSION),
        program: label("scenario"),
        purpose: Purpose::Start {
            key: Some(Text::try_from(key).unwrap()),
            facts: Facts {
                customer: label("Pat"),
                computer: label("desk"),
                ..Facts::default()
            },
            puzzle: None,
        },
    }
}
