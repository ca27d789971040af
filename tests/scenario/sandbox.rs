//! What relay and web may still do, as the kernel tells it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jumpgate::sandbox::users::{RELAY, WEB};

use super::support::Appliance;
use super::{Joined, programs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_thread_of_relay_and_web_is_locked_in() {
    let mut joined = Joined::new().await;
    // Threads that start late are looked at too.
    joined.shell().await;
    for (name, user) in [("relay", RELAY), ("web", WEB)] {
        let threads = threads(&joined.appliance, name);
        assert!(threads.len() > 1, "{name} has {} threads", threads.len());
        for status in threads {
            let thread = field(&status, "Name");
            let of = |key| {
                (
                    field(&status, key),
                    format!("{name}, thread {thread}: {key}"),
                )
            };
            let (seccomp, place) = of("Seccomp");
            assert_eq!(seccomp, "2", "{place}");
            let (no_new_privileges, place) = of("NoNewPrivs");
            assert_eq!(no_new_privileges, "1", "{place}");
            if nix::unistd::geteuid().is_root() {
                let (users, place) = of("Uid");
                let all_its_own = users.split_whitespace().all(|id| id == user.to_string());
                assert!(all_its_own, "{place} {users}");
                for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                    let (rights, place) = of(set);
                    assert_eq!(rights, "0000000000000000", "{place}");
                }
            }
        }
    }
    let sandbox = joined.appliance.status().await.sandbox;
    assert!(sandbox.seccomp, "{sandbox:?}");
    assert_eq!(sandbox.own_user, nix::unistd::geteuid().is_root());
}

/// `/proc/PID/task/*/status` of a program.
fn threads(appliance: &Appliance, name: &str) -> Vec<String> {
    let pid = appliance.program(name).unwrap().to_string();
    let tasks = Path::new("/proc").join(pid).join("task");
    let tasks = std::fs::read_dir(tasks).unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok())
        .collect()
}

/// A value of a `status` file (`proc_pid_status(5)`).
fn field<'a>(status: &'a str, key: &str) -> &'a str {
    let mut lines = status.lines();
    let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    found.unwrap().trim()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_relay_can_read_its_keys() {
    if !nix::unistd::geteuid().is_root() {
        return; // one user runs everything
    }
    let appliance = Appliance::start(programs()).await;
    let keys = appliance.paths().keys();
    for path in std::fs::read_dir(&keys).unwrap().chain(None) {
        let facts = path.unwrap().metadata().unwrap();
        assert_eq!((facts.uid(), facts.mode() & 0o077), (RELAY, 0));
    }
    let folder = keys.metadata().unwrap();
    assert_eq!((folder.uid(), folder.mode() & 0o077), (RELAY, 0));
}
