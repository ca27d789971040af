//! One customer's program from its first line to its last: everything that happens passes through
//! one loop, on one thread.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until, timeout};

use super::carry::Carrier;
use super::facts::{self, User};
use super::line::{Typed, clean};
use super::options::{Plan, parse_key};
use super::remove::OwnFile;
use super::seat::Seat;
use super::shell::{Shell, ShellEvent};
use super::terminal::Tone;
use super::words;
use crate::agent::proxy::Credentials;
use crate::agent::{Backoff, Customer, DialError, Dialed, Dialer, End, backoff};
use crate::domain::limits::{CTRL_C_AGAIN_WITHIN, REDIAL_IN_RESTART, SHELL_HANG_UP_WITHIN};
use crate::domain::text::label;
use crate::domain::turned::{KeyText, PuzzleAnswer, TurnedReason};
use crate::domain::{LongText, Moment, Secret, ShellId};

mod show;

/// How the program ends.
enum Outcome {
    /// As [`Customer`] says.
    Over(End),
    /// Somebody else answers at the appliance's address.
    WrongKey,
}

/// Runs until the session is over. Returns whether one was held and ended as it should.
pub async fn run(plan: Plan, dialer: Dialer, own_window: bool, seat: &mut Seat) -> bool {
    let address = plan.address.to_string();
    seat.terminal
        .say(Tone::Strong, &words::connecting(&address));
    if let Some(proxy) = dialer.proxy() {
        let proxy = words::through_proxy(&proxy.to_string());
        seat.terminal.say(Tone::Plain, &proxy);
    }
    let well = sessions(&plan, dialer, seat).await;
    if own_window {
        seat.terminal.say(Tone::Plain, words::PRESS_ENTER);
        seat.line().await;
    }
    seat.terminal.close();
    well
}

/// Asks for keys until one works, if the customer types them.
async fn sessions(plan: &Plan, mut dialer: Dialer, seat: &mut Seat) -> bool {
    let user = facts::user();
    loop {
        let key = match &plan.key {
            Some(key) => Some(key.clone()),
            None => ask_key(seat).await,
        };
        let Some(key) = key else {
            seat.terminal.say(Tone::Strong, words::NO_KEY);
            return false;
        };
        let mut run = Run::new(key, dialer, user.clone(), seat);
        let outcome = run.until_over().await;
        let name = run.customer.is_joined().then(|| run.name.clone());
        dialer = run.finish().await;
        let end = match outcome {
            Outcome::Over(end) => end,
            Outcome::WrongKey => return false,
        };
        let well = name.is_some() && matches!(end, End::Session(_) | End::Left);
        let mut last = words::over(&end, name.as_deref());
        if name.is_some() && plan.downloaded {
            last.push(' ');
            last.push_str(&remove());
        }
        seat.terminal.say(Tone::Strong, &last);
        let again = plan.key.is_none() && end == End::Turned(TurnedReason::Key);
        if !again {
            return well;
        }
    }
}

async fn ask_key(seat: &mut Seat) -> Option<KeyText> {
    seat.terminal.say(Tone::Strong, words::KEY);
    loop {
        match parse_key(&seat.line().await?) {
            Ok(key) => return Some(key),
            Err(why) => seat.terminal.say(Tone::Plain, why),
        }
    }
}

fn remove() -> String {
    let removed = OwnFile::of_this_program().and_then(|own| {
        let path = own.path().display().to_string();
        own.remove()
            .map_err(|error| io::Error::other(words::not_removed(&path, &error.to_string())))
    });
    match removed {
        Ok(()) => words::REMOVED.to_owned(),
        Err(words) => words.to_string(),
    }
}

/// What a typed line is the answer to, besides chat, commands and consent.
enum Asking {
    Nothing,
    ProxyUser,
    ProxyPassword { user: String },
}

struct Run<'a> {
    seat: &'a mut Seat,
    typed_ended: bool,
    customer: Customer,
    /// The representative's name, cleaned.
    name: String,
    user: User,
    dialer: Dialer,
    started: Instant,
    carrier: Option<Carrier>,
    dialing: Option<JoinHandle<Result<Dialed, DialError>>>,
    redial_at: Instant,
    backoff: Backoff,
    dial_complaint: String,
    solving: Option<JoinHandle<PuzzleAnswer>>,
    asking: Asking,
    shells: HashMap<ShellId, OpenShell>,
    closing: Vec<JoinHandle<()>>,
    shell_events: mpsc::Sender<ShellEvent>,
    from_shells: mpsc::Receiver<ShellEvent>,
    helped: bool,
    interrupted: Option<Instant>,
    outcome: Option<Outcome>,
}

