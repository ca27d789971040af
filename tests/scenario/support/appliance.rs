//! The real supervisor with relay and web, and a state directory that goes with it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use jumpgate::config::{Config, Generation, Paths};
use jumpgate::control::request::TicketHolder;
use jumpgate::control::{Client, Reply, Request};
use jumpgate::domain::pass::SiteAddress;
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{AccountId, AccountName, AdmissionRate, Label, Model, Secret, Token};
use jumpgate::metrics::Snapshot;
use jumpgate::store::{Database, accounts};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ports::Ports;
use super::{SOON, eventually};

/// A state directory and the programs that use it.
pub struct Appliance {
    folder: tempfile::TempDir,
    programs: PathBuf,
    supervisor: Option<Child>,
    /// As `appliance.toml` says since the first start.
    config: Config,
    link_key: Option<Fingerprint>,
    ports: Ports,
    generation: Option<Generation>,
}

/// Somebody with a queue.
#[derive(Clone, Debug)]
pub struct Representative {
    /// Their account.
    pub account: AccountId,
    /// To sign in.
    pub name: AccountName,
    /// As customers see them.
    pub label: Label,
}

/// A session key.
#[derive(Clone, Debug)]
pub struct Key {
    /// To read out.
    pub digits: String,
    /// Of the unique URL.
    pub ak: Token,
}

impl Appliance {
    /// A new one, made of the programs in a folder, and waits until it serves.
    pub async fn start(programs: &Path) -> Self {
        let mut appliance = Self::prepare(programs);
        appliance.up().await;
        appliance
    }

