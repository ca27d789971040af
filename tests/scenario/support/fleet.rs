//! Jump Clients by the thousand, as far as a connection goes: each with a device key of its own, from
//! one of the loopback's many addresses. It comes back when it was told to, or after a while when its
//! connection is lost, and says its statistics at the set interval.
//!
//! ```text
//! Fleet ── command line ──> process ── a task for each ──> relay
//!       <── tallies, by lines ──┘      as many processes as descriptors ask for
//! ```

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jumpgate::domain::limits::{REDIAL_AFTER, REDIAL_AFTER_MAX, STATISTICS_EVERY};
use jumpgate::domain::text::label;
use jumpgate::domain::turned::JumpClientTurned;
use jumpgate::domain::{Moment, Token};
use jumpgate::link::connection::{Assembler, Incoming, decode};
use jumpgate::link::frame::split_frame;
use jumpgate::link::message::{FromJumpClient, Hello, HelloTag, Purpose, Statistics, ToJumpClient};
use jumpgate::link::{Connection, DEVICE_ALPN, VERSION};
use rcgen::{CertificateParams, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use super::tls;

/// Machines of one process: it has descriptors for more, but not for all.
const OF_A_PROCESS: u32 = 12_500;
/// A process says this often how many of its machines are where.
const TALLIED_EVERY: Duration = Duration::from_millis(100);
/// Machines of one process that dial at once: they share a processor, which real ones do not, and
/// would only keep each other from ever getting through.
const DIALLING_MAX: usize = 256;
/// From dialling to the relay's word.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// What some processes' machines do.
pub struct Fleet {
    parts: Vec<Child>,
    tallies: Vec<Arc<Mutex<Tally>>>,
}

/// What one process is asked to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    port: u16,
    /// The first machine's number.
    first: u32,
    count: u32,
    deployment: Token,
}

/// What became of the machines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Connected now.
    pub connected: u64,
    /// Let in, in all.
    pub let_in: u64,
    /// Told when to come, in all.
    pub told_when: u64,
    /// Told that there are as many as there may be; these do not try again.
    pub over_limit: u64,
    /// Turned away for anything else.
    pub turned: u64,
    /// Connections that ended after they had been let in.
    pub lost: u64,
    /// Dials that came to nothing.
    pub failed: u64,
    /// Messages with statistics.
    pub statistics: u64,
}

impl Fleet {
    /// So many machines, which come by this deployment. `command` starts a process that calls
    /// [`Part::asked`] and is that.
    pub fn start(command: impl Fn() -> Command, port: u16, deployment: &Token, count: u32) -> Self {
        let mut fleet = Self {
            parts: Vec::new(),
            tallies: Vec::new(),
        };
        for first in (0..count).step_by(OF_A_PROCESS as usize) {
            let part = Part {
                port,
                first,
                count: OF_A_PROCESS.min(count - first),
                deployment: deployment.clone(),
            };
            let mut command = command();
            command.env("JUMPGATE_FLEET", serde_json::to_string(&part).unwrap());
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut process = command.spawn().unwrap();
            let lines = BufReader::new(process.stdout.take().unwrap()).lines();
            let tally = Arc::new(Mutex::new(Tally::default()));
            let told = Arc::clone(&tally);
            std::thread::spawn(move || {
                for line in lines.map_while(Result::ok) {
                    if let Ok(now) = serde_json::from_str(&line) {
                        *told.lock().unwrap() = now;
                    }
                }
            });
            fleet.parts.push(process);
            fleet.tallies.push(tally);
        }
        fleet
    }

    /// All machines' together.
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        for tally in &self.tallies {
            let one = *tally.lock().unwrap();
            all.connected += one.connected;
            all.let_in += one.let_in;
            all.told_when += one.told_when;
            all.over_limit += one.over_limit;
            all.turned += one.turned;
            all.lost += one.lost;
            all.failed += one.failed;
            all.statistics += one.statistics;
        }
        all
    }

    /// Waits until the machines are like this.
    ///
    /// # Panics
    ///
    /// If that takes longer than `within`.
    pub async fn is(&self, what: &str, within: Duration, is: impl Fn(&Tally) -> bool) -> Tally {
        let until = Instant::now() + within;
        loop {
            let tally = self.tally();
            if is(&tally) {
                return tally;
            }
            assert!(
                Instant::now() < until,
                "not within {within:?}: {what}; {tally:?}"
            );
            sleep(TALLIED_EVERY).await;
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for part in &mut self.parts {
            let _ = part.kill();
            let _ = part.wait();
        }
    }
}

#[derive(Default)]
struct Counts {
    connected: AtomicU64,
    let_in: AtomicU64,
    told_when: AtomicU64,
    over_limit: AtomicU64,
    turned: AtomicU64,
    lost: AtomicU64,
    failed: AtomicU64,
    statistics: AtomicU64,
}

impl Counts {
    fn tally(&self) -> Tally {
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            connected: now(&self.connected),
            let_in: now(&self.let_in),
            told_when: now(&self.told_when),
            over_limit: now(&self.over_limit),
            turned: now(&self.turned),
            lost: now(&self.lost),
            failed: now(&self.failed),
            statistics: now(&self.statistics),
        }
    }
}

