//! The end of a ring thread, when the relay stops in order, and what another relay goes on with.
//!
//! ```text
//! halt machines, await what is under way ─> tell the hub ─> [all is on record] ─> give away
//! ```

use std::collections::{HashMap, HashSet};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam::channel::{Receiver, Sender, bounded, select};

use super::conn::Conn;
use super::moving::Incomer;
use super::{Completion, Mail, PENDING_WAIT, Shard, StreamId, peer_of};
use crate::domain::Moment;
use crate::domain::PeerAddress;
use crate::domain::limits::SETTLED_WITHIN;
use crate::domain::token::Fingerprint;
use crate::net::Ring;
use crate::net::courier::SOCKETS_PER_MESSAGE_MAX;
use crate::relay::exchange::Outgoing;
use crate::relay::handover::{Batch, Connection, Testament};
use crate::relay::hub::PeerId;
use crate::relay::places::Places;
use crate::relay::transcripts;

impl Shard {
    /// Tells the hub where everybody stood. What was forwarded is recorded first. Then, if another
    /// relay takes over, gives it what can go on.
    pub(super) fn part(mut self) {
        let hands_over = self.setting.parting.is_asked();
        let resting = if hands_over {
            self.settle()
        } else {
            Vec::new()
        };
        let (hub, transcripts) = (self.setting.hub.clone(), self.setting.transcripts.clone());
        let parted = self.exchange.part();
        let pending = std::mem::take(&mut self.pending);
        let parting = self.setting.parting.clone();
        let (mail, mut estate) = self.into_estate(resting);
        // From here on nobody waits for this thread.
        let unheard = hands_over.then(|| Unheard::gather(mail));
        for last in pending {
            match last {
                Outgoing::ToHub(event) => drop(hub.send(event)),
                Outgoing::Tapped { tap, offset, bytes } => {
                    let mail = transcripts::Mail::Output { tap, offset, bytes };
                    drop(transcripts.blocking_send(mail));
                }
                // Not forwarded, so it is asked for again.
                Outgoing::Across(_) => {}
            }
        }
        for event in parted {
            drop(hub.send(event));
        }
        drop((hub, transcripts));
        let testament = parting.await_testament();
        let unheard = unheard.map_or_else(HashSet::new, Unheard::peers);
        if let Some(testament) = testament {
            estate.forget(&unheard);
            estate.give(&testament);
        }
    }

    /// Its end of every queue is dropped, and everybody who does not go on is hung up on.
    fn into_estate(self, resting: Vec<StreamId>) -> (Receiver<Mail>, Estate) {
        let Self {
            index,
            mail,
            mut ring,
            mut conns,
            mut webs,
            ..
        } = self;
        let stays: HashSet<StreamId> = resting.iter().copied().collect();
        let streams = conns.iter_mut().map(|(stream, _)| stream);
        let streams = streams.chain(webs.iter_mut().map(|(stream, _)| stream));
        for stream in streams.filter(|stream| !stays.contains(stream)) {
            ring.close(stream);
        }
        // One turn for each of the two things a close takes.
        for _ in 0..2 {
            let _ = ring.wait(PENDING_WAIT, &mut Vec::new());
        }
        let estate = Estate {
            shard: index,
            ring,
            conns,
            resting,
        };
        (mail, estate)
    }

    /// Accepts nobody, and receives from no Jump Client, until nothing of theirs is under way.
    /// Returns those that can go on elsewhere.
    fn settle(&mut self) -> Vec<StreamId> {
        self.ring.deafen();
        let links = self.conns.iter_mut().filter(|(_, conn)| conn.is_link());
        let machines: Vec<StreamId> = links.map(|(stream, _)| stream).collect();
        for stream in &machines {
            self.ring.halt(*stream);
        }
        let deadline = Instant::now() + SETTLED_WITHIN;
        let mut completions = Vec::new();
        while Instant::now() < deadline {
            let busy = |one: StreamId| self.ring.is_receiving(one) || self.ring.is_sending(one);
            if !machines.iter().any(|one| busy(*one)) {
                break;
            }
            if let Err(error) = self.ring.wait(PENDING_WAIT, &mut completions) {
                tracing::error!(%error, "not_settled");
                return Vec::new();
            }
            let now = self.setting.clock.moment();
            for completion in completions.drain(..) {
                self.complete(completion, now);
            }
            self.hand_on();
            self.flush_peers();
        }
        machines
            .into_iter()
            .filter(|stream| self.is_at_rest(*stream))
            .collect()
    }

