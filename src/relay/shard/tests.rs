//! A real shard on loopback, with the test in the hub's place.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;
use nix::sys::socket::sockopt;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::*;
use crate::domain::limits::{HUB_QUEUE_MAX, SHARD_QUEUE_MAX};
use crate::relay::hub::Role;
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
    thread: Option<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        let identity = Identity::make(&["localhost".into()]).unwrap();
        let mut roots = RootCertStore::empty();
        let pem = identity.to_pem();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let https = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = https.local_addr().unwrap();
        let (to_hub, hub) = bounded(HUB_QUEUE_MAX);
        let (mail, queue) = bounded(SHARD_QUEUE_MAX);
        let waker = Waker::new().unwrap();
        let handle = ShardHandle { mail, waker };
        let counters = Arc::new(Counters::default());
        let stop = Arc::new(AtomicBool::new(false));
        let setting = Setting {
            clock: Clock::start(),
            configs: Arc::new(Configs::new(&identity, &identity, IDS).unwrap()),
            hub: to_hub,
            transcripts: tokio::sync::mpsc::channel(1).0,
            shards: vec![handle.clone()],
            counters: counters.clone(),
            web_socket: folder.path().join("web"),
            site: "localhost".into(),
            https_port: 443,
            stop: stop.clone(),
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
            thread: Some(thread),
            folder,
        }
    }

    /// A peer whose handshake is over.
    fn connect(&self, alpn: &[u8]) -> Tls {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect(self.address).unwrap();
        let patience = Some(Duration::from_secs(20));
        socket.set_read_timeout(patience).unwrap();
        socket.set_write_timeout(patience).unwrap();
        tls.complete_io(&mut socket).unwrap();
        StreamOwned::new(tls, socket)
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

    fn tell(&self, effect: Effect) {
        self.handle.mail.send(Mail::Effect(effect)).unwrap();
        self.handle.waker.wake();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.handle.waker.wake();
        let ended = self.thread.take().unwrap().join();
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
