//! A ring thread: sockets in front, exchange behind, nothing shared with other threads but queues.
//!
//! ```text
//! ring ─ bytes ─> conn (TLS, first request) ─┬─ link, WebSocket ─> exchange ─> queues
//!                                            └─ page ────────────> web's socket
//! ```
//!
//! The loop never waits for another thread. What a full queue does not take stays in `pending`,
//! and until it is gone no peer is read: that is how a slow store reaches the peers.

mod conn;
mod moving;
mod page;
mod part;
mod take;
#[cfg(test)]
mod tests;
mod weight;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, TrySendError};

use self::conn::{Conn, Stage};
pub use self::moving::Moving;
use self::moving::{Departure, Incomer};
use self::page::WebSide;
use super::clock::Clock;
use super::exchange::{Exchange, Outgoing, Parcel};
use super::handover;
use super::hub::{Effect, Event, PeerId};
use super::places::{Placed, Places};
use super::pool::Pool;
use super::transcripts;
use crate::domain::limits::{
    CONNECTIONS_BEFORE_TRIM, CONNECTIONS_PER_ADDRESS_MAX, HELLO_WITHIN, LINGER_MAX, PAGE_IDLE_MAX,
    SHARD_TICK,
};
use crate::domain::{Moment, PeerAddress};
use crate::link::LinkError;
use crate::metrics::Counters;
use crate::net::{Completion, ListenerId, Ring, StreamId, Waker, give_back};
use crate::tls::{Configs, TlsError};

/// What other threads send a shard.
#[derive(Debug)]
pub enum Mail {
    /// The hub decided something for one of its peers.
    Effect(Effect),
    /// A peer on another shard sent something to one of its peers.
    Parcel(Parcel),
    /// The relay before this one hands a connection over.
    Inherited(Box<handover::Connection>),
    /// A customer comes from another shard, to where its console is.
    Moving(Box<Moving>),
}

/// How other threads reach a shard.
#[derive(Clone, Debug)]
pub struct ShardHandle {
    /// Its queue.
    pub mail: Sender<Mail>,
    /// To be rung after sending.
    pub waker: Waker,
}

/// What every shard is given.
#[derive(Clone)]
pub struct Setting {
    /// Read once per turn.
    pub clock: Clock,
    /// Keys and certificates.
    pub configs: Arc<Configs>,
    /// For events.
    pub hub: Sender<Event>,
    /// For output of recorded shells.
    pub transcripts: tokio::sync::mpsc::Sender<transcripts::Mail>,
    /// All shards, itself included, by index.
    pub shards: Vec<ShardHandle>,
    /// Shown on the status page.
    pub counters: Arc<Counters>,
    /// Where pages are handed over.
    pub web_socket: PathBuf,
    /// For a redirect without a host.
    pub site: String,
    /// Where a redirect leads.
    pub https_port: u16,
    /// Connections of one shard, if the system allows so many.
    pub sockets_max: u32,
    /// What connections of one shard may make it keep.
    pub queued_bytes_max: usize,
    /// Set, and the waker rung, to stop.
    pub stop: Arc<AtomicBool>,
    /// What then becomes of its connections.
    pub parting: handover::Parting,
}

/// One ring thread's state.
pub struct Shard {
    index: u16,
    setting: Setting,
    ring: Ring,
    mail: Receiver<Mail>,
    /// The listener that only redirects, if it is this shard's.
    plain: Option<ListenerId>,
    exchange: Exchange,
    conns: Places<StreamId, Conn>,
    webs: Places<StreamId, WebSide>,
    /// Connections per address (of IPv6, per network) that have not become links.
    visitors: HashMap<IpAddr, usize>,
    outgoing: Vec<Outgoing>,
    pending: VecDeque<Outgoing>,
    /// Those that may be no links yet, in the order in which they came.
    arrivals: VecDeque<StreamId>,
    /// Those that are on their way out of the ring, out of the shard, and into the ring.
    departures: HashMap<StreamId, Departure>,
    moving: VecDeque<(u16, Box<Moving>)>,
    incomers: HashMap<StreamId, Incomer>,
    /// Bytes that all connections make us keep.
    weight: usize,
    /// Streams to receive from once nothing is pending.
    parked: Vec<StreamId>,
    /// Listeners that somebody came to, to be asked again when there is room for more.
    visited: Vec<ListenerId>,
    /// Listeners that found no descriptor.
    deaf: Vec<ListenerId>,
    /// For what is sent next.
    pool: Pool,
    /// Only to be used again.
    dirty: Vec<PeerId>,
    /// For a record that began in one buffer and ended in another.
    side: Vec<u8>,
    ticked: Moment,
    /// Links that were made since memory was last given back, and whether one was since the last tick.
    made: u32,
    is_busy: bool,
}

