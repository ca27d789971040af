//! Pages as a browser meets them: a real store, and a relay that speaks the real control protocol
//! on a real socket.

mod everywhere;
mod held;
mod machine;
mod news;
mod portal;
mod reports;
mod rescue;
mod served;
mod signing_in;
mod updates;

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::database::Store;
use super::site::{Endpoint, Site};
use crate::config::{Config, Generation, Paths};
use crate::control::{Reply, Request as Asked, wire};
use crate::domain::password::Password;
use crate::domain::text::label;
use crate::domain::token::Fingerprint;
use crate::domain::turned::TurnedReason;
use crate::domain::{Account, AccountName, DisplayName, Model, PeerAddress, Stamp, Token};
use crate::metrics::{Connections, JumpClients, Keys, Sandbox, Sessions, Snapshot, StoreState};
use crate::store::accounts::{self, NewAccount};
use crate::store::{Database, StoreError, Transaction};

const PASSWORD: &str = "correct horse";

/// The token behind the one session key that the fake relay knows.
fn ak() -> Token {
    Token::from_random([0xa5; 16])
}

/// An appliance's web side in a temporary folder.
struct Appliance {
    folder: TempDir,
    router: Router,
    site: Arc<Site>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Appliance {
    /// With a relay that knows session key 1234567 and [`ak`].
    fn new() -> Self {
        Self::with_relay(relay)
    }

    fn with_relay(answer: impl Fn(&Asked) -> Reply + Send + 'static) -> Self {
        let appliance = Self::without_relay();
        let socket = UnixListener::bind(appliance.site.paths.control_socket()).unwrap();
        let asked = appliance.asked.clone();
        thread::spawn(move || {
            for stream in socket.incoming() {
                let mut stream = stream.unwrap();
                let request: Asked = wire::read(&mut stream).unwrap().unwrap();
                let reply = answer(&request);
                asked.lock().unwrap().push(request);
                wire::write(&mut stream, &reply).unwrap();
            }
        });
        appliance
    }

    fn without_relay() -> Self {
        Self::of_generation(None)
    }

    fn of_generation(generation: Option<Generation>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path()).of_generation(generation);
        for made in [paths.store_folder(), paths.sockets(), paths.recordings()] {
            std::fs::create_dir(made).unwrap();
        }
        let program = folder.path().join("endpoint");
        std::fs::write(&program, b"\x7fELF program").unwrap();
        let store = Store::start(Database::create_or_migrate(&paths.store()).unwrap()).unwrap();
        let endpoint = Endpoint::open(&program).unwrap();
        let config = Config {
            site: "support.example.com".into(),
            ..Config::default()
        };
        let site = Arc::new(Site::new(
            config,
            paths,
            store,
            Some(endpoint),
            TimeZone::UTC,
        ));
        Self {
            folder,
            router: super::router(site.clone()),
            site,
            asked: Arc::default(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the relay was asked so far.
    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.site.store.write(work).await.unwrap()
    }

    async fn account(
        &self,
        name: &'static str,
        administrator: bool,
        representative: bool,
    ) -> Account {
        let hash = Password::new(PASSWORD).unwrap().hash([1; 16]);
        self.write(move |tx| {
            accounts::create(
                tx,
                &NewAccount {
                    name: AccountName::new(name).unwrap(),
                    display_name: DisplayName::new(name).unwrap(),
                    administrator,
                    representative,
                    password_hash: &hash,
                    at: Stamp(1),
                },
            )
        })
        .await
    }

    async fn send(&self, request: Browser) -> Answer {
        let Browser(mut request) = request;
        if request.extensions().get::<PeerAddress>().is_none() {
            let peer = PeerAddress::new(([192, 0, 2, 1], 50_000).into());
            request.extensions_mut().insert(peer);
        }
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    async fn get(&self, address: &str) -> Answer {
        self.send(Browser::get(address)).await
    }

    /// Signs in and returns the cookie and what forms have to carry.
    async fn sign_in(&self, name: &str) -> SignedIn {
        let form = format!("name={name}&password=correct+horse");
        let answer = self.send(Browser::post("/login", &form)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let cookie = answer.cookie().unwrap();
        let account = self
            .send(Browser::get("/login/account").cookie(&cookie))
            .await;
        let csrf = account.between("name=\"csrf\" value=\"", "\"").to_owned();
        SignedIn { cookie, csrf }
    }
}

struct SignedIn {
    cookie: String,
    csrf: String,
}

/// A request as a browser sends it.
struct Browser(Request<Body>);

impl Browser {
    fn get(address: &str) -> Self {
        let request = Request::get(address).header(header::HOST, "support.example.com:8443");
        Self(request.body(Body::empty()).unwrap())
    }

    fn post(address: &str, form: &str) -> Self {
        let request = Request::post(address)
            .header(header::HOST, "support.example.com:8443")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        Self(request.body(Body::from(form.to_owned())).unwrap())
    }

    fn post_json(address: &str, body: &str) -> Self {
        Self::post(address, body).header("content-type", "application/json")
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.0.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    fn from(mut self, peer: [u8; 4]) -> Self {
        let peer = PeerAddress::new((peer, 50_000).into());
        self.0.extensions_mut().insert(peer);
        self
    }
}

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    bytes: Vec<u8>,
    text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// Name and value of the cookie it sets.
    fn cookie(&self) -> Option<String> {
        let set = self.headers.get(header::SET_COOKIE)?.to_str().unwrap();
        Some(set.split(';').next().unwrap().to_owned())
    }

    /// Name and value of the cookie of this name that it sets.
    fn cookie_named(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all(header::SET_COOKIE).iter();
        let mut pairs = set.map(|set| set.to_str().unwrap().split(';').next().unwrap());
        pairs
            .find(|pair| pair.split('=').next() == Some(name))
            .map(str::to_owned)
    }

    fn between(&self, before: &str, after: &str) -> &str {
        let start = self.text.find(before).expect(before) + before.len();
        let length = self.text[start..].find(after).unwrap();
        &self.text[start..start + length]
    }
}

/// The fake relay's usual answers.
fn relay(request: &Asked) -> Reply {
    match request {
        Asked::Status => Reply::Status(Box::new(snapshot())),
        Asked::LookUpKey { key, .. } => {
            if key.as_str() == "1234567" || key.as_str() == ak().reveal() {
                Reply::KeyFound {
                    representative: label("Ana <Support>"),
                    ak: ak(),
                    expires: Stamp(1),
                }
            } else {
                Reply::Turned(TurnedReason::Key)
            }
        }
        Asked::IssueTicket { .. } => Reply::Ticket {
            ticket: Token::from_random([7; 16]),
        },
        _ => Reply::Done,
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        version: env!("CARGO_PKG_VERSION").into(),
        model: Model::VaS,
        active_jump_clients_max: 1_000,
        passive_jump_clients_max: 50_000,
        jump_clients: JumpClients::default(),
        started: Stamp(1_787_313_600_000),
        uptime_seconds: 7_800,
        threads: 2,
        connections: Connections::default(),
        sessions: Sessions::default(),
        keys: Keys {
            digits: 7,
            ..Keys::default()
        },
        sandbox: Sandbox {
            own_user: true,
            seccomp: true,
            landlock: true,
        },
        store: StoreState::default(),
        certificate: Fingerprint::of(b"certificate"),
        link_key: Fingerprint::of(b"link key"),
        link_certificate: None,
    }
}
