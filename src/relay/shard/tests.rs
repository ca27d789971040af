//! A real shard on loopback, with the test in the hub's place.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;
use nix::sys::socket::{self, Backlog, sockopt};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned};

use super::*;
use crate::domain::limits::{
    ARRIVING_MAX, HUB_QUEUE_MAX, LISTEN_BACKLOG, SHARD_QUEUE_MAX, SILENT_MAX, SOCKETS_PER_RING_MAX,
};
use crate::domain::token::Fingerprint;
use crate::link::frame::{FrameKind, push_frame};
use crate::relay::hub::event::Arrival;
use crate::relay::hub::{Door, Role};
use crate::tls::{Identity, LinkIds};

const LINK: &[u8] = b"jumpgate/1";
const IDS: LinkIds = LinkIds {
    endpoint: LINK,
    device: b"jumpgate-device/1",
};
const PAGE: &[u8] = b"http/1.1";
const UPGRADE: &str = "GET /link?ticket=0123456789abcdef0123456789abcdef HTTP/1.1\r\n\
    Host: localhost\r\nOrigin: https://localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

type Tls = StreamOwned<ClientConnection, TcpStream>;

struct Bench {
    address: SocketAddr,
    roots: RootCertStore,
    counters: Arc<Counters>,
    hub: Receiver<Event>,
    handle: ShardHandle,
    stop: Arc<AtomicBool>,
    executor: Option<handover::Executor>,
    thread: Option<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        Self::bounded(SOCKETS_PER_RING_MAX, usize::MAX)
    }

    /// One that has so many sockets and keeps so many bytes for its peers.
    fn bounded(sockets_max: u32, queued_bytes_max: usize) -> Self {
        Self::of(sockets_max, queued_bytes_max, None)
    }

    /// One that knows another, as its shard 1.
    fn beside(other: &Self) -> Self {
        let other = Some(other.handle.clone());
        Self::of(SOCKETS_PER_RING_MAX, usize::MAX, other)
    }

    fn of(sockets_max: u32, queued_bytes_max: usize, other: Option<ShardHandle>) -> Self {
        let identity = Identity::make(&["localhost".into()]).unwrap();
        let mut roots = RootCertStore::empty();
        let pem = identity.to_pem();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let https = TcpListener::bind("127.0.0.1:0").unwrap();
        // As the supervisor binds it.
        let backlog = Backlog::new(LISTEN_BACKLOG).unwrap();
        socket::listen(&https, backlog).unwrap();
        let address = https.local_addr().unwrap();
        let (to_hub, hub) = bounded(HUB_QUEUE_MAX);
        let (mail, queue) = bounded(SHARD_QUEUE_MAX);
        let waker = Waker::new().unwrap();
        let handle = ShardHandle { mail, waker };
        let counters = Arc::new(Counters::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (parting, executor) = handover::parting(1);
        let setting = Setting {
            clock: Clock::start(),
            configs: Arc::new(Configs::new(&identity, &identity, IDS).unwrap()),
            hub: to_hub,
            transcripts: tokio::sync::mpsc::channel(1).0,
            shards: std::iter::once(handle.clone()).chain(other).collect(),
            counters: counters.clone(),
            web_socket: folder.path().join("web"),
            site: "localhost".into(),
            https_port: 443,
            sockets_max,
            queued_bytes_max,
            stop: stop.clone(),
            parting,
        };
        let thread = std::thread::spawn(move || {
            let shard = Shard::new(0, setting, queue, https, None).unwrap();
            shard.run().unwrap();
        });
        Self {
            address,
            roots,
            counters,
            hub,
            handle,
            stop,
            executor: Some(executor),
            thread: Some(thread),
            folder,
        }
    }

    /// A peer whose handshake is over.
    fn connect(&self, alpn: &[u8]) -> Tls {
        self.try_connect(alpn).unwrap()
    }

    fn try_connect(&self, alpn: &[u8]) -> std::io::Result<Tls> {
        self.handshake(alpn, self.trusting().with_no_client_auth())
    }

    /// A Jump Client with a device key of its own.
    fn connect_device(&self) -> Tls {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone()];
        let config = self.trusting().with_client_auth_cert(chain, key).unwrap();
        self.handshake(IDS.device, config).unwrap()
    }

    fn trusting(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
    }

    fn handshake(&self, alpn: &[u8], mut config: ClientConfig) -> std::io::Result<Tls> {
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect(self.address)?;
        let patience = Some(Duration::from_secs(20));
        socket.set_read_timeout(patience).unwrap();
        socket.set_write_timeout(patience).unwrap();
        tls.complete_io(&mut socket)?;
        Ok(StreamOwned::new(tls, socket))
    }

    /// A WebSocket whose ticket is good.
    fn connect_socket(&self) -> (Tls, PeerId) {
        let mut tls = self.connect(PAGE);
        tls.write_all(UPGRADE.as_bytes()).unwrap();
        let Event::Upgrade { peer, .. } = self.event() else {
            panic!("no upgrade")
        };
        let role = Some(Role::Customer);
        self.tell(Effect::Admit { peer, role });
        let mut answer = [0; 12];
        tls.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
        (tls, peer)
    }

    fn event(&self) -> Event {
        self.hub.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// So many who have connected and say nothing; no address has more than its share.
    fn crowd(&self, size: usize) -> Vec<TcpStream> {
        let crowd = (0..size).map(|number| {
            let from = Ipv4Addr::new(127, 0, 1, u8::try_from(number % 4).unwrap() + 1);
            connect_from(from, self.address)
        });
        crowd.collect()
    }

    fn tell(&self, effect: Effect) {
        self.handle.mail.send(Mail::Effect(effect)).unwrap();
        self.handle.waker.wake();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(self.executor.take());
        self.stop.store(true, Ordering::Relaxed);
        self.handle.waker.wake();
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

#[test]
fn a_browser_that_pings_and_never_reads_is_given_up() {
    let bench = Bench::start();
    let (mut tls, peer) = bench.connect_socket();
    let mut pings = Vec::new();
    for _ in 0..1_000 {
        pings.extend([0x89, 0x80 | 0x7d, 0, 0, 0, 0]);
        pings.extend([7; 0x7d]);
    }
    nix::sys::socket::setsockopt(&tls.sock, sockopt::RcvBuf, &65_536).unwrap();
    // 16 MB, more than the kernel keeps of the answers. The browser stays.
    for _ in 0..120 {
        tls.write_all(&pings).unwrap();
    }
    // Before it would be given up for saying no hello.
    let left = bench.hub.recv_timeout(HELLO_WITHIN / 2);
    assert!(matches!(left, Ok(Event::Left { peer: left, .. }) if left == peer));
    drop(tls);
}

#[test]
fn links_that_do_not_say_who_they_are_count_for_their_address() {
    let bench = Bench::start();
    let silent: Vec<Tls> = (0..CONNECTIONS_PER_ADDRESS_MAX)
        .map(|_| bench.connect(LINK))
        .collect();
    let mut one_more = TcpStream::connect(bench.address).unwrap();
    one_more
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    assert!(matches!(one_more.read(&mut [0; 1]), Ok(0)));
    drop(silent);
}

#[test]
fn when_peers_make_it_keep_too_much_who_does_most_goes_and_nobody_else() {
    let bench = Bench::bounded(SOCKETS_PER_RING_MAX, 42_000);
    let mut hello = br#"{"type":"hello","versions":[1,1],"program":"x","purpose":"#.to_vec();
    hello.extend(br#"{"purpose":"console"}}"#);
    hello.resize(12_000, b' ');
    let mut frame = Vec::new();
    push_frame(&mut frame, FrameKind::Control, 0, &hello);
    let mut light = [(); 3].map(|()| bench.connect(LINK));
    for link in &mut light {
        link.write_all(&frame[..10_000]).unwrap();
    }
    hello.resize(16_000, b' ');
    let mut long = Vec::new();
    push_frame(&mut long, FrameKind::Control, 0, &hello);
    let mut heavy = bench.connect(LINK);
    heavy.write_all(&long[..15_500]).unwrap();
    assert!(matches!(heavy.read(&mut [0; 1]), Ok(0) | Err(_)));
    for link in &mut light {
        link.write_all(&frame[10_000..]).unwrap();
    }
    let mut hellos = 0;
    while hellos < light.len() {
        hellos += usize::from(matches!(bench.event(), Event::Hello { .. }));
    }
}

#[test]
fn jump_clients_leave_sockets_to_everybody_else() {
    let (sockets, theirs) = (8, 4);
    let bench = Bench::bounded(sockets, usize::MAX);
    let machines: Vec<Tls> = (0..theirs).map(|_| bench.connect_device()).collect();
    let mut one_more = bench.connect_device();
    let mut heard = Vec::new();
    let _ = one_more.read_to_end(&mut heard);
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.contains(r#""reason":"full""#), "{heard}");
    let mut customer = bench.connect(LINK);
    let hello =
        br#"{"type":"hello","versions":[1,1],"program":"x","purpose":{"purpose":"console"}}"#;
    let mut frame = Vec::new();
    push_frame(&mut frame, FrameKind::Control, 0, hello);
    customer.write_all(&frame).unwrap();
    while !matches!(bench.event(), Event::Hello { .. }) {}
    drop(machines);
}

#[test]
fn when_every_socket_is_taken_peers_are_let_in_again_as_soon_as_one_is_free() {
    let bench = Bench::bounded(4, usize::MAX);
    let mut silent: Vec<TcpStream> = (0..4)
        .map(|_| TcpStream::connect(bench.address).unwrap())
        .collect();
    assert!(bench.try_connect(LINK).is_err());
    silent.pop();
    let until = Instant::now() + HELLO_WITHIN / 2;
    while bench.try_connect(LINK).is_err() {
        assert!(Instant::now() < until, "nobody is let in");
    }
}

#[test]
fn of_a_crowd_that_says_nothing_the_first_have_to_go() {
    let bench = Bench::start();
    let mut crowd = bench.crowd(ARRIVING_MAX);
    let (gone, stay) = crowd.split_at_mut(ARRIVING_MAX / 2);
    for socket in gone {
        assert!(matches!(socket.read(&mut [0; 1]), Ok(0) | Err(_)));
    }
    for socket in stay {
        socket.set_nonblocking(true).unwrap();
        let nothing = socket.read(&mut [0; 1]).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    }
    let half = (ARRIVING_MAX / 2) as u64;
    assert_eq!(bench.counters.arriving.value(), half);
}

#[test]
fn of_a_crowd_who_goes_on_speaking_stays_and_the_next_wait() {
    let bench = Bench::start();
    let mut crowd = bench.crowd(ARRIVING_MAX);
    let (all, more) = (ARRIVING_MAX as u64, 64);
    let next = || connect_from(Ipv4Addr::new(127, 0, 1, 9), bench.address);
    let _next: Vec<TcpStream> = (0..more).map(|_| next()).collect();
    // A first record that drips.
    let mut record = vec![0; 4_096];
    record[..9].copy_from_slice(&[0x16, 3, 1, 0x0F, 0xFB, 1, 0, 0x0F, 0xF7]);
    let began = Instant::now();
    for byte in record {
        for socket in &mut crowd {
            socket.write_all(&[byte]).unwrap();
        }
        if began.elapsed() > 3 * SILENT_MAX {
            break;
        }
    }
    assert!(began.elapsed() > 2 * SILENT_MAX);
    let let_in = bench.counters.accepted.value();
    // Those that the kernel was accepting when the crowd was complete come in.
    assert!(let_in < all + more / 2, "{let_in}");
    // They are silent, and may have gone again.
    assert!(bench.counters.arriving.value() >= all);
    crowd.truncate(ARRIVING_MAX / 2);
    until("the next are let in", || {
        bench.counters.accepted.value() == all + more
    });
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket,
    };
    use std::os::fd::AsRawFd as _;
    let (family, flags) = (AddressFamily::Inet, SockFlag::SOCK_CLOEXEC);
    let fd = socket(family, SockType::Stream, flags, None).unwrap();
    let from = SocketAddr::from((from, 0));
    bind(fd.as_raw_fd(), &SockaddrStorage::from(from)).unwrap();
    connect(fd.as_raw_fd(), &SockaddrStorage::from(to)).unwrap();
    let socket = TcpStream::from(fd);
    let patience = Some(Duration::from_secs(20));
    socket.set_read_timeout(patience).unwrap();
    socket
}

#[test]
fn every_way_out_leaves_the_counts_at_nothing() {
    let bench = Bench::start();
    let folder = bench.folder.path().to_owned();
    for _ in 0..2 {
        drop(TcpStream::connect(bench.address).unwrap());
        let mut nonsense = TcpStream::connect(bench.address).unwrap();
        nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        // Silent after the handshake, in a page's and in a link's way.
        drop(bench.connect(PAGE));
        drop(bench.connect(LINK));
        // A frame of no known kind.
        let mut link = bench.connect(LINK);
        link.write_all(&[9; 8]).unwrap();
        let _ = link.read(&mut [0; 1]);
        // Not HTTP, and a link without a ticket.
        for request in ["\0\r\n\r\n", "GET /link HTTP/1.1\r\n\r\n"] {
            let mut tls = bench.connect(PAGE);
            tls.write_all(request.as_bytes()).unwrap();
            let _ = tls.read_to_end(&mut Vec::new());
        }
        // A page while there is no web side.
        let mut tls = bench.connect(PAGE);
        tls.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let _ = tls.read_to_end(&mut Vec::new());
        // A bad ticket.
        let mut tls = bench.connect(PAGE);
        tls.write_all(UPGRADE.as_bytes()).unwrap();
        let peer = loop {
            if let Event::Upgrade { peer, .. } = bench.event() {
                break peer;
            }
        };
        bench.tell(Effect::Admit { peer, role: None });
        let _ = tls.read_to_end(&mut Vec::new());
        // A browser that leaves under its answer, and a web side that does.
        let socket = folder.join("web");
        let web = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for web_first in [true, false] {
            let mut tls = bench.connect(PAGE);
            tls.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            let (mut accepted, _) = web.accept().unwrap();
            accepted.write_all(&vec![b'x'; 100_000]).unwrap();
            if web_first {
                drop(accepted);
                let mut page = Vec::new();
                let read = tls.read_to_end(&mut page);
                assert_eq!(page.len(), 100_000, "{read:?}");
            }
        }
        std::fs::remove_file(&socket).unwrap();
        let (tls, _) = bench.connect_socket();
        drop(tls);
    }
    let until = Instant::now() + Duration::from_secs(10);
    let counts = || {
        (
            bench.counters.arriving.value(),
            bench.counters.pages.value(),
        )
    };
    while counts() != (0, 0) {
        assert!(Instant::now() < until, "{:?}", counts());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_machine_that_is_handed_to_another_shard_is_heard_there_and_hears_it() {
    let (mut old, new) = (Bench::start(), Bench::start());
    let (mut machine, peer, device) = machine_on(&old);
    // One that the hub has not let in, and one that it is about to welcome.
    let (stranger, ..) = machine_on(&old);
    let (late, unwelcomed, its) = machine_on(&old);
    let patience = Duration::from_secs(20);

    let (here, there) = crate::net::courier::Courier::pair().unwrap();
    let successor = Arc::new(handover::Successor::new(here).unwrap());
    let predecessor = handover::Predecessor::new(there).unwrap();
    let executor = old.executor.take().unwrap();
    executor.ask();
    old.stop.store(true, Ordering::Relaxed);
    old.handle.waker.wake();
    executor.await_parted();
    // Said too late for this shard to pass it on.
    old.tell(Effect::Say {
        peer: unwelcomed,
        json: b"{}".to_vec(),
    });
    executor.execute(&handover::Testament {
        to: successor.clone(),
        machines: Arc::new(HashMap::from([(peer, device), (unwelcomed, its)])),
    });
    old.thread.take().unwrap().join().unwrap();
    assert_eq!(successor.end().unwrap(), 1);
    let Some(handover::Heard::Connections(connections)) = predecessor.next().unwrap() else {
        panic!("no connections");
    };
    for connection in connections {
        let mail = Mail::Inherited(Box::new(connection));
        new.handle.mail.send(mail).unwrap();
    }
    new.handle.waker.wake();
    let Event::Inherited { peer, device: it } = new.hub.recv_timeout(patience).unwrap() else {
        panic!("not inherited");
    };
    assert_eq!(it, device);

    let mut ping = Vec::new();
    push_frame(&mut ping, FrameKind::Ping, 0, &[7; 8]);
    machine.write_all(&ping).unwrap();
    let mut pong = [0; 16];
    let length = machine.read(&mut pong).unwrap();
    let mut expected = Vec::new();
    push_frame(&mut expected, FrameKind::Pong, 0, &[7; 8]);
    assert_eq!(&pong[..length], expected);
    new.tell(Effect::HangUp { peer });
    assert_eq!(machine.read(&mut pong).unwrap_or(0), 0);
    for mut other in [stranger, late] {
        assert!(!matches!(other.read(&mut pong), Ok(1..)));
    }
}

#[test]
fn a_customer_who_is_moved_to_another_shard_is_heard_there_with_all_it_said_on_the_way() {
    let there = Bench::start();
    let here = Bench::beside(&there);
    let patience = Duration::from_secs(20);
    let mut customer = here.connect(LINK);
    let hello = br#"{"type":"hello","versions":[1,1],"program":"x","purpose":
        {"purpose":"start","facts":{"customer":"","computer":"","platform":"",
        "private_address":""}}}"#;
    let mut bytes = Vec::new();
    push_frame(&mut bytes, FrameKind::Control, 0, hello);
    customer.write_all(&bytes).unwrap();
    let Event::Hello { peer, hello, .. } = here.hub.recv_timeout(patience).unwrap() else {
        panic!("no hello");
    };
    here.tell(Effect::Move {
        peer,
        to: 1,
        arrival: Box::new(Arrival {
            hello: (*hello).clone(),
            ak: None,
        }),
    });
    // In two pieces, the first of which may still be taken here.
    bytes.clear();
    push_frame(&mut bytes, FrameKind::Ping, 0, &[7; 8]);
    let (first, second) = bytes.split_at(5);
    customer.write_all(first).unwrap();
    let Event::Moved { peer, arrival, .. } = there.hub.recv_timeout(patience).unwrap() else {
        panic!("not moved");
    };
    assert_eq!(arrival.hello, *hello);
    customer.write_all(second).unwrap();
    let mut pong = [0; 64];
    let length = customer.read(&mut pong).unwrap();
    bytes.clear();
    push_frame(&mut bytes, FrameKind::Pong, 0, &[7; 8]);
    assert_eq!(&pong[..length], bytes);
    there.tell(Effect::HangUp { peer });
    assert_eq!(customer.read(&mut pong).unwrap_or(0), 0);
    // Whoever has moved has not left.
    assert!(here.hub.try_recv().is_err());
}

/// A Jump Client whose hello has come; its device key.
fn machine_on(bench: &Bench) -> (Tls, PeerId, Fingerprint) {
    let mut machine = bench.connect_device();
    let hello = br#"{"type":"hello","versions":[1,1],"program":"x","purpose":
        {"purpose":"jump_client","computer":"till","platform":"Debian"}}"#;
    let mut bytes = Vec::new();
    push_frame(&mut bytes, FrameKind::Control, 0, hello);
    machine.write_all(&bytes).unwrap();
    match bench.hub.recv_timeout(Duration::from_secs(20)).unwrap() {
        Event::Hello {
            peer,
            door: Door::Device(device),
            ..
        } => (machine, peer, device),
        other => panic!("{other:?}"),
    }
}
