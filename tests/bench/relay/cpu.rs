//! Cores, and the CPU time that a process took.

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::support::SOON;

/// A process that did nothing for this long has done everything it was given.
const CALM: Duration = Duration::from_millis(10);

/// Seconds that a process may take within [`CALM`] and still count as calm: its clocks tick.
const CALM_MAX: f64 = 0.000_5;

/// Two cores of this machine: the load runs on one, what is measured on the other. What this thread
/// was allowed before is allowed again when this is dropped.
pub struct Cores {
    before: CpuSet,
    load: CpuSet,
    measured: CpuSet,
}

impl Cores {
    /// Moves this thread to the load's core.
    ///
    /// # Panics
    ///
    /// If there is one core only: nothing could be said of either side.
    pub fn take() -> Self {
        let before = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let allowed = |core: &usize| before.is_set(*core).unwrap_or(false);
        let mut cores = (0..CpuSet::count()).filter(allowed).map(|core| {
            let mut set = CpuSet::new();
            set.set(core).unwrap();
            set
        });
        let two = (cores.next(), cores.next());
        drop(cores);
        let (Some(load), Some(measured)) = two else {
            panic!("the relay's figures need two cores");
        };
        move_to(&load);
        Self {
            before,
            load,
            measured,
        }
    }

    /// Does something on all cores. Programs that it starts may use them.
    pub async fn on_all<T>(&self, work: impl Future<Output = T>) -> T {
        move_to(&self.before);
        let done = work.await;
        move_to(&self.load);
        done
    }

    /// Does something on the measured core. Programs that it starts stay there.
    pub async fn on_measured<T>(&self, work: impl Future<Output = T>) -> T {
        move_to(&self.measured);
        let done = work.await;
        move_to(&self.load);
        done
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        move_to(&self.before);
    }
}

fn move_to(cores: &CpuSet) {
    sched_setaffinity(Pid::from_raw(0), cores).unwrap();
}

/// The CPU time that a process takes, all its threads and what the kernel does in their name.
pub struct Meter {
    pid: Pid,
    clock: ClockId,
    from: f64,
}

impl Meter {
    /// From now on.
    pub fn start(pid: Pid) -> Self {
        let clock = ClockId::pid_cpu_clock_id(pid).unwrap();
        let from = settled(pid, clock);
        Self { pid, clock, from }
    }

    /// Seconds until it had done all it was given.
    pub fn seconds(self) -> f64 {
        settled(self.pid, self.clock) - self.from
    }
}

/// CPU seconds of this thread in which `work` was done.
pub fn own_seconds(work: impl FnOnce()) -> f64 {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let from = now(clock);
    work();
    now(clock) - from
}

/// The clock once nothing is left to do: on a busy core, who has work may wait for its turn.
fn settled(pid: Pid, clock: ClockId) -> f64 {
    let until = Instant::now() + SOON;
    loop {
        let before = now(clock);
        std::thread::sleep(CALM);
        let after = now(clock);
        if after - before <= CALM_MAX && is_asleep(pid) {
            return after;
        }
        assert!(Instant::now() < until, "still busy after {SOON:?}");
    }
}

/// Whether every thread of a process waits for something (`proc_pid_stat(5)`).
fn is_asleep(pid: Pid) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut stats = threads.filter_map(|thread| {
        // One that ends meanwhile has done its work.
        std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()
    });
    stats.all(|stat| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('S'))
    })
}

/// In seconds.
fn now(clock: ClockId) -> f64 {
    Duration::from(clock.now().unwrap()).as_secs_f64()
}
