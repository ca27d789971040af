//! The update agent: its write phase against a plain write of the same bytes, and its memory.
//!
//! Both write into files that are there already, on the disk that this program lies on, one after the
//! other in one run. The write phase is everything from the first chunk that is taken apart to the
//! disk's word that it has all of them: two sockets, SHA-256 of every chunk, `tokio-uring`, fsync. What
//! is read back and compared afterwards is measured apart.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use jumpgate::control::UpdateClient;
use jumpgate::control::update::{Accept, Phase, Reply, Request, Who};
use jumpgate::control::wire;

use super::Bench;
use super::appliance::{Programs, lay_out, serve};
use super::row::Row;
use super::vendor::{Vendor, Version, payload_at};

/// Of the root's file system: 160 MiB.
const BLOCKS: u64 = 40_960;
/// Of a slot.
const PARTITION: usize = 256 << 20;
const ROOT: &str = "root.json";

/// Half of the pair: the agent in a process of its own. Ends with the bench.
pub fn be_the_agent(folder: &Path) {
    let (told, _heard) = mpsc::channel();
    let (announce, _announced) = mpsc::channel();
    let programs = Programs {
        told,
        announce,
        no_backup: Arc::default(),
    };
    let _head = serve(folder, fs::read(folder.join(ROOT)).unwrap(), programs);
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
}

pub fn measure(bench: &Bench) -> Vec<Row> {
    let own = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    let vendor = Vendor::new();
    lay_out(folder.path(), PARTITION);
    fs::write(folder.path().join("plain"), vec![0; PARTITION]).unwrap();
    fs::write(folder.path().join(ROOT), vendor.first_root()).unwrap();
    let mut agent = Agent::start(folder.path());
    let (mut plain, mut ours, mut read_back) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..bench.rounds(8) {
        let number = u32::try_from(round).unwrap();
        let version = Version {
            blocks: BLOCKS,
            ..Version::new(6 + number)
        };
        let file = vendor.make(&version);
        let boot = format!("{number:08}-1111-1111-1111-111111111111");
        // The version of the round before was never started.
        fs::write(folder.path().join("boot"), boot).unwrap();
        let payload = &file[payload_at(&file)..];
        if round % 2 == 0 {
            plain.push(write_plainly(folder.path(), payload));
        }
        let phases = agent.install(&file);
        ours.push(phases.write);
        read_back.push(phases.read_back);
        if round % 2 == 1 {
            plain.push(write_plainly(folder.path(), payload));
        }
        fs::remove_dir_all(vendor.repository()).unwrap();
    }
    let [plain, ours, read_back] = [plain, ours, read_back].map(median);
    eprintln!(
        "plain write and fsync {plain:.2} s, the agent's {ours:.2} s, read back and compared {read_back:.2} s"
    );
    vec![
        Row::below(
            "update: write phase, times a plain write and fsync",
            "x",
            ours / plain,
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

fn write_plainly(folder: &Path, payload: &[u8]) -> f64 {
    let file = OpenOptions::new().write(true).open(folder.join("plain"));
    let mut file: File = file.unwrap();
    let began = Instant::now();
    for piece in payload.chunks(1 << 20) {
        file.write_all(piece).unwrap();
    }
    file.sync_data().unwrap();
    began.elapsed().as_secs_f64()
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
