//! A server of versions: a vendor's folder over HTTPS on loopback, and the accidents of the way.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// This machine, for a virtual one on it.
pub const FROM_A_GUEST: &str = "10.0.2.2";

/// What is sent in the place of a file: its path and bytes, as they are.
pub type Lie = fn(&str, Vec<u8>) -> Vec<u8>;

/// What goes wrong; nothing unless somebody says so.
#[derive(Default)]
pub struct Trouble {
    /// The next transfers of a payload break off after so many bytes, one after the other.
    pub breaks: Vec<usize>,
    /// A request for a part is answered with the whole.
    pub knows_no_parts: bool,
    /// Files are not what they should be.
    pub instead: Option<Lie>,
}

/// A request for a file: which, from which byte on, and how many bytes were sent.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub from: usize,
    pub sent: usize,
}

pub struct Server {
    port: u16,
    /// DER.
    pub certificate: Vec<u8>,
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    trouble: Mutex<Trouble>,
    asked: Mutex<Vec<Asked>>,
}

impl Server {
    /// Serves `folder` until the test ends.
    pub fn new(folder: PathBuf) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["localhost", FROM_A_GUEST].map(str::to_owned);
        let parameters = rcgen::CertificateParams::new(names).unwrap();
        let certificate = parameters.self_signed(&key).unwrap().der().to_vec();
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![CertificateDer::from(certificate.clone())],
                    PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
                )
                .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            folder,
            trouble: Mutex::default(),
            asked: Mutex::default(),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let serving = serving.clone();
                // One file a connection, which closes behind it.
                thread::spawn(move || serving.serve(StreamOwned::new(connection, stream.unwrap())));
            }
        });
        Self {
            port,
            certificate,
            shared,
        }
    }

    /// As `host` it is called: `localhost`, or [`FROM_A_GUEST`].
    pub fn address(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }

    pub fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.shared.trouble.lock().unwrap()
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Requests for the payload.
    pub fn payloads(&self) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.path.ends_with(".payload"));
        asked
    }
}

impl Shared {
    fn serve(&self, mut stream: StreamOwned<ServerConnection, TcpStream>) {
        let lines: Vec<String> = BufReader::new(Read::by_ref(&mut stream))
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        let Some(path) = lines.first().and_then(|line| line.split(' ').nth(1)) else {
            return;
        };
        let from: Option<usize> = lines.iter().find_map(|line| {
            let range = line.to_ascii_lowercase();
            let range = range.strip_prefix("range: bytes=")?;
            range.strip_suffix('-')?.parse().ok()
        });
        let Ok(mut bytes) = fs::read(self.folder.join(path.trim_start_matches('/'))) else {
            self.note(path, 0, 0);
            let _ = stream
                .write_all(b"HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            return;
        };
        let (mut end, from) = {
            let mut trouble = self.trouble.lock().unwrap();
            if let Some(instead) = trouble.instead {
                bytes = instead(path, bytes);
            }
            let breaks = path.ends_with(".payload") && !trouble.breaks.is_empty();
            let end = breaks.then(|| trouble.breaks.remove(0));
            (end, from.filter(|_| !trouble.knows_no_parts))
        };
        let all = bytes.len();
        let part = bytes.split_off(from.unwrap_or_default().min(all));
        let head = match from {
            Some(from) => format!(
                "206 Partial Content\r\nContent-Range: bytes {from}-{}/{all}",
                all - 1
            ),
            None => "200 OK".to_owned(),
        };
        let head = format!(
            "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            part.len()
        );
        let sent = end.take().unwrap_or(part.len()).min(part.len());
        self.note(path, from.unwrap_or_default(), sent);
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&part[..sent]);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }

    fn note(&self, path: &str, from: usize, sent: usize) {
        let path = path.to_owned();
        self.asked.lock().unwrap().push(Asked { path, from, sent });
    }
}
