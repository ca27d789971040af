//! The kernel's modules that it takes to reach the disk and to work on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

use crate::boot::modules::purposes;

use super::InitError;
use super::console::complain;

/// In the initramfs; see [`crate::boot::modules`].
const LIST: &str = "/modules.list";
/// Below it a folder for each kind of bus, with a link for each device.
const BUSES: &str = "/sys/bus";
/// Purposes that are loaded at the same time: while one driver waits for its device, the signature
/// of another is checked. More than two gain nothing.
const AT_ONCE: usize = 2;

/// The list, and what of it was loaded.
pub(super) struct Modules {
    list: Vec<u8>,
    devices: BTreeSet<String>,
    loaded: BTreeSet<String>,
}

impl Modules {
    /// Reads the list; without one the kernel has everything built in.
    pub fn read() -> Result<Self, InitError> {
        let list = match fs::read(LIST) {
            Ok(list) => list,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(InitError::during(LIST)(error)),
        };
        purposes(&list)?;
        let (devices, loaded) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self {
            list,
            devices,
            loaded,
        })
    }

    /// Loads what the devices that are there by now need and is not loaded yet. To be called again
    /// while something is missing: a bus that got its driver has devices of its own.
    ///
    /// A module that does not load is no failure by itself: what needs it will fail and say so.
    pub fn load(&mut self) {
        while !self.list.is_empty() {
            let mut new = modaliases();
            new.retain(|device| !self.devices.contains(device));
            if new.is_empty() {
                return;
            }
            self.load_for(&new);
            self.devices.append(&mut new);
        }
    }

    fn load_for(&mut self, devices: &BTreeSet<String>) {
        let all = purposes(&self.list).unwrap_or_default();
        let needed = all.iter().filter(|purpose| purpose.is_needed(devices));
        let needed: Vec<_> = needed.collect();
        let paths = needed.iter().flat_map(|purpose| &purpose.paths).copied();
        // Whoever needs a module that the other one is loading waits for it.
        let new: BTreeMap<&str, OnceLock<()>> = paths
            .filter(|path| !self.loaded.contains(*path))
            .map(|path| (path, OnceLock::new()))
            .collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(purpose) = needed.get(next.fetch_add(1, Ordering::Relaxed)) {
                for path in &purpose.paths {
                    if let Some(once) = new.get(path) {
                        once.get_or_init(|| load_or_complain(path));
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(work);
            }
        });
        self.loaded.extend(new.into_keys().map(str::to_owned));
    }
}

/// What the devices of this machine are, once each.
fn modaliases() -> BTreeSet<String> {
    let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let buses = inside(PathBuf::from(BUSES));
    let devices = buses.flat_map(|bus| inside(bus.path().join("devices")));
    devices
        .filter_map(|device| fs::read_to_string(device.path().join("modalias")).ok())
        .map(|text| text.trim().to_owned())
        .collect()
}

fn load_or_complain(path: &str) {
    if let Err(error) = load(path) {
        complain(format_args!("module {path}: {error}"));
    }
}

fn load(path: &str) -> io::Result<()> {
    let module = File::open(path)?;
    match finit_module(&module, c"", ModuleInitFlags::empty()) {
        // There already, or a driver whose hardware this machine does not have.
        Ok(()) | Err(Errno::EEXIST | Errno::ENODEV) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