/// Wait while queues of other threads are full.
const PENDING_WAIT: Duration = Duration::from_millis(1);

impl Shard {
    /// Takes its listeners; `plain` is the one that only redirects. To be called on the thread
    /// that will run it.
    pub fn new(
        index: u16,
        setting: Setting,
        mail: Receiver<Mail>,
        https: TcpListener,
        plain: Option<TcpListener>,
    ) -> std::io::Result<Self> {
        let waker = setting.shards[usize::from(index)].waker.clone();
        let mut ring = Ring::new(waker, setting.sockets_max)?;
        ring.listen(https)?;
        let plain = plain.map(|socket| ring.listen(socket)).transpose()?;
        let sockets_max = ring.sockets_max();
        tracing::info!(shard = index, sockets_max, "shard_started");
        Ok(Self {
            index,
            setting,
            ring,
            mail,
            plain,
            exchange: Exchange::default(),
            conns: Places::default(),
            webs: Places::default(),
            visitors: HashMap::new(),
            outgoing: Vec::new(),
            pending: VecDeque::new(),
            arrivals: VecDeque::new(),
            departures: HashMap::new(),
            moving: VecDeque::new(),
            incomers: HashMap::new(),
            weight: 0,
            parked: Vec::new(),
            visited: Vec::new(),
            deaf: Vec::new(),
            pool: Pool::default(),
            dirty: Vec::new(),
            side: Vec::new(),
            ticked: Moment::default(),
            made: 0,
            is_busy: false,
        })
    }

    /// Runs until told to stop.
    pub fn run(mut self) -> std::io::Result<()> {
        let mut completions = Vec::new();
        while !self.setting.stop.load(Ordering::Relaxed) {
            let limit = if self.pending.is_empty() && self.moving.is_empty() {
                SHARD_TICK
            } else {
                PENDING_WAIT
            };
            self.ring.wait(limit, &mut completions)?;
            let now = self.setting.clock.moment();
            for completion in completions.drain(..) {
                self.complete(completion, now);
            }
            self.read_mail(now);
            self.depart();
            if now.since(self.ticked) >= SHARD_TICK {
                self.ticked = now;
                self.tick(now);
            }
            self.hand_on();
            self.flush_peers();
            self.lighten();
            self.thin(now);
            self.hand_on();
        }
        self.part();
        Ok(())
    }

    fn complete(&mut self, completion: Completion, now: Moment) {
        match completion {
            Completion::Woken => {}
            Completion::Released { stream, socket } => self.released(stream, socket),
            Completion::TakenOver { stream } => self.taken_over(stream, now),
            Completion::Accepted {
                listener,
                stream,
                peer,
            } => {
                self.accepted(listener, stream, peer, now);
            }
            Completion::AcceptFailed { listener, error } => {
                if self.deaf.is_empty() {
                    let (sockets, limit) = (self.ring.sockets(), self.ring.sockets_max());
                    tracing::warn!(%error, sockets, limit, "accept_failed");
                }
                self.deaf.push(listener);
            }
            Completion::Received { stream, lent } => self.received(stream, lent, now),
            Completion::Sent { stream, buffer } => {
                if let Some(conn) = self.conns.get_mut(stream) {
                    conn.moved = now;
                    conn.in_flight = 0;
                    self.pool.give_back(buffer);
                    self.flush(stream);
                } else {
                    self.web_sent(stream);
                }
            }
            Completion::Ended { stream, error } => {
                if let Some(error) = error {
                    tracing::debug!(%error, "stream_failed");
                }
                if self.conns.contains(stream) {
                    self.ended(stream);
                } else {
                    self.web_ended(stream);
                }
            }
            Completion::SendFailed { stream, error } => {
                tracing::debug!(%error, "stream_failed");
                if self.conns.contains(stream) {
                    self.drop_conn(stream);
                } else {
                    self.web_is_deaf(stream);
                }
            }
        }
    }

