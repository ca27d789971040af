//! The appliance that is measured, and sessions in it: both ends of each are links of this process.
//!
//! ```text
//! console: hello, key, accept, shell ──> relay <── customer: hello with the key, yes, shell runs
//! ```

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jumpgate::domain::text::label;
use jumpgate::domain::{AccountName, AdmissionRate, DisplayName, Model, SessionId, Stamp};
use jumpgate::link::message::{
    FromConsole, FromCustomer, Hello, HelloTag, Purpose, Status, ToConsole, ToCustomer,
};
use jumpgate::link::{ALPN, VERSION};
use jumpgate::store::accounts::{self, NewAccount};
use nix::unistd::Pid;
use rustls::ClientConfig;

use super::cpu::Cores;
use super::end::End;
use super::wire::{Wire, client_config, dial};
use crate::Bench;
use crate::support::peer::hello;
use crate::support::{Appliance, Fleet, Representative};

/// For 25,000 Jump Clients that come at once.
const LET_IN_WITHIN: Duration = Duration::from_secs(300);

/// Life of a session key that is used at once.
const KEY_SECONDS: u32 = 600;

/// A running appliance with one ring thread, on the measured core.
pub struct Site {
    appliance: Appliance,
    representatives: Vec<Representative>,
    /// Those who have no console yet.
    free: usize,
    link: Arc<ClientConfig>,
    web: Arc<ClientConfig>,
}

/// How a representative's console comes.
#[derive(Clone, Copy, PartialEq)]
pub enum By {
    /// As a program does.
    Link,
    /// As a browser does.
    Socket,
}

/// A session whose shell runs.
pub struct Session {
    pub console: End,
    pub customer: End,
}

impl Site {
    /// Starts it, with so many representatives.
    pub async fn start(bench: &Bench, cores: &Cores, representatives: usize) -> Self {
        let mut appliance = Appliance::prepare(&bench.programs);
        cores.on_measured(appliance.up()).await;
        Self::of(appliance, representatives).await
    }

    /// The same as it comes: of the largest model, with a ring thread for each core.
    pub async fn whole(bench: &Bench, cores: &Cores, representatives: usize) -> Self {
        let mut appliance = Appliance::prepare(&bench.programs);
        appliance.model(Model::B400);
        cores.on_all(appliance.up()).await;
        Self::of(appliance, representatives).await
    }

    async fn of(appliance: Appliance, representatives: usize) -> Self {
        appliance.admit(AdmissionRate::LIFTED).await;
        let mut all = vec![appliance.representative("rep0").await];
        all.extend(more_like(&appliance, &all[0], representatives - 1));
        Self {
            appliance,
            representatives: all,
            free: 0,
            link: client_config(&[ALPN]),
            web: client_config(&[b"http/1.1"]),
        }
    }

    /// The process that is measured.
    pub fn relay(&self) -> Pid {
        self.appliance.program("relay").unwrap()
    }

    /// Where it serves.
    pub fn port(&self) -> u16 {
        self.appliance.https()
    }

    /// What its clients offer.
    pub fn link_config(&self) -> &Arc<ClientConfig> {
        &self.link
    }

    /// A link before its hello.
    pub fn connect(&self) -> End {
        End::link(Wire::client(dial(self.port()).unwrap(), &self.link))
    }

    /// Consoles of representatives who have none yet.
    pub async fn consoles(&mut self, count: usize, by: By) -> Vec<End> {
        let theirs = self.free..self.free + count;
        self.free = theirs.end;
        let mut consoles = Vec::new();
        for representative in &self.representatives[theirs] {
            let ticket = self.appliance.console_ticket(representative).await;
            let (mut console, ticket) = match by {
                By::Link => (self.connect(), Some(ticket)),
                By::Socket => (self.upgrade(&ticket.reveal()), None),
            };
            let shells = heapless::Vec::new();
            console.say(&Hello {
                tag: HelloTag::Hello,
                versions: (VERSION, VERSION),
                program: label("bench"),
                purpose: Purpose::Console { ticket, shells },
            });
            consoles.push(console);
        }
        consoles
    }