struct OpenShell {
    shell: Shell,
    /// Output bytes so far.
    produced: u64,
}

/// What the loop waits for.
enum Event {
    Received(Option<Vec<u8>>),
    Sent,
    Dialed(Box<Result<Dialed, DialError>>),
    Redial,
    Solved(Result<PuzzleAnswer, JoinError>),
    Shell(ShellEvent),
    Typed(Option<Vec<u8>>),
    Interrupt,
    Terminate,
    Tick,
}

impl<'a> Run<'a> {
    fn new(key: KeyText, dialer: Dialer, user: User, seat: &'a mut Seat) -> Self {
        let program = label(concat!("customer-client/", env!("CARGO_PKG_VERSION")));
        let now = Moment::default();
        // Reading waits while this is full; a frame's worth each.
        let (shell_events, from_shells) = mpsc::channel(8);
        Self {
            seat,
            typed_ended: false,
            customer: Customer::new(key, facts::facts(&user), program, now),
            name: String::new(),
            user,
            dialer,
            started: Instant::now(),
            carrier: None,
            dialing: None,
            redial_at: Instant::now(),
            backoff: Backoff::default(),
            dial_complaint: String::new(),
            solving: None,
            asking: Asking::Nothing,
            shells: HashMap::new(),
            closing: Vec::new(),
            shell_events,
            from_shells,
            helped: false,
            interrupted: None,
            outcome: None,
        }
    }

