//! The boot loader's partition: what it says of the slots, and what we tell it.
//!
//! It is mounted only while one of these runs, so that a power cut or a fault of ours has little
//! time to hurt it, and by one program at a time: the supervisor and the update agent's writer take
//! turns. The environment block is written in place, one sector, because the boot loader knows where
//! its sectors are.
//!
//! Start at [`Esp::mounted`]; everything else works in the folder that it hands over. Not here: what
//! the files say ([`crate::boot`]), and when anything of this is done.

pub mod trial;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MsFlags, mount, umount};

use crate::boot::environment::EnvironmentError;
use crate::boot::order::{Seen, State};
use crate::boot::{Description, Environment, System};
use crate::control::machine::SlotFacts;
use crate::domain::limits::TRIES;
use crate::domain::text::label;

/// Below the partition's root.
const ENVIRONMENT: &str = "jumpgate/env";
/// The boot loader counts in this one while the other is lost; empty otherwise.
const SPARE: &str = "jumpgate/spare";

/// Why the boot loader is not told.
#[derive(Debug, thiserror::Error)]
pub enum EspError {
    /// Its partition cannot be reached.
    #[error("the boot partition cannot be mounted: {0}")]
    Mount(io::Error),
    /// Something on it cannot be read or written.
    #[error("the boot partition cannot be written: {0}")]
    Write(#[from] io::Error),
    /// What is there does not fit into it any more.
    #[error("the boot environment cannot be changed: {0}")]
    Environment(#[from] EnvironmentError),
    /// There is nothing to go back to.
    #[error("slot {} holds no version that could be started", other.letter().to_uppercase())]
    Empty {
        /// Which.
        other: System,
    },
}

/// Whether it may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only looked at.
    Read,
    /// Changed as well.
    Write,
}

/// Where the partition is found, and where it is mounted.
#[derive(Clone, Debug)]
pub struct Esp {
    /// Its device; none where the folder is there without one, as on a developer's machine.
    pub device: Option<PathBuf>,
    /// A folder of this program's own, made if it is not there.
    pub at: PathBuf,
    /// A file that whoever mounts it holds meanwhile, the same for all programs.
    pub turn: PathBuf,
}

impl Esp {
    /// Does `work` in the partition's root folder while it is mounted. Waits for other programs
    /// that are at it, which takes them seconds at most.
    pub fn mounted<T>(
        &self,
        access: Access,
        work: impl FnOnce(&Path) -> Result<T, EspError>,
    ) -> Result<T, EspError> {
        let _turn = self.take_turn().map_err(EspError::Mount)?;
        let Some(device) = &self.device else {
            return work(&self.at);
        };
        fs::create_dir_all(&self.at).map_err(EspError::Mount)?;
        let mut flags =
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME;
        if access == Access::Read {
            flags |= MsFlags::MS_RDONLY;
        }
        // Our own words are ASCII, so no table of characters is needed beyond the built-in ones.
        let options = Some("umask=0077,errors=remount-ro");
        mount(Some(device), &self.at, Some("vfat"), flags, options)
            .map_err(|errno| EspError::Mount(errno.into()))?;
        let done = work(&self.at);
        // Also after a fault: it must not stay mounted. Everything is written out by then.
        let unmounted = umount(&self.at).map_err(|errno| EspError::Write(errno.into()));
        let done = done?;
        unmounted?;
        Ok(done)
    }

    fn take_turn(&self) -> io::Result<Flock<File>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.turn)?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
    }
}

fn slot_folder(esp: &Path, system: System) -> PathBuf {
    esp.join("jumpgate").join(system.letter())
}

fn environment(esp: &Path) -> Option<Environment> {
    Environment::decode(&fs::read(esp.join(ENVIRONMENT)).ok()?).ok()
}

fn description(esp: &Path, system: System) -> Option<Description> {
    Description::decode(&fs::read(slot_folder(esp, system).join("slot.cfg")).ok()?).ok()
}

fn has_good_file(esp: &Path, system: System) -> bool {
    slot_folder(esp, system).join("good").exists()
}

/// Whether `system` has proved itself before.
pub fn was_good(esp: &Path, system: System) -> bool {
    has_good_file(esp, system) || environment(esp).is_some_and(|block| block.is_good(system))
}

/// Both slots, as the boot loader sees them.
pub fn slots(esp: &Path) -> heapless::Vec<SlotFacts, 2> {
    let environment = environment(esp);
    let facts = |system| {
        let description = description(esp, system);
        let seen = description.as_ref().map(|description| Seen {
            sequence: description.sequence,
            has_good_file: has_good_file(esp, system),
        });
        SlotFacts {
            system,
            version: description.map(|description| label(&description.version)),
            state: State::of(environment.as_ref(), system, seen),
        }
    };
    System::ALL.into_iter().map(facts).collect()
}

