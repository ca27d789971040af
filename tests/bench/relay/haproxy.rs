//! HAProxy as Debian ships it, with one thread on the measured core: TLS in, TLS out, and the same
//! cipher, curve and kind of certificate as ours.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use command_fds::{CommandFdExt as _, FdMapping};
use nix::unistd::Pid;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ServerConfig};

use super::cpu::Cores;
use super::end::End;
use super::wire::{Wire, client_config, dial, provider};
use crate::support::SOON;

/// Where HAProxy finds its listeners.
const JOINED: i32 = 10;
const WAITING: i32 = 11;

/// A running one. Ends when dropped.
pub struct HaProxy {
    child: Child,
    /// Joins who connects here with [`Self::behind`].
    joined: u16,
    /// Lets who connects here wait for nothing.
    waiting: u16,
    behind: TcpListener,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    #[expect(dead_code, reason = "it is removed when dropped")]
    folder: tempfile::TempDir,
}

impl HaProxy {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it is not installed: a peer that is missing is a failure.
    pub async fn start(cores: &Cores) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let pem = certified.cert.pem() + &certified.signing_key.serialize_pem();
        let certificate = folder.path().join("certificate.pem");
        std::fs::write(&certificate, pem).unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certified.cert.der().clone()],
                PrivateKeyDer::Pkcs8(key),
            )
            .unwrap();
        server.send_tls13_tickets = 0;
        server.enable_secret_extraction = true;

        let [joined, waiting, behind] =
            [(); 3].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let ports = [&joined, &waiting, &behind].map(port);
        let config = folder.path().join("haproxy.cfg");
        let certificate = certificate.to_str().unwrap();
        std::fs::write(&config, configuration(certificate, ports[2])).unwrap();
        let mapping = |listener: TcpListener, child_fd| FdMapping {
            parent_fd: OwnedFd::from(listener),
            child_fd,
        };
        let mut command = Command::new("haproxy");
        // In the foreground, as one process.
        command.arg("-db").arg("-f").arg(&config);
        // Debian puts it where only root's path leads.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        command.env("PATH", path).stdin(Stdio::null());
        command
            .fd_mappings(vec![mapping(joined, JOINED), mapping(waiting, WAITING)])
            .unwrap();
        let child = cores.on_measured(async { command.spawn() }).await;
        Self {
            child: child.expect("HAProxy is installed (apt-get install haproxy)"),
            joined: ports[0],
            waiting: ports[1],
            behind,
            client: client_config(&[]),
            server: Arc::new(server),
            folder,
        }
    }

    /// The process that is measured.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// Streams through it: the end that connected, and the end that HAProxy connected to. One after
    /// the other, so that the two belong together.
    pub fn streams(&self, count: usize) -> Vec<(End, End)> {
        let stream = |_| {
            let from = Wire::client(dial(self.joined).unwrap(), &self.client);
            let (tcp, _) = self.behind.accept().unwrap();
            tcp.set_read_timeout(Some(SOON)).unwrap();
            let to = Wire::server(tcp, &self.server);
            (End::raw(from), End::raw(to))
        };
        (0..count).map(stream).collect()
    }

    /// Where it shakes hands and then waits for the first byte.
    pub fn waiting(&self) -> (u16, &Arc<ClientConfig>) {
        (self.waiting, &self.client)
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What HAProxy could do for nothing here is off: sessions to resume, logs. It sends two tickets after
/// a TLS 1.3 handshake whatever is said here; with `no-tls-tickets` they hold nothing sealed, which
/// costs it as much.
fn configuration(certificate: &str, behind: u16) -> String {
    let mut text = "global
    nbthread 1
    maxconn 9000
    tune.bufsize 65536
    tune.ssl.cachesize 0
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
    ssl-default-bind-curves X25519
    ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
    ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
    ssl-default-server-options ssl-min-ver TLSv1.3
defaults
    mode tcp
    timeout connect 10s
    timeout client 30m
    timeout server 30m
"
    .to_owned();
    let bind = |fd: i32| format!("    bind fd@{fd} ssl crt {certificate}\n");
    write!(
        text,
        "frontend joined\n{}    default_backend behind\n\
         backend behind\n    server behind 127.0.0.1:{behind} ssl verify none no-ssl-reuse\n\
         frontend waiting\n{}    tcp-request inspect-delay 30m\n    \
         tcp-request content reject if {{ req.len gt 0 }}\n",
        bind(JOINED),
        bind(WAITING)
    )
    .unwrap();
    text
}