    fn now(&self) -> Moment {
        let elapsed = self.started.elapsed().as_millis();
        Moment::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    async fn until_over(&mut self) -> Outcome {
        for typed in std::mem::take(&mut self.seat.typed_ahead) {
            self.typed(typed);
        }
        loop {
            let event = self.next_event().await;
            self.handle(event);
            self.closing.retain(|closing| !closing.is_finished());
            if !matches!(self.asking, Asking::Nothing) {
                // Somebody who looks for a password is not given up.
                self.customer.keep_waiting(self.now());
            }
            if let Err(error) = self.customer.tick(self.now()) {
                self.drop_link(Some(&error.to_string()));
            }
            self.follow();
            if let Some(outcome) = self.outcome.take() {
                return outcome;
            }
        }
    }

    /// Closes what is open. What was queued for the appliance still goes out.
    async fn finish(mut self) -> Dialer {
        if let Some(dialing) = self.dialing.take() {
            dialing.abort();
        }
        if let Some(carrier) = self.carrier.take() {
            let last = self.customer.take_output();
            if !last.is_empty() {
                let _ = carrier.output.try_send(last);
            }
            self.closing.push(carrier.close());
        }
        for (_, open) in self.shells.drain() {
            self.closing.push(open.shell.close());
        }
        let closed = async {
            for closing in self.closing {
                let _ = closing.await;
            }
        };
        let _ = timeout(SHELL_HANG_UP_WITHIN * 2, closed).await;
        self.dialer
    }

    async fn next_event(&mut self) -> Event {
        let asking = !matches!(self.asking, Asking::Nothing);
        let wants_dial = self.customer.wants_link() && self.dialing.is_none() && !asking;
        let has_output = self.customer.has_output();
        let deadline = self.customer.deadline().map(|moment| {
            let wait = moment.since(self.now());
            // Moments are whole milliseconds: never wake before.
            Instant::now() + wait + Duration::from_millis(1)
        });
        let Self {
            seat,
            customer,
            carrier,
            dialing,
            solving,
            from_shells,
            ..
        } = self;
        let (output, input) = match carrier {
            Some(Carrier { output, input, .. }) => (Some(output), Some(input)),
            None => (None, None),
        };
        tokio::select! {
            _ = seat.interrupt.recv() => Event::Interrupt,
            _ = seat.terminate.recv() => Event::Terminate,
            _ = seat.hang_up.recv() => Event::Terminate,
            typed = seat.typed.recv(), if !self.typed_ended => Event::Typed(typed),
            bytes = received(input) => Event::Received(bytes),
            permit = reserved(output), if has_output => {
                if let Ok(permit) = permit {
                    permit.send(customer.take_output());
                }
                Event::Sent
            }
            event = from_shells.recv() => match event {
                Some(event) => Event::Shell(event),
                None => Event::Tick,
            },
            dialed = done(dialing) => Event::Dialed(Box::new(dialed.unwrap_or_else(broken))),
            answer = done(solving) => Event::Solved(answer),
            () = sleep_until(self.redial_at), if wants_dial => Event::Redial,
            () = until(deadline) => Event::Tick,
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Received(Some(bytes)) => {
                if let Err(error) = self.customer.received(&bytes, now) {
                    self.drop_link(Some(&error.to_string()));
                }
            }
            Event::Received(None) => self.drop_link(None),
            Event::Sent | Event::Tick => {}
            Event::Dialed(dialed) => {
                self.dialing = None;
                match *dialed {
                    Ok(dialed) => {
                        let local = facts::private_address(dialed.local);
                        self.carrier = Some(Carrier::new(dialed.stream));
                        self.customer.link_up(local, now);
                    }
                    Err(error) => self.dial_failed(&error),
                }
            }
            Event::Redial => {
                let dialer = self.dialer.clone();
                let restarts = self.customer.expects_restart();
                self.dialing = Some(tokio::spawn(async move {
                    if restarts {
                        dialer.dial_in_restart().await
                    } else {
                        dialer.dial().await
                    }
                }));
            }
            Event::Solved(answer) => {
                self.solving = None;
                if let Ok(answer) = answer {
                    self.customer.solved(answer, now);
                } else {
                    let end = End::Turned(TurnedReason::Ticket);
                    self.outcome = Some(Outcome::Over(end));
                }
            }
            Event::Shell(event) => self.shell_event(event),
            Event::Typed(Some(bytes)) => {
                for typed in self.seat.terminal.feed(&bytes) {
                    self.typed(typed);
                }
            }
            Event::Typed(None) => {
                self.typed_ended = true;
                if let Some(typed) = self.seat.terminal.finish_input() {
                    self.typed(typed);
                }
            }
            Event::Interrupt => self.interrupt(),
            Event::Terminate => self.customer.leave(now),
        }
    }

    // ---- the link ----

    fn drop_link(&mut self, why: Option<&str>) {
        self.close_carrier();
        self.customer.link_down(self.now());
        if let Some(why) = why {
            self.complain(format!("The site is not understood: {why}."));
        }
        self.wait_before_redial();
    }

    fn close_carrier(&mut self) {
        if let Some(carrier) = self.carrier.take() {
            self.closing.push(carrier.close());
        }
    }

    fn wait_before_redial(&mut self) {
        let wait = if self.customer.expects_restart() {
            backoff::jittered(REDIAL_IN_RESTART, chance())
        } else {
            self.backoff.next_wait(chance())
        };
        self.redial_at = Instant::now() + wait;
    }

    fn dial_failed(&mut self, error: &DialError) {
        self.wait_before_redial();
        match error {
            DialError::ProxyCredentials { realm, refused } if !self.typed_ended => {
                let proxy = self.dialer.proxy().map(ToString::to_string);
                let realm = clean(realm);
                let question = words::proxy_user(&proxy.unwrap_or_default(), &realm, *refused);
                self.seat.terminal.say(Tone::Strong, &question);
                self.asking = Asking::ProxyUser;
                return;
            }
            // Nobody has been told the key yet, and trying again would not make it right.
            DialError::WrongKey if !self.customer.is_joined() => {
                let words = words::dial_failed(error);
                self.seat.terminal.say(Tone::Strong, &words);
                self.outcome = Some(Outcome::WrongKey);
                return;
            }
            _ => {}
        }
        self.complain(clean(&words::dial_failed(error)));
    }

    /// Says what is wrong once, not at every attempt.
    fn complain(&mut self, words: String) {
        if words != self.dial_complaint {
            self.seat.terminal.say(Tone::Plain, &words);
            self.dial_complaint = words;
        }
    }

    // ---- shells ----

    fn shell_event(&mut self, event: ShellEvent) {
        match event {
            ShellEvent::Output(id, bytes) => {
                if let Some(open) = self.shells.get_mut(&id) {
                    open.produced += bytes.len() as u64;
                    self.customer.shell_output(id, &bytes);
                }
            }
            ShellEvent::Took(id, bytes) => self.customer.shell_took(id, bytes),
            ShellEvent::Ended(id) => {
                if let Some(open) = self.shells.remove(&id) {
                    self.closing.push(open.shell.close());
                    self.customer.shell_ended(id);
                }
            }
        }
    }

    fn open_shell(&mut self, id: ShellId, columns: u16, rows: u16) {
        match Shell::start(id, columns, rows, &self.user, &self.shell_events) {
            Ok(shell) => {
                let produced = 0;
                self.shells.insert(id, OpenShell { shell, produced });
                self.customer.shell_started(id);
            }
            Err(error) => self.customer.shell_failed(id, label(&error.to_string())),
        }
    }

    // ---- the customer ----

    fn interrupt(&mut self) {
        let now = Instant::now();
        let again = self
            .interrupted
            .is_some_and(|before| now.duration_since(before) < CTRL_C_AGAIN_WITHIN);
        self.interrupted = Some(now);
        if again {
            self.outcome = Some(Outcome::Over(End::Left));
        } else {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if self.customer.is_joined() {
            self.seat.terminal.say(Tone::Plain, words::LEAVING);
        }
        let now = self.now();
        self.customer.leave(now);
    }

    fn typed(&mut self, typed: Typed) {
        let Typed::Line { text, stale } = typed else {
            self.seat.terminal.say(Tone::Plain, words::HELP);
            return;
        };
        match std::mem::replace(&mut self.asking, Asking::Nothing) {
            Asking::Nothing => self.line(text.trim(), stale),
            Asking::ProxyUser => {
                self.seat.terminal.say(Tone::Strong, words::PROXY_PASSWORD);
                self.seat.terminal.set_hidden(true);
                let user = text.trim().to_owned();
                self.asking = Asking::ProxyPassword { user };
            }
            Asking::ProxyPassword { user } => {
                self.seat.terminal.set_hidden(false);
                let password = Secret::new(text);
                self.dialer.set_credentials(Credentials { user, password });
                self.redial_at = Instant::now();
            }
        }
    }

    fn line(&mut self, text: &str, stale: bool) {
        let now = self.now();
        if let Some(command) = text.strip_prefix('/')
            && !command.starts_with('/')
        {
            self.command(command);
            return;
        }
        let text = text
            .strip_prefix('/')
            .filter(|_| text.starts_with("//"))
            .unwrap_or(text);
        let asked = self.customer.is_asked();
        if asked && !stale {
            let answer = match text.to_ascii_lowercase().as_str() {
                "y" | "yes" => Some(true),
                "n" | "no" | "" => Some(false),
                _ => None,
            };
            if let Some(allow) = answer {
                self.customer.answer(allow, now);
                return;
            }
        }
        if text.is_empty() {
            return;
        }
        let Ok(chat) = LongText::new(text) else {
            self.seat.terminal.say(Tone::Plain, words::TOO_LONG);
            return;
        };
        if self.customer.chat(chat, now).is_err() {
            self.seat.terminal.say(Tone::Plain, words::TOO_MUCH_CHAT);
        }
        if asked {
            self.seat.terminal.say(Tone::Strong, words::YES_OR_NO);
        }
    }

    fn command(&mut self, command: &str) {
        match command.to_ascii_lowercase().as_str() {
            "stop" => {
                if !self.customer.stop() {
                    self.seat.terminal.say(Tone::Plain, words::NOTHING_SHARED);
                }
            }
            "leave" => self.leave(),
            "help" => self.seat.terminal.say(Tone::Plain, words::HELP),
            _ => self.seat.terminal.say(Tone::Plain, words::NO_SUCH_COMMAND),
        }
    }

    // ---- effects ----

    fn follow(&mut self) {
        while let Some(effect) = self.customer.next_effect() {
            self.effect(effect);
        }
        for (id, open) in &self.shells {
            let room = self.customer.shell_room(*id) as u64;
            open.shell.set_limit(open.produced + room);
        }
    }
}

async fn received(input: Option<&mut mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match input {
        Some(input) => input.recv().await,
        None => pending().await,
    }
}

async fn reserved(
    output: Option<&mut mpsc::Sender<Vec<u8>>>,
) -> Result<mpsc::Permit<'_, Vec<u8>>, mpsc::error::SendError<()>> {
    match output {
        Some(output) => match output.reserve().await {
            Ok(permit) => Ok(permit),
            // The socket is broken; its reader says so too.
            Err(_) => pending().await,
        },
        None => pending().await,
    }
}

/// A task's result, or why it has none: it panicked, which is our own doing.
async fn done<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(handle) => handle.await,
        None => pending().await,
    }
}

/// A dial that broke off counts as one that failed, so that it is tried again and said.
fn broken(error: JoinError) -> Result<Dialed, DialError> {
    Err(DialError::Tls(io::Error::other(error)))
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// A random number for waits. Without one, everybody waits the whole time.
fn chance() -> u32 {
    let random = ring::rand::generate::<[u8; 4]>(&ring::rand::SystemRandom::new());
    random.map_or(0, |bytes| u32::from_be_bytes(bytes.expose()))
}

#[cfg(all(test, feature = "appliance"))]
mod tests;