    fn accepted(
        &mut self,
        listener: ListenerId,
        stream: StreamId,
        (peer, local): (SocketAddr, SocketAddr),
        now: Moment,
    ) {
        self.setting.counters.accepted.up();
        self.visited.push(listener);
        let address = PeerAddress::new(peer);
        let visitors = self.visitors.entry(address.neighbourhood()).or_default();
        if *visitors >= CONNECTIONS_PER_ADDRESS_MAX {
            tracing::info!(%address, limit = CONNECTIONS_PER_ADDRESS_MAX, "too_many_connections");
            self.setting.counters.closed_for_fault.up();
            return self.ring.close(stream);
        }
        *visitors += 1;
        self.setting.counters.arriving.up();
        let encrypted = self.plain != Some(listener);
        self.conns
            .insert(stream, Conn::new(address, local, encrypted, now));
        self.ring.receive(stream);
        self.arrivals.push_back(stream);
    }

    fn read_mail(&mut self, now: Moment) {
        for mail in self
            .mail
            .try_iter()
            .take(self.mail.len())
            .collect::<Vec<_>>()
        {
            match mail {
                Mail::Parcel(parcel) => self.exchange.deliver(parcel),
                Mail::Inherited(connection) => self.inherit(*connection, now),
                Mail::Moving(moving) => self.receive_moving(*moving),
                Mail::Effect(Effect::Move { peer, to, arrival }) => {
                    self.begin_move(peer, to, arrival);
                }
                Mail::Effect(Effect::Admit { peer, role }) => self.admit(peer, role, now),
                Mail::Effect(effect) => {
                    let event = self.exchange.apply(effect);
                    self.outgoing.extend(event.map(Outgoing::ToHub));
                }
            }
        }
    }

    /// Once a second: deadlines.
    fn tick(&mut self, now: Moment) {
        for (peer, error) in self.exchange.tick(now) {
            self.fault(stream_of(peer), &error);
        }
        self.pool.tick();
        let mut over = Vec::new();
        for (stream, conn) in self.conns.iter_mut() {
            conn.rest(now);
            let limit = match conn.stage {
                Stage::Head(_) | Stage::Upgrading { .. } => HELLO_WITHIN,
                Stage::Page { .. } => PAGE_IDLE_MAX,
                Stage::Done => LINGER_MAX,
                Stage::Link | Stage::Socket(_) => continue,
            };
            // A first request has to be whole in time, however slowly it drips.
            let since = if conn.is_page() {
                conn.moved
            } else {
                conn.since
            };
            if now.since(since) > limit {
                over.push(stream);
            }
        }
        for stream in over {
            if let Some(conn) = self.conns.get(stream)
                && matches!(conn.stage, Stage::Head(_))
                && !conn.is_spare()
            {
                let seconds = HELLO_WITHIN.as_secs();
                tracing::info!(address = %conn.address, seconds, "no_request_in_time");
                self.setting.counters.closed_for_fault.up();
            }
            self.drop_conn(stream);
        }
        for listener in std::mem::take(&mut self.deaf) {
            self.ring.accept(listener);
        }
        let was_busy = std::mem::take(&mut self.is_busy);
        if self.made >= CONNECTIONS_BEFORE_TRIM && !was_busy {
            self.made = 0;
            give_back();
        }
    }

    /// Sends what peers have to hear.
    fn flush_peers(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        self.exchange.take_dirty(&mut dirty);
        for peer in &dirty {
            self.flush(stream_of(*peer));
        }
        self.dirty = dirty;
    }

