//! The administrator's browser, as far as it sends and receives.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{BOOT, Machine, run};

const PASSWORD: &str = "correct horse battery";

/// Until a new version has proved itself, or was left: three starts at most.
pub const DECIDED: Duration = Duration::from_secs(900);

/// Somebody who is signed in.
pub struct Admin {
    folder: tempfile::TempDir,
}

impl Admin {
    /// Sets up an appliance that was never used, by the link on its screen, and signs in.
    pub fn set_up(machine: &mut Machine<'_>) -> Self {
        machine.serves();
        let screen = machine.shows("/login/setup");
        let token: String = screen
            .split_once("token=")
            .unwrap()
            .1
            .chars()
            .take(32)
            .collect();
        let admin = Self::known();
        let fields = [
            ("token", &*token),
            ("password", PASSWORD),
            ("again", PASSWORD),
        ];
        admin.until_known(machine, |admin| {
            admin.post(machine, "/login/setup", &fields);
        });
        admin
    }

    /// Of an appliance that another run has set up.
    pub fn known() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Signs in, also after a restart of the machine.
    pub fn sign_in(&self, machine: &Machine<'_>) {
        self.until_known(machine, |_| {});
    }

    /// Signs in, each time after `before`: an appliance that is short of time says that it is busy,
    /// or starts its web side again.
    fn until_known(&self, machine: &Machine<'_>, before: impl Fn(&Self)) {
        let sign_in = [("name", "admin"), ("password", PASSWORD), ("next", "")];
        let deadline = Instant::now() + BOOT;
        loop {
            before(self);
            self.post(machine, "/login", &sign_in);
            let status = self.status(machine);
            if status.is_object() && status["error"] != "signed_out" {
                return;
            }
            assert!(Instant::now() < deadline, "cannot sign in: {status}");
        }
    }

    fn curl(&self, machine: &Machine<'_>, path: &str) -> Command {
        let jar = self.folder.path().join("cookies");
        let mut curl = Command::new("curl");
        // Its certificate is its own; what it says is checked by what it does.
        curl.args([
            "--silent",
            "--show-error",
            "--insecure",
            "--max-time",
            "300",
        ]);
        curl.arg("--cookie").arg(&jar).arg("--cookie-jar").arg(&jar);
        curl.arg(format!("https://localhost:{}{path}", machine.https()));
        curl
    }

    fn post(&self, machine: &Machine<'_>, path: &str, fields: &[(&str, &str)]) -> String {
        let mut curl = self.curl(machine, path);
        for (name, value) in fields {
            curl.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        run(&mut curl)
    }

    /// A page.
    pub fn page(&self, machine: &Machine<'_>, path: &str) -> String {
        run(&mut self.curl(machine, path))
    }

    fn csrf(&self, machine: &Machine<'_>) -> String {
        let page = self.page(machine, "/login/updates");
        let (_, after) = page
            .split_once("name=\"csrf\" value=\"")
            .expect("signed in");
        after.split_once('"').unwrap().0.to_owned()
    }

    /// What the page about updates knows.
    pub fn status(&self, machine: &Machine<'_>) -> Value {
        serde_json::from_str(&self.page(machine, "/login/updates/status")).unwrap_or_default()
    }

    /// Uploads an update. Returns what the page hears.
    pub fn install(&self, machine: &Machine<'_>, update: &Path) -> Value {
        self.hand_in(machine, "/login/updates/install", update)
    }

    /// Begins to upload an update.
    pub fn begin_install(&self, machine: &Machine<'_>, update: &Path) -> Child {
        let mut upload = self.upload(machine, "/login/updates/install", update);
        upload.stdout(Stdio::null()).stderr(Stdio::null());
        upload.spawn().unwrap()
    }

    fn hand_in(&self, machine: &Machine<'_>, path: &str, update: &Path) -> Value {
        serde_json::from_str(&run(&mut self.upload(machine, path, update))).unwrap()
    }

    fn upload(&self, machine: &Machine<'_>, path: &str, update: &Path) -> Command {
        let csrf = format!("X-CSRF-Token: {}", self.csrf(machine));
        let mut curl = self.curl(machine, path);
        curl.args(["--request", "POST", "--header", &csrf, "--header"]);
        curl.args(["Content-Type: application/octet-stream", "--upload-file"]);
        curl.arg(update);
        curl
    }

    /// Waits until the update agent takes orders. Returns what the page knows.
    pub fn may_update(&self, machine: &Machine<'_>) -> Value {
        self.sees(machine, BOOT, |status| {
            status["blocked"].is_null() && status["phase"].is_object()
        })
    }

    /// Gives an order on the page about updates.
    pub fn order(&self, machine: &Machine<'_>, order: &str, fields: &[(&str, &str)]) {
        let csrf = self.csrf(machine);
        let fields = [&[("csrf", &*csrf)], fields].concat();
        self.post(machine, &format!("/login/updates/{order}"), &fields);
    }

    /// Asks what an update is worth. Returns what the page hears.
    pub fn examine(&self, machine: &Machine<'_>, update: &Path) -> Value {
        let file = std::fs::read(update).unwrap();
        // What comes before the payload: a header with its length, and it.
        let bytes = u32::from_be_bytes(file[16..20].try_into().unwrap());
        let begin = self.folder.path().join("begin.update");
        std::fs::write(&begin, &file[..52 + bytes as usize]).unwrap();
        self.hand_in(machine, "/login/updates/examine", &begin)
    }

    /// Starts the version that is ready.
    pub fn restart(&self, machine: &Machine<'_>) {
        self.order(machine, "restart", &[("when", "now")]);
    }

    /// Waits until the version that runs has proved itself. Returns what the page knows.
    pub fn proves(&self, machine: &Machine<'_>) -> Value {
        let status = self.sees(machine, DECIDED, |status| {
            let what = &status["history"][0]["what"];
            what == "proved" || what == "went_back"
        });
        assert_eq!(status["history"][0]["what"], "proved", "{status:#}");
        status
    }

    /// Waits until the page says this.
    pub fn sees(
        &self,
        machine: &Machine<'_>,
        within: Duration,
        what: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + within;
        loop {
            let status = self.status(machine);
            if what(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{status:#}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