    /// The same before its first start.
    pub fn prepare(programs: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // As it would be below somebody's home: relay and web must get by without passing here.
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.path(), private).unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        Self {
            folder,
            programs: programs.to_owned(),
            supervisor: None,
            config: Config::default(),
            link_key: None,
            ports: Ports::reserve(),
            generation: None,
        }
    }

    /// Starts with the store of image `sequence` from now on.
    #[allow(dead_code)] // Not in the bench.
    pub fn generation(&mut self, sequence: u32, trial: bool) {
        self.generation = Some(Generation { sequence, trial });
    }

    /// Is of this model from its first start on.
    pub fn model(&self, model: Model) {
        let text = format!(
            "site = \"localhost\"\nmodel = \"{}\"\nhttps_port = {}\nhttp_port = {}\n",
            model.code(),
            self.ports.https,
            self.ports.http
        );
        std::fs::write(self.paths().config(), text).unwrap();
    }

    /// Starts it and waits until it serves. Ports stay the same from the first start on.
    pub async fn up(&mut self) {
        let mut command = self.command();
        if !self.paths().config().exists() {
            let (https, http) = (self.ports.https.to_string(), self.ports.http.to_string());
            command.args(["--https-port", &https, "--http-port", &http]);
        }
        self.supervisor = Some(command.spawn().unwrap());
        let ready = self.paths().ready();
        eventually("the site serves", || {
            let supervisor = self.supervisor.as_mut().unwrap();
            if let Some(status) = supervisor.try_wait().unwrap() {
                panic!("the supervisor ended, {status}");
            }
            ready.exists().then_some(())
        })
        .await;
        self.config = Config::read(&self.paths().config()).unwrap();
        self.link_key = Some(self.status().await.link_key);
    }

    /// The supervisor's command line, without ports.
    pub fn command(&self) -> Command {
        let notes = File::options()
            .append(true)
            .create(true)
            .open(self.notes())
            .unwrap();
        let mut command = Command::new(self.programs.join("supervisor"));
        command
            .arg("--state")
            .arg(self.paths().root())
            .args(
                self.generation
                    .map(Generation::arguments)
                    .unwrap_or_default(),
            )
            .stdin(Stdio::null())
            .stdout(notes.try_clone().unwrap())
            .stderr(notes);
        command
    }

    /// A start that has to fail: its output.
    pub fn refused(&self, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.args(arguments);
        let mut supervisor = command.spawn().unwrap();
        let until = Instant::now() + SOON;
        while supervisor.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                kill(process(&supervisor), Signal::SIGTERM).unwrap();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = supervisor.wait_with_output().unwrap();
        assert!(!output.status.success(), "it served: {output:?}");
        output
    }

    /// Sends `signal` to the supervisor and waits for its end.
    pub fn stop(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        kill(self.pid(), signal).unwrap();
        let status = self.supervisor.take().unwrap().wait().unwrap();
        (status, asked.elapsed())
    }

    /// The supervisor's process.
    pub fn pid(&self) -> Pid {
        process(self.supervisor.as_ref().unwrap())
    }

    /// The process of `relay` or `web`, if it runs.
    pub fn program(&self, name: &str) -> Option<Pid> {
        let supervisor = self.pid().to_string();
        let found = std::fs::read_dir("/proc").unwrap().find_map(|entry| {
            let pid = entry.ok()?.file_name().into_string().ok()?;
            let process = Path::new("/proc").join(&pid);
            let stat = std::fs::read_to_string(process.join("stat")).ok()?;
            // proc_pid_stat(5): state and parent follow the name, which may hold anything.
            let (_, rest) = stat.rsplit_once(')')?;
            if rest.split_whitespace().nth(1)? != supervisor {
                return None;
            }
            let words = std::fs::read(process.join("cmdline")).ok()?;
            let first = words.split(|byte| *byte == 0).next()?;
            let file = Path::new(std::str::from_utf8(first).ok()?);
            (file.file_name()? == name).then(|| pid.parse().ok())?
        });
        found.map(Pid::from_raw)
    }

    /// Ends `relay` or `web` the hard way and waits until another one runs.
    pub async fn kill(&self, name: &str) {
        let before = self.program(name).unwrap();
        kill(before, Signal::SIGKILL).unwrap();
        eventually("the supervisor starts it again", || {
            self.program(name).filter(|now| *now != before)
        })
        .await;
    }

    /// Has another relay take over from the one that runs, and waits until that one has gone.
    pub async fn relay_anew(&self) {
        let before = self.program("relay").unwrap();
        kill(self.pid(), Signal::SIGUSR1).unwrap();
        eventually("another relay has taken over", || {
            let gone = !Path::new("/proc").join(before.to_string()).exists();
            self.program("relay").filter(|_| gone)
        })
        .await;
    }

    /// The folders below the state directory.
    pub fn paths(&self) -> Paths {
        Paths::new(&self.folder.path().join("state")).of_generation(self.generation)
    }

    /// A place for files of the test.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What `ready.json` says.
    pub fn ready(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.paths().ready()).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The HTTPS port.
    pub fn https(&self) -> u16 {
        self.config.https_port
    }

    /// The port that redirects.
    pub fn http(&self) -> u16 {
        self.config.http_port
    }

    /// Where endpoints dial.
    pub fn address(&self) -> SiteAddress {
        format!("127.0.0.1:{}", self.https()).parse().unwrap()
    }

    /// What endpoints pin.
    pub fn link_key(&self) -> Fingerprint {
        self.link_key.unwrap()
    }

    /// The customer client.
    pub fn endpoint(&self) -> PathBuf {
        self.programs.join("endpoint")
    }

    /// What a program wrote to its log so far.
    pub fn log(&self, name: &str) -> String {
        let path = self.paths().logs().join(format!("{name}.log"));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Waits until the relay's log has a line of this event with these words in it.
    pub async fn logs(&self, event: &str, words: &str) {
        let what = format!("the log has {event} with '{words}'");
        eventually(&what, || {
            let log = self.log("relay");
            let mut lines = log.lines();
            lines
                .any(|line| line.contains(event) && line.contains(words))
                .then_some(())
        })
        .await;
    }

    /// Nothing of ours may panic, whatever a peer does.
    pub fn nothing_panicked(&self) {
        for name in ["relay", "web"] {
            let log = self.log(name);
            assert!(!log.contains("panicked"), "{name}: {log}");
        }
    }

    /// Asks the relay. A relay on its way up is asked again.
    pub async fn ask(&self, request: Request) -> Reply {
        let client = Client::new(&self.paths().control_socket());
        let until = Instant::now() + super::SOON;
        loop {
            match client.ask_async(&request).await {
                Ok(reply) => return reply,
                Err(error) => assert!(Instant::now() < until, "relay does not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A deployment for so many machines.
    pub async fn deployment(&self, machines: u32) -> Token {
        let seconds = 3_600;
        match self.ask(Request::Deploy { machines, seconds }).await {
            Reply::Deployment { token, .. } => token,
            other => panic!("{other:?}"),
        }
    }

    /// Lets so many Jump Clients in each second.
    pub async fn admit(&self, rate: AdmissionRate) {
        let reply = self.ask(Request::SetAdmissionRate { rate }).await;
        assert!(matches!(reply, Reply::Done), "{reply:?}");
    }

    /// The figures of Status > Information.
    pub async fn status(&self) -> Snapshot {
        match self.ask(Request::Status).await {
            Reply::Status(snapshot) => *snapshot,
            other => panic!("{other:?}"),
        }
    }

    /// Makes a representative.
    pub async fn representative(&self, name: &str) -> Representative {
        let request = Request::CreateRepresentative {
            name: AccountName::new(name).unwrap(),
            display_name: None,
            password: Secret::new("correct horse battery".into()),
        };
        match self.ask(request).await {
            Reply::Account(account) => Representative {
                account: account.id,
                label: account.display_name.to_label(),
                name: account.name,
            },
            other => panic!("{other:?}"),
        }
    }

    /// A representative who was made before.
    pub fn account(&self, name: &str) -> Representative {
        let name = AccountName::new(name).unwrap();
        let found = self.store().read(|c| accounts::by_name(c, &name));
        let (account, _) = found.unwrap().unwrap();
        Representative {
            account: account.id,
            label: account.display_name.to_label(),
            name: account.name,
        }
    }

    /// Makes a session key for a representative.
    pub async fn key(&self, of: &Representative, seconds: Option<u32>) -> Key {
        let request = Request::CreateKey {
            representative: of.name.clone(),
            seconds,
        };
        match self.ask(request).await {
            Reply::Key { key, ak, .. } => Key {
                digits: key.to_string(),
                ak,
            },
            other => panic!("{other:?}"),
        }
    }

    /// A ticket, as the web side gets one for whoever signed in.
    pub async fn ticket(&self, holder: TicketHolder) -> Token {
        match self.ask(Request::IssueTicket { holder }).await {
            Reply::Ticket { ticket } => ticket,
            other => panic!("{other:?}"),
        }
    }

    /// A ticket for a representative's console.
    pub async fn console_ticket(&self, of: &Representative) -> Token {
        let holder = TicketHolder::Console {
            account: of.account,
            name: of.label.clone(),
            sign_in: Fingerprint::of(of.name.as_str().as_bytes()),
        };
        self.ticket(holder).await
    }

    /// Runs `appliancectl --json` and gives its answer.
    pub fn ctl(&self, words: &[&str], input: &str) -> serde_json::Value {
        let mut child = Command::new(self.programs.join("appliancectl"))
            .arg("--state")
            .arg(self.paths().root())
            .arg("--json")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The store, to read. Best while nothing runs.
    pub fn store(&self) -> Database {
        Database::open(&self.paths().store()).unwrap()
    }

    /// What the supervisor wrote.
    fn notes(&self) -> PathBuf {
        self.folder.path().join("supervisor.txt")
    }
}

fn process(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap())
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            let _ = supervisor.try_wait();
            let _ = kill(process(&supervisor), Signal::SIGTERM);
            drop(supervisor.wait());
        }
        if std::thread::panicking() {
            let notes = std::fs::read_to_string(self.notes()).unwrap_or_default();
            eprintln!("---- supervisor ----\n{notes}");
            for name in ["relay", "web"] {
                let log = self.log(name);
                let lines: Vec<_> = log.lines().collect();
                let last = lines[lines.len().saturating_sub(40)..].join("\n");
                eprintln!("---- {name} ----\n{last}");
            }
        }
    }
}
