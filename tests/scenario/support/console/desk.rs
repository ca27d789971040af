//! The task behind a console: owns the socket, keeps what is seen up to date.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use jumpgate::domain::limits::{CREDIT_STEP_BYTES, WINDOW_BYTES};
use jumpgate::domain::text::label;
use jumpgate::domain::{Moment, SessionId, ShellId};
use jumpgate::link::connection::{Assembler, Incoming, decode};
use jumpgate::link::frame::split_frame;
use jumpgate::link::message::{
    FromConsole, Hello, HelloTag, Purpose, SessionShellPosition, ToConsole,
};
use jumpgate::link::{Connection, VERSION};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::{Appliance, Pace, Representative, Screen, Seen, Shared, Socket, open};

/// What a test wants done.
pub(super) enum Order {
    Say(FromConsole),
    Type(SessionId, ShellId, Vec<u8>),
}

/// Opens the socket, says hello, and starts the task.
pub(super) async fn join(
    appliance: &Appliance,
    of: &Representative,
    shared: Arc<Shared>,
    pace: Pace,
) -> (mpsc::UnboundedSender<Order>, JoinHandle<()>) {
    let ticket = appliance.console_ticket(of).await;
    let query = format!("?ticket={}", ticket.reveal());
    let origin = format!("https://localhost:{}", appliance.https());
    let socket = open(appliance, &query, Some(&origin)).await.unwrap();
    let mut link = Connection::new(Moment::default());
    {
        let mut seen = shared.seen.lock().unwrap();
        seen.over = false;
        link.say(&hello(&seen));
    }
    let (orders, queue) = mpsc::unbounded_channel();
    let desk = Desk {
        link,
        assembler: Assembler::default(),
        shared,
        pace,
        paced: Instant::now(),
    };
    (orders, tokio::spawn(desk.run(socket, queue)))
}

fn hello(seen: &Seen) -> Hello {
    let open = seen.shells.iter().filter(|(_, screen)| !screen.closed);
    let shells = open
        .map(|((session, shell), screen)| SessionShellPosition {
            session: *session,
            shell: *shell,
            received: screen.position(),
        })
        .collect();
    Hello {
        tag: HelloTag::Hello,
        versions: (VERSION, VERSION),
        program: label("scenario"),
        purpose: Purpose::Console {
            ticket: None,
            shells,
        },
    }
}

/// What the task works with.
struct Desk {
    link: Connection,
    assembler: Assembler,
    shared: Arc<Shared>,
    pace: Pace,
    paced: Instant,
}

/// A paced terminal shows something this often.
const FRAME: Duration = Duration::from_millis(4);

