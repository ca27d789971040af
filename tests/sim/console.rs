//! A representative's console: what the browser's one does, without what it shows.

use std::collections::BTreeMap;
use std::time::Duration;

use jumpgate::control::request::TicketHolder;
use jumpgate::domain::limits::{CREDIT_STEP_BYTES, WINDOW_BYTES};
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{AccountId, Entry, Label, Moment, PromptId, SessionId, ShellId};
use jumpgate::domain::{Token, text::label};
use jumpgate::link::channel::Channel;
use jumpgate::link::connection::{Assembler, decode};
use jumpgate::link::frame::split_frame;
use jumpgate::link::message::{
    FromConsole, Hello, HelloTag, Purpose, SessionShellPosition, Status, ToConsole,
};
use jumpgate::link::{Connection, Incoming, LinkError, Retained, VERSION};
use jumpgate::relay::hub::PeerId;
use jumpgate::relay::hub::event::Tap;

use crate::random::Random;
use crate::stream::Stream;

/// A terminal on the screen.
#[derive(Debug)]
pub struct Terminal {
    stream: (Stream, Stream),
    pub channel: Option<u16>,
    input: Retained,
    /// Position of the next byte that will be typed.
    pub typed: u64,
    /// Output that arrived.
    pub received: u64,
    /// Output that is on the screen.
    pub shown: u64,
    granted: u64,
    pub over: bool,
    /// Works through its output.
    pub shows: bool,
}

/// A session in the console.
#[derive(Debug)]
pub struct Tab {
    pub status: Status,
    pub log: Vec<Entry>,
    pub recorded: u32,
    pub asking: Option<PromptId>,
    pub terminals: BTreeMap<ShellId, Terminal>,
}

/// How a console stands with the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asks for a ticket then.
    Away { redial_at: Moment },
    /// Waits for a ticket.
    Asking,
    /// Has shown its ticket, and waits for the welcome.
    Arriving,
    /// Let in.
    Up,
    /// For good: replaced, or signed out.
    Closed,
}

/// See the head of this file.
pub struct Console {
    pub name: String,
    pub account: AccountId,
    pub sign_in: Fingerprint,
    pub stage: Stage,
    pub is_signed_in: bool,
    pub peer: Option<PeerId>,
    link: Option<(Connection, Assembler)>,
    channels: BTreeMap<u16, Tap>,
    pub tabs: BTreeMap<SessionId, Tab>,
    pub keys: Vec<(String, Token)>,
    pub failures: Vec<ToConsole>,
    /// Output this console never got: another one must have.
    pub missed: Vec<(Tap, u64)>,
    /// Input this console did not type: another one must have.
    pub typed_elsewhere: Vec<(Tap, u64)>,
    requests: u32,
}

impl Console {
    pub fn new(account: AccountId, sign_in: u8, now: Moment) -> Self {
        Self {
            name: format!("console {} of {}", sign_in, account.0),
            account,
            sign_in: Fingerprint([sign_in; 32]),
            stage: Stage::Away { redial_at: now },
            is_signed_in: true,
            peer: None,
            link: None,
            channels: BTreeMap::new(),
            tabs: BTreeMap::new(),
            keys: Vec::new(),
            failures: Vec::new(),
            missed: Vec::new(),
            typed_elsewhere: Vec::new(),
            requests: 0,
        }
    }

    pub fn holder(&self) -> TicketHolder {
        TicketHolder::Console {
            account: self.account,
            name: display_name(self.account),
            sign_in: self.sign_in,
        }
    }

    /// A WebSocket is open, or about to be.
    pub fn link_up(&mut self, peer: PeerId, now: Moment) {
        self.stage = Stage::Arriving;
        self.peer = Some(peer);
        let mut connection = Connection::new(now);
        let mut shells = heapless::Vec::new();
        for (session, tab) in &self.tabs {
            for (shell, terminal) in tab.terminals.iter().filter(|(_, t)| !t.over) {
                let position = SessionShellPosition {
                    session: *session,
                    shell: *shell,
                    received: terminal.received,
                };
                let _ = shells.push(position);
            }
        }
        connection.say(&Hello {
            tag: HelloTag::Hello,
            versions: (VERSION, VERSION),
            program: label("simulated"),
            purpose: Purpose::Console {
                ticket: None,
                shells,
            },
        });
        self.link = Some((connection, Assembler::default()));
    }

