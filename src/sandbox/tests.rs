//! Each promise is tried by a process of its own: this test program, started again to play one
//! part of [`inside`], because what is given up is given up for good. The parts skip the check for
//! other threads: the harness has one, which only waits.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{Profile, Report, SandboxError, enter, lock_in};

const PART: &str = "JUMPGATE_SANDBOX_PART";
const FOLDER: &str = "JUMPGATE_SANDBOX_FOLDER";

/// Plays `part` in a folder of its own, below which `ours` is the profile's.
fn play(part: &str) -> (Output, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ours")).unwrap();
    std::fs::write(folder.path().join("theirs"), "secret").unwrap();
    let program = std::env::current_exe().unwrap();
    let output = part_of(&program, part, folder.path()).output().unwrap();
    (output, folder)
}

fn part_of(program: &Path, part: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "sandbox::tests::inside", "--ignored"])
        .args(["--nocapture"])
        .env(PART, part)
        .env(FOLDER, folder);
    command
}

fn succeeds(part: &str) {
    let (output, _folder) = play(part);
    let text = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{part}: {text}{said}");
    assert!(said.contains("1 passed"), "{part}: {said}");
}

fn is_killed(part: &str) {
    let (output, _folder) = play(part);
    let killed = Some(nix::libc::SIGSYS);
    assert_eq!(output.status.signal(), killed, "{part}: {output:?}");
}

#[test]
fn starting_a_program_ends_the_one_that_tries() {
    is_killed("relay starts a program");
    is_killed("web starts a program");
    is_killed("fetcher starts a program");
}

#[test]
fn becoming_another_program_ends_the_one_that_tries() {
    is_killed("web becomes a program");
}

#[test]
fn no_port_is_opened_and_nobody_is_dialled() {
    succeeds("relay opens a port");
    succeeds("web opens a port");
}

#[test]
fn the_fetcher_dials_by_name_and_has_no_files_and_no_port() {
    succeeds("fetcher dials");
}

#[test]
fn local_sockets_serve_and_dial() {
    succeeds("web talks to the relay");
}

#[test]
fn listeners_opened_before_still_accept() {
    succeeds("relay accepts");
}

#[test]
fn files_of_others_are_out_of_reach_where_landlock_is() {
    succeeds("web looks around");
    succeeds("relay looks around");
}

#[test]
fn a_store_is_made_and_used_by_several_threads() {
    succeeds("relay keeps a store");
    succeeds("web keeps a store");
}

#[test]
fn an_async_runtime_with_threads_signals_and_timers_runs() {
    succeeds("web runs tokio");
}

#[test]
fn a_ring_is_made_and_used() {
    succeeds("relay makes a ring");
}

#[test]
fn memory_is_never_made_executable() {
    succeeds("web makes code");
}

#[test]
fn a_panic_in_a_thread_is_still_told() {
    succeeds("web panics in a thread");
}

/// The supervisor's way of hearing that a program serves: the pipe is opened again by its name.
#[test]
fn a_pipe_handed_over_is_opened_again_by_its_new_owner() {
    let (mut receives, tells) = std::io::pipe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ours")).unwrap();
    // Another user may not reach the folder that this program was built in.
    let program = folder.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let everyone = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everyone).unwrap();
    let mut command = part_of(&program, "web tells", folder.path());
    command.stdin(tells.try_clone().unwrap());
    if nix::unistd::geteuid().is_root() {
        let web = nix::unistd::Uid::from_raw(super::users::WEB);
        nix::unistd::fchown(&tells, Some(web), None).unwrap();
        command.uid(web.as_raw()).gid(super::users::GROUP);
    }
    drop(tells);
    let output = command.output().unwrap();
    drop(command);
    assert!(output.status.success(), "{output:?}");
    let mut text = String::new();
    receives.read_to_string(&mut text).unwrap();
    assert_eq!(text, "ready");
}

#[test]
fn it_is_entered_before_a_second_thread_runs() {
    let refused = enter(&Profile::web(vec![], vec![])).unwrap_err();
    assert!(matches!(refused, SandboxError::ThreadsRunning { count } if count > 1));
}