    /// Sends what waits for a connection, unless a send is under way; then this is called again.
    fn flush(&mut self, stream: StreamId) {
        self.send_waiting(stream);
        self.weigh(stream);
    }

    fn send_waiting(&mut self, stream: StreamId) {
        if self.ring.is_sending(stream) {
            let peer = self.peer(stream);
            let waiting = self.conns.get(stream).map_or(0, Conn::waiting);
            if let Err(error) = self.exchange.check_backlog(peer, waiting) {
                self.fault(stream, &error);
            }
            return;
        }
        let peer = self.peer(stream);
        let Some(conn) = self.conns.get_mut(stream) else {
            return;
        };
        let mut leaving = false;
        self.pool.lend(conn.output());
        if conn.is_peer() {
            let frames = self.exchange.take_output(peer);
            conn.push_link(&frames);
            self.exchange.give_back(frames);
            leaving = self.exchange.is_leaving(peer);
        }
        if leaving {
            conn.push_close();
            self.leave(stream);
        }
        let Some(conn) = self.conns.get_mut(stream) else {
            return;
        };
        let bytes = conn.take_output();
        if bytes.is_empty() {
            self.pool.give_back(bytes);
            if matches!(conn.stage, Stage::Done) {
                self.ring.finish(stream);
            }
            self.web_may_go_on(stream);
            return;
        }
        conn.in_flight = bytes.len();
        self.ring.send(stream, bytes);
    }

    /// Asks for more bytes, now or when other threads have taken what is pending.
    fn go_on_receiving(&mut self, stream: StreamId) {
        let Some(conn) = self.conns.get(stream) else {
            return;
        };
        let wants = match &conn.stage {
            Stage::Upgrading { .. } => false,
            Stage::Page { web } => self.webs.get(*web).is_some_and(WebSide::has_room),
            Stage::Head(_) | Stage::Link | Stage::Socket(_) | Stage::Done => true,
        };
        if !wants {
            return;
        }
        if self.pending.is_empty() {
            self.ring.receive(stream);
        } else {
            self.parked.push(stream);
        }
    }

    /// Hands on what other threads have to do, in order, as far as their queues take it.
    fn hand_on(&mut self) {
        self.pending.extend(self.outgoing.drain(..));
        while let Some(next) = self.pending.pop_front() {
            if let Err(back) = self.try_hand_on(next) {
                self.pending.push_front(back);
                return;
            }
        }
        self.hand_on_moving();
        for stream in std::mem::take(&mut self.parked) {
            self.go_on_receiving(stream);
        }
    }