impl Desk {
    async fn run(mut self, socket: Socket, mut orders: mpsc::UnboundedReceiver<Order>) {
        let (mut sink, mut stream) = socket.split();
        let mut frame = tokio::time::interval(FRAME);
        let is_paced = matches!(self.pace, Pace::BytesPerSecond(_));
        loop {
            self.send_input();
            let output = self.link.take_output();
            if !output.is_empty() && sink.send(Message::binary(output)).await.is_err() {
                break;
            }
            tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(Message::Binary(bytes))) => self.received(&bytes),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => {}
                },
                order = orders.recv() => match order {
                    Some(order) => self.order(order),
                    None => break,
                },
                _ = frame.tick(), if is_paced => {}
            }
            self.show();
            self.shared.changed.notify_waiters();
        }
        self.shared.seen.lock().unwrap().over = true;
        self.shared.changed.notify_waiters();
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Say(message) => self.link.say(&message),
            Order::Type(session, shell, keys) => {
                let mut seen = self.shared.seen.lock().unwrap();
                let screen = seen.shells.get_mut(&(session, shell)).unwrap();
                screen.input.push(&keys);
            }
        }
    }

    fn send_input(&mut self) {
        let mut seen = self.shared.seen.lock().unwrap();
        for screen in seen.shells.values_mut() {
            let Some(channel) = screen.channel else {
                continue;
            };
            loop {
                let sent = self.link.send(channel, screen.input.unsent(usize::MAX));
                if sent == 0 {
                    break;
                }
                screen.input.sent(sent);
            }
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        let input = self.assembler.join(bytes).into_owned();
        let mut rest = &input[..];
        let shared = Arc::clone(&self.shared);
        let mut seen = shared.seen.lock().unwrap();
        while let Some((frame, taken)) = split_frame(rest).unwrap() {
            rest = &rest[taken..];
            match self.link.accept(frame, Moment::default()).unwrap() {
                Incoming::Message(json) => self.message(&mut seen, decode(json).unwrap()),
                Incoming::Data { channel, bytes, .. } => {
                    if let Some(screen) = screen_on(&mut seen, channel) {
                        screen.waiting.extend_from_slice(bytes);
                    }
                }
                Incoming::Credit { channel, up_to } => {
                    if let Some(screen) = screen_on(&mut seen, channel) {
                        let consumed = up_to.saturating_sub(WINDOW_BYTES + screen.before.1);
                        screen.input.consumed(consumed);
                    }
                }
                Incoming::Nothing => {}
            }
        }
        self.assembler.keep(rest);
    }

    /// Shows what arrived, as fast as the terminal is, and lets more come.
    fn show(&mut self) {
        let mut may_show = match self.pace {
            Pace::AtOnce => usize::MAX,
            Pace::BytesPerSecond(rate) => {
                let millis = u64::try_from(self.paced.elapsed().as_millis()).unwrap();
                if millis == 0 {
                    return;
                }
                usize::try_from(rate * millis.min(50) / 1_000).unwrap()
            }
        };
        self.paced = Instant::now();
        let mut seen = self.shared.seen.lock().unwrap();
        for screen in seen.shells.values_mut() {
            let now = screen.waiting.len().min(may_show);
            if now == 0 {
                continue;
            }
            may_show -= now;
            screen.shown.extend(screen.waiting.drain(..now));
            screen.shown_at = Some(Instant::now());
            let up_to = screen.position() + WINDOW_BYTES;
            if let Some(channel) = screen.channel
                && up_to >= screen.granted + CREDIT_STEP_BYTES
            {
                screen.granted = up_to;
                self.link.grant(channel, up_to);
            }
        }
    }

    fn message(&mut self, seen: &mut Seen, message: ToConsole) {
        match message {
            ToConsole::Welcome(_) => {}
            ToConsole::Turned(turned) => seen.turned = Some(turned.reason),
            ToConsole::Desk { sessions, .. } => {
                seen.desk = Some(sessions.into_iter().collect());
                seen.sessions.clear();
                seen.asking.clear();
                // What still holds is said again.
                seen.restart = None;
            }
            ToConsole::Session(overview) => {
                seen.sessions.insert(overview.session, *overview);
            }
            ToConsole::Gone { session, reason } => {
                seen.sessions.remove(&session);
                seen.gone.insert(session, reason);
            }
            ToConsole::Key {
                request, key, ak, ..
            } => seen.keys.push((request, key.to_string(), ak)),
            ToConsole::Log { session, entries } => {
                for entry in entries {
                    seen.add(session, entry);
                }
            }
            ToConsole::Entry { session, entry } => {
                seen.add(session, entry);
            }
            ToConsole::Recorded { session, number } => {
                seen.recorded.insert(session, number);
            }
            ToConsole::Asking {
                session, prompt, ..
            } => seen.asking.push((session, prompt)),
            ToConsole::AskOver { session, prompt } => {
                seen.asking.retain(|asked| *asked != (session, prompt));
            }
            ToConsole::Shell {
                session,
                shell,
                channel,
                send_from,
                receive_from,
            } => {
                assert!(self.link.open(channel, send_from, receive_from));
                let screen = seen.shells.entry((session, shell));
                let screen = screen.or_insert_with(|| Screen {
                    before: (receive_from, send_from),
                    ..Screen::default()
                });
                let arrived = screen.position() + screen.waiting.len() as u64;
                assert_eq!(receive_from, arrived, "output from another byte");
                let from = send_from - screen.before.1;
                screen.input.rewind(from).unwrap();
                screen.channel = Some(channel);
                screen.granted = receive_from + WINDOW_BYTES;
            }
            ToConsole::ShellPause { session, shell } => {
                if let Some(screen) = seen.shells.get_mut(&(session, shell)) {
                    screen.channel = None;
                }
            }
            ToConsole::ShellClosed { session, shell } => {
                if let Some(screen) = seen.shells.get_mut(&(session, shell)) {
                    screen.closed = true;
                    screen.channel = None;
                }
            }
            ToConsole::Failed {
                session, reason, ..
            } => seen.failed.push((session, reason)),
            ToConsole::Restart { seconds } => seen.restart = seconds,
            ToConsole::Replaced => seen.replaced = true,
            ToConsole::SignedOut => seen.over = true,
        }
    }
}

fn screen_on(seen: &mut Seen, channel: u16) -> Option<&mut Screen> {
    let mut screens = seen.shells.values_mut();
    screens.find(|screen| screen.channel == Some(channel))
}
