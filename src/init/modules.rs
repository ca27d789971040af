//! The kernel's modules that it takes to reach the disk and to work on this machine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

use crate::boot::modules::purposes;

use super::InitError;
use super::console::complain;

/// In the initramfs; see [`crate::boot::modules`].
const LIST: &str = "/modules.list";
/// Below it a folder for each kind of bus, with a link for each device.
const BUSES: &str = "/sys/bus";

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
            let devices = modaliases();
            if devices == self.devices {
                return;
            }
            self.load_for(&devices);
            self.devices = devices;
        }
    }

    fn load_for(&mut self, devices: &BTreeSet<String>) {
        let all = purposes(&self.list).unwrap_or_default();
        let needed = all.iter().filter(|purpose| purpose.is_needed(devices));
        for path in needed.flat_map(|purpose| &purpose.paths) {
            if !self.loaded.insert((*path).to_owned()) {
                continue;
            }
            if let Err(error) = load(path) {
                complain(format_args!("module {path}: {error}"));
            }
        }
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

fn load(path: &str) -> io::Result<()> {
    let module = File::open(path)?;
    match finit_module(&module, c"", ModuleInitFlags::empty()) {
        // There already, or a driver whose hardware this machine does not have.
        Ok(()) | Err(Errno::EEXIST | Errno::ENODEV) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