    fn try_hand_on(&self, next: Outgoing) -> Result<(), Outgoing> {
        match next {
            Outgoing::ToHub(event) => match self.setting.hub.try_send(event) {
                Err(TrySendError::Full(event)) => Err(Outgoing::ToHub(event)),
                // The hub is gone: the relay is stopping.
                Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            },
            Outgoing::Across(parcel) => {
                let shard = &self.setting.shards[usize::from(parcel.peer.shard)];
                let sent = shard.mail.try_send(Mail::Parcel(parcel));
                shard.waker.wake();
                match sent {
                    Err(TrySendError::Full(Mail::Parcel(parcel))) => Err(Outgoing::Across(parcel)),
                    _ => Ok(()),
                }
            }
            Outgoing::Tapped { tap, offset, bytes } => {
                use tokio::sync::mpsc::error::TrySendError::Full;
                let mail = transcripts::Mail::Output { tap, offset, bytes };
                match self.setting.transcripts.try_send(mail) {
                    Err(Full(transcripts::Mail::Output { tap, offset, bytes })) => {
                        Err(Outgoing::Tapped { tap, offset, bytes })
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Encryption came to an end. That is a fault unless a browser only said that it goes; an
    /// endpoint that does so does not trust the link key, which somebody has to know.
    fn tls_fault(&mut self, stream: StreamId, error: &TlsError) {
        let Some(conn) = self.conns.get(stream) else {
            return;
        };
        if !error.is_farewell() || conn.is_peer() || conn.is_fresh_link() {
            return self.fault(stream, error);
        }
        tracing::debug!(address = %conn.address, reason = %error, "visitor_left");
        self.leave(stream);
        self.flush(stream);
    }

    /// A peer broke a rule: says so in the log and closes, after an alert if there is one.
    fn fault(&mut self, stream: StreamId, error: &dyn std::error::Error) {
        if !self.conns.contains(stream) {
            return;
        }
        self.note_fault(stream, error);
        self.leave(stream);
        self.flush(stream);
    }

    fn note_fault(&self, stream: StreamId, error: &dyn std::error::Error) {
        if let Some(conn) = self.conns.get(stream) {
            tracing::info!(address = %conn.address, reason = %error, "peer_closed");
            self.setting.counters.closed_for_fault.up();
        }
    }

    /// The other side sends no more.
    fn ended(&mut self, stream: StreamId) {
        if self.exchange.is_inside_frame(self.peer(stream)) {
            self.note_fault(stream, &LinkError::CutShort);
        }
        self.drop_conn(stream);
    }

    /// The connection is over for everybody but the kernel, which still sends what was said.
    fn leave(&mut self, stream: StreamId) {
        let peer = self.peer(stream);
        let Some(conn) = self.conns.get_mut(stream) else {
            return;
        };
        let stage = std::mem::replace(&mut conn.stage, Stage::Done);
        conn.since = self.setting.clock.moment();
        conn.end();
        match stage {
            Stage::Head(_) => self.setting.counters.arriving.down(),
            Stage::Upgrading { .. } => {
                let channels = Vec::new();
                self.outgoing
                    .push(Outgoing::ToHub(Event::Left { peer, channels }));
            }
            Stage::Link | Stage::Socket(_) => {
                let left = self.exchange.remove(peer);
                self.outgoing.extend(left.map(Outgoing::ToHub));
            }
            Stage::Page { web } => {
                self.setting.counters.pages.down();
                self.webs.remove(web);
                self.ring.close(web);
            }
            Stage::Done => {}
        }
    }

    /// Closes at once.
    fn drop_conn(&mut self, stream: StreamId) {
        self.leave(stream);
        self.no_visitor(stream);
        self.no_incomer(stream);
        if let Some(conn) = self.conns.remove(stream) {
            self.weight -= conn.weight;
        }
        self.ring.close(stream);
    }

    /// Answers a first request here, and closes once that is sent. The arriving count has been
    /// lowered by the caller.
    fn answer_and_close(&mut self, stream: StreamId, reply: &[u8]) {
        self.say(stream, reply);
        if let Some(conn) = self.conns.get_mut(stream) {
            let address = conn.address;
            let was_upgrading = matches!(conn.stage, Stage::Upgrading { .. });
            conn.stage = Stage::Done;
            conn.since = self.setting.clock.moment();
            conn.end();
            debug_assert!(!conn.is_peer());
            if was_upgrading {
                tracing::info!(%address, "ticket_refused");
            }
        }
        self.flush(stream);
        self.go_on_receiving(stream);
    }

    /// Plaintext to a connection.
    fn say(&mut self, stream: StreamId, plaintext: &[u8]) {
        if let Some(conn) = self.conns.get_mut(stream) {
            conn.push(plaintext);
        }
    }

    /// A connection became a link, or is gone.
    fn no_visitor(&mut self, stream: StreamId) {
        let Some(conn) = self.conns.get_mut(stream) else {
            return;
        };
        if !std::mem::replace(&mut conn.is_visitor, false) {
            return;
        }
        let from = conn.address.neighbourhood();
        if let Some(count) = self.visitors.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.visitors.remove(&from);
            }
        }
    }

    fn peer(&self, stream: StreamId) -> PeerId {
        peer_of(self.index, stream)
    }
}

impl Placed for StreamId {
    fn place(self) -> usize {
        self.slot as usize
    }
}

fn peer_of(shard: u16, stream: StreamId) -> PeerId {
    PeerId {
        shard,
        slot: stream.slot,
        generation: stream.generation,
    }
}

fn stream_of(peer: PeerId) -> StreamId {
    StreamId {
        slot: peer.slot,
        generation: peer.generation,
    }
}
