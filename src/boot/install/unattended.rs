//! Installing without anybody there: the file on the stick that asks for it, and the disk it means.

use crate::domain::limits::UNATTENDED_BYTES_MAX;

use super::{Holds, Offer, Unsuitable, plain};

/// What the file `jumpgate/install-unattended` on the stick's EFI partition asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unattended {
    /// Empty, or `only`: the only disk that can be meant.
    Only,
    /// The disk with this serial number.
    Serial(String),
}

/// A file that names no disk.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnattendedError {
    /// No serial number is that long.
    #[error("{found} bytes, {UNATTENDED_BYTES_MAX} are allowed")]
    TooLong {
        /// What was found.
        found: usize,
    },
    /// A serial number is one line of printable ASCII.
    #[error("neither empty, nor 'only', nor a serial number")]
    Text,
}

/// Why no disk is written. Each says what to do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// None that would do.
    #[error("no disk of this machine can take the appliance")]
    None,
    /// Which of them would be a guess.
    #[error("disks {names} can all take the appliance; name one by its serial number")]
    Several {
        /// Their names.
        names: String,
    },
    /// A stick forgotten in a machine must not wipe it at the next power cut.
    #[error("disk {name} holds an appliance in use; name its serial number to replace it")]
    InUse {
        /// Its name.
        name: String,
    },
    /// Taken out, or mistyped.
    #[error("no disk has the serial number {serial}")]
    NotThere {
        /// What was asked for.
        serial: String,
    },
    /// Some makers give all their disks the same one.
    #[error("disks {names} have the same serial number")]
    Twice {
        /// Their names.
        names: String,
    },
    /// It was named, but does not do.
    #[error("disk {name} cannot take the appliance: {why}")]
    Unsuitable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: Unsuitable,
    },
}

impl Unattended {
    /// Reads the file. A serial number is compared as it is shown in the list of disks, so blanks
    /// around it do not count.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnattendedError> {
        let found = bytes.len();
        if found > UNATTENDED_BYTES_MAX {
            return Err(UnattendedError::TooLong { found });
        }
        let text = str::from_utf8(bytes).map_err(|_| UnattendedError::Text)?;
        match text.trim_ascii() {
            "" | "only" => Ok(Self::Only),
            serial if serial.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) => {
                Ok(Self::Serial(plain(serial)))
            }
            _ => Err(UnattendedError::Text),
        }
    }

    /// The place of the disk that is meant among `offers`, for an image of `needs` bytes.
    ///
    /// Without a serial number it is the only disk that could take the image, sticks and cards
    /// aside, and not an appliance that was ever started.
    pub fn choose(&self, offers: &[Offer], needs: u64) -> Result<usize, Undecided> {
        match self {
            Self::Only => only(offers, needs),
            Self::Serial(serial) => named(serial, offers, needs),
        }
    }
}

fn only(offers: &[Offer], needs: u64) -> Result<usize, Undecided> {
    let can = |offer: &Offer| !offer.is_removable && offer.check(needs).is_ok();
    let all: Vec<usize> = (0..offers.len()).filter(|at| can(&offers[*at])).collect();
    match all.as_slice() {
        [] => Err(Undecided::None),
        [at] if offers[*at].holds == Holds::Appliance { is_in_use: true } => {
            let name = offers[*at].name.clone();
            Err(Undecided::InUse { name })
        }
        [at] => Ok(*at),
        several => Err(Undecided::Several {
            names: names(several, offers),
        }),
    }
}

fn named(serial: &str, offers: &[Offer], needs: u64) -> Result<usize, Undecided> {
    let is = |offer: &Offer| offer.serial == serial;
    let all: Vec<usize> = (0..offers.len()).filter(|at| is(&offers[*at])).collect();
    match all.as_slice() {
        [] => Err(Undecided::NotThere {
            serial: serial.to_owned(),
        }),
        [at] => match offers[*at].check(needs) {
            Ok(()) => Ok(*at),
            Err(why) => Err(Undecided::Unsuitable {
                name: offers[*at].name.clone(),
                why,
            }),
        },
        several => Err(Undecided::Twice {
            names: names(several, offers),
        }),
    }
}

fn names(which: &[usize], offers: &[Offer]) -> String {
    let names: Vec<&str> = which.iter().map(|at| offers[*at].name.as_str()).collect();
    names.join(", ")
}

