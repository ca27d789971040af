//! What this machine is, in a line for people.

use std::fs::read_to_string;

use crate::boot::{Release, Slot};
use crate::domain::Sizing;
use crate::domain::sizing::Resources;

use super::console::say;

/// Where the firmware says what it is (SMBIOS, system information).
const PRODUCT: &str = "/sys/class/dmi/id/product_name";
/// Part of the checked root.
const RELEASE: &str = "/etc/jumpgate/release";

/// Says what runs, and on what.
pub(super) fn introduce(slot: Slot, disk: &str, watchdogs: usize) {
    let text = read_to_string(RELEASE).unwrap_or_default();
    let release = Release::decode(text.as_bytes());
    let (version, profile) = match &release {
        Ok(release) => {
            let text = format!("version {} ({})", release.version, release.channel);
            (text, Some(release.profile))
        }
        Err(error) => (format!("unknown version ({RELEASE}: {error})"), None),
    };
    say(format_args!(
        "{version}, slot {slot}, disk {disk}, {watchdogs} watchdogs"
    ));
    let product = read_to_string(PRODUCT).unwrap_or_default();
    let sizing = Sizing::of(&product, profile, resources());
    say(format_args!("model {sizing}"));
}

/// What the kernel manages.
fn resources() -> Resources {
    let text = read_to_string("/proc/meminfo").unwrap_or_default();
    let cores = std::thread::available_parallelism();
    Resources {
        memory_mib: memory_mib(&text).unwrap_or_default(),
        cores: cores.map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
    }
}

/// `MemTotal` of `/proc/meminfo`, which is in KiB whatever it says (`proc(5)`).
fn memory_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().next()?.strip_prefix("MemTotal:")?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let text = "MemTotal:         991332 kB\nMemFree:          1 kB\n";
        assert_eq!(memory_mib(text), Some(968));
        assert_eq!(memory_mib(""), None);
    }
}
