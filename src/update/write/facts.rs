//! What runs on this machine, as far as an update has to know.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use super::record::Seen;
use super::slot::Places;
use crate::boot::table::Place;
use crate::boot::{Description, Slot, System, facts};
use crate::control::machine::{Boot, ClockSource, Facts, Health, Notice, notice};
use crate::control::update::Version;
use crate::domain::{Stamp, Text};
use crate::esp::{self, Access, Esp};
use crate::update::wire::Running;

/// Where the writer finds things.
#[derive(Debug)]
pub struct Machine {
    /// What the supervisor knows ([`crate::config::Paths::machine`]).
    pub facts: PathBuf,
    /// Links to the booted disk's partitions.
    pub partitions: PathBuf,
    /// The boot loader's partition.
    pub esp: Esp,
    /// What a version said before it gave up.
    pub last_words: PathBuf,
    /// The kernel's name for this boot.
    pub boot: PathBuf,
    /// What the boot partition said when it was last looked at.
    pub said: RefCell<Option<Said>>,
}

/// What the boot partition says, and in which state of things: it is not mounted again as long as
/// that is the same.
#[derive(Clone, Debug)]
pub struct Said {
    state: (Health, Boot),
    description: Description,
    good: [bool; 2],
    marked: Option<System>,
}

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
pub enum UnknownMachine {
    /// The supervisor says nothing yet, or of another version.
    #[error("nothing is known of this machine yet")]
    Facts,
    /// What runs has no description.
    #[error("the boot partition does not say what runs")]
    Description,
}

/// What is known now.
#[derive(Clone, Debug)]
pub struct Known {
    /// For `verify`.
    pub running: Running,
    /// For the journal.
    pub seen: Seen,
    /// Why no version can be written.
    pub blocked: Option<Notice>,
}

impl Machine {
    /// On an appliance image.
    pub fn of_this_machine(facts_file: PathBuf) -> Self {
        Self {
            facts: facts_file,
            partitions: facts::PLACES_FOLDER.into(),
            esp: Esp {
                device: Some(PathBuf::from(facts::PLACES_FOLDER).join(Place::Esp.name())),
                at: "/run/jumpgate/update-esp".into(),
                turn: "/run/jumpgate/esp.turn".into(),
            },
            last_words: facts::LAST_WORDS_FILE.into(),
            boot: "/proc/sys/kernel/random/boot_id".into(),
            said: RefCell::default(),
        }
    }

    /// Looks at everything again.
    pub fn look(&self, at: Stamp) -> Result<Known, UnknownMachine> {
        let facts = Facts::read(&self.facts).ok().flatten();
        let facts = facts.ok_or(UnknownMachine::Facts)?;
        let slot = facts.boot.slot;
        let Said {
            description,
            good,
            marked,
            ..
        } = self.ask_esp(&facts)?;
        let version: Version = description.version.clone();
        Ok(Known {
            running: Running {
                model: facts.hardware.model,
                version,
                sequence: description.sequence,
                channel: description.channel,
                clock_confirmed: facts.clock.source == ClockSource::Ntp,
                built: facts.image.built,
                target: target(slot, good),
            },
            seen: Seen {
                slot: match slot {
                    Slot::System(system) => Some(system),
                    Slot::Recovery => None,
                },
                sequence: description.sequence,
                security_epoch: description.security_epoch,
                proved: facts.health == Health::Good,
                marked,
                boot: self.boot_id(),
                last_words: self.last_words(),
                at,
            },
            blocked: blocked(&facts),
        })
    }

    fn ask_esp(&self, facts: &Facts) -> Result<Said, UnknownMachine> {
        let state = (facts.health.clone(), facts.boot.clone());
        if let Some(said) = &*self.said.borrow()
            && said.state == state
        {
            return Ok(said.clone());
        }
        let said = self.esp.mounted(Access::Read, |folder| {
            Ok(
                esp::trial::describe(folder, facts.boot.slot).map(|description| Said {
                    state,
                    description,
                    good: System::ALL.map(|system| esp::was_good(folder, system)),
                    marked: esp::trial::marked(folder),
                }),
            )
        });
        let said = said.ok().flatten().ok_or(UnknownMachine::Description)?;
        *self.said.borrow_mut() = Some(said.clone());
        Ok(said)
    }

    /// Something on the boot partition has changed.
    pub fn look_again(&self) {
        *self.said.borrow_mut() = None;
    }

    /// The slot that does not run.
    pub fn place(&self, system: System) -> Places {
        let place = match system {
            System::A => Place::A,
            System::B => Place::B,
        };
        Places {
            system,
            root: self.partitions.join(place.name()),
            esp: self.esp.clone(),
        }
    }

    /// The machine's next start goes first into this slot.
    pub fn is_due(&self, system: System) -> bool {
        let look = |folder: &std::path::Path| Ok(esp::trial::is_due(folder, system));
        self.esp.mounted(Access::Read, look).unwrap_or(false)
    }

    /// The version in this slot was tried and left: the boot loader shall not try it again.
    pub fn abandon(&self, system: System) {
        let abandon = |folder: &std::path::Path| esp::trial::abandon(folder, system);
        if let Err(error) = self.esp.mounted(Access::Write, abandon) {
            // It uses up its tries then.
            tracing::error!(%error, "tries_stay");
        }
        self.look_again();
    }

    /// Which boot of the machine this is.
    pub fn boot_id(&self) -> Text<36> {
        let id = fs::read_to_string(&self.boot).unwrap_or_default();
        Text::try_from(id.trim()).unwrap_or_default()
    }

    fn last_words(&self) -> Option<Notice> {
        let text = fs::read_to_string(&self.last_words).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| notice(text))
    }

    /// They have been passed on.
    pub fn forget_last_words(&self) {
        let _ = fs::remove_file(&self.last_words);
    }
}

/// The slot that does not run; from recovery the one that never was good, or else A.
fn target(running: Slot, good: [bool; 2]) -> System {
    match running {
        Slot::System(system) => system.other(),
        Slot::Recovery if good == [true, false] => System::B,
        Slot::Recovery => System::A,
    }
}

fn blocked(facts: &Facts) -> Option<Notice> {
    if facts.boot.slot == Slot::Recovery {
        // What runs is not to be kept, so it need not have proved itself.
        return None;
    }
    let why = match &facts.health {
        Health::Good => return None,
        Health::Starting | Health::Serving => {
            "The running version has not proved itself yet, and it would be the way back. Wait a \
             minute and try again."
        }
        Health::Unconfirmed { .. } | Health::Failing { .. } => {
            "The running version is not well, and it would be the way back. Status > Information \
             says what is wrong; put that right first."
        }
    };
    Some(notice(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_never_goes_where_the_running_one_is() {
        for good in [[true, true], [true, false], [false, true], [false, false]] {
            assert_eq!(target(Slot::System(System::A), good), System::B);
            assert_eq!(target(Slot::System(System::B), good), System::A);
        }
        assert_eq!(target(Slot::Recovery, [true, false]), System::B);
        assert_eq!(target(Slot::Recovery, [false, true]), System::A);
        assert_eq!(target(Slot::Recovery, [false, false]), System::A);
    }
}
