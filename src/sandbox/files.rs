//! Landlock: which files are within reach at all.

use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

use super::SandboxError;

/// What is asked of the kernel; older ones give less. Fixed, so that a newer kernel forbids
/// nothing that was never tried.
const ASKED: ABI = ABI::V6;

/// Time zones: read whenever a date is written for a person.
const READ_BY_ALL: [&str; 2] = ["/usr/share/zoneinfo", "/etc/localtime"];

/// Leaves `read` and `write` and nothing else, for this thread and those it will start. Also no
/// new TCP connection (unless it `dials`) and no new port, where the kernel knows how (6.7): a
/// peer's socket cannot be turned into one to somewhere else.
///
/// Returns whether the kernel has Landlock.
pub(super) fn restrict(
    read: &[PathBuf],
    write: &[PathBuf],
    dials: bool,
) -> Result<bool, SandboxError> {
    let ports = if dials {
        AccessNet::BindTcp.into()
    } else {
        AccessNet::from_all(ASKED)
    };
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    // No executing, no devices, no sockets, no links to elsewhere: only files and folders.
    let writing = reading
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ASKED))?
        .handle_access(ports)?
        .scope(Scope::from_all(ASKED))?
        .create()?;
    for path in READ_BY_ALL {
        if let Ok(opened) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(opened, allowed(path.as_ref(), reading)))?;
        }
    }
    for path in read {
        let opened = PathFd::new(path)?;
        rules = rules.add_rule(PathBeneath::new(opened, allowed(path, reading)))?;
    }
    for path in write {
        let opened = PathFd::new(path)?;
        rules = rules.add_rule(PathBeneath::new(opened, allowed(path, writing)))?;
    }
    let status = rules.restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Of `access`, what makes sense for `path`: a file has no entries to list or make.
fn allowed(
    path: &std::path::Path,
    access: landlock::BitFlags<AccessFs>,
) -> landlock::BitFlags<AccessFs> {
    if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(ASKED)
    }
}
