//! A representative's console: an independent WebSocket peer that speaks the link protocol.
//!
//! A task owns the socket and keeps [`Seen`] up to date, as the page's script does; a test says
//! things and waits for what is to be seen.

mod desk;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use jumpgate::domain::entry::{EndReason, What};
use jumpgate::domain::turned::TurnedReason;
use jumpgate::domain::{Entry, LongText, PromptId, SessionId, ShellId, Token};
use jumpgate::link::Retained;
use jumpgate::link::message::{Failure, FromConsole, Overview, Status};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as SocketError, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use self::desk::{Order, join};
use super::tls::{connector, name};
use super::{Appliance, Representative, SOON};

/// How fast a terminal shows what arrives.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as it comes.
    AtOnce,
    /// So many bytes a second.
    BytesPerSecond(u64),
}

/// A console, connected or not.
pub struct Console {
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
    pace: Pace,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Notify,
}

/// Everything a console knows.
#[derive(Default)]
pub struct Seen {
    /// The latest desk's sessions.
    pub desk: Option<Vec<SessionId>>,
    /// By session, as last shown.
    pub sessions: BTreeMap<SessionId, Overview>,
    /// Sessions that are over.
    pub gone: BTreeMap<SessionId, EndReason>,
    /// Logs, by number.
    pub entries: BTreeMap<SessionId, BTreeMap<u32, Entry>>,
    /// Up to which entry each log is on record.
    pub recorded: BTreeMap<SessionId, u32>,
    /// Terminals.
    pub shells: HashMap<(SessionId, ShellId), Screen>,
    /// Session keys that were made: request, digits, token.
    pub keys: Vec<(u32, String, Token)>,
    /// Questions the customer is being asked.
    pub asking: Vec<(SessionId, PromptId)>,
    /// What was not done.
    pub failed: Vec<(Option<SessionId>, Failure)>,
    /// Not let in.
    pub turned: Option<TurnedReason>,
    /// The appliance restarts in so many seconds.
    pub restart: Option<u32>,
    /// Another console took over.
    pub replaced: bool,
    /// The socket is closed.
    pub over: bool,
}

impl Seen {
    /// A line of a session's log. What a killed relay had shown and not put on record never
    /// happened: from the first line that is another one now, only what comes from here on stands.
    fn add(&mut self, session: SessionId, entry: Entry) {
        let log = self.entries.entry(session).or_default();
        let recorded = self.recorded.get(&session).copied().unwrap_or(0);
        if let Some(before) = log.get(&entry.number)
            && *before != entry
        {
            assert!(
                entry.number > recorded,
                "an entry changed: {before:?}, {entry:?}"
            );
            log.split_off(&entry.number);
        }
        log.insert(entry.number, entry);
    }

    /// For whoever reads why a test failed.
    fn summary(&self) -> String {
        let shells = self.shells.iter().map(|((_, shell), screen)| {
            let end = screen.shown.len().saturating_sub(200);
            let last = String::from_utf8_lossy(&screen.shown[end..]);
            let (shown, waiting) = (screen.shown.len(), screen.waiting.len());
            let (channel, closed) = (screen.channel, screen.closed);
            format!("shell {shell}: {channel:?} {closed} {shown} shown, {waiting} wait: {last:?}")
        });
        let shells: Vec<_> = shells.collect();
        let (over, turned, failed) = (self.over, &self.turned, &self.failed);
        format!(
            "{shells:#?} {over} {turned:?} {failed:?} {:?}",
            self.entries
        )
    }
}

/// One terminal.
#[derive(Default)]
pub struct Screen {
    /// Everything shown since the shell began.
    pub shown: Vec<u8>,
    /// When the last of it was.
    pub shown_at: Option<Instant>,
    /// The shell is over.
    pub closed: bool,
    channel: Option<u16>,
    /// Shown by another console before this one took over: output, and input typed there.
    before: (u64, u64),
    /// Arrived, not shown yet.
    waiting: Vec<u8>,
    granted: u64,
    input: Retained,
}

impl Screen {
    /// Bytes of output since the shell began, up to the last one shown here.
    fn position(&self) -> u64 {
        self.before.0 + self.shown.len() as u64
    }

    /// What is shown, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }
}

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Opens the link's WebSocket with this query and origin.
pub async fn open(
    appliance: &Appliance,
    query: &str,
    origin: Option<&str>,
) -> Result<Socket, SocketError> {
    let site = format!("localhost:{}", appliance.https());
    let mut request = format!("wss://{site}/link{query}").into_client_request()?;
    if let Some(origin) = origin {
        let origin = http::HeaderValue::from_str(origin).unwrap();
        request.headers_mut().insert("Origin", origin);
    }
    let tcp = TcpStream::connect(("127.0.0.1", appliance.https())).await?;
    tcp.set_nodelay(true)?;
    let tls = connector(&[b"http/1.1"]).connect(name(), tcp).await?;
    let (socket, _) = client_async(request, tls).await?;
    Ok(socket)
}

impl Console {
    /// Connects with a fresh ticket and waits for the desk.
    pub async fn connect(appliance: &Appliance, of: &Representative) -> Self {
        Self::connect_at(appliance, of, Pace::AtOnce).await
    }

    /// The same with terminals of a certain speed.
    pub async fn connect_at(appliance: &Appliance, of: &Representative, pace: Pace) -> Self {
        let shared = Arc::new(Shared::default());
        let (orders, task) = join(appliance, of, Arc::clone(&shared), pace).await;
        let console = Self {
            shared,
            orders,
            task,
            pace,
        };
        console.arrived().await;
        console
    }

