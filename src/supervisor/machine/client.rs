//! A program of the base system that is kept running: the DHCP client.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::journal::note;
use crate::domain::limits::CLIENT_AGAIN_AFTER;
use crate::supervisor::log;

/// What to run.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// For people.
    pub(super) name: &'static str,
    /// Its file.
    pub(super) program: PathBuf,
    pub(super) words: Vec<String>,
    /// What it writes goes there.
    pub(super) log: PathBuf,
    /// Holds its process id, so that one that outlives us is found by the next of us.
    pub(super) pid_file: PathBuf,
}

/// One that runs, as long as this is held.
#[derive(Debug)]
pub(super) struct Kept {
    keeper: JoinHandle<()>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The child goes with the future.
        self.keeper.abort();
    }
}

impl Client {
    /// Starts it, and again whenever it ends.
    pub(super) fn keep(self) -> Kept {
        let keeper = tokio::spawn(async move {
            loop {
                match self.run().await {
                    Ok(how) => note(&format!("{} ended ({how})", self.name)),
                    Err(error) => note(&format!(
                        "cannot run {} ({}): {error}",
                        self.name,
                        self.program.display()
                    )),
                }
                tokio::time::sleep(CLIENT_AGAIN_AFTER).await;
            }
        });
        Kept { keeper }
    }

    async fn run(&self) -> io::Result<std::process::ExitStatus> {
        end_stale(&self.pid_file, &self.program);
        let output = log::open(&self.log)?;
        let mut child = Command::new(&self.program)
            .args(&self.words)
            .env_clear()
            .env("PATH", "/sbin:/bin:/usr/sbin:/usr/bin")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        if let Some(id) = child.id() {
            fs::write(&self.pid_file, format!("{id}\n"))?;
        }
        let ended = child.wait().await;
        let _ = fs::remove_file(&self.pid_file);
        ended
    }
}

/// Ends what an earlier supervisor of this boot left running, if the number still belongs to that.
fn end_stale(pid_file: &Path, program: &Path) {
    let number = fs::read_to_string(pid_file).ok();
    let Some(id) = number.and_then(|text| text.trim().parse::<i32>().ok()) else {
        return;
    };
    let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let first = words.split(|byte| *byte == 0).next().unwrap_or_default();
    if id > 1 && first == program.as_os_str().as_encoded_bytes() {
        let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn sleeper(folder: &Path) -> Client {
        Client {
            name: "sleep",
            program: "/bin/sleep".into(),
            words: vec!["60".into()],
            log: folder.join("sleep.log"),
            pid_file: folder.join("sleep.pid"),
        }
    }

    fn is_running(id: i32) -> bool {
        let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // What has ended and was not yet waited for is a zombie.
        !state.is_empty() && !state.contains(") Z ")
    }

    async fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(found) = attempt() {
                return found;
            }
            assert!(Instant::now() < until, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn id_in(pid_file: &Path) -> Option<i32> {
        fs::read_to_string(pid_file).ok()?.trim().parse().ok()
    }

    #[tokio::test]
    async fn it_runs_as_long_as_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let client = sleeper(folder.path());
        let pid_file = client.pid_file.clone();
        let kept = client.keep();
        let id = eventually("it runs", || id_in(&pid_file)).await;
        assert!(is_running(id));
        drop(kept);
        eventually("it ended", || (!is_running(id)).then_some(())).await;
    }

    #[tokio::test]
    async fn one_that_outlived_its_supervisor_is_ended_first() {
        let folder = tempfile::tempdir().unwrap();
        let client = sleeper(folder.path());
        let mut orphan = std::process::Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = i32::try_from(orphan.id()).unwrap();
        fs::write(&client.pid_file, format!("{id}\n")).unwrap();
        let pid_file = client.pid_file.clone();
        let _kept = client.keep();
        eventually("another one runs", || {
            id_in(&pid_file).filter(|new| *new != id)
        })
        .await;
        orphan.wait().unwrap();
    }

    #[test]
    fn another_program_under_its_number_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("x.pid");
        fs::write(&pid_file, format!("{}\n", std::process::id())).unwrap();
        // We would not come back from this.
        end_stale(&pid_file, Path::new("/bin/sleep"));
    }
}
