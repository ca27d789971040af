//! `update-agent tuf-client`: the installer's own verifier over a plain folder and a web server, for
//! anybody who wants to see what it believes. It speaks the command line of the public conformance
//! suite for clients of The Update Framework:
//!
//! ```text
//! pytest tuf_conformance --entrypoint "…/update-agent tuf-client"
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Stamp;
use crate::domain::limits::{FETCH_STALL_MAX, TRUST_ROOT_BYTES_MAX, TRUST_TARGETS_BYTES_MAX};

use super::fetch::{Authorities, FetchError, Plaintext, Settings, Transport};
use super::trust::{
    Check, Client, Expiry, Policy, RefreshError, Repository, Target, TrustError, TrustedSet,
    Versions, quoted,
};

/// `update-agent tuf-client …`
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where trusted metadata is kept
    #[arg(long, value_name = "FOLDER")]
    metadata_dir: PathBuf,
    /// Where metadata is fetched from
    #[arg(long, value_name = "URL")]
    metadata_url: Option<String>,
    /// What to download; may be given several times
    #[arg(long, value_name = "NAME")]
    target_name: Vec<String>,
    /// Where targets are fetched from
    #[arg(long, value_name = "URL")]
    target_base_url: Option<String>,
    /// Where downloads go
    #[arg(long, value_name = "FOLDER")]
    target_dir: Option<PathBuf>,
    /// HTTP proxy for all of it
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, clap::Subcommand)]
enum Order {
    /// Begin with a root that one trusts
    Init {
        /// A root.json
        trusted_root: PathBuf,
    },
    /// Bring the trusted metadata up to date
    Refresh,
    /// Refresh, then download targets
    Download,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum TufClientError {
    /// The folder.
    #[error("'{path}': {error}")]
    File {
        /// Which file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The server.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came from it.
    #[error(transparent)]
    Refused(#[from] TrustError),
    /// The command line.
    #[error("{option} is needed for this")]
    Option {
        /// What is missing.
        option: &'static str,
    },
    /// The machine's clock.
    #[error("the clock of this machine stands before 1970")]
    Clock,
}

impl From<RefreshError<FetchError>> for TufClientError {
    fn from(error: RefreshError<FetchError>) -> Self {
        match error {
            RefreshError::Refused(error) => Self::Refused(error),
            RefreshError::Repository(error) => Self::Fetch(error),
        }
    }
}

/// Carries out what was asked for.
pub fn run(arguments: &Arguments) -> Result<(), TufClientError> {
    let folder = Folder(&arguments.metadata_dir);
    match &arguments.order {
        Order::Init { trusted_root } => {
            let root =
                read(trusted_root, TRUST_ROOT_BYTES_MAX)?.ok_or_else(|| missing(trusted_root))?;
            folder.write("root.json", Some(&root))
        }
        Order::Refresh => updated(arguments, &folder, |_, _| Ok(())),
        Order::Download => {
            let from = needed(arguments.target_base_url.as_deref(), "--target-base-url")?;
            let to = needed(arguments.target_dir.as_deref(), "--target-dir")?;
            updated(arguments, &folder, |client, server| {
                arguments.target_name.iter().try_for_each(|name| {
                    let target = client.target(server, name)?;
                    let path = target.path(client.is_consistent());
                    download(&server.transport, &target, &address(from, &path), to)
                })
            })
        }
    }
}

/// Refreshes, does something with the result, and keeps what was learned, however it ended.
fn updated(
    arguments: &Arguments,
    folder: &Folder<'_>,
    then: impl FnOnce(&mut Client, &mut Server) -> Result<(), TufClientError>,
) -> Result<(), TufClientError> {
    let base = needed(arguments.metadata_url.as_deref(), "--metadata-url")?;
    let settings = Settings {
        proxy: arguments.proxy.clone(),
        // Who types an address without TLS means it.
        plaintext: Plaintext::Allow,
        authorities: Authorities::Public,
        stall_max: FETCH_STALL_MAX,
    };
    let mut server = Server {
        transport: Transport::new(&settings)?,
        base: base.to_owned(),
    };
    let policy = Policy {
        expiry: Expiry::Refuse { now: now()? },
        versions: Versions::OnlyUp,
    };
    let mut client = Client::new(folder.trusted()?, policy)?;
    client.remember(folder.delegated()?);
    let done = client
        .refresh(&mut server)
        .map_err(TufClientError::from)
        .and_then(|()| then(&mut client, &mut server));
    folder.keep(&client)?;
    done
}

fn needed<'a, T: ?Sized>(
    value: Option<&'a T>,
    option: &'static str,
) -> Result<&'a T, TufClientError> {
    value.ok_or(TufClientError::Option { option })
}

fn now() -> Result<Stamp, TufClientError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_err(|_| TufClientError::Clock)?.as_millis();
    i64::try_from(millis)
        .map(Stamp)
        .map_err(|_| TufClientError::Clock)
}

/// A repository on a web server.
struct Server {
    transport: Transport,
    base: String,
}

