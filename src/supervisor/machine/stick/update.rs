//! Updates on sticks: which there are, and handing one in.
//!
//! What is on a stick is a stranger's. Its file system is mounted read-only, its first folder is
//! looked through up to a limit, and the bytes of a file go to the update agent as they are: nobody
//! else looks into them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Instant;

use nix::fcntl::OFlag;

use super::{Candidate, candidates, read};
use crate::control::UpdateClient;
use crate::control::machine::{Notice, Reply, notice};
use crate::control::stick::{StickFile, StickUpdate, Sticks, Worth};
use crate::control::update::{self, Accept, Phase, Request, Verdict, Way, Who};
use crate::control::update_client::beginning;
use crate::control::wire::WireError;
use crate::domain::limits::{
    NOTES_LINE_CHARS_MAX, STICK_ENTRIES_MAX, STICK_INSTALL_WITHIN, STICK_LIST_WITHIN,
    STICK_UPDATES_MAX, STICKS_MAX,
};
use crate::domain::{Label, Text};
use crate::supervisor::machine::places::Places;

/// What an update file's name ends in.
const SUFFIX: &str = ".update";

/// Why nothing came of it. The words are for the person at the console.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// One after the other.
    #[error("another update is being installed; wait until it is done")]
    Busy,
    /// Too early.
    #[error(
        "the update agent does not answer. It starts once pages are served; try again in a minute"
    )]
    NoAgent,
    /// It ended in the middle.
    #[error(
        "the update agent does not answer any more ({0}). Choose the update again in a minute; what \
         has arrived is not written twice"
    )]
    Cut(WireError),
    /// Another question's answer.
    #[error("the update agent answers something else")]
    OutOfTurn,
    /// The agent's words.
    #[error("{0}")]
    Refused(Box<Notice>),
    /// The stick does not give any more.
    #[error(
        "The stick cannot be read ({0}). Put it back and choose the update again: what has arrived \
         is not written twice."
    )]
    Gone(String),
}

impl Trouble {
    fn reply(&self) -> Reply {
        let why = notice(&self.to_string());
        Reply::Refused { why }
    }
}

/// The machine's sticks, and who judges what is on them.
pub(in crate::supervisor::machine) struct Updates {
    pub(in crate::supervisor::machine) places: Places,
    /// The disk that is no stick, whatever it hangs on.
    pub(in crate::supervisor::machine) booted: Label,
    pub(in crate::supervisor::machine) agent: UpdateClient,
}

impl Updates {
    /// What is there.
    pub(in crate::supervisor::machine) fn list_reply(&self) -> Reply {
        let listed = self.list().map(Box::new);
        listed.map_or_else(|trouble| trouble.reply(), Reply::Sticks)
    }

    /// Installs one.
    pub(in crate::supervisor::machine) fn install_reply(
        &self,
        file: &StickFile,
        accept: Accept,
    ) -> Reply {
        let installed = self.install(file, accept);
        installed.map_or_else(|trouble| trouble.reply(), |()| Reply::Done)
    }

    fn list(&self) -> Result<Sticks, Trouble> {
        self.is_free()?;
        let until = Instant::now() + STICK_LIST_WITHIN;
        let mut found = Sticks::default();
        let mut updates = Vec::new();
        for candidate in candidates(&self.places, &self.booted)
            .iter()
            .take(STICKS_MAX)
        {
            let looked = read(&self.places, candidate, |folder| {
                let names = names(folder)?;
                let judged = names.iter().map_while(|name| {
                    let in_time = Instant::now() < until;
                    in_time.then(|| self.judged(candidate, folder, name))
                });
                Ok(judged.collect::<Vec<_>>())
            });
            match looked {
                Ok(judged) => {
                    // One stick with two parts is one stick.
                    if !found.sticks.contains(&candidate.description) {
                        drop(found.sticks.push(candidate.description.clone()));
                    }
                    updates.extend(judged);
                }
                Err(error) => {
                    found.trouble = Some(notice(&format!(
                        "{}, {}: {error}",
                        candidate.description,
                        candidate.name()
                    )));
                }
            }
        }
        updates.sort_by_key(|update| std::cmp::Reverse(update.worth.sequence()));
        found.updates = updates.into_iter().take(STICK_UPDATES_MAX).collect();
        Ok(found)
    }

