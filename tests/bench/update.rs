//! The update agent: its write phase against a plain write of the same bytes, and its memory.
//!
//! An installation verifies, writes, and reads back and compares. The write phase is the writer's:
//! from the first chunk that is handed to it to the disk's word that it has all of them. It gets them
//! as `verify` would send them, over the same socket, and is held against a plain write and fsync of
//! the same bytes, into a file on the same disk that is there already, one after the other in one run.
//!
//! The whole agent is measured beside it, in a process of its own: its memory, and what the phases
//! take together when SHA-256 of every chunk comes before the chunk's writing.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use jumpgate::control::UpdateClient;
use jumpgate::control::update::{Accept, Happened, Phase, Reply, Request, Who};
use jumpgate::control::wire;
use jumpgate::domain::Stamp;
use jumpgate::domain::limits::CHUNK_BYTES;
use jumpgate::update::bundle::{HEADER_BYTES, Header, Metadata};
use jumpgate::update::manifest::{Chunk, Manifest};
use jumpgate::update::verify::link::Link;
use jumpgate::update::wire::Order;

use super::Bench;
use super::appliance::{Programs, hands, lay_out, serve};
use super::row::Row;
use super::vendor::{Vendor, Version, payload_at};

/// Of the root's file system: 160 MiB.
const BLOCKS: u64 = 40_960;
/// Of a slot.
const PARTITION: usize = 256 << 20;
const ROOT: &str = "root.json";
/// Two appliances.
const WHOLE: &str = "whole";
const WRITER: &str = "writer";

/// Half of the pair: the agent in a process of its own. Ends with the bench.
pub fn be_the_agent(folder: &Path) {
    let (programs, _ends) = programs();
    let _head = serve(folder, fs::read(folder.join(ROOT)).unwrap(), programs);
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
}

