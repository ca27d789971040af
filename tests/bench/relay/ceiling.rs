//! What nobody can go below who opens and seals every byte and moves it by TCP: ring on records that
//! stay in the cache, and a program that does nothing but read and write.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::cpu::{Cores, own_seconds};
use super::end::End;
use super::records::CONTENT_BYTES_MAX;
use super::wire::{Wire, dial};

/// Read at once, where there is that much.
const BUFFER_BYTES: usize = 128 * 1024;
/// Opened and sealed for a figure.
const SEALED_BYTES: usize = 512 << 20;

/// CPU seconds for each GB that is opened and sealed again, a record at a time.
pub async fn aead_per_gb(cores: &Cores) -> f64 {
    cores.on_measured(async { seal_and_open() }).await
}

fn seal_and_open() -> f64 {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).unwrap());
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    let mut record = vec![0; CONTENT_BYTES_MAX];
    let records = SEALED_BYTES / CONTENT_BYTES_MAX;
    let seconds = own_seconds(|| {
        for _ in 0..records {
            let tag = key.seal_in_place_separate_tag(nonce(), Aad::empty(), &mut record);
            record.extend_from_slice(tag.unwrap().as_ref());
            key.open_in_place(nonce(), Aad::empty(), &mut record)
                .unwrap();
            record.truncate(CONTENT_BYTES_MAX);
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let gigabytes = (records * CONTENT_BYTES_MAX) as f64 / 1e9;
    seconds / gigabytes
}

/// The program that reads and writes, on the measured core. Ends when dropped.
pub struct Plain {
    child: Child,
    port: u16,
    behind: TcpListener,
}

impl Plain {
    /// Starts it: this program again.
    pub async fn start(cores: &Cores) -> Self {
        let behind = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = behind.local_addr().unwrap().port();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--plain-relay").arg(port.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = cores.on_measured(async { command.spawn() }).await;
        let mut child = child.unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self {
            child,
            port,
            behind,
        }
    }

    /// The process that is measured.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// A stream through it. One at a time.
    pub fn stream(&self) -> (End, End) {
        let from = dial(self.port).unwrap();
        let (to, _) = self.behind.accept().unwrap();
        (End::raw(Wire::plain(from)), End::raw(Wire::plain(to)))
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Is that program: says where it listens, and moves what comes there to `behind`.
pub fn be_plain(behind: u16) -> ! {
    // Not longer than whoever measures it.
    set_pdeathsig(Signal::SIGTERM).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let (mut from, _) = listener.accept().unwrap();
        let mut to = TcpStream::connect(("127.0.0.1", behind)).unwrap();
        to.set_nodelay(true).unwrap();
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
    }
}