impl Repository for Server {
    type Error = FetchError;
    fn metadata(&mut self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, FetchError> {
        let base = self.base.trim_end_matches('/');
        // A file's name is one segment of a path already.
        self.transport.read(&format!("{base}/{name}"), bytes_max)
    }
}

/// The address of a target, whose name may have folders.
fn address(base: &str, path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(quoted).collect();
    format!("{}/{}", base.trim_end_matches('/'), segments.join("/"))
}

/// Fetches a target into `folder`, unless it is there.
fn download(
    transport: &Transport,
    target: &Target,
    from: &str,
    folder: &Path,
) -> Result<(), TufClientError> {
    // One segment, so it cannot lead elsewhere; `.` and `..` get something behind them.
    let path = folder.join(match quoted(&target.name) {
        name if name.starts_with('.') => format!("{name}.target"),
        name => name,
    });
    if let Ok(file) = File::open(&path)
        && checked(target, file, |_| Ok(())).is_ok()
    {
        return Ok(());
    }
    let part = folder.join(".part");
    let fetched = transport
        .get(from, 0, target.length)
        .map_err(Into::into)
        .and_then(|body| body.ok_or_else(|| no_such(from)))
        .and_then(|body| {
            let mut file = File::create(&part).map_err(|error| failed(&part, error))?;
            checked(target, body, |bytes| file.write_all(bytes))
        })
        .and_then(|()| fs::rename(&part, &path).map_err(|error| failed(&path, error)));
    if fetched.is_err() {
        let _ = fs::remove_file(&part);
    }
    fetched
}

fn no_such(file: &str) -> TufClientError {
    let file = file.to_owned();
    TrustError::Missing { file }.into()
}

/// Reads a target to its end and compares it with its description; `each` gets the bytes before
/// anything is known of them.
fn checked(
    target: &Target,
    mut source: impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), TufClientError> {
    let failed = |error| failed(Path::new(&target.name), error);
    let mut check = Check::of(target);
    let mut buffer = vec![0; 64 * 1_024];
    loop {
        let length = source.read(&mut buffer).map_err(failed)?;
        if length == 0 {
            return Ok(check.finish()?);
        }
        check.update(&buffer[..length])?;
        each(&buffer[..length]).map_err(failed)?;
    }
}

/// Trusted metadata as files, named as the specification names them.
struct Folder<'a>(&'a Path);

impl Folder<'_> {
    fn trusted(&self) -> Result<TrustedSet, TufClientError> {
        let read = |name: &str| read(&self.0.join(name), TRUST_TARGETS_BYTES_MAX);
        Ok(TrustedSet {
            root: read("root.json")?.ok_or_else(|| missing(&self.0.join("root.json")))?,
            timestamp: read("timestamp.json")?,
            snapshot: read("snapshot.json")?,
            targets: read("targets.json")?,
        })
    }

    fn delegated(&self) -> Result<BTreeMap<String, Vec<u8>>, TufClientError> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(self.0).map_err(|error| failed(self.0, error))? {
            let entry = entry.map_err(|error| failed(self.0, error))?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let top = ["root", "timestamp", "snapshot", "targets"];
            let role = name.strip_suffix(".json");
            if role.is_some_and(|role| !top.contains(&role))
                && let Some(bytes) = read(&entry.path(), TRUST_TARGETS_BYTES_MAX)?
            {
                found.insert(name, bytes);
            }
        }
        Ok(found)
    }

    fn keep(&self, client: &Client) -> Result<(), TufClientError> {
        let set = client.trusted();
        // What a new root did away with goes before that root comes, and is not found beside it.
        for (name, bytes) in [
            ("timestamp.json", &set.timestamp),
            ("snapshot.json", &set.snapshot),
        ] {
            if bytes.is_none() {
                self.write(name, None)?;
            }
        }
        self.write("root.json", Some(&set.root))?;
        self.write("timestamp.json", set.timestamp.as_deref())?;
        self.write("snapshot.json", set.snapshot.as_deref())?;
        self.write("targets.json", set.targets.as_deref())?;
        client
            .delegated()
            .iter()
            .try_for_each(|(name, bytes)| self.write(name, Some(bytes)))
    }

    /// Replaces a file at once, or removes it.
    fn write(&self, name: &str, bytes: Option<&[u8]>) -> Result<(), TufClientError> {
        let (path, new) = (self.0.join(name), self.0.join(".new"));
        let done = match bytes {
            Some(bytes) => fs::write(&new, bytes).and_then(|()| fs::rename(&new, &path)),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
        };
        done.map_err(|error| failed(&path, error))
    }
}

/// A file of at most `bytes_max` bytes, or `None` if it is not there.
fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, TufClientError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| failed(path, error))?,
    };
    let mut bytes = Vec::new();
    let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(path, error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(failed(path, io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(bytes))
}

fn failed(path: &Path, error: io::Error) -> TufClientError {
    let path = path.display().to_string();
    TufClientError::File { path, error }
}

fn missing(path: &Path) -> TufClientError {
    failed(path, io::ErrorKind::NotFound.into())
}
