//! What this machine is.

use super::places::{self, Places};
use crate::boot::Release;
use crate::control::machine::{Hardware, notice};
use crate::domain::Sizing;
use crate::domain::sizing::Resources;
use crate::domain::text::label;

/// What firmwares write where they have no serial number.
const NO_SERIAL: [&str; 8] = [
    "none",
    "not specified",
    "not applicable",
    "default string",
    "system serial number",
    "to be filled by o.e.m.",
    "0",
    "unknown",
];

/// Looks at the firmware's word (SMBIOS, system information) and at what the kernel manages.
pub(super) fn read(places: &Places, release: Option<&Release>) -> Hardware {
    let dmi = |name: &str| places::line(&places.path("sys/class/dmi/id").join(name));
    let product = dmi("product_name").unwrap_or_default();
    let meminfo = places::text(&places.path("proc/meminfo")).unwrap_or_default();
    let cores = std::thread::available_parallelism();
    let has = Resources {
        memory_mib: mib(&meminfo, "MemTotal:").unwrap_or_default(),
        cores: cores.map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
    };
    let sizing = Sizing::of(&product, release.map(|release| release.profile), has);
    Hardware {
        model: sizing.model,
        shortfall: sizing.shortfall.map(|why| notice(&why.to_string())),
        product: label(&product),
        serial: dmi("product_serial")
            .filter(|text| is_serial(text))
            .map(|text| label(&text)),
        memory_mib: has.memory_mib,
        memory_used_mib: used(&meminfo).unwrap_or_default(),
        cores: has.cores,
    }
}

fn is_serial(text: &str) -> bool {
    !NO_SERIAL
        .iter()
        .any(|known| known.eq_ignore_ascii_case(text))
}

/// How much memory is in use now, in MiB.
pub(super) fn memory_used_mib(places: &Places) -> u64 {
    let meminfo = places::text(&places.path("proc/meminfo")).unwrap_or_default();
    used(&meminfo).unwrap_or_default()
}

fn used(meminfo: &str) -> Option<u64> {
    mib(meminfo, "MemTotal:")?.checked_sub(mib(meminfo, "MemAvailable:")?)
}

/// A value of `/proc/meminfo`, which is in KiB whatever it says (`proc(5)`).
fn mib(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Model;

    fn machine(product: &str, serial: &str, release: &str) -> Hardware {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        for (path, text) in [
            ("sys/class/dmi/id/product_name", product),
            ("sys/class/dmi/id/product_serial", serial),
            (
                "proc/meminfo",
                "MemTotal:        2012345 kB\nMemAvailable:    1912345 kB\n",
            ),
        ] {
            let path = places.path(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let release = Release::decode(release.as_bytes()).ok();
        read(&places, release.as_ref())
    }

    const HARDWARE: &str = "version=1\nbuilt=1\nchannel=release\nprofile=hardware\n";

    #[test]
    fn the_firmware_names_model_and_serial_number() {
        let found = machine("B300\n", "SN0001\n", HARDWARE);
        assert_eq!(found.model, Model::B300);
        assert_eq!(found.serial.unwrap(), "SN0001");
        assert_eq!((found.memory_mib, found.memory_used_mib), (1_965, 98));
        assert_eq!(found.shortfall, None);
    }

    #[test]
    fn a_serial_number_that_says_nothing_is_none() {
        for text in ["", "None\n", "To Be Filled By O.E.M.\n", " \n"] {
            assert_eq!(machine("B200", text, HARDWARE).serial, None, "{text}");
        }
    }

    #[test]
    fn unknown_hardware_and_a_missing_release_have_the_lowest_limits() {
        for release in [HARDWARE, ""] {
            let found = machine("Some PC", "", release);
            assert_eq!(found.model, Model::B200);
            assert!(found.shortfall.unwrap().contains("'Some PC'"));
        }
    }

    #[test]
    fn a_virtual_image_is_sized_by_what_the_machine_has() {
        let release = HARDWARE.replace("hardware", "va-l");
        let found = machine("Standard PC", "", &release);
        assert!(found.model != Model::VaL);
        assert!(found.shortfall.unwrap().starts_with("Virtual L needs"));
    }
}