/// Not a test: the parts.
#[test]
#[ignore = "played by the tests above, in a process of its own"]
fn inside() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let ours = folder.join("ours");
    if part == "relay accepts" {
        return accepts(&ours);
    }
    if part == "fetcher dials" {
        return dials(&folder);
    }
    let sandbox = locked_in(&part, &ours);
    match part.split_once(' ').unwrap().1 {
        "starts a program" => drop(Command::new("/bin/true").status()),
        "becomes a program" => {
            drop(Command::new("/bin/true").exec());
        }
        "opens a port" => {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_err();
            TcpStream::connect((Ipv4Addr::LOCALHOST, 9)).unwrap_err();
            std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_err();
            UnixListener::bind(ours.join("socket")).unwrap_err();
        }
        "talks to the relay" => talks(),
        "tells" => {
            let mut tells = OpenOptions::new()
                .write(true)
                .open("/proc/self/fd/0")
                .unwrap();
            tells.write_all(b"ready").unwrap();
        }
        "looks around" => looks_around(sandbox, &folder),
        "keeps a store" => keeps_a_store(&ours.join("store.db")),
        "runs tokio" => runs_tokio(),
        "makes a ring" => {
            let ring = io_uring::IoUring::new(8).unwrap();
            assert_eq!(ring.submit().unwrap(), 0);
        }
        "makes code" => {
            let refused = super::sys::make_executable_memory().unwrap_err();
            assert_eq!(refused, nix::errno::Errno::EPERM);
        }
        "panics in a thread" => {
            let panicked = std::thread::spawn(|| panic!("on purpose")).join();
            panicked.unwrap_err();
        }
        other => panic!("no such part: {other}"),
    }
}

fn locked_in(part: &str, ours: &Path) -> Report {
    let write = vec![ours.to_owned()];
    let profile = match part.split(' ').next() {
        Some("relay") => Profile::relay(vec![], write),
        Some("fetcher") => {
            let resolver = ["/etc/hosts", "/etc/nsswitch.conf"].map(PathBuf::from);
            Profile::update_fetcher(resolver.into())
        }
        _ => Profile::web(vec![], write),
    };
    let report = lock_in(&profile).unwrap();
    assert!(report.seccomp);
    report
}

fn accepts(ours: &Path) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let dialled = TcpStream::connect(address).unwrap();
    locked_in("relay accepts", ours);
    let (mut accepted, _) = listener.accept().unwrap();
    accepted.set_nodelay(true).unwrap();
    accepted.set_nonblocking(true).unwrap();
    accepted.write_all(b"hello").unwrap();
    drop(dialled);
}

fn dials(folder: &Path) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let sandbox = locked_in("fetcher dials", folder);
    let dialled = std::thread::spawn(move || TcpStream::connect(("localhost", port)));
    dialled.join().unwrap().unwrap();
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_err();
    UnixListener::bind(folder.join("socket")).unwrap_err();
    if sandbox.landlock {
        std::fs::read(folder.join("theirs")).unwrap_err();
        std::fs::write(folder.join("ours/file"), "kept").unwrap_err();
        std::fs::read("/etc/passwd").unwrap_err();
    }
}

fn talks() {
    let (mut here, there) = UnixStream::pair().unwrap();
    here.write_all(b"hello").unwrap();
    drop(there);
    // Nobody listens there, which is another answer than "not permitted".
    let absent = UnixStream::connect("/nowhere/control.sock").unwrap_err();
    assert_eq!(absent.kind(), std::io::ErrorKind::NotFound);
}

fn looks_around(sandbox: Report, folder: &Path) {
    std::fs::write(folder.join("ours/file"), "kept").unwrap();
    std::fs::rename(folder.join("ours/file"), folder.join("ours/moved")).unwrap();
    assert_eq!(std::fs::read(folder.join("ours/moved")).unwrap(), b"kept");
    std::fs::remove_file(folder.join("ours/moved")).unwrap();
    if sandbox.landlock {
        std::fs::read(folder.join("theirs")).unwrap_err();
        std::fs::write(folder.join("theirs"), "overwritten").unwrap_err();
        std::fs::write(folder.join("new"), "made").unwrap_err();
        std::fs::read("/etc/passwd").unwrap_err();
        std::os::unix::fs::symlink("/etc", folder.join("ours/etc")).unwrap_err();
    }
}

fn keeps_a_store(path: &Path) {
    let store = rusqlite::Connection::open(path).unwrap();
    let mode = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
    store.execute_batch(mode).unwrap();
    store
        .execute_batch("CREATE TABLE t (x) STRICT;")
        .unwrap_err();
    store
        .execute_batch("CREATE TABLE t (x INT) STRICT;")
        .unwrap();
    std::thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let own = rusqlite::Connection::open(path).unwrap();
                own.busy_timeout(std::time::Duration::from_secs(10))
                    .unwrap();
                own.execute("INSERT INTO t VALUES (?1)", [number]).unwrap();
            });
        }
    });
    let count: i64 = store
        .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 4);
}

fn runs_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let kind = tokio::signal::unix::SignalKind::terminate();
        let mut asked_to_stop = tokio::signal::unix::signal(kind).unwrap();
        let slept = tokio::spawn(tokio::time::sleep(std::time::Duration::from_millis(20)));
        let hashed = tokio::task::spawn_blocking(|| 1 + 1);
        slept.await.unwrap();
        assert_eq!(hashed.await.unwrap(), 2);
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
        asked_to_stop.recv().await.unwrap();
    });
}
