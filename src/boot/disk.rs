//! Which of the machine's disks was booted. Nothing is written anywhere before this is certain.

use super::{BootStamp, CommandLine, Guid};

/// A disk of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// As the kernel calls it.
    pub name: String,
    /// Of our EFI partition on it, as far as the two copies of its partition table can be read: a
    /// power cut may have left them different. None on a disk of anybody else.
    pub esps: Vec<Guid>,
    /// What the boot loader left there when it last booted from this disk; `None` if that cannot be
    /// read.
    pub stamp: Option<BootStamp>,
}

/// Whether another disk may still appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Controllers are still looking.
    Going,
    /// What is not there by now does not come.
    Over,
}

/// Why no disk is touched. Each says what to do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// The boot loader read it through the firmware; the kernel does not see it.
    #[error(
        "the disk that was booted (EFI partition {esp}) is not there; disks seen: {seen}. \
        Check its cable, or attach it to a supported controller"
    )]
    Missing {
        /// The EFI partition that was booted.
        esp: Guid,
        /// The names of those there are.
        seen: String,
    },
    /// Flashed from one image and not told apart by a stamp.
    #[error("disks {names} carry the same image and cannot be told apart. Remove all but one")]
    Several {
        /// Their names.
        names: String,
    },
    /// Another disk, flashed from the same image or copied from the one that was booted, is there;
    /// that one is not.
    #[error(
        "disk {name} carries the same image as the one that was booted, which is not there. \
        Remove {name}, or attach the other disk to a supported controller"
    )]
    Another {
        /// Its name.
        name: String,
    },
}

/// The place of the booted disk among `candidates`; `None` asks to look again.
///
/// The boot loader leaves a stamp on the disk it boots, so an EFI partition with the right GUID and
/// the right stamp is taken at once. One without the stamp is taken when the search is over, if it
/// is the only one: the boot loader may not have been able to write. It is not taken if its stamp is
/// another one: then it is a second disk, flashed from the same image or copied from the booted one,
/// and that one is out of our sight.
pub fn booted(
    line: &CommandLine,
    candidates: &[Candidate],
    search: Search,
) -> Result<Option<usize>, DiskError> {
    let has_guid = |candidate: &&(usize, &Candidate)| candidate.1.esps.contains(&line.esp);
    let all = candidates.iter().enumerate();
    let same: Vec<(usize, &Candidate)> = all.filter(|found| has_guid(&found)).collect();
    let stamped: Vec<_> = same
        .iter()
        .filter(|(_, candidate)| line.stamp.is_some() && candidate.stamp == line.stamp)
        .collect();
    match (stamped.as_slice(), same.as_slice(), search) {
        ([(at, _)], _, _) => Ok(Some(*at)),
        ([_, ..], _, _) => Err(DiskError::Several {
            names: names(stamped.iter().map(|(_, candidate)| *candidate)),
        }),
        ([], _, Search::Going) => Ok(None),
        ([], [], Search::Over) => Err(DiskError::Missing {
            esp: line.esp,
            seen: names(candidates),
        }),
        ([], [(at, candidate)], Search::Over) => {
            let is_another = line.stamp.is_some() && candidate.stamp.is_some();
            if is_another {
                let name = candidate.name.clone();
                return Err(DiskError::Another { name });
            }
            Ok(Some(*at))
        }
        ([], several, Search::Over) => Err(DiskError::Several {
            names: names(several.iter().map(|(_, candidate)| *candidate)),
        }),
    }
}