    /// Sessions, each with a representative of its own. One step in all of them after the other, so
    /// that they are put on record together.
    pub async fn sessions(&mut self, count: usize, by: By) -> Vec<Session> {
        let mut consoles = self.consoles(count, by).await;
        let mut customers = self.customers(&mut consoles, 1);
        let mut ids = Vec::new();
        for console in &mut consoles {
            let session = sees(console, Status::Waiting);
            console.say(&FromConsole::Accept { session });
            ids.push(session);
        }
        for (console, session) in consoles.iter_mut().zip(ids) {
            sees(console, Status::InProgress);
            let (columns, rows) = (80, 24);
            console.say(&FromConsole::OpenShell {
                session,
                columns,
                rows,
            });
        }
        for customer in &mut customers {
            let prompt = customer.hears(|message| match message {
                ToCustomer::Ask { prompt, .. } => Some(prompt),
                _ => None,
            });
            let allow = true;
            customer.say(&FromCustomer::Answer { prompt, allow });
        }
        for (console, customer) in consoles.iter_mut().zip(&mut customers) {
            let (shell, channel) = customer.hears(|message| match message {
                ToCustomer::ShellOpen { shell, channel, .. } => Some((shell, channel)),
                _ => None,
            });
            customer.opened(channel);
            customer.say(&FromCustomer::ShellStarted { shell });
            let channel = console.hears(|message| match message {
                ToConsole::Shell { channel, .. } => Some(channel),
                _ => None,
            });
            console.opened(channel);
        }
        let sessions = consoles.into_iter().zip(customers);
        let session = |(console, customer)| Session { console, customer };
        sessions.map(session).collect()
    }

    /// So many Jump Clients more, once all of them are let in.
    pub async fn jump_clients(&self, count: u32) -> Fleet {
        let deployment = self.appliance.deployment(count).await;
        let itself = || Command::new(std::env::current_exe().unwrap());
        let fleet = Fleet::start(itself, self.port(), &deployment, count);
        let all = u64::from(count);
        let now = fleet
            .is("all are let in", LET_IN_WITHIN, |now| now.connected == all)
            .await;
        assert_eq!((now.lost, now.turned, now.over_limit), (0, 0, 0), "{now:?}");
        fleet
    }

    /// Customers whose sessions wait, so many for each console.
    pub fn customers(&self, consoles: &mut [End], each: u32) -> Vec<End> {
        for console in consoles.iter_mut() {
            for request in 0..each {
                let seconds = KEY_SECONDS;
                console.say(&FromConsole::CreateKey { request, seconds });
            }
        }
        let mut customers = Vec::new();
        for console in consoles.iter_mut() {
            for _ in 0..each {
                let key = console.hears(|message| match message {
                    ToConsole::Key { key, .. } => Some(key),
                    _ => None,
                });
                let mut customer = self.connect();
                customer.say(&hello(&key));
                customers.push(customer);
            }
        }
        for customer in &mut customers {
            customer.hears(|message| match message {
                ToCustomer::Session { .. } => Some(()),
                ToCustomer::Turned(turned) => panic!("{turned:?}"),
                _ => None,
            });
        }
        customers
    }

    /// The link's WebSocket.
    fn upgrade(&self, ticket: &str) -> End {
        let port = self.port();
        let mut wire = Wire::client(dial(port).unwrap(), &self.web);
        let request = format!(
            "GET /link?ticket={ticket} HTTP/1.1\r\nHost: localhost:{port}\r\n\
             Origin: https://localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut sealed = Vec::new();
        wire.seal(request.as_bytes(), &mut sealed);
        wire.send(&sealed);
        let (mut head, mut scratch) = (Vec::new(), vec![0; super::wire::SCRATCH_BYTES]);
        while !head.ends_with(b"\r\n\r\n") {
            wire.wait_to_read();
            wire.receive(&mut scratch, |bytes| head.extend_from_slice(bytes));
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "not let in");
        End::socket(wire)
    }
}

/// Waits for a session that stands like this.
pub fn sees(console: &mut End, status: Status) -> SessionId {
    console.hears(|message| match message {
        ToConsole::Session(overview) if overview.status == status => Some(overview.session),
        ToConsole::Turned(turned) => panic!("{turned:?}"),
        ToConsole::Failed { reason, .. } => panic!("{reason:?}"),
        _ => None,
    })
}

/// Representatives with the same password as the first: hashing one takes a tenth of a second.
fn more_like(appliance: &Appliance, first: &Representative, count: usize) -> Vec<Representative> {
    let at = Stamp::of(SystemTime::now());
    let made = appliance.store().write(|tx| {
        let (_, password_hash) = accounts::by_name(tx, &first.name)?.unwrap();
        let names = (1..=count).map(|number| format!("rep{number}"));
        let make = |name: String| {
            let new = NewAccount {
                name: AccountName::new(&name).unwrap(),
                display_name: DisplayName::new(&name).unwrap(),
                administrator: false,
                representative: true,
                password_hash: &password_hash,
                at,
            };
            let account = accounts::create(tx, &new)?;
            Ok(Representative {
                account: account.id,
                label: account.display_name.to_label(),
                name: account.name,
            })
        };
        names
            .map(make)
            .collect::<Result<Vec<_>, jumpgate::store::StoreError>>()
    });
    made.unwrap()
}