    /// Whether there is somebody to judge, and with time for it.
    fn is_free(&self) -> Result<(), Trouble> {
        match self.agent.ask(&Request::Status) {
            Ok(update::Reply::Status(status)) => match status.phase {
                Phase::Writing { .. } | Phase::ReadingBack { .. } => Err(Trouble::Busy),
                Phase::Idle | Phase::Checking | Phase::Ready { .. } | Phase::Proving { .. } => {
                    Ok(())
                }
            },
            Ok(update::Reply::Refused { why }) => Err(Trouble::Refused(Box::new(why))),
            Ok(_) => Err(Trouble::OutOfTurn),
            Err(_) => Err(Trouble::NoAgent),
        }
    }

    fn judged(&self, candidate: &Candidate, folder: &Path, name: &Label) -> StickUpdate {
        let (bytes, worth) = match open(&folder.join(name.as_str())) {
            Ok((file, bytes)) => (bytes, self.worth(file)),
            Err(error) => (0, unreadable(&error)),
        };
        StickUpdate {
            file: StickFile {
                device: candidate.name(),
                name: name.clone(),
            },
            bytes,
            worth,
        }
    }

    fn worth(&self, mut file: File) -> Worth {
        let begin = match beginning(&mut file) {
            Ok(begin) => begin,
            Err(error) => return unreadable(&error),
        };
        let bytes = u32::try_from(begin.len()).unwrap_or(u32::MAX);
        let examine = Request::Examine { bytes };
        let why = match self.agent.hand_in(&examine, &mut &begin[..], &mut |_| {}) {
            Ok(update::Reply::Verdict(verdict)) => {
                let verdict = Box::new(brief(*verdict));
                return Worth::Judged { verdict };
            }
            Ok(update::Reply::Refused { why }) => why,
            Ok(_) => notice("the update agent answers something else"),
            Err(error) => notice(&format!("the update agent does not answer: {error}")),
        };
        Worth::Unfit { why }
    }

    fn install(&self, wanted: &StickFile, accept: Accept) -> Result<(), Trouble> {
        let found = candidates(&self.places, &self.booted);
        let candidate = found.iter().find(|found| found.name() == wanted.device);
        let candidate =
            candidate.ok_or_else(|| Trouble::Gone("it is not there any more".to_owned()))?;
        let handed_in = read(&self.places, candidate, |folder| {
            let (file, bytes) = open(&folder.join(wanted.name.as_str()))?;
            Ok(self.hand_in(file, bytes, accept))
        });
        handed_in.unwrap_or_else(|error| Err(Trouble::Gone(error.to_string())))
    }

    fn hand_in(&self, file: File, bytes: u64, accept: Accept) -> Result<(), Trouble> {
        let request = Request::Install {
            who: Who {
                way: Way::Stick,
                ..Who::default()
            },
            bytes,
            accept,
        };
        let mut file = Watched {
            file,
            until: Instant::now() + STICK_INSTALL_WITHIN,
            trouble: None,
        };
        let reply = self.agent.hand_in(&request, &mut file, &mut |_| {});
        match (reply, file.trouble) {
            (Ok(update::Reply::Done), _) => Ok(()),
            (_, Some(trouble)) => Err(Trouble::Gone(trouble)),
            (Ok(update::Reply::Refused { why }), None) => Err(Trouble::Refused(Box::new(why))),
            (Ok(_), None) => Err(Trouble::OutOfTurn),
            (Err(error), None) => Err(Trouble::Cut(error)),
        }
    }
}

fn unreadable(error: &io::Error) -> Worth {
    let why = notice(&format!("it cannot be read: {error}"));
    Worth::Unfit { why }
}

/// Names of what may be updates in `folder`, as far as it is looked through.
fn names(folder: &Path) -> io::Result<Vec<Label>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)?.take(STICK_ENTRIES_MAX) {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(update_name));
    }
    names.sort();
    names.truncate(STICK_UPDATES_MAX);
    Ok(names)
}

/// `name` if an update may be called so and it can be shown. Some systems keep something of their
/// own beside every file, under its name with a dot in front.
fn update_name(name: &str) -> Option<Label> {
    let stem = name.len().checked_sub(SUFFIX.len())?;
    let ends = name.get(stem..)?.eq_ignore_ascii_case(SUFFIX);
    let is_plain = !name.starts_with('.') && !name.chars().any(char::is_control);
    (ends && is_plain)
        .then(|| Label::try_from(name).ok())
        .flatten()
}

/// A plain file, and its length. Links are not followed, and a pipe is not waited for.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    let known = file.metadata()?;
    if known.is_file() {
        Ok((file, known.len()))
    } else {
        Err(io::Error::other("it is no plain file"))
    }
}

