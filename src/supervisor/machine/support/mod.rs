//! The support bundle: what somebody who helps from afar needs to know, in one archive on a stick.
//!
//! Facts, settings and the ends of logs, with everything that looks like a secret taken out
//! ([`redact`]). No store, no recordings, no keys. Whoever writes one sees the list of files before
//! and after. Start at [`Support::collect`].

mod redact;
mod tar;

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::places::{self, Places};
use super::stick;
use crate::config::Paths;
use crate::control::machine::{Bundle, BundleFile, Facts, Notice, Reply as MachineReply, notice};
use crate::control::{Client, Reply, Request};
use crate::domain::Stamp;
use crate::domain::limits::{BUNDLE_FILES_MAX, BUNDLE_LOG_BYTES_MAX};
use crate::domain::text::label;

/// What the kernel says of itself, by its name below `/proc`, and what that is.
const SYSTEM: [(&str, &str); 7] = [
    ("meminfo", "memory"),
    ("loadavg", "load"),
    ("uptime", "time since the start"),
    ("mounts", "what is mounted where"),
    ("partitions", "disks and their parts"),
    ("net/dev", "traffic by interface"),
    ("cmdline", "what the boot loader told the kernel"),
];
/// What `init` left, and what that is.
const REPORTS: [(&str, &str); 6] = [
    ("boot", "how the machine was started"),
    ("data-check", "last check of the data partition"),
    ("state-check", "last check of the state partition"),
    ("data-growth", "growing the data partition's file system"),
    ("data-unreadable", "why the data partition is not used"),
    ("state-unreadable", "why the state partition is not used"),
];

/// One file, ready to be written.
struct Item {
    name: String,
    what: String,
    bytes: Vec<u8>,
}

/// From where things are collected.
pub(super) struct Support {
    pub(super) places: Places,
    pub(super) paths: Paths,
    pub(super) facts: Facts,
    pub(super) now: Stamp,
}

impl Support {
    /// What a bundle would hold now, and the stick it would go to.
    fn list(&self) -> Bundle {
        let found = stick::candidates(&self.places, &self.facts.boot.disk);
        let stick = stick::with_first(&self.places, &found, |_| Ok(()));
        Bundle {
            files: listed(&self.collect()),
            stick: stick.map(|(description, _)| description),
            written: None,
        }
    }

    /// The same, as an answer.
    pub(super) fn list_reply(&self) -> MachineReply {
        MachineReply::Bundle(self.list())
    }

    /// Writes one and tells what is in it.
    pub(super) fn write_reply(&self) -> MachineReply {
        self.write()
            .map_or_else(|why| MachineReply::Refused { why }, MachineReply::Bundle)
    }

    /// Writes one.
    #[allow(
        clippy::result_large_err,
        reason = "once in an appliance's life, not in a loop"
    )]
    fn write(&self) -> Result<Bundle, Notice> {
        let items = self.collect();
        let name = self.name();
        let found = stick::candidates(&self.places, &self.facts.boot.disk);
        let done = stick::with_first(&self.places, &found, |folder| {
            write(&folder.join(&name), &items, self.now)
        });
        let Some((description, written)) = done else {
            return Err(notice(
                "no USB stick with a FAT file system found. Plug one in and try again",
            ));
        };
        if let Err(error) = written {
            return Err(notice(&format!(
                "the stick ({description}) cannot be written: {error}. Try another one"
            )));
        }
        Ok(Bundle {
            files: listed(&items),
            stick: Some(description),
            written: Some(label(&name)),
        })
    }

    /// By machine and time, so that several fit on one stick.
    fn name(&self) -> String {
        let serial = self.facts.hardware.serial.as_deref();
        let whose = serial.unwrap_or(self.facts.hardware.model.code());
        let whose: String = whose
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(32)
            .collect();
        let time = jiff::Timestamp::from_millisecond(self.now.0).unwrap_or_default();
        format!("jumpgate-{whose}-{}.tar", time.strftime("%Y%m%d-%H%M%S"))
    }

    fn collect(&self) -> Vec<Item> {
        let mut items = vec![text(
            "facts.json",
            "what this machine is and how it does",
            &serde_json::to_string_pretty(&self.facts).unwrap_or_default(),
        )];
        if let Ok(Reply::Status(snapshot)) =
            Client::new(&self.paths.control_socket()).ask(&Request::Status)
        {
            let figures = serde_json::to_string_pretty(&snapshot).unwrap_or_default();
            items.push(text("relay.json", "figures of the relay", &figures));
        }
        let release = self.places.release();
        let network = self.places.state("network.toml");
        let config = self.paths.config();
        for (path, name, what) in [
            (&release, "release", "what the running image is"),
            (&network, "network.toml", "network settings"),
            (&config, "appliance.toml", "start-up settings"),
        ] {
            items.extend(small(path, name, what));
        }
        for (name, what) in REPORTS {
            items.extend(small(
                &self.places.run(name),
                &format!("start/{name}"),
                what,
            ));
        }
        for (name, what) in SYSTEM {
            let path = self.places.path("proc").join(name);
            let shown = format!("system/{}", name.replace('/', "-"));
            items.extend(small(&path, &shown, what));
        }
        items.extend(logs(&self.paths.logs()));
        items.truncate(BUNDLE_FILES_MAX);
        items
    }
}