/// For the fuzzer and the smoke run below: what names a disk is a line for a console.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(Unattended::Serial(serial)) = Unattended::decode(data) {
        assert!(!serial.is_empty() && serial.is_ascii() && !serial.contains(char::is_control));
        let again = Unattended::decode(serial.as_bytes());
        assert_eq!(again, Ok(Unattended::Serial(serial)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::offer::tests::{IMAGE, disk};
    use super::*;

    fn serial(text: &str) -> Unattended {
        Unattended::Serial(text.into())
    }

    #[test]
    fn the_file_names_a_disk_or_leaves_it_to_us() {
        for (file, asked) in [
            ("", Unattended::Only),
            ("only\r\n", Unattended::Only),
            (" SN  1-x \n", serial("SN 1-x")),
            ("Only", serial("Only")),
        ] {
            assert_eq!(Unattended::decode(file.as_bytes()), Ok(asked), "{file:?}");
        }
        for file in [b"a\nb".as_slice(), b"\xff", "\u{fc}".as_bytes(), b"\x1b[2J"] {
            assert_eq!(Unattended::decode(file), Err(UnattendedError::Text));
        }
        let found = UNATTENDED_BYTES_MAX + 1;
        let error = Unattended::decode(&vec![b' '; found]);
        assert_eq!(error, Err(UnattendedError::TooLong { found }));
    }

    #[test]
    fn the_only_disk_that_can_be_meant_is_taken() {
        let mut offers = [disk("sda"), disk("sdb"), disk("sdc"), disk("sdd")];
        offers[0].bytes = IMAGE - 1;
        offers[1].is_removable = true;
        offers[3].holds = Holds::Stick;
        assert_eq!(Unattended::Only.choose(&offers, IMAGE), Ok(2));
        offers[2].holds = Holds::Data;
        assert_eq!(Unattended::Only.choose(&offers, IMAGE), Ok(2));
    }

    #[test]
    fn a_guess_is_never_taken() {
        let offers = [disk("sda"), disk("sdb")];
        let names = String::from("sda, sdb");
        let several = Err(Undecided::Several { names });
        assert_eq!(Unattended::Only.choose(&offers, IMAGE), several);
        assert_eq!(Unattended::Only.choose(&[], IMAGE), Err(Undecided::None));
        let mut used = [disk("sda")];
        used[0].holds = Holds::Appliance { is_in_use: true };
        let name = String::from("sda");
        let in_use = Err(Undecided::InUse { name });
        assert_eq!(Unattended::Only.choose(&used, IMAGE), in_use);
        used[0].holds = Holds::Appliance { is_in_use: false };
        assert_eq!(Unattended::Only.choose(&used, IMAGE), Ok(0));
    }

    #[test]
    fn a_named_disk_is_taken_whatever_it_holds_if_it_does() {
        let mut offers = [disk("sda"), disk("sdb")];
        offers[1].holds = Holds::Appliance { is_in_use: true };
        offers[1].is_removable = true;
        assert_eq!(serial("SN-sdb").choose(&offers, IMAGE), Ok(1));
        let missing = Err(Undecided::NotThere {
            serial: "SN".into(),
        });
        assert_eq!(serial("SN").choose(&offers, IMAGE), missing);
        let (name, why) = (
            String::from("sdb"),
            Unsuitable::TooSmall { needs: u64::MAX },
        );
        let unsuitable = Err(Undecided::Unsuitable { name, why });
        assert_eq!(serial("SN-sdb").choose(&offers, u64::MAX), unsuitable);
        offers[0].serial = "SN-sdb".into();
        let names = String::from("sda, sdb");
        let twice = Err(Undecided::Twice { names });
        assert_eq!(serial("SN-sdb").choose(&offers, IMAGE), twice);
    }

    fn any_disk() -> impl Strategy<Value = Offer> {
        let holds = vec![
            Holds::Nothing,
            Holds::Stick,
            Holds::Data,
            Holds::Unreadable,
            Holds::Appliance { is_in_use: true },
        ];
        let holds = proptest::sample::select(holds);
        let bytes = proptest::sample::select(vec![IMAGE - 1, IMAGE, 2 * IMAGE]);
        let serial = proptest::sample::select(vec!["", "1", "2"]);
        let flags = any::<(bool, bool)>();
        (holds, bytes, serial, flags).prop_map(|(holds, bytes, serial, flags)| Offer {
            bytes,
            holds,
            serial: serial.into(),
            is_removable: flags.0,
            is_read_only: flags.1,
            ..disk("x")
        })
    }

    proptest! {
        #[test]
        fn a_disk_that_is_taken_can_take_it_and_no_other_was_meant(
            offers in proptest::collection::vec(any_disk(), 0..5),
            asked in proptest::sample::select(vec![Unattended::Only, serial("1"), serial("2")]),
        ) {
            let Ok(at) = asked.choose(&offers, IMAGE) else { return Ok(()) };
            prop_assert_eq!(offers[at].check(IMAGE), Ok(()));
            for (other, rival) in offers.iter().enumerate().filter(|(other, _)| *other != at) {
                let _ = other;
                match &asked {
                    Unattended::Only => {
                        prop_assert!(rival.is_removable || rival.check(IMAGE).is_err());
                    }
                    Unattended::Serial(serial) => prop_assert_ne!(&rival.serial, serial),
                }
            }
        }

        #[test]
        fn fuzz_smoke(data: Vec<u8>, text in "[ a-zA-Z0-9\n\r\t-]{0,140}") {
            fuzz(&data);
            fuzz(text.as_bytes());
        }
    }
}