fn names<'a>(candidates: impl IntoIterator<Item = &'a Candidate>) -> String {
    let names: Vec<&str> = candidates
        .into_iter()
        .map(|candidate| candidate.name.as_str())
        .collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IMAGE: &str = "2b0b1a9c-55aa-8a11-9c00-0123456789ab";
    const OWN: &str = "2b0b1a9c-55aa-4a11-9c00-0123456789ab";

    fn line(esp: &str, stamp: Option<&str>) -> CommandLine {
        let root = "ab".repeat(32);
        let stamp = stamp.unwrap_or("none");
        let text = format!(
            "jumpgate.slot=a jumpgate.root={root} jumpgate.salt=00 jumpgate.blocks=9 \
             jumpgate.esp={esp} jumpgate.stamp={stamp}"
        );
        CommandLine::decode(&text).unwrap()
    }

    fn disk(name: &str, esp: &str, stamp: Option<&str>) -> Candidate {
        Candidate {
            name: name.into(),
            esps: vec![esp.parse().unwrap()],
            stamp: stamp.map(|stamp| stamp.parse().unwrap()),
        }
    }

    #[test]
    fn the_disk_with_guid_and_stamp_is_taken_at_once() {
        let disks = [disk("sda", IMAGE, None), disk("sdb", IMAGE, Some("2"))];
        assert_eq!(
            booted(&line(IMAGE, Some("2")), &disks, Search::Going),
            Ok(Some(1))
        );
        let disks = [disk("sda", OWN, Some("1")), disk("sdb", IMAGE, Some("1"))];
        assert_eq!(
            booted(&line(OWN, Some("1")), &disks, Search::Going),
            Ok(Some(0))
        );
    }

    #[test]
    fn the_only_disk_with_the_guid_is_taken_when_no_other_can_come() {
        for (esp, on_disk, passed) in [
            (IMAGE, None, None),
            (IMAGE, None, Some("2")),
            (IMAGE, Some("1"), None),
            (OWN, None, Some("2")),
        ] {
            let disks = [disk("sda", esp, on_disk)];
            let line = line(esp, passed);
            assert_eq!(booted(&line, &disks, Search::Going), Ok(None));
            assert_eq!(
                booted(&line, &disks, Search::Over),
                Ok(Some(0)),
                "{esp} {on_disk:?}"
            );
        }
    }

    #[test]
    fn two_disks_from_one_image_that_cannot_be_told_apart_are_left_alone() {
        let names = String::from("sda, sdb");
        for (on_disks, passed) in [(None, None), (None, Some("1")), (Some("1"), Some("1"))] {
            let disks = [disk("sda", IMAGE, on_disks), disk("sdb", IMAGE, on_disks)];
            let error = booted(&line(IMAGE, passed), &disks, Search::Over);
            assert_eq!(
                error,
                Err(DiskError::Several {
                    names: names.clone()
                })
            );
        }
    }

    #[test]
    fn a_disk_that_somebody_else_booted_is_left_alone() {
        let disks = [disk("sda", IMAGE, Some("1"))];
        let error = booted(&line(IMAGE, Some("2")), &disks, Search::Over).unwrap_err();
        assert_eq!(error, DiskError::Another { name: "sda".into() });
        let copied = [disk("sda", OWN, Some("1"))];
        let error = booted(&line(OWN, Some("2")), &copied, Search::Over).unwrap_err();
        assert_eq!(error, DiskError::Another { name: "sda".into() });
        let error = booted(&line(OWN, Some("1")), &disks, Search::Over).unwrap_err();
        assert!(error.to_string().contains("disks seen: sda"), "{error}");
        let error = booted(&line(OWN, None), &[], Search::Over).unwrap_err();
        assert!(error.to_string().contains("disks seen: none"), "{error}");
    }

    fn any_disk() -> impl Strategy<Value = Candidate> {
        let esps = proptest::collection::vec(proptest::sample::select(vec![IMAGE, OWN]), 0..3);
        let stamp = proptest::sample::select(vec![None, Some("1"), Some("2")]);
        (esps, stamp).prop_map(|(esps, stamp)| Candidate {
            esps: esps.into_iter().map(|esp| esp.parse().unwrap()).collect(),
            ..disk("x", IMAGE, stamp)
        })
    }

    proptest! {
        #[test]
        fn a_disk_without_the_guid_is_never_taken_and_a_rival_only_loses_by_its_stamp(
            disks in proptest::collection::vec(any_disk(), 0..5),
            esp in proptest::sample::select(vec![IMAGE, OWN]),
            stamp in proptest::sample::select(vec![None, Some("1"), Some("2")]),
            search in proptest::sample::select(vec![Search::Going, Search::Over]),
        ) {
            let line = line(esp, stamp);
            let outcome = booted(&line, &disks, search);
            prop_assert!(search == Search::Going || outcome != Ok(None));
            let Ok(Some(at)) = outcome else { return Ok(()) };
            prop_assert!(disks[at].esps.contains(&line.esp));
            for (other, rival) in disks.iter().enumerate() {
                if other != at && rival.esps.contains(&line.esp) {
                    prop_assert_eq!(&disks[at].stamp, &line.stamp);
                    prop_assert_ne!(&rival.stamp, &line.stamp);
                }
            }
        }
    }
}
