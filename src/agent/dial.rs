//! One attempt to reach the appliance: names, perhaps a proxy, TCP, TLS.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::names;
use super::pin;
use super::proxy::{self, Answer, BadAnswer, BadProxy, Credentials, Proxy};
use crate::domain::limits::{
    DIAL_BESIDE_AFTER, DIAL_WITHIN, DIALS_AT_ONCE_MAX, HTTP_HEAD_BYTES_MAX, NEXT_ADDRESS_AFTER,
};
use crate::domain::pass::SiteAddress;
use crate::domain::token::Fingerprint;
use crate::link::ALPN;

/// Knows the way to one appliance.
#[derive(Clone)]
pub struct Dialer {
    target: SiteAddress,
    proxy: Option<Proxy>,
    tls: Arc<ClientConfig>,
}

/// A transport that is up, with the appliance proven.
#[derive(Debug)]
pub struct Dialed {
    /// For the link's bytes.
    pub stream: TlsStream<TcpStream>,
    /// Our own address on the way there.
    pub local: IpAddr,
}

/// Why an attempt failed. All but [`DialError::WrongKey`] may pass by themselves or by what the
/// customer does.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No address for the name.
    #[error("cannot find the address of {host}: {error}")]
    Name {
        /// Which.
        host: String,
        /// In the resolver's words.
        error: io::Error,
    },
    /// No address answered.
    #[error("cannot connect to {place}: {error}")]
    Connect {
        /// Where.
        place: String,
        /// Of the last address tried.
        error: io::Error,
    },
    /// Too slow.
    #[error("no answer within {} s", DIAL_WITHIN.as_secs())]
    Slow,
    /// The proxy wants to know who we are, or did not like the answer.
    #[error("the proxy asks for a user name and a password")]
    ProxyCredentials {
        /// The proxy's name for itself.
        realm: String,
        /// Some were sent, and not taken.
        refused: bool,
    },
    /// The proxy wants something we do not have.
    #[error("the proxy asks for {schemes}, this program can do Basic only")]
    ProxyScheme {
        /// What it named.
        schemes: String,
    },
    /// The proxy says no.
    #[error("the proxy refuses with status {status}")]
    ProxyRefused {
        /// HTTP's.
        status: u16,
    },
    /// The proxy's answer makes no sense.
    #[error(transparent)]
    ProxyAnswer(#[from] BadAnswer),
    /// Somebody else answers at the appliance's address.
    #[error("another machine answers in the appliance's place")]
    WrongKey,
    /// The handshake failed otherwise.
    #[error("no secure connection: {0}")]
    Tls(io::Error),
}

impl Dialer {
    /// The way to `target`, which has to own `link_key`. `environment` may name a proxy.
    pub fn new(
        target: SiteAddress,
        link_key: Fingerprint,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BadProxy> {
        let proxy = proxy::choose(&target, environment)?;
        let tls = pin::tls_config(link_key);
        Ok(Self { target, proxy, tls })
    }

    /// Where to.
    pub fn target(&self) -> &SiteAddress {
        &self.target
    }

    /// Through which proxy.
    pub fn proxy(&self) -> Option<&SiteAddress> {
        self.proxy.as_ref().map(|proxy| &proxy.target)
    }

    /// What the customer says to the proxy from now on.
    pub fn set_credentials(&mut self, credentials: Credentials) {
        if let Some(proxy) = &mut self.proxy {
            proxy.credentials = Some(credentials);
        }
    }

    /// One attempt, within [`DIAL_WITHIN`].
    pub async fn dial(&self) -> Result<Dialed, DialError> {
        timeout(DIAL_WITHIN, self.dial_patiently())
            .await
            .map_err(|_| DialError::Slow)?
    }

    /// The same for an appliance that restarts: attempts overlap, so that one of them begins soon after
    /// it is back, whatever became of those before. The oldest of all is never given up for a newer
    /// one, for whoever is far away.
    pub async fn dial_in_restart(&self) -> Result<Dialed, DialError> {
        let mut tries = JoinSet::new();
        let mut newer = VecDeque::new();
        loop {
            let dialer = self.clone();
            let this = tries.spawn(async move { dialer.dial().await });
            if tries.len() > 1 {
                newer.push_back(this);
            }
            if newer.len() >= DIALS_AT_ONCE_MAX
                && let Some(oldest) = newer.pop_front()
            {
                oldest.abort();
            }
            tokio::select! {
                Some(Ok(done)) = tries.join_next() => return done,
                () = sleep(DIAL_BESIDE_AFTER) => {}
            }
        }
    }

    async fn dial_patiently(&self) -> Result<Dialed, DialError> {
        let tcp = match &self.proxy {
            None => connect(&self.target).await?,
            Some(proxy) => {
                let mut tcp = connect(&proxy.target).await?;
                tunnel(&mut tcp, &self.target, proxy).await?;
                tcp
            }
        };
        let local = tcp.local_addr().map_err(DialError::Tls)?.ip();
        let name = ServerName::try_from(self.target.host())
            .map_err(|error| DialError::Tls(io::Error::other(error)))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, tcp).await.map_err(tls_error)?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            let error = io::Error::other("the link protocol is not spoken there");
            return Err(DialError::Tls(error));
        }
        Ok(Dialed { stream, local })
    }
}