fn text(name: &str, what: &str, text: &str) -> Item {
    Item {
        name: name.to_owned(),
        what: what.to_owned(),
        bytes: redact::redacted(text).into_bytes(),
    }
}

fn small(path: &Path, name: &str, what: &str) -> Option<Item> {
    Some(text(name, what, &places::text(path).ok()?))
}

/// The end of each log.
fn logs(folder: &Path) -> Vec<Item> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = listed
        .filter_map(|entry| entry.file_name().into_string().ok())
        // Our own names, never written otherwise.
        .filter(|name| name.strip_suffix(".1").unwrap_or(name).ends_with("log"))
        .collect();
    names.sort();
    let item = |name: String| {
        let end = end_of(&folder.join(&name)).ok()?;
        let what = match name.strip_suffix(".1") {
            Some(_) => "the same, before".to_owned(),
            None => format!("what {} wrote", name.trim_end_matches(".log")),
        };
        Some(text(&format!("log/{name}"), &what, &end))
    };
    names.into_iter().filter_map(item).collect()
}

/// At most [`BUNDLE_LOG_BYTES_MAX`], from the beginning of a line.
fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(BUNDLE_LOG_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(BUNDLE_LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let first_line = if start == 0 {
        0
    } else {
        text.find('\n').map_or(0, |end| end + 1)
    };
    Ok(text[first_line..].to_owned())
}

fn listed(items: &[Item]) -> heapless::Vec<BundleFile, BUNDLE_FILES_MAX> {
    let file = |item: &Item| BundleFile {
        name: label(&item.name),
        what: label(&item.what),
        bytes: item.bytes.len() as u64,
    };
    items.iter().map(file).take(BUNDLE_FILES_MAX).collect()
}

/// Whole or not at all.
fn write(path: &Path, items: &[Item], now: Stamp) -> io::Result<()> {
    let written = try_write(path, items, now);
    if written.is_err() {
        drop(fs::remove_file(path));
    }
    written
}

fn try_write(path: &Path, items: &[Item], now: Stamp) -> io::Result<()> {
    let changed = u64::try_from(now.0 / 1_000).unwrap_or_default();
    let mut archive = tar::Archive::new(BufWriter::new(File::create(path)?));
    for item in items {
        archive.add(&item.name, &item.bytes, changed)?;
    }
    let file = archive.finish()?.into_inner().map_err(io::Error::other)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::facts::tests::example;
    use super::*;

    fn support(root: &Path) -> Support {
        let places = Places::below(root);
        let paths = Paths::new(&places.path("data/jumpgate"));
        fs::create_dir_all(paths.logs()).unwrap();
        fs::create_dir_all(places.path("run/jumpgate")).unwrap();
        fs::create_dir_all(places.path("proc/net")).unwrap();
        Support {
            places,
            paths,
            facts: example(),
            now: Stamp(1_764_000_000_000),
        }
    }

    #[test]
    fn a_bundle_lists_everything_that_is_in_it_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let support = support(folder.path());
        let token = "0123456789abcdef0123456789abcdef";
        fs::write(
            support.paths.logs().join("relay.log"),
            format!("x\nlink {token}\n"),
        )
        .unwrap();
        fs::write(support.paths.logs().join("relay.log.1"), "old\n").unwrap();
        fs::write(support.paths.logs().join("relay.pid"), "7\n").unwrap();
        fs::write(support.places.path("proc/meminfo"), "MemTotal: 1 kB\n").unwrap();
        let bundle = support.list();
        let names: Vec<_> = bundle.files.iter().map(|file| file.name.as_str()).collect();
        let expected = [
            "facts.json",
            "system/meminfo",
            "log/relay.log",
            "log/relay.log.1",
        ];
        assert_eq!(names, expected);
        assert_eq!(bundle.stick, None);
        let path = folder.path().join("x.tar");
        write(&path, &support.collect(), support.now).unwrap();
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("MemTotal") && !text.contains(token));
    }

    #[test]
    fn without_a_stick_the_person_is_told_to_plug_one_in() {
        let folder = tempfile::tempdir().unwrap();
        let refused = support(folder.path()).write().unwrap_err();
        assert!(refused.contains("Plug one in"), "{refused}");
    }

    #[test]
    fn of_a_long_log_whole_lines_from_its_end_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.log");
        let mut file = File::create(&path).unwrap();
        for number in 0..400_000 {
            writeln!(file, "line {number}").unwrap();
        }
        let end = end_of(&path).unwrap();
        assert!(end.len() as u64 <= BUNDLE_LOG_BYTES_MAX);
        assert!(end.starts_with("line ") && end.ends_with("line 399999\n"));
    }

    #[test]
    fn the_name_tells_machine_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut support = support(folder.path());
        support.facts.hardware.serial = Some(label("SN 0001/x"));
        assert_eq!(support.name(), "jumpgate-SN-0001-x-20251124-160000.tar");
    }
}