    /// Loses the connection, without a word.
    pub async fn cut(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        let mut seen = self.seen();
        seen.desk = None;
        for screen in seen.shells.values_mut() {
            screen.channel = None;
            // A page that reloads a terminal shows what it has and asks for the rest.
            let waiting = std::mem::take(&mut screen.waiting);
            screen.shown.extend(waiting);
        }
    }

    /// Comes back with everything it knows.
    pub async fn come_back(&mut self, appliance: &Appliance, of: &Representative) {
        let joined = join(appliance, of, Arc::clone(&self.shared), self.pace).await;
        (self.orders, self.task) = joined;
        self.arrived().await;
    }

    async fn arrived(&self) {
        self.sees("the desk", |seen| seen.desk.is_some().then_some(()))
            .await;
    }

    /// What it knows now.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen.lock().unwrap()
    }

    /// Waits until there is something to see.
    pub async fn sees<T>(&self, what: &str, mut look: impl FnMut(&mut Seen) -> Option<T>) -> T {
        let until = Instant::now() + SOON;
        loop {
            let changed = self.shared.changed.notified();
            if let Some(found) = look(&mut self.seen()) {
                return found;
            }
            let in_time = timeout_at(until, changed).await.is_ok();
            assert!(in_time, "not seen: {what}; {}", self.seen().summary());
        }
    }

    /// Says something to the relay.
    pub fn say(&self, message: FromConsole) {
        // A console that was cut says nothing.
        let _ = self.orders.send(Order::Say(message));
    }

    /// Says something in a session's chat.
    pub fn chat(&self, session: SessionId, text: &str) {
        let text = LongText::new(text).unwrap();
        self.say(FromConsole::Chat { session, text });
    }

    /// Waits for a waiting session and accepts it.
    pub async fn accepts_next(&self) -> SessionId {
        let session = self.sees_waiting().await;
        self.say(FromConsole::Accept { session });
        self.sees_status(session, Status::InProgress).await;
        session
    }

    /// Waits for a session that waits.
    pub async fn sees_waiting(&self) -> SessionId {
        self.sees("a waiting session", |seen| {
            let mut sessions = seen.sessions.values();
            let waiting = sessions.find(|session| session.status == Status::Waiting)?;
            Some(waiting.session)
        })
        .await
    }

    /// Waits until a session stands like this.
    pub async fn sees_status(&self, session: SessionId, status: Status) {
        self.sees(&format!("{status:?}"), |seen| {
            (seen.sessions.get(&session)?.status == status).then_some(())
        })
        .await;
    }

    /// Waits for an entry of a session's log, and its number.
    pub async fn sees_entry(
        &self,
        session: SessionId,
        what: &str,
        is: impl Fn(&What) -> bool,
    ) -> u32 {
        self.sees(&format!("the entry: {what}"), |seen| {
            let mut log = seen.entries.get(&session)?.values();
            log.find(|entry| is(&entry.what)).map(|entry| entry.number)
        })
        .await
    }

    /// Waits for a chat entry, and its number.
    pub async fn sees_chat(&self, session: SessionId, text: &str) -> u32 {
        let is = |what: &What| matches!(what, What::Chat { text: said } if said.as_str() == text);
        self.sees_entry(session, text, is).await
    }

    /// Waits until an entry is on record.
    pub async fn sees_recorded(&self, session: SessionId, number: u32) {
        self.sees("the record", |seen| {
            (*seen.recorded.get(&session)? >= number).then_some(())
        })
        .await;
    }

    /// Asks for a shell of 80 columns and 24 rows.
    pub fn open_shell(&self, session: SessionId) {
        self.say(FromConsole::OpenShell {
            session,
            columns: 80,
            rows: 24,
        });
    }

    /// Waits until this shell of a session runs.
    pub async fn sees_shell(&self, session: SessionId, number: u32) -> ShellId {
        let shell = ShellId(number);
        self.sees("a shell", |seen| {
            seen.shells.get(&(session, shell))?.channel.map(|_| shell)
        })
        .await
    }

    /// Types into a terminal.
    pub fn types(&self, session: SessionId, shell: ShellId, keys: impl AsRef<[u8]>) {
        let keys = keys.as_ref().to_vec();
        let _ = self.orders.send(Order::Type(session, shell, keys));
    }

    /// Waits until a terminal shows these words, at or after this byte; returns where they end.
    pub async fn reads(
        &self,
        (session, shell): (SessionId, ShellId),
        from: usize,
        words: &str,
    ) -> usize {
        self.sees(&format!("'{words}' on the terminal"), |seen| {
            let shown = &seen.shells.get(&(session, shell))?.shown;
            let tail = shown.get(from..)?;
            let mut windows = tail.windows(words.len());
            let at = windows.position(|window| window == words.as_bytes())?;
            Some(from + at + words.len())
        })
        .await
    }

    /// Types a command and waits for words in its output; the echo of what was typed ends the
    /// line before, so the command must not hold them.
    pub async fn runs(
        &self,
        (session, shell): (SessionId, ShellId),
        command: &str,
        words: &str,
    ) -> usize {
        assert!(!command.contains(words), "the echo would be found");
        let from = self.shown(session, shell);
        self.types(session, shell, format!("{command}\n"));
        self.reads((session, shell), from, words).await
    }

    /// Bytes a terminal shows.
    pub fn shown(&self, session: SessionId, shell: ShellId) -> usize {
        let seen = self.seen();
        let screen = seen.shells.get(&(session, shell));
        screen.map_or(0, |screen| screen.shown.len())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.task.abort();
    }
}