/// The first address that answers; each is given a head start on the next.
async fn connect(place: &SiteAddress) -> Result<TcpStream, DialError> {
    let addresses = names::addresses(place)
        .await
        .map_err(|error| DialError::Name {
            host: place.host(),
            error,
        })?;
    let failed = |error| DialError::Connect {
        place: place.to_string(),
        error,
    };
    let mut waiting = addresses.into_iter();
    let mut tries = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address to try");
    if let Some(first) = waiting.next() {
        tries.spawn(connect_one(first));
    }
    while !tries.is_empty() {
        tokio::select! {
            done = tries.join_next() => match done {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => {
                    last = error;
                    if let Some(next) = waiting.next() {
                        tries.spawn(connect_one(next));
                    }
                }
                Some(Err(_)) | None => {}
            },
            () = sleep(NEXT_ADDRESS_AFTER), if waiting.len() > 0 => {
                if let Some(next) = waiting.next() {
                    tries.spawn(connect_one(next));
                }
            }
        }
    }
    Err(failed(last))
}

async fn connect_one(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Keystrokes are small and wait for nothing.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Has the proxy connect us through.
async fn tunnel(tcp: &mut TcpStream, target: &SiteAddress, proxy: &Proxy) -> Result<(), DialError> {
    let failed = |error| DialError::Connect {
        place: proxy.target.to_string(),
        error,
    };
    let request = proxy::request(target, proxy.credentials.as_ref());
    tcp.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut head = Vec::new();
    loop {
        // One byte more than an answer may have, so that the parser sees that it is too long.
        let room = (HTTP_HEAD_BYTES_MAX + 1).saturating_sub(head.len()) as u64;
        let read = (&mut *tcp).take(room).read_buf(&mut head).await;
        if read.map_err(failed)? == 0 {
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the proxy hung up");
            return Err(failed(error));
        }
        return match proxy::answer(&head)? {
            None => continue,
            Some(Answer::Open) => Ok(()),
            Some(Answer::WantsCredentials { realm }) => Err(DialError::ProxyCredentials {
                realm,
                refused: proxy.credentials.is_some(),
            }),
            Some(Answer::WantsOther { schemes }) => Err(DialError::ProxyScheme { schemes }),
            Some(Answer::Refused { status }) => Err(DialError::ProxyRefused { status }),
        };
    }
}

fn tls_error(error: io::Error) -> DialError {
    let wrong_key = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(pin::is_wrong_key);
    if wrong_key {
        DialError::WrongKey
    } else {
        DialError::Tls(error)
    }
}

#[cfg(all(test, feature = "appliance"))]
mod tests;