pub fn measure(bench: &Bench) -> Vec<Row> {
    let own = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    let place = |name: &str| folder.path().join(name);
    let vendor = Vendor::new();
    for appliance in [WHOLE, WRITER] {
        lay_out(&place(appliance), PARTITION);
    }
    fs::write(place("plain"), vec![0; PARTITION]).unwrap();
    fs::write(place(WHOLE).join(ROOT), vendor.first_root()).unwrap();
    let mut agent = Agent::start(&place(WHOLE));
    let (programs, _ends) = programs();
    let writer = Link::new(hands(&place(WRITER), programs));
    let (mut plain, mut ours, mut whole, mut read_back) = (vec![], vec![], vec![], vec![]);
    for round in 0..bench.rounds(8) {
        let number = u32::try_from(round).unwrap();
        let version = Version {
            blocks: BLOCKS,
            ..Version::new(6 + number)
        };
        let file = vendor.make(&version);
        let boot = format!("{number:08}-1111-1111-1111-111111111111");
        for appliance in [WHOLE, WRITER] {
            // The version of the round before was never started.
            fs::write(place(appliance).join("boot"), &boot).unwrap();
        }
        // Whoever comes second finds the disk as the first one left it.
        if round % 2 == 0 {
            plain.push(write_plainly(&place("plain"), &file));
            ours.push(hand_over(&writer, &file));
        } else {
            ours.push(hand_over(&writer, &file));
            plain.push(write_plainly(&place("plain"), &file));
        }
        let phases = agent.install(&file);
        whole.push(phases.write);
        read_back.push(phases.read_back);
        fs::remove_dir_all(vendor.repository()).unwrap();
    }
    // Round by round: the machine's neighbours come and go.
    let ratios = ours.iter().zip(&plain).map(|(ours, plain)| ours / plain);
    let ratio = median(ratios.collect());
    let [plain, ours, whole, read_back] = [plain, ours, whole, read_back].map(median);
    eprintln!(
        "plain write and fsync {plain:.2} s, the writer's {ours:.2} s, with SHA-256 of every chunk \
         and an upload's socket before it {whole:.2} s, read back and compared {read_back:.2} s"
    );
    vec![
        Row::below(
            "update: write phase, times a plain write and fsync",
            "x",
            ratio,
            1.25,
        ),
        Row::below(
            "update: memory of the agent, highest",
            "MiB",
            agent.memory_mib(),
            64.0,
        ),
    ]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds.
fn write_plainly(path: &Path, file: &[u8]) -> f64 {
    let mut plain: File = OpenOptions::new().write(true).open(path).unwrap();
    let began = Instant::now();
    for piece in file[payload_at(file)..].chunks(CHUNK_BYTES) {
        plain.write_all(piece).unwrap();
    }
    plain.sync_data().unwrap();
    began.elapsed().as_secs_f64()
}

/// Is `verify` to the writer, with everything verified. Seconds.
fn hand_over(writer: &Link, file: &[u8]) -> f64 {
    let (manifest, payload) = (manifest_of(file), &file[payload_at(file)..]);
    let mut writer = writer.take();
    let begin = Order::Begin {
        who: Who::default(),
        keys: heapless::Vec::new(),
    };
    let chunks: Vec<Chunk> = Manifest::decode(&manifest).unwrap().chunks().collect();
    let missing = writer.begin(&begin, &manifest).unwrap();
    assert_eq!(missing.len(), chunks.len());
    let began = Instant::now();
    for (number, chunk) in (0..).zip(chunks) {
        let at = usize::try_from(chunk.at).unwrap();
        let bytes = &payload[at..at + chunk.bytes];
        writer.chunk(number, bytes).unwrap();
    }
    let mut written = None;
    writer
        .finish(|_| {
            written.get_or_insert_with(|| began.elapsed());
        })
        .unwrap();
    written.unwrap().as_secs_f64()
}

fn manifest_of(file: &[u8]) -> Vec<u8> {
    let (header, rest) = file.split_first_chunk().unwrap();
    let header = Header::decode(*header).unwrap();
    let metadata = Metadata::decode(header, &rest[..payload_at(file) - HEADER_BYTES]).unwrap();
    metadata.file("manifest.json").unwrap().to_vec()
}

/// As long as the ends are kept, everything is on record as soon as it is told.
fn programs() -> (Programs, (Receiver<Happened>, Receiver<Option<Stamp>>)) {
    let (told, heard) = mpsc::channel();
    let (announce, announced) = mpsc::channel();
    let programs = Programs {
        told,
        announce,
        no_backup: Arc::default(),
    };
    (programs, (heard, announced))
}

/// Seconds.
struct Phases {
    write: f64,
    read_back: f64,
}

struct Agent {
    child: Child,
    client: UpdateClient,
    socket: std::path::PathBuf,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--agent")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 6])
            .unwrap();
        let socket = folder.join("update.sock");
        Self {
            child,
            client: UpdateClient::new(&socket),
            socket,
        }
    }

    fn install(&mut self, file: &[u8]) -> Phases {
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watching = scope.spawn(|| self.watch(&is_done));
            let mut stream = UnixStream::connect(&self.socket).unwrap();
            let request = Request::Install {
                who: Who::default(),
                bytes: file.len() as u64,
                accept: Accept::default(),
            };
            wire::write(&mut stream, &request).unwrap();
            stream.write_all(file).unwrap();
            let reply = wire::read(&mut stream).unwrap();
            let done = Instant::now();
            is_done.store(true, Ordering::Relaxed);
            assert!(matches!(reply, Some(Reply::Done)), "{reply:?}");
            let (began, written) = watching.join().unwrap();
            Phases {
                write: (written - began).as_secs_f64(),
                read_back: (done - written).as_secs_f64(),
            }
        })
    }

    /// When writing began, and when the disk had everything.
    fn watch(&self, is_done: &AtomicBool) -> (Instant, Instant) {
        let (mut began, mut written) = (None, None);
        while !is_done.load(Ordering::Relaxed) {
            let Ok(Reply::Status(status)) = self.client.ask(&Request::Status) else {
                continue;
            };
            let now = Instant::now();
            match status.phase {
                Phase::Writing { millis, .. } => {
                    began.get_or_insert(now.checked_sub(Duration::from_millis(millis)).unwrap());
                }
                Phase::ReadingBack { .. } => {
                    written.get_or_insert(now);
                }
                _ => {}
            }
            thread::sleep(Duration::from_millis(5));
        }
        (began.unwrap(), written.unwrap())
    }

    /// Everything that it ever had at once.
    fn memory_mib(&mut self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = line
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        kib / 1_024.0
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
