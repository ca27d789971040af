//! What is known of the machine, for the console and for pages.

use std::io;

use nix::sys::statvfs::statvfs;

use super::places::{self, Places};
use crate::boot::release::Channel;
use crate::boot::{Facts as BootFacts, Release};
use crate::config::Paths;
use crate::control::machine::{Boot, Facts, Image, Notice, Storage, notice};
use crate::domain::Stamp;
use crate::domain::limits::DATA_FREE_BYTES_MIN;
use crate::domain::text::label;
use crate::supervisor::settings;
use crate::supervisor::state::Mode;

/// What the image says of itself. One that says nothing counts as development: it is not one that
/// was released.
pub(super) fn image(release: Option<&Release>) -> Image {
    let Some(release) = release else {
        return Image {
            version: label("unknown"),
            built: Stamp(0),
            commit: label(""),
            channel: Channel::Development,
            backend: None,
        };
    };
    Image {
        version: label(&release.version),
        built: stamp(release.built),
        commit: label(release.commit.as_deref().unwrap_or_default()),
        channel: release.channel,
        backend: release.backend,
    }
}

/// Of seconds since 1970.
pub(super) fn stamp(seconds: u64) -> Stamp {
    let millis = i64::try_from(seconds)
        .ok()
        .and_then(|s| s.checked_mul(1_000));
    Stamp(millis.unwrap_or_default())
}

/// What `init` left, without what the boot loader says.
pub(super) fn boot(facts: &BootFacts, watchdogs: u32) -> Boot {
    Boot {
        slot: facts.slot,
        disk: label(&facts.disk),
        slots: heapless::Vec::new(),
        watchdogs,
    }
}

/// Why the data partition is not used, if it is not.
pub(super) fn rescue(places: &Places) -> Option<Notice> {
    let path = places.run("data-unreadable");
    let why = places::line(&path);
    path.exists()
        .then(|| notice(why.as_deref().unwrap_or("no reason given")))
}

/// Whether what is written to the state partition is gone at the next start.
pub(super) fn forgets_state(places: &Places) -> bool {
    places.run("state-unreadable").exists()
}

/// How full the data partition is.
pub(super) fn storage(places: &Places) -> Storage {
    let (bytes, free_bytes) = statvfs(&places.data()).map_or((0, 0), |disk| {
        let unit = disk.fragment_size();
        (disk.blocks() * unit, disk.blocks_available() * unit)
    });
    let unreadable = places.run("state-unreadable");
    let trouble = if unreadable.exists() {
        let why = places::line(&unreadable).unwrap_or_default();
        let text = format!(
            "the state partition cannot be read ({why}). Network settings last until the next \
             start. A factory reset makes it anew"
        );
        Some(notice(&text))
    } else if free_bytes < DATA_FREE_BYTES_MIN && bytes > 0 {
        let text = "the data partition is full. Nothing can be recorded, and sessions may end. \
                    Give the appliance a larger disk, or ask for support";
        Some(notice(text))
    } else if places.run("data-repaired").exists() {
        let text = "the data partition was damaged and has been repaired. Some of what was \
                    written last may be missing";
        Some(notice(text))
    } else {
        None
    };
    Storage {
        bytes,
        // Pages need no more, and it does not change all the time.
        free_bytes: free_bytes >> 20 << 20,
        trouble,
    }
}

/// Writes what pages read.
pub(super) fn publish(paths: &Paths, facts: &Facts) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(facts)?;
    text.push('\n');
    settings::replace(
        &paths.machine(),
        text.as_bytes(),
        0o640,
        Mode::of_this_process(),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::boot::{Slot, System};
    use crate::control::machine::{Clock, ClockSource, Hardware, Health, NetworkFacts};
    use crate::domain::Model;

    /// Some machine.
    pub(in super::super) fn example() -> Facts {
        let release = Release::decode(
            b"version=0.3.0\nbuilt=1764000000\nchannel=release\nprofile=hardware\n\
              commit=abc\nbackend=buildroot\n",
        );
        Facts {
            hardware: Hardware {
                model: Model::B300,
                shortfall: None,
                product: label("B300"),
                serial: None,
                memory_mib: 4_096,
                memory_used_mib: 100,
                cores: 4,
            },
            image: image(release.ok().as_ref()),
            boot: Boot {
                slot: Slot::System(System::A),
                disk: label("vda"),
                slots: heapless::Vec::new(),
                watchdogs: 1,
            },
            health: Health::Starting,
            network: NetworkFacts::default(),
            clock: Clock {
                source: ClockSource::Hardware,
                confirmed: None,
                floor: Stamp(1_764_000_000_000),
            },
            storage: Storage {
                bytes: 0,
                free_bytes: 0,
                trouble: None,
            },
            rescue: None,
        }
    }

    #[test]
    fn pages_read_what_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        std::fs::create_dir(paths.sockets()).unwrap();
        publish(&paths, &example()).unwrap();
        let text = std::fs::read(paths.machine()).unwrap();
        assert_eq!(serde_json::from_slice::<Facts>(&text).unwrap(), example());
    }

    #[test]
    fn an_image_that_says_nothing_is_no_release() {
        assert_eq!(image(None).channel, Channel::Development);
        assert_eq!(example().image.channel, Channel::Release);
        assert_eq!(example().image.commit, "abc");
    }

    #[test]
    fn what_is_wrong_with_the_disk_is_told_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        std::fs::create_dir_all(places.run("")).unwrap();
        std::fs::create_dir_all(places.data()).unwrap();
        assert_eq!(rescue(&places), None);
        assert!(storage(&places).bytes > 0);
        std::fs::write(places.run("data-unreadable"), "bad magic number\n").unwrap();
        assert_eq!(rescue(&places).unwrap(), "bad magic number");
        std::fs::write(places.run("data-unreadable"), "").unwrap();
        assert_eq!(rescue(&places).unwrap(), "no reason given");
        std::fs::write(places.run("state-unreadable"), "bad superblock\n").unwrap();
        assert!(
            storage(&places)
                .trouble
                .unwrap()
                .contains("(bad superblock)")
        );
    }
}
