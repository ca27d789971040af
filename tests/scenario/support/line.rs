//! Ways to the appliance that a test can cut: a plain one, and an HTTP proxy that wants to know
//! who asks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Forwards connections until it is cut.
pub struct Line {
    at: SocketAddr,
    state: watch::Sender<State>,
    requests: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Refuses new connections.
    down: bool,
    /// Takes new connections and says nothing: nobody knows yet that the machine behind is down.
    silent: bool,
    /// Counts cuts; a connection that is older than the last one ends.
    cuts: u32,
}

impl Line {
    /// Forwards to `port` of this machine.
    pub async fn to(port: u16) -> Self {
        Self::open(Some(port), None).await
    }

    /// An HTTP proxy that lets only this `user:password` through.
    pub async fn proxy(credentials: &str) -> Self {
        Self::open(None, Some(BASE64.encode(credentials.as_bytes()))).await
    }

    async fn open(port: Option<u16>, credentials: Option<String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (state, states) = watch::channel(State {
            down: false,
            silent: false,
            cuts: 0,
        });
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let mut states = states.clone();
                let now = *states.borrow_and_update();
                if now.down {
                    continue;
                }
                let (credentials, seen) = (credentials.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let carried = async {
                        match port {
                            _ if now.silent => std::future::pending().await,
                            Some(port) => forward(near, port).await,
                            None => tunnel(near, credentials.as_deref(), &seen).await,
                        }
                    };
                    tokio::select! {
                        _ = carried => {}
                        _ = states.wait_for(|state| state.cuts > now.cuts) => {}
                    }
                });
            }
        });
        Self {
            at,
            state,
            requests,
            accepting,
        }
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Ends every connection; new ones come through.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Ends every connection and refuses new ones.
    pub fn cut_for_now(&self) {
        self.state.send_modify(|state| {
            state.cuts += 1;
            state.down = true;
        });
    }

    /// Ends every connection, and leaves new ones without an answer.
    #[allow(dead_code)] // Not in the bench.
    pub fn silence(&self) {
        self.state.send_modify(|state| {
            state.cuts += 1;
            state.silent = true;
        });
    }

    /// Lets connections through again; those that have no answer never get one.
    pub fn mend(&self) {
        self.state.send_modify(|state| {
            state.down = false;
            state.silent = false;
        });
    }

    /// First lines of what a proxy was asked.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut near: TcpStream, port: u16) -> std::io::Result<()> {
    let mut far = TcpStream::connect(("127.0.0.1", port)).await?;
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}

/// CONNECT (RFC 9110, 9.3.6) with Basic credentials (RFC 7617).
async fn tunnel(
    mut near: TcpStream,
    credentials: Option<&str>,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let first = head.lines().next().unwrap_or_default();
    seen.lock().unwrap().push(first.to_owned());
    let wanted = format!("proxy-authorization: basic {}", credentials.unwrap_or("")).to_lowercase();
    let known = credentials.is_none() || head.lines().any(|line| line.to_lowercase() == wanted);
    let target = first
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    let (Some(target), true) = (target, known) else {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                       Proxy-Authenticate: Basic realm=\"the office\"\r\n\
                       Content-Length: 0\r\n\r\n";
        near.write_all(refusal.as_bytes()).await?;
        return near.shutdown().await;
    };
    let mut far = TcpStream::connect(target).await?;
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await?;
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}