/// A verdict as a list shows it.
fn brief(mut verdict: Verdict) -> Verdict {
    let mut notes = verdict.offer.notes.lines().map(str::trim);
    let first = notes.find(|line| !line.is_empty());
    let first = first.unwrap_or_default().chars();
    verdict.offer.notes = first.take(NOTES_LINE_CHARS_MAX).collect();
    verdict
}

/// A file that remembers what went wrong with it, and that does not go on for ever.
struct Watched {
    file: File,
    until: Instant,
    trouble: Option<String>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = if Instant::now() < self.until {
            self.file.read(buffer)
        } else {
            Err(io::Error::new(io::ErrorKind::TimedOut, "it is too slow"))
        };
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.trouble = Some(error.to_string());
        }
        read
    }
}

impl Candidate {
    /// As the kernel calls it.
    fn name(&self) -> Text<16> {
        let name = self.device.file_name().unwrap_or_default();
        Text::try_from(&*name.to_string_lossy()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::control::wire;

    #[test]
    fn only_names_that_end_in_update_and_can_be_shown_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("{}.update", "n".repeat(200));
        for name in [
            "b.update",
            "A.UPDATE",
            "._b.update",
            "b.update.txt",
            &long,
            "x\n.update",
            "update",
        ] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(names(folder.path()).unwrap(), ["A.UPDATE", "b.update"]);
        assert_eq!(update_name("\u{fc}.update").unwrap(), "\u{fc}.update");
        // A byte before the suffix may be in the middle of a letter.
        assert_eq!(update_name("\u{1f980}update"), None);
    }

    #[test]
    fn a_folder_with_thousands_of_files_is_not_looked_through_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..2 * STICK_ENTRIES_MAX {
            File::create(folder.path().join(format!("{number:05}.update"))).unwrap();
        }
        assert_eq!(names(folder.path()).unwrap().len(), STICK_UPDATES_MAX);
    }

    #[test]
    fn neither_links_nor_pipes_nor_folders_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("plain.update"), "four").unwrap();
        symlink(at("plain.update"), at("link.update")).unwrap();
        fs::create_dir(at("folder.update")).unwrap();
        nix::unistd::mkfifo(&at("pipe.update"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(open(&at("plain.update")).unwrap().1, 4);
        for name in ["link.update", "folder.update", "pipe.update"] {
            assert!(open(&at(name)).is_err(), "{name}");
        }
    }

    /// An agent that takes `bytes` of whatever is handed in, and then answers.
    fn agent(folder: &Path, bytes: usize, reply: update::Reply) -> UpdateClient {
        let path = folder.join("update.sock");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Ok(Some(_)) = wire::read::<Request>(&mut stream) else {
                    continue;
                };
                let mut taken = vec![0; bytes];
                if stream.read_exact(&mut taken).is_ok() {
                    drop(wire::write(&mut stream, &reply));
                }
            }
        });
        UpdateClient::new(&path)
    }

    fn updates(folder: &Path, agent: UpdateClient) -> Updates {
        Updates {
            places: Places::below(folder),
            booted: Label::new(),
            agent,
        }
    }

    #[test]
    fn a_stick_that_was_pulled_out_is_asked_for_again_and_a_refusal_is_the_agents() {
        let folder = tempfile::tempdir().unwrap();
        let agent = agent(
            folder.path(),
            4,
            update::Reply::Refused {
                why: notice("for another model"),
            },
        );
        let sticks = updates(folder.path(), agent);
        let path = folder.path().join("v.update");
        fs::write(&path, "four").unwrap();
        let refused = sticks.hand_in(File::open(&path).unwrap(), 4, Accept::default());
        assert_eq!(refused.unwrap_err().to_string(), "for another model");
        // Reading a folder fails as reading from a stick does that is gone.
        let gone = File::open(folder.path()).unwrap();
        let why = sticks
            .hand_in(gone, 4, Accept::default())
            .unwrap_err()
            .to_string();
        assert!(
            why.contains("Put it back and choose the update again"),
            "{why}"
        );
        let nowhere = StickFile {
            device: Text::try_from("sdz1").unwrap(),
            name: Label::try_from("v.update").unwrap(),
        };
        let why = sticks
            .install(&nowhere, Accept::default())
            .unwrap_err()
            .to_string();
        assert!(why.contains("not there any more"), "{why}");
    }

    #[test]
    fn without_an_agent_no_stick_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let agent = UpdateClient::new(&folder.path().join("nobody.sock"));
        let why = updates(folder.path(), agent)
            .list()
            .unwrap_err()
            .to_string();
        assert!(why.contains("try again in a minute"), "{why}");
    }
}
