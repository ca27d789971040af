//! A machine that runs from a disk, its serial console and its pages.

use std::io::{Read as _, Write as _};
use std::marker::PhantomData;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::image::top;
use super::ports::Ports;
use super::screen::Screen;
use super::{BOOT, Disk, page};

/// What a machine is like.
#[derive(Clone, Debug)]
pub struct Setup {
    /// A folder of `board/`, or `none`.
    pub model: &'static str,
    /// Whether the firmware checks the boot loader.
    pub secure_boot: bool,
    /// Whether it has a TPM.
    pub tpm: bool,
    /// Its disk.
    pub gib: u32,
    /// The interface at the other end of its cable, instead of two forwarded ports.
    pub tap: Option<&'static str>,
    /// More for QEMU.
    pub qemu: Vec<String>,
    /// What to run `scripts/run-qemu` by.
    pub within: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            model: "b200",
            secure_boot: false,
            tpm: false,
            gib: 8,
            tap: None,
            qemu: Vec::new(),
            within: Vec::new(),
        }
    }
}

/// It runs until it is dropped, or ends by itself; its disk has to be there as long.
pub struct Machine<'disk> {
    disk: PhantomData<&'disk Disk>,
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<Screen>>,
    ports: Ports,
    /// How much of what it said was looked at.
    heard: usize,
}

impl<'disk> Machine<'disk> {
    /// Switches it on.
    pub fn start(disk: &'disk Disk, setup: &Setup) -> Self {
        let ports = Ports::reserve();
        let script = top().join("scripts/run-qemu");
        let mut words = setup.within.iter();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(script);
                command
            }
            None => Command::new(script),
        };
        command.arg(disk.raw()).arg("--overlay").arg(disk.overlay());
        command.args([
            "--model",
            setup.model,
            "--disk-size",
            &setup.gib.to_string(),
        ]);
        match setup.tap {
            Some(name) => command.args(["--tap", name]),
            None => command.args(["--ports", &format!("{}:{}", ports.https, ports.http)]),
        };
        if setup.secure_boot {
            command.arg("--secure-boot");
        }
        if setup.tpm {
            command.arg("--tpm");
        }
        let mut child = command
            .arg("--")
            .args(&setup.qemu)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = child.stdin.take().unwrap();
        let mut line = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(Screen::new()));
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(read @ 1..) = line.read(&mut buffer) {
                shown.lock().unwrap().feed(&buffer[..read]);
            }
        });
        Self {
            disk: PhantomData,
            child,
            keys,
            screen,
            ports,
            heard: 0,
        }
    }

    /// Where its pages are, on this machine.
    pub fn https(&self) -> u16 {
        self.ports.https
    }

    /// The process of `scripts/run-qemu`.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the serial line says this, after what was waited for before.
    pub fn says(&mut self, words: &str) {
        let heard = self.heard;
        self.heard = self.until(words, BOOT, |machine| {
            let screen = machine.screen.lock().unwrap();
            let at = screen.said().get(heard..)?.find(words)?;
            Some(heard + at + words.len())
        });
    }

    /// Waits until the serial line says this after everything that it has said so far.
    pub fn says_next(&mut self, words: &str) {
        self.heard = self.screen.lock().unwrap().said().len();
        self.says(words);
    }

    /// Waits until the screen shows this, one blank between words.
    pub fn shows(&mut self, words: &str) -> String {
        self.until(words, BOOT, |machine| {
            let text = machine.screen.lock().unwrap().text();
            text.contains(words).then_some(text)
        })
    }

    /// Waits until the portal is served.
    pub fn serves(&mut self) -> String {
        self.answers(200)
    }

    /// Waits until the start page has this status.
    pub fn answers(&mut self, expected: u16) -> String {
        self.until(&format!("a page with {expected}"), BOOT, |machine| {
            let (status, page) = page::get(machine.https(), "/")?;
            (status == expected).then_some(page)
        })
    }

    /// Whether the serial line has said this.
    pub fn has_said(&self, words: &str) -> bool {
        self.screen.lock().unwrap().said().contains(words)
    }

    /// How often the serial line has said this.
    pub fn times_said(&self, words: &str) -> usize {
        self.screen.lock().unwrap().said().matches(words).count()
    }

    /// The number that stands last before the last of these words.
    pub fn number_before(&self, words: &str) -> f64 {
        let screen = self.screen.lock().unwrap();
        let (before, _) = screen.said().rsplit_once(words).unwrap();
        let number = before.trim_end().rsplit([' ', '[']).next().unwrap();
        number
            .parse()
            .unwrap_or_else(|_| panic!("'{number}' before '{words}'"))
    }

    /// Types. The console reads what comes at its own pace.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// By the console's menu.
    pub fn switch_off(mut self) {
        self.press("6");
        self.shows("presses the machine's power button");
        // The first choice is to go back.
        self.press("\x1b[B\r");
        assert!(self.is_off().success());
    }

    /// Waits until there is something to find.
    pub fn until<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut find: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + within;
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "not within {within:?}, machine {ended:?}: {what}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Pulls the plug.
    pub fn unplug(mut self) {
        self.end();
    }

    /// Ends the emulator at once, with whatever it has in its hands.
    pub fn kill(mut self) {
        let script = self.child.id();
        let children = format!("/proc/{script}/task/{script}/children");
        let children = std::fs::read_to_string(children).unwrap();
        let emulator = children.split_whitespace().find(|id| {
            std::fs::read_to_string(format!("/proc/{id}/comm"))
                .is_ok_and(|name| name.starts_with("qemu-system"))
        });
        let emulator = emulator.expect("the machine runs").parse().unwrap();
        kill(Pid::from_raw(emulator), Signal::SIGKILL).unwrap();
        drop(self.child.wait());
    }

    /// Waits until it has switched itself off.
    pub fn is_off(mut self) -> ExitStatus {
        let deadline = Instant::now() + BOOT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "not off within {BOOT:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn end(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            let _ = kill(
                Pid::from_raw(self.child.id().try_into().unwrap()),
                Signal::SIGTERM,
            );
            drop(self.child.wait());
        }
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            let screen = self.screen.lock().unwrap();
            let said: Vec<&str> = screen
                .said()
                .lines()
                .filter(|line| !line.is_empty())
                .collect();
            let last = said[said.len().saturating_sub(60)..].join("\n");
            eprintln!(
                "---- serial line ----\n{last}\n---- screen ----\n{}",
                screen.picture()
            );
        }
    }
}