fn up(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl Part {
    /// What this process was asked to be, if it was.
    pub fn asked() -> Option<Self> {
        let asked = std::env::var("JUMPGATE_FLEET").ok()?;
        Some(serde_json::from_str(&asked).unwrap())
    }

    /// Is that until its standard input ends.
    pub async fn be(self) {
        let counts = Arc::new(Counts::default());
        let phone = Arc::new(Semaphore::new(DIALLING_MAX));
        for number in self.first..self.first + self.count {
            let (part, counts, phone) = (self.clone(), Arc::clone(&counts), Arc::clone(&phone));
            tokio::spawn(async move { Machine::new(number, phone).live(&part, &counts).await });
        }
        let told = tokio::spawn(async move {
            loop {
                let tally = serde_json::to_string(&counts.tally()).unwrap();
                // With the test's own words on the same line it would be no JSON.
                println!("\n{tally}");
                std::io::stdout().flush().unwrap();
                sleep(TALLIED_EVERY).await;
            }
        });
        let _ = tokio::io::stdin().read(&mut [0]).await;
        told.abort();
    }
}

/// How a visit ended.
enum Visit {
    /// To come back then.
    Told(Duration),
    /// Not to come back.
    Over,
    /// Turned away for a reason that may pass.
    Turned,
    Lost,
}

struct Machine {
    number: u32,
    tls: Arc<ClientConfig>,
    /// See [`DIALLING_MAX`].
    phone: Arc<Semaphore>,
}

impl Machine {
    fn new(number: u32, phone: Arc<Semaphore>) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = tls::device_config(&[DEVICE_ALPN], &provider, chain, key);
        Self {
            number,
            tls: Arc::new(config),
            phone,
        }
    }

    /// A part of a wait, its own each time: machines must not keep step.
    fn share(&self, wait: Duration, time: u32) -> Duration {
        let mixed = (self.number ^ time.rotate_left(16)).wrapping_mul(0x9E37_79B9);
        wait * (mixed >> 22) / 1_024
    }

    async fn live(self, part: &Part, counts: &Counts) {
        sleep(self.share(Duration::from_secs(1), 0)).await;
        let mut failures = 0;
        for time in 1.. {
            let wait = match self.visit(part, counts).await {
                Ok(Visit::Told(wait)) => {
                    up(&counts.told_when);
                    wait
                }
                Ok(Visit::Over) => return up(&counts.over_limit),
                Ok(Visit::Lost) => {
                    up(&counts.lost);
                    counts.connected.fetch_sub(1, Ordering::Relaxed);
                    failures = 0;
                    self.share(Duration::from_secs(1), time)
                }
                Ok(Visit::Turned) => {
                    up(&counts.turned);
                    REDIAL_AFTER_MAX
                }
                Err(_) => {
                    up(&counts.failed);
                    failures += 1;
                    let longest = REDIAL_AFTER * 2_u32.saturating_pow(failures);
                    REDIAL_AFTER + self.share(longest.min(REDIAL_AFTER_MAX), time)
                }
            };
            sleep(wait).await;
        }
    }

    async fn visit(&self, part: &Part, counts: &Counts) -> std::io::Result<Visit> {
        let mut link = Connection::new(Moment::default());
        let mut assembler = Assembler::default();
        let turn = self.phone.acquire().await.expect("never closed");
        let mut stream = timeout(ANSWERED_WITHIN, async {
            let socket = TcpSocket::new_v4()?;
            // A network's worth from each address.
            let [.., high, low] = (self.number / 250).to_be_bytes();
            let address = Ipv4Addr::new(127, 1 + high, low, 1);
            socket.bind((address, 0).into())?;
            let tcp = socket
                .connect((Ipv4Addr::LOCALHOST, part.port).into())
                .await?;
            tcp.set_nodelay(true)?;
            let tls = TlsConnector::from(Arc::clone(&self.tls));
            tls.connect(tls::name(), tcp).await
        })
        .await??;
        drop(turn);
        link.say(&Hello {
            tag: HelloTag::Hello,
            versions: (VERSION, VERSION),
            program: label("fleet"),
            purpose: Purpose::JumpClient {
                deployment: Some(part.deployment.clone()),
                computer: label(&format!("machine-{}", self.number)),
                platform: label("Linux"),
            },
        });
        stream.write_all(&link.take_output()).await?;
        let mut is_in = false;
        let mut statistics_at = Instant::now() + self.share(STATISTICS_EVERY, 0);
        let mut buffer = vec![0; 512];
        loop {
            let read = tokio::select! {
                read = stream.read(&mut buffer) => match read {
                    Ok(read @ 1..) => read,
                    Ok(0) | Err(_) if is_in => return Ok(Visit::Lost),
                    Ok(_) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                    Err(error) => return Err(error),
                },
                () = sleep_until(statistics_at), if is_in => {
                    statistics_at += STATISTICS_EVERY;
                    link.say(&FromJumpClient::Statistics(Statistics::default()));
                    up(&counts.statistics);
                    0
                }
            };
            let input = assembler.join(&buffer[..read]).into_owned();
            let mut rest = &input[..];
            while let Some((frame, taken)) = split_frame(rest).unwrap() {
                rest = &rest[taken..];
                let Incoming::Message(json) = link.accept(frame, Moment::default()).unwrap() else {
                    continue;
                };
                match decode(json).unwrap() {
                    ToJumpClient::Welcome(_) | ToJumpClient::Restart { .. } => {}
                    ToJumpClient::JumpClient { .. } => {
                        is_in = true;
                        up(&counts.let_in);
                        up(&counts.connected);
                    }
                    ToJumpClient::Turned {
                        reason: JumpClientTurned::ComeBack { millis },
                    } => return Ok(Visit::Told(Duration::from_millis(millis.into()))),
                    ToJumpClient::Turned {
                        reason: JumpClientTurned::Limit { .. },
                    } => return Ok(Visit::Over),
                    ToJumpClient::Turned { .. } => return Ok(Visit::Turned),
                    ToJumpClient::Replaced => return Ok(Visit::Lost),
                }
            }
            assembler.keep(rest);
            if link.has_output() && stream.write_all(&link.take_output()).await.is_err() {
                return Ok(Visit::Lost);
            }
        }
    }
}