    pub fn link_down(&mut self, random: &mut Random, now: Moment) {
        if self.peer.take().is_none() {
            return;
        }
        self.link = None;
        self.channels.clear();
        for terminal in self
            .tabs
            .values_mut()
            .flat_map(|tab| tab.terminals.values_mut())
        {
            terminal.channel = None;
        }
        if self.stage != Stage::Closed {
            let redial_at = now + Duration::from_millis(200 + random.next() % 2_000);
            self.stage = Stage::Away { redial_at };
        }
    }

    pub fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }

    pub fn take_output(&mut self) -> Vec<u8> {
        self.link
            .as_mut()
            .map_or_else(Vec::new, |(link, _)| link.take_output())
    }

    pub fn received(&mut self, bytes: &[u8], now: Moment) {
        if let Err(error) = self.take(bytes, now) {
            panic!("{}: the relay broke the protocol: {error}", self.name);
        }
    }

    /// False if the link has to be closed.
    pub fn tick(&mut self, now: Moment) -> bool {
        let link = self.link.as_mut();
        link.is_none_or(|(link, _)| now < link.deadline() || link.tick(now).is_ok())
    }

    fn take(&mut self, bytes: &[u8], now: Moment) -> Result<(), LinkError> {
        let Some((_, assembler)) = &mut self.link else {
            return Ok(());
        };
        let input = assembler.join(bytes);
        let mut rest = &input[..];
        while let Some((frame, taken)) = split_frame(rest)? {
            rest = &rest[taken..];
            let (link, _) = self.link.as_mut().expect("nothing below takes it");
            match link.accept(frame, now)? {
                Incoming::Nothing => {}
                Incoming::Message(json) => {
                    let message = decode(json)?;
                    self.hear(message);
                }
                Incoming::Data {
                    channel,
                    offset,
                    bytes,
                } => self.output(channel, offset, bytes),
                Incoming::Credit { channel, .. } => self.credit(channel),
            }
        }
        if let Some((_, assembler)) = &mut self.link {
            assembler.keep(rest);
        }
        Ok(())
    }

    fn hear(&mut self, message: ToConsole) {
        match message {
            ToConsole::Welcome(_) => self.stage = Stage::Up,
            // A ticket too old: the next dial brings a fresh one.
            ToConsole::Turned(_) => {}
            ToConsole::Desk { sessions, .. } => {
                self.tabs.retain(|session, _| sessions.contains(session));
            }
            ToConsole::Session(overview) => {
                let tab = self.tabs.entry(overview.session).or_insert_with(|| Tab {
                    status: overview.status,
                    log: Vec::new(),
                    recorded: 0,
                    asking: None,
                    terminals: BTreeMap::new(),
                });
                tab.status = overview.status;
                if tab.status == Status::Waiting {
                    for channel in tab.terminals.values().filter_map(|t| t.channel) {
                        self.channels.remove(&channel);
                    }
                    tab.terminals.clear();
                    tab.asking = None;
                }
            }
            ToConsole::Gone { session, .. } => {
                self.tabs.remove(&session);
                self.channels.retain(|_, tap| tap.session != session);
            }
            ToConsole::Key { key, ak, .. } => self.keys.push((key.as_str().to_owned(), ak)),
            ToConsole::Log { session, entries } => {
                // Only the latest may have been kept.
                let first = entries.first().map_or(0, |entry| entry.number);
                let log = &mut self.tab(session).log;
                if log.last().is_some_and(|last| last.number + 1 < first) {
                    log.clear();
                }
                for entry in entries {
                    self.entry(session, entry);
                }
            }
            ToConsole::Entry { session, entry } => self.entry(session, entry),
            ToConsole::Recorded { session, number } => {
                let tab = self.tab(session);
                tab.recorded = tab.recorded.max(number);
            }
            ToConsole::Asking {
                session, prompt, ..
            } => self.tab(session).asking = Some(prompt),
            ToConsole::AskOver { session, prompt } => {
                let tab = self.tab(session);
                tab.asking = tab.asking.filter(|asking| *asking != prompt);
            }
            ToConsole::Shell {
                session,
                shell,
                channel,
                send_from,
                receive_from,
            } => self.shell(Tap { session, shell }, channel, send_from, receive_from),
            ToConsole::ShellPause { session, shell } => self.unplug(session, shell),
            ToConsole::ShellClosed { session, shell } => {
                self.unplug(session, shell);
                if let Some(terminal) = self.tab(session).terminals.get_mut(&shell) {
                    terminal.over = true;
                }
            }
            ToConsole::Failed { .. } => self.failures.push(message),
            ToConsole::Restart { .. } => {}
            ToConsole::Replaced | ToConsole::SignedOut => self.stage = Stage::Closed,
        }
    }

    fn tab(&mut self, session: SessionId) -> &mut Tab {
        self.tabs
            .get_mut(&session)
            .expect("a session that was shown before")
    }

    fn entry(&mut self, session: SessionId, entry: Entry) {
        let name = self.name.clone();
        let tab = self.tab(session);
        tab.log.retain(|known| known.number < entry.number);
        if let Some(last) = tab.log.last() {
            assert_eq!(entry.number, last.number + 1, "{name}: a gap in the log");
        }
        tab.log.push(entry);
    }

    fn shell(&mut self, tap: Tap, channel: u16, send_from: u64, receive_from: u64) {
        self.unplug(tap.session, tap.shell);
        self.channels.insert(channel, tap);
        let (link, _) = self.link.as_mut().expect("a message came by it");
        assert!(link.open(channel, send_from, receive_from));
        let tab = self
            .tabs
            .get_mut(&tap.session)
            .expect("a session that was shown before");
        if !tab.terminals.contains_key(&tap.shell) {
            self.missed.push((tap, receive_from));
            self.typed_elsewhere.push((tap, send_from));
        }
        let terminal = tab.terminals.entry(tap.shell).or_insert_with(|| Terminal {
            stream: (Stream::output(tap), Stream::input(tap)),
            channel: None,
            input: Retained::starting_at(send_from),
            typed: send_from,
            received: receive_from,
            shown: receive_from,
            granted: 0,
            over: false,
            shows: true,
        });
        assert!(
            !terminal.over,
            "{}: {tap:?} goes on after its end",
            self.name
        );
        if receive_from > terminal.received {
            self.missed.push((tap, receive_from));
            terminal.received = receive_from;
            terminal.shown = receive_from;
        }
        if terminal.input.rewind(send_from).is_err() {
            // Another console typed meanwhile; or what an earlier one typed was lost on its way,
            // and nobody has it any more.
            if send_from > terminal.typed {
                self.typed_elsewhere.push((tap, send_from));
            }
            terminal.input = Retained::starting_at(send_from);
            terminal.typed = send_from;
        }
        terminal.channel = Some(channel);
        terminal.granted = 0;
        self.grant(tap);
        self.pump(tap);
    }

    fn unplug(&mut self, session: SessionId, shell: ShellId) {
        let terminal = self
            .tabs
            .get_mut(&session)
            .and_then(|tab| tab.terminals.get_mut(&shell));
        if let Some(channel) = terminal.and_then(|terminal| terminal.channel.take()) {
            self.channels.remove(&channel);
            if let Some((link, _)) = &mut self.link {
                link.close(channel);
            }
        }
    }

    fn output(&mut self, channel: u16, offset: u64, bytes: &[u8]) {
        let Some(tap) = self.channels.get(&channel).copied() else {
            return;
        };
        let terminal = self.terminal(tap);
        terminal.stream.0.check(offset, bytes, "console");
        assert!(offset <= terminal.received, "{tap:?} misses output");
        terminal.received = terminal.received.max(offset + bytes.len() as u64);
        self.grant(tap);
    }

    fn credit(&mut self, channel: u16) {
        let Some(tap) = self.channels.get(&channel).copied() else {
            return;
        };
        let (link, _) = self.link.as_mut().expect("credit came by it");
        let acknowledged = link.channel(channel).map_or(0, Channel::acknowledged);
        self.terminal(tap).input.consumed(acknowledged);
        self.pump(tap);
    }

    pub fn terminal(&mut self, tap: Tap) -> &mut Terminal {
        let tab = self.tabs.get_mut(&tap.session).expect("its tab is open");
        tab.terminals
            .get_mut(&tap.shell)
            .expect("its terminal is there")
    }

    pub fn terminals(&self) -> impl Iterator<Item = (Tap, &Terminal)> {
        self.tabs.iter().flat_map(|(session, tab)| {
            tab.terminals.iter().map(|(shell, terminal)| {
                let (session, shell) = (*session, *shell);
                (Tap { session, shell }, terminal)
            })
        })
    }

    /// Output goes on the screen.
    pub fn show_output(&mut self, random: &mut Random) {
        for tap in self.terminals().map(|(tap, _)| tap).collect::<Vec<_>>() {
            let terminal = self.terminal(tap);
            let waiting = usize::try_from(terminal.received - terminal.shown).unwrap();
            if terminal.shows && waiting > 0 {
                let count = if random.percent(50) {
                    waiting
                } else {
                    1 + random.below(waiting)
                };
                terminal.shown += count as u64;
                self.grant(tap);
            }
        }
    }

    pub fn is_busy(&self) -> bool {
        self.terminals()
            .any(|(_, terminal)| terminal.shows && terminal.shown < terminal.received)
    }

    fn grant(&mut self, tap: Tap) {
        let terminal = self.terminal(tap);
        let Some(channel) = terminal.channel else {
            return;
        };
        let (shown, granted) = (terminal.shown, terminal.granted);
        let Some((link, _)) = &mut self.link else {
            return;
        };
        let reached = link.channel(channel).map_or(0, Channel::received);
        let up_to = shown.min(reached) + WINDOW_BYTES;
        if up_to >= granted + CREDIT_STEP_BYTES {
            link.grant(channel, up_to);
            self.terminal(tap).granted = up_to;
        }
    }

    /// Types into a terminal as much as there is room for.
    pub fn type_into(&mut self, tap: Tap, most: usize) {
        let terminal = self.terminal(tap);
        if terminal.over {
            return;
        }
        let bytes = terminal
            .stream
            .1
            .bytes(terminal.typed, most.min(terminal.input.room()));
        terminal.typed += bytes.len() as u64;
        terminal.input.push(&bytes);
        self.pump(tap);
    }

    fn pump(&mut self, tap: Tap) {
        let Some((link, _)) = &mut self.link else {
            return;
        };
        let tab = self.tabs.get_mut(&tap.session).expect("its tab is open");
        let terminal = tab
            .terminals
            .get_mut(&tap.shell)
            .expect("its terminal is there");
        let Some(channel) = terminal.channel else {
            return;
        };
        loop {
            let sent = link.send(channel, terminal.input.unsent(10_000));
            if sent == 0 {
                return;
            }
            terminal.input.sent(sent);
        }
    }

    // ---- what a representative does ----

    pub fn say(&mut self, message: &FromConsole) {
        if let (true, Some((link, _))) = (self.is_up(), &mut self.link) {
            link.say(message);
        }
    }

    pub fn create_key(&mut self, seconds: u32) {
        self.requests += 1;
        let request = self.requests;
        self.say(&FromConsole::CreateKey { request, seconds });
    }
}

/// As customers see a representative.
pub fn display_name(account: AccountId) -> Label {
    label(&format!("Representative {}", account.0))
}