    fn is_at_rest(&self, stream: StreamId) -> bool {
        let peer = self.peer(stream);
        self.exchange.is_machine_at_rest(peer)
            && !self.ring.is_receiving(stream)
            && !self.ring.is_sending(stream)
            && self
                .conns
                .get(stream)
                .is_some_and(|conn| conn.at_rest().is_some())
    }

    /// A connection from the relay before this one.
    pub(super) fn inherit(&mut self, connection: Connection, now: Moment) {
        let Connection {
            socket,
            device,
            pipe,
        } = connection;
        if !self.has_room_for_machines() {
            return tracing::warn!(limit = self.ring.sockets_max(), "no_room_for_inherited");
        }
        let socket = std::net::TcpStream::from(socket);
        // Whoever has gone meanwhile has no address.
        let (Ok(address), Ok(local)) = (socket.peer_addr(), socket.local_addr()) else {
            return;
        };
        let stream = self.ring.take_over(socket.into());
        let conn = Conn::inherited(PeerAddress::new(address), local, pipe, now);
        self.conns.insert(stream, conn);
        self.incomers.insert(stream, Incomer::Machine(device));
    }
}

/// Takes what the hub still sends a ring thread that has parted, so that it need not wait.
struct Unheard {
    done: Sender<()>,
    peers: JoinHandle<HashSet<PeerId>>,
}

impl Unheard {
    fn gather(mail: Receiver<Mail>) -> Self {
        let (done, is_done) = bounded(0);
        let peers = std::thread::spawn(move || {
            let mut peers = HashSet::new();
            loop {
                select! {
                    recv(mail) -> one => match one {
                        Ok(one) => peers.extend(one.peer()),
                        Err(_) => return peers,
                    },
                    recv(is_done) -> _ => break,
                }
            }
            peers.extend(mail.try_iter().filter_map(|one| one.peer()));
            peers
        });
        Self { done, peers }
    }

    /// Those for whom there was something. To be asked when the hub has ended.
    fn peers(self) -> HashSet<PeerId> {
        drop(self.done);
        self.peers.join().unwrap_or_default()
    }
}

impl Mail {
    /// For whom it is.
    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Effect(effect) => effect.peer(),
            Self::Parcel(parcel) => Some(parcel.peer),
            Self::Inherited(_) | Self::Moving(_) => None,
        }
    }
}

/// What is left of a ring thread that has parted.
struct Estate {
    shard: u16,
    ring: Ring,
    conns: Places<StreamId, Conn>,
    resting: Vec<StreamId>,
}

impl Estate {
    /// Those who were to hear something: not even a welcome may be missing. They come back.
    fn forget(&mut self, unheard: &HashSet<PeerId>) {
        let shard = self.shard;
        let heard = |stream: &StreamId| !unheard.contains(&peer_of(shard, *stream));
        self.resting.retain(heard);
    }

    fn give(mut self, testament: &Testament) {
        for streams in std::mem::take(&mut self.resting).chunks(SOCKETS_PER_MESSAGE_MAX) {
            let given = self
                .batch(streams, testament)
                .and_then(|batch| testament.to.give(&batch));
            if let Err(error) = given {
                // Those who are left come back by themselves.
                return tracing::warn!(%error, "hand_over_cut_short");
            }
        }
    }

    /// Those of `streams` that the hub had let in.
    fn batch(&mut self, streams: &[StreamId], testament: &Testament) -> std::io::Result<Batch> {
        let mut devices: HashMap<StreamId, Fingerprint> = HashMap::new();
        for stream in streams {
            let device = testament.machines.get(&peer_of(self.shard, *stream));
            if let Some(device) = device
                && self.ring.release(*stream)
            {
                devices.insert(*stream, *device);
            }
        }
        let mut batch = Batch::empty();
        let mut completions = Vec::new();
        while !devices.is_empty() {
            self.ring.wait(SETTLED_WITHIN, &mut completions)?;
            for completion in completions.drain(..) {
                if let Completion::Released { stream, socket } = completion
                    && let Some(device) = devices.remove(&stream)
                    && let Some(pipe) = self.conns.get(stream).and_then(Conn::at_rest)
                {
                    batch.add(socket?, &device, pipe);
                }
            }
        }
        Ok(batch)
    }
}
