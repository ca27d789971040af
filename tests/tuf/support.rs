//! The reference implementation as a process, and an appliance that believes or does not.

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use jumpgate::domain::Stamp;
use jumpgate::update::trust::{
    Client, Expiry, Policy, RefreshError, Repository, Target, TrustError, TrustedSet, Versions,
};

/// A repository that can be ordered about; `repository.py` says how.
pub struct Maker {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    folder: tempfile::TempDir,
}

impl Maker {
    /// One whose keys are `ed25519`, `ecdsa` or `rsa`, with version 1 of everything published.
    pub fn start(keys: &str) -> Self {
        let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/tuf");
        let python = tools.join("bin/python3");
        assert!(
            python.exists(),
            "scripts/test installs what is missing: {}",
            python.display()
        );
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tuf/repository.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([folder.path(), Path::new(keys)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut maker = Self {
            child,
            orders,
            answers,
            folder,
        };
        maker.wait("start");
        maker
    }

    /// Gives orders, one a line.
    pub fn orders(&mut self, orders: &str) {
        for order in orders
            .lines()
            .map(str::trim)
            .filter(|order| !order.is_empty())
        {
            writeln!(self.orders, "{order}").unwrap();
            self.wait(order);
        }
    }

    fn wait(&mut self, order: &str) {
        let answer = self.answers.next().and_then(Result::ok);
        assert_eq!(answer.as_deref(), Some("ok"), "{order}");
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it serves at this moment.
    pub fn now(&self) -> Served {
        let copy = tempfile::tempdir().unwrap();
        let metadata = self.folder.path().join("metadata");
        for entry in fs::read_dir(metadata).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        Served {
            folder: copy.path().to_owned(),
            _copy: copy,
        }
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Metadata as it was at some moment.
pub struct Served {
    pub folder: PathBuf,
    _copy: tempfile::TempDir,
}

impl Served {
    pub fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.join(name), bytes).unwrap();
    }
}

impl Repository for &Served {
    type Error = io::Error;
    fn metadata(&mut self, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match fs::File::open(self.folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// An appliance with its confirmed clock.
pub struct Appliance {
    pub kept: TrustedSet,
}

impl Appliance {
    /// As it left the factory.
    pub fn new(served: &Served) -> Self {
        Self {
            kept: TrustedSet::of_root(served.file("1.root.json")),
        }
    }

    /// One that has seen `served`.
    pub fn that_knows(served: &Served) -> Self {
        let mut appliance = Self::new(served);
        appliance.update(served).unwrap();
        appliance
    }

    pub fn update(&mut self, served: &Served) -> Result<(), TrustError> {
        self.visit(served, None).map(|_| ())
    }

    pub fn target(&mut self, served: &Served, name: &str) -> Result<Target, TrustError> {
        self.visit(served, Some(name)).map(Option::unwrap)
    }

    fn visit(
        &mut self,
        mut served: &Served,
        name: Option<&str>,
    ) -> Result<Option<Target>, TrustError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let policy = Policy {
            expiry: Expiry::Refuse {
                now: Stamp(i64::try_from(now.as_millis()).unwrap()),
            },
            versions: Versions::OnlyUp,
        };
        // Kept between updates as the writer keeps it.
        let kept = TrustedSet::decode(&self.kept.encode()).unwrap();
        let mut client = Client::new(kept, policy)?;
        let done = client.refresh(&mut served);
        let done = done.and_then(|()| {
            name.map(|name| client.target(&mut served, name))
                .transpose()
        });
        self.kept = client.trusted().clone();
        done.map_err(|error| match error {
            RefreshError::Refused(error) => error,
            RefreshError::Repository(error) => panic!("{error}"),
        })
    }
}
