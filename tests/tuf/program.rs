//! `update-agent tuf-client` over HTTP: the same client, with files and a server around it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use crate::support::Maker;

/// A web server for `folder`, in the one way that the program needs.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that has read enough is no fault of ours.
            let _ = answer(&folder, &stream.unwrap());
        }
    });
    address
}

fn answer(folder: &Path, mut stream: &TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let path = first
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    let head = "Connection: close\r\n\r\n";
    match fs::read(folder.join(path)) {
        Ok(bytes) => {
            let length = bytes.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{head}"
            )?;
            stream.write_all(&bytes)
        }
        Err(_) => write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n{head}"
        ),
    }
}

struct Program {
    work: tempfile::TempDir,
    server: String,
}

impl Program {
    fn start(maker: &Maker) -> Self {
        let program = Self {
            work: tempfile::tempdir().unwrap(),
            server: serve(maker.folder().to_owned()),
        };
        fs::create_dir(program.path("metadata")).unwrap();
        fs::create_dir(program.path("downloads")).unwrap();
        let root = maker.folder().join("metadata/1.root.json");
        let begun = program.run(&["init", root.to_str().unwrap()]);
        assert!(begun.status.success(), "{begun:?}");
        program
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_update-agent"))
            .args(["tuf-client", "--metadata-dir"])
            .arg(self.path("metadata"))
            .arg("--target-dir")
            .arg(self.path("downloads"))
            .args(["--metadata-url", &format!("{}/metadata/", self.server)])
            .args(["--target-base-url", &format!("{}/targets", self.server)])
            .args(words)
            .output()
            .unwrap()
    }

    fn download(&self, name: &str) -> Result<Vec<u8>, String> {
        let output = self.run(&["--target-name", name, "download"]);
        match output.status.code() {
            Some(0) => Ok(fs::read(self.path("downloads").join(name)).unwrap()),
            Some(1) => Err(String::from_utf8(output.stderr).unwrap()),
            _ => panic!("{output:?}"),
        }
    }
}

#[test]
fn the_program_downloads_what_is_signed_and_nothing_else() {
    let mut maker = Maker::start("ecdsa");
    let program = Program::start(&maker);
    assert_eq!(program.download("a.update").unwrap(), b"hello");
    let said = program.download("b.update").unwrap_err();
    assert_eq!(
        said,
        "update-agent: no trusted metadata describes 'b.update'\n"
    );

    maker.orders("target targets c.update genuine\npublish targets snapshot timestamp");
    let targets = maker.folder().join("targets");
    for entry in fs::read_dir(targets).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().ends_with(".c.update") {
            fs::write(path, "forgery").unwrap();
        }
    }
    let said = program.download("c.update").unwrap_err();
    assert!(
        said.contains("c.update is not the file that was signed"),
        "{said}"
    );
    let left: Vec<_> = fs::read_dir(program.path("downloads")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn names_without_versions_and_hashes_are_found_as_well() {
    let mut maker = Maker::start("ed25519");
    maker.orders("plain-names\ndelegate targets b200 *\ntarget b200 b.update genuine");
    maker.orders("publish root b200 targets snapshot timestamp");
    let program = Program::start(&maker);
    assert_eq!(program.download("b.update").unwrap(), b"genuine");
    assert!(program.path("metadata/b200.json").exists());
}

#[test]
fn the_program_keeps_what_it_believed_and_remembers_it() {
    let mut maker = Maker::start("ed25519");
    let program = Program::start(&maker);
    let old = maker.now();
    maker.orders("publish targets snapshot timestamp");
    assert!(program.run(&["refresh"]).status.success());
    let kept = fs::read(program.path("metadata/timestamp.json")).unwrap();
    assert_eq!(kept, maker.now().file("timestamp.json"));
    let served = maker.folder().join("metadata/timestamp.json");
    fs::write(served, old.file("timestamp.json")).unwrap();
    let refused = program.run(&["refresh"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("older than 2, which is known already"),
        "{said}"
    );
    assert_eq!(
        fs::read(program.path("metadata/timestamp.json")).unwrap(),
        kept
    );
}

#[test]
fn the_program_does_not_read_endless_data() {
    let maker = Maker::start("ed25519");
    let program = Program::start(&maker);
    let timestamp = maker.folder().join("metadata/timestamp.json");
    fs::write(timestamp, vec![b' '; 10_000_000]).unwrap();
    let refused = program.run(&["refresh"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8(refused.stderr)
            .unwrap()
            .contains("is longer than 16384 bytes")
    );
}
