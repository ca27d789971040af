//! 100 MB of output in a remote shell of the real customer client: how soon Ctrl-C stops it, and
//! what the relay needs meanwhile.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jumpgate::domain::{SessionId, ShellId};
use nix::unistd::Pid;

use super::Bench;
use super::row::Row;
use super::support::{Appliance, Console, Customer, Pace};

/// From the key's press to the prompt on the screen.
const CTRL_C_MAX_MILLIS: f64 = 200.0;

/// What all queues on the way may hold together: the pieces that wait for the transcript (256 of
/// at most 16 KiB) are most of it, a window and its TLS records the rest.
const RELAY_GROWTH_MAX_MIB: f64 = 8.0;

/// What a browser's terminal takes in: the lower end of what xterm.js says of itself.
const TERMINAL_BYTES_PER_SECOND: u64 = 5_000_000;

const FILE_BYTES: usize = 100 * 1_000 * 1_000;

struct Scene {
    console: Console,
    #[expect(dead_code, reason = "it ends when dropped")]
    customer: Customer,
    at: (SessionId, ShellId),
    file: PathBuf,
    appliance: Appliance,
}

/// Several times Ctrl-C, then the whole file at full speed.
pub async fn measure(bench: &Bench) -> Vec<Row> {
    let slow = Pace::BytesPerSecond(TERMINAL_BYTES_PER_SECOND);
    let scene = Scene::new(bench, slow).await;
    let watch = Watch::start(scene.relay());
    let mut slowest = 0.0_f64;
    for _ in 0..bench.rounds(10) {
        slowest = slowest.max(scene.interrupt().await.as_secs_f64() * 1_000.0);
    }
    let interrupted = watch.growth();
    drop(scene);

    let scene = Scene::new(bench, Pace::AtOnce).await;
    let watch = Watch::start(scene.relay());
    scene.show_all().await;
    let whole = watch.growth();
    vec![
        Row::below(
            "Ctrl-C during 100 MB of output, key to prompt, slowest",
            "ms",
            slowest,
            CTRL_C_MAX_MILLIS,
        ),
        Row::below(
            "relay memory (PSS) growth while 100 MB of output pass, highest",
            "MiB",
            interrupted.max(whole),
            RELAY_GROWTH_MAX_MIB,
        ),
    ]
}

impl Scene {
    async fn new(bench: &Bench, pace: Pace) -> Self {
        let appliance = Appliance::start(&bench.programs).await;
        let file = appliance.beside("large.txt");
        write_lines(&file);
        let ada = appliance.representative("ada").await;
        let console = Console::connect_at(&appliance, &ada, pace).await;
        let key = appliance.key(&ada, None).await;
        let mut customer = Customer::start(&appliance, &key.digits);
        let session = console.accepts_next().await;
        console.open_shell(session);
        customer.hears("Allow? [y/N]").await;
        customer.types("y");
        let at = (session, console.sees_shell(session, 1).await);
        // Put together by the shell, so that its echo is not taken for it.
        console.runs(at, "PS1=re''ady'> '", "ready> ").await;
        let scene = Self {
            console,
            customer,
            at,
            file,
            appliance,
        };
        // Once, so that what every program needs for its first output is there already.
        scene.interrupt().await;
        scene
    }

    fn relay(&self) -> Pid {
        self.appliance.program("relay").unwrap()
    }

    fn start_output(&self) -> usize {
        let (session, shell) = self.at;
        let from = self.console.shown(session, shell);
        let command = format!("cat {}\n", self.file.display());
        self.console.types(session, shell, command);
        from
    }

    /// Ctrl-C once some of the file has been shown; the time until the prompt is.
    async fn interrupt(&self) -> Duration {
        let (session, shell) = self.at;
        let from = self.start_output();
        self.console
            .sees("two megabytes", |seen| {
                (seen.shells[&self.at].shown.len() > from + 2_000_000).then_some(())
            })
            .await;
        let pressed = Instant::now();
        let from = self.console.shown(session, shell);
        self.console.types(session, shell, "\x03");
        self.console.reads(self.at, from, "ready> ").await;
        let took = pressed.elapsed();
        let shown = self.console.shown(session, shell);
        assert!(shown - from < FILE_BYTES / 2, "the file came to its end");
        took
    }

    /// The whole file, to the prompt.
    async fn show_all(&self) {
        let from = self.start_output() + FILE_BYTES;
        self.console
            .sees("the whole file", |seen| {
                (seen.shells[&self.at].shown.len() > from).then_some(())
            })
            .await;
        self.console.reads(self.at, from, "ready> ").await;
    }
}

fn write_lines(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for number in 0..FILE_BYTES / 80 {
        writeln!(file, "{number:<79}").unwrap();
    }
}

/// Looks at a process's memory until it is dropped.
struct Watch {
    first: u64,
    highest: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    fn start(pid: Pid) -> Self {
        let first = pss_kib(pid);
        let highest = Arc::new(AtomicU64::new(first));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (Arc::clone(&highest), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                seen.fetch_max(pss_kib(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            first,
            highest,
            stop,
        }
    }

    /// MiB more than at the start, at most so far.
    fn growth(&self) -> f64 {
        let kib = self.highest.load(Ordering::Relaxed) - self.first;
        f64::from(u32::try_from(kib).unwrap()) / 1_024.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The process's own share of memory (`proc_pid_smaps(5)`); 0 once it has ended.
pub fn pss_kib(pid: Pid) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
    found.map_or(0, |kib| kib.trim().parse().unwrap())
}
