//! From bytes to what they are: a first request, a link's frames, a page's.

use super::conn::Stage;
use super::{Shard, StreamId, stream_of};
use crate::domain::Moment;
use crate::domain::limits::SOCKETS_RESERVED;
use crate::domain::turned::JumpClientTurned;
use crate::http::head::First;
use crate::http::{answer, head, websocket};
use crate::link::connection::encode;
use crate::link::message::ToJumpClient;
use crate::net::Lent;
use crate::relay::exchange::Outgoing;
use crate::relay::hub::{Door, Effect, Event, PeerId, Role};
use crate::tls::pipe::Progress;

impl Shard {
    /// Bytes from the network, or from the web side.
    pub(super) fn received(&mut self, stream: StreamId, mut lent: Lent, now: Moment) {
        if let Some(conn) = self.conns.get_mut(stream) {
            let mut side = std::mem::take(&mut self.side);
            match conn.receive(&mut lent, &self.setting.configs, &mut side, now) {
                Ok((progress, plain)) => {
                    self.plain(stream, &mut side, progress, now);
                    self.plain(stream, &mut lent[plain], progress, now);
                    self.after_plain(stream, progress);
                }
                Err(error) => self.tls_fault(stream, &error),
            }
            side.clear();
            self.side = side;
        } else {
            self.from_web(stream, &lent, now);
        }
        self.ring.give_back(lent);
    }

    /// Plaintext of a connection, by what the connection is.
    fn plain(&mut self, stream: StreamId, plaintext: &mut [u8], progress: Progress, now: Moment) {
        let Some(conn) = self.conns.get_mut(stream) else {
            return;
        };
        if progress != Progress::Handshaking && conn.is_fresh_link() {
            let (address, door) = (conn.address, conn.take_door());
            conn.stage = Stage::Link;
            self.setting.counters.arriving.down();
            (self.made, self.is_busy) = (self.made.saturating_add(1), true);
            let peer = self.peer(stream);
            self.exchange.add(peer, address, door, now);
            if matches!(door, Door::Device(_)) && !self.has_room_for_machines() {
                return self.turn_machine_away(peer);
            }
        }
        if plaintext.is_empty() {
            return;
        }
        let Some(conn) = self.conns.get_mut(stream) else {
            return;
        };
        match &mut conn.stage {
            Stage::Head(bytes) => {
                bytes.extend_from_slice(plaintext);
                self.classify(stream, now);
            }
            Stage::Link => self.link_bytes(stream, plaintext, now),
            Stage::Socket(reader) => match reader.read(plaintext) {
                Ok(pieces) => self.socket_pieces(stream, pieces, plaintext, now),
                Err(error) => self.fault(stream, &error),
            },
            Stage::Upgrading { early, .. } => early.extend_from_slice(plaintext),
            Stage::Page { .. } => self.to_web(stream, plaintext),
            Stage::Done => {}
        }
    }

    /// Whether there is more room than what is left to everybody else.
    pub(super) fn has_room_for_machines(&self) -> bool {
        let most = self.ring.sockets_max();
        let theirs = most.saturating_sub(SOCKETS_RESERVED).max(most / 2);
        self.ring.sockets() <= theirs
    }

    fn turn_machine_away(&mut self, peer: PeerId) {
        let (sockets, limit) = (self.ring.sockets(), self.ring.sockets_max());
        tracing::warn!(sockets, limit, "no_room_for_machines");
        let reason = JumpClientTurned::Full;
        let json = encode(&ToJumpClient::Turned { reason });
        self.exchange.apply(Effect::Say { peer, json });
        self.exchange.apply(Effect::HangUp { peer });
    }

    /// Sends what plaintext called for, and asks for more.
    fn after_plain(&mut self, stream: StreamId, progress: Progress) {
        if progress == Progress::Ended {
            return self.ended(stream);
        }
        self.flush(stream);
        self.go_on_receiving(stream);
    }

    /// Looks at a first request's head.
    fn classify(&mut self, stream: StreamId, now: Moment) {
        let Some(conn) = self.conns.get_mut(stream) else {
            return;
        };
        let Stage::Head(bytes) = &mut conn.stage else {
            return;
        };
        if !conn.encrypted {
            let reply = match head::plain(bytes) {
                Ok(None) => return,
                Ok(Some(plain)) => {
                    answer::redirect(&plain, &self.setting.site, self.setting.https_port)
                }
                Err(error) => answer::refusal(error),
            };
            self.setting.counters.arriving.down();
            return self.answer_and_close(stream, &reply);
        }
        match head::classify(bytes) {
            Ok(None) => {}
            Ok(Some(First::Page)) => {
                let head = std::mem::take(bytes);
                self.setting.counters.arriving.down();
                self.open_page(stream, head, now);
            }
            Ok(Some(First::Link(link))) => {
                conn.stage = Stage::Upgrading {
                    key: link.key,
                    early: Vec::new(),
                };
                let peer = self.peer(stream);
                self.setting.counters.arriving.down();
                let event = Event::Upgrade {
                    peer,
                    ticket: link.ticket,
                };
                self.outgoing.push(Outgoing::ToHub(event));
            }
            Err(error) => {
                tracing::info!(address = %conn.address, %error, "request_refused");
                self.setting.counters.arriving.down();
                self.setting.counters.closed_for_fault.up();
                self.answer_and_close(stream, &answer::refusal(error));
            }
        }
    }

    fn link_bytes(&mut self, stream: StreamId, plaintext: &[u8], now: Moment) {
        let peer = self.peer(stream);
        match self
            .exchange
            .receive(peer, plaintext, now, &mut self.outgoing)
        {
            Err(error) => self.fault(stream, &error),
            Ok(()) if self.exchange.has_said_hello(peer) => self.no_visitor(stream),
            Ok(()) => {}
        }
    }

    fn socket_pieces(
        &mut self,
        stream: StreamId,
        pieces: Vec<websocket::Piece>,
        plaintext: &[u8],
        now: Moment,
    ) {
        for piece in pieces {
            match piece {
                websocket::Piece::Bytes(range) => {
                    self.link_bytes(stream, &plaintext[range], now);
                }
                websocket::Piece::Ping(payload) => {
                    let mut pong = Vec::new();
                    websocket::push_pong(&mut pong, &payload);
                    self.say(stream, &pong);
                }
                websocket::Piece::Close => return self.drop_conn(stream),
            }
        }
    }

    /// The hub's answer to a ticket.
    pub(super) fn admit(&mut self, peer: PeerId, role: Option<Role>, now: Moment) {
        let stream = stream_of(peer);
        let Some(conn) = self.conns.get_mut(stream) else {
            return;
        };
        let Stage::Upgrading { key, early } = &mut conn.stage else {
            return;
        };
        let (key, mut early) = (std::mem::take(key), std::mem::take(early));
        let Some(role) = role else {
            self.setting.counters.closed_for_fault.up();
            return self.answer_and_close(stream, &answer::bad_ticket());
        };
        let address = conn.address;
        conn.stage = Stage::Socket(Box::default());
        self.say(stream, &answer::switch(&key));
        self.exchange.add(peer, address, Door::Socket(role), now);
        self.plain(stream, &mut early, Progress::Open, now);
        self.after_plain(stream, Progress::Open);
    }
}