/// The running `system` has proved itself: all its tries are back, and it is good even if the
/// environment gets lost.
pub fn confirm(esp: &Path, system: System) -> Result<(), EspError> {
    let mut environment = environment(esp).map_or_else(|| remade(esp), Ok)?;
    environment.confirm(system)?;
    write_environment(esp, &environment)?;
    let folder = slot_folder(esp, system);
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(folder.join("good"))
    {
        Ok(file) => {
            file.sync_all()?;
            Ok(File::open(folder)?.sync_all()?)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Instead of an environment that is lost or torn: as much of it as is known.
fn remade(esp: &Path) -> Result<Environment, EspError> {
    let mut environment = Environment::default();
    for system in System::ALL {
        if has_good_file(esp, system) {
            environment.set(&format!("{system}_good"), "1")?;
        }
    }
    Ok(environment)
}

/// The other slot's version is to run from the next start on: it goes first, with all its tries,
/// and stays first once it has proved itself, because `running` counts as untried from now on. If
/// it does not prove itself, `running` is back.
pub fn prefer_other(esp: &Path, running: System) -> Result<(), EspError> {
    let other = running.other();
    if description(esp, other).is_none() {
        return Err(EspError::Empty { other });
    }
    let mut environment = environment(esp).map_or_else(|| remade(esp), Ok)?;
    environment.set("trial", other.letter())?;
    environment.set(&format!("{other}_left"), &TRIES.to_string())?;
    environment.unset(&format!("{running}_good"));
    write_environment(esp, &environment)?;
    // Only counts without an environment, so it may go later than that is written.
    let folder = slot_folder(esp, running);
    match fs::remove_file(folder.join("good")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    Ok(File::open(folder)?.sync_all()?)
}

/// What was counted in the spare block meanwhile is over then.
fn write_environment(esp: &Path, environment: &Environment) -> Result<(), EspError> {
    write_block(esp, ENVIRONMENT, environment)?;
    let empty = Environment::default();
    let spare = fs::read(esp.join(SPARE)).ok();
    if spare.and_then(|block| Environment::decode(&block).ok()) == Some(empty.clone()) {
        return Ok(());
    }
    write_block(esp, SPARE, &empty)
}

fn write_block(esp: &Path, name: &str, environment: &Environment) -> Result<(), EspError> {
    let block = environment.encode()?;
    let path = esp.join(name);
    let in_place = fs::metadata(&path).is_ok_and(|found| found.len() == block.len() as u64);
    if in_place {
        let file = OpenOptions::new().write(true).open(&path)?;
        file.write_all_at(&block, 0)?;
        return Ok(file.sync_all()?);
    }
    // Lost or cut off: a whole new one, which is there or not.
    let new = path.with_extension("new");
    fs::write(&new, block)?;
    File::open(&new)?.sync_all()?;
    fs::rename(&new, &path)?;
    Ok(File::open(esp.join("jumpgate"))?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::Slot;
    use crate::boot::order::order;
    use crate::domain::limits::ENVIRONMENT_BYTES;

    /// Two slots with these sequence numbers, and an environment.
    fn esp(values: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (system, sequence) in [(System::A, 7), (System::B, 6)] {
            let slot = slot_folder(folder.path(), system);
            fs::create_dir_all(&slot).unwrap();
            let text = format!(
                "set slot_version=\"0.{sequence}.0\"\nset slot_built=1764000000\n\
                 set slot_sequence={sequence}\nset slot_epoch=1\nset slot_root={}\n\
                 set slot_salt=00ff\nset slot_blocks=9000\nset slot_channel=release\n\
                 set slot_profile=hardware\n",
                "ab".repeat(32)
            );
            fs::write(slot.join("slot.cfg"), text).unwrap();
        }
        let mut environment = Environment::default();
        for (key, value) in values {
            environment.set(key, value).unwrap();
        }
        fs::write(
            folder.path().join(ENVIRONMENT),
            environment.encode().unwrap(),
        )
        .unwrap();
        folder
    }

    /// Where the boot loader would go next.
    fn next(esp: &Path) -> Vec<Slot> {
        let seen = |system| {
            description(esp, system).map(|description| Seen {
                sequence: description.sequence,
                has_good_file: has_good_file(esp, system),
            })
        };
        order(environment(esp).as_ref(), seen(System::A), seen(System::B))
    }

    const A: Slot = Slot::System(System::A);
    const B: Slot = Slot::System(System::B);

    #[test]
    fn a_confirmed_slot_has_its_tries_back_and_everything_else_stays() {
        let esp = esp(&[
            ("a_left", "1"),
            ("trial", "a"),
            ("stamp", "s"),
            ("other", "x"),
        ]);
        confirm(esp.path(), System::A).unwrap();
        let after = environment(esp.path()).unwrap();
        assert_eq!(after.tries_left(System::A), TRIES);
        assert!(after.is_good(System::A) && has_good_file(esp.path(), System::A));
        assert_eq!(after.trial(), None);
        assert_eq!(
            (after.value("stamp"), after.value("other")),
            (Some("s"), Some("x"))
        );
        confirm(esp.path(), System::A).unwrap();
        assert_eq!(environment(esp.path()).unwrap(), after);
    }

    #[test]
    fn the_environment_is_written_where_it_lies() {
        use std::os::unix::fs::MetadataExt as _;
        let esp = esp(&[]);
        let path = esp.path().join(ENVIRONMENT);
        let before = path.metadata().unwrap().ino();
        confirm(esp.path(), System::B).unwrap();
        let after = path.metadata().unwrap();
        assert_eq!(
            (after.ino(), after.len()),
            (before, ENVIRONMENT_BYTES as u64)
        );
    }

    #[test]
    fn a_lost_or_torn_environment_is_made_again() {
        for damage in [None, Some(&b""[..]), Some(&[0; ENVIRONMENT_BYTES][..])] {
            let esp = esp(&[]);
            let path = esp.path().join(ENVIRONMENT);
            confirm(esp.path(), System::B).unwrap();
            match damage {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            confirm(esp.path(), System::A).unwrap();
            let after = environment(esp.path()).unwrap();
            assert!(after.is_good(System::A) && after.is_good(System::B));
        }
    }

    #[test]
    fn the_previous_version_stays_once_it_has_proved_itself() {
        let esp = esp(&[("a_good", "1"), ("b_good", "1"), ("b_left", "0")]);
        confirm(esp.path(), System::A).unwrap();
        assert_eq!(next(esp.path())[0], A);
        prefer_other(esp.path(), System::A).unwrap();
        assert_eq!(next(esp.path())[..2], [B, A]);
        confirm(esp.path(), System::B).unwrap();
        assert_eq!(next(esp.path())[..2], [B, A]);
        // And also if the environment gets lost then.
        fs::remove_file(esp.path().join(ENVIRONMENT)).unwrap();
        assert_eq!(
            State::of(
                None,
                System::A,
                Some(Seen {
                    sequence: 7,
                    has_good_file: has_good_file(esp.path(), System::A)
                })
            ),
            State::Untried { tries_left: TRIES }
        );
        // And forth again.
        prefer_other(esp.path(), System::B).unwrap();
        confirm(esp.path(), System::A).unwrap();
        assert_eq!(next(esp.path())[0], A);
    }

    #[test]
    fn a_previous_version_that_does_not_prove_itself_gives_way() {
        let esp = esp(&[("a_good", "1"), ("b_good", "1")]);
        prefer_other(esp.path(), System::A).unwrap();
        let mut used_up = environment(esp.path()).unwrap();
        used_up.set("b_left", "0").unwrap();
        write_environment(esp.path(), &used_up).unwrap();
        assert_eq!(next(esp.path()), [A, Slot::Recovery]);
    }

    #[test]
    fn a_version_on_trial_that_gives_up_is_passed_over_and_the_next_one_knows_of_it() {
        let esp = esp(&[("a_good", "1"), ("b_left", "2"), ("trial", "b")]);
        assert_eq!(next(esp.path())[0], B);
        assert!(trial::renounce(esp.path(), System::B).unwrap());
        assert_eq!(next(esp.path()), [A, Slot::Recovery]);
        assert_eq!(trial::marked(esp.path()), Some(System::B));
        trial::abandon(esp.path(), System::B).unwrap();
        assert_eq!(trial::marked(esp.path()), None);
        assert_eq!(next(esp.path()), [A, Slot::Recovery]);
    }

    #[test]
    fn what_could_never_be_loaded_is_not_tried_at_every_start() {
        let esp = esp(&[("a_good", "1"), ("b_left", "2"), ("trial", "b")]);
        trial::abandon(esp.path(), System::B).unwrap();
        assert_eq!(next(esp.path()), [A, Slot::Recovery]);
    }

    #[test]
    fn a_version_without_one_before_it_does_not_give_up() {
        for (key, value) in [("a_good", "0"), ("a_left", "0")] {
            let esp = esp(&[(key, value), ("b_left", "2"), ("trial", "b")]);
            assert!(!trial::renounce(esp.path(), System::B).unwrap(), "{key}");
            assert_eq!(next(esp.path())[0], B);
        }
    }

    #[test]
    fn there_is_no_way_back_to_an_empty_slot() {
        let esp = esp(&[("a_good", "1")]);
        fs::remove_file(slot_folder(esp.path(), System::B).join("slot.cfg")).unwrap();
        let refused = prefer_other(esp.path(), System::A).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "slot B holds no version that could be started"
        );
        assert!(environment(esp.path()).unwrap().is_good(System::A));
    }

    #[test]
    fn slots_are_shown_as_the_boot_loader_sees_them() {
        let esp = esp(&[("a_good", "1"), ("b_left", "0")]);
        let facts = slots(esp.path());
        assert_eq!(facts[0].version.as_deref(), Some("0.7.0"));
        assert_eq!(facts[0].state, State::Good { tries_left: TRIES });
        assert_eq!(facts[1].state, State::Exhausted);
    }
}
