//! Which list of targets answers for a name (section 5.6.7).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::limits::TRUST_ROLES_VISITED_MAX;

use super::client::{Client, Repository};
use super::envelope::Metadata;
use super::error::{RefreshError, TrustError};
use super::file::name_of;
use super::key::Role;
use super::roles::Targets;
use super::target::Target;

/// A role that may answer, and the list that says so.
struct Open {
    name: String,
    role: Role,
    delegator: Arc<Metadata<Targets>>,
}

impl Client {
    /// What is known of the target `name`, after [`Self::refresh`].
    ///
    /// Lists of targets are searched in the order that their delegators gave them, each before the
    /// ones it delegates to. A delegated list is checked against whoever delegated to it this time.
    ///
    /// # Errors
    ///
    /// [`TrustError::NoTarget`] if nobody answers for it, or nothing was refreshed yet.
    pub fn target<R: Repository>(
        &mut self,
        from: &mut R,
        name: &str,
    ) -> Result<Target, RefreshError<R::Error>> {
        let nobody = || TrustError::NoTarget {
            name: name.to_owned(),
        };
        let view = self.view.as_ref().ok_or_else(nobody)?;
        let (mut targets, snapshot) = (view.targets.clone(), view.snapshot.clone());
        let mut visited = BTreeSet::from(["targets".to_owned()]);
        let mut open: Vec<Open> = Vec::new();
        loop {
            if let Some(target) = targets.body.targets.get(name) {
                return Ok(target.clone());
            }
            push_delegated(&mut open, &targets, name);
            let next = loop {
                let next = open.pop().ok_or_else(nobody)?;
                // Delegations may go round in circles.
                if !visited.contains(&next.name) {
                    break next;
                }
            };
            if visited.len() >= TRUST_ROLES_VISITED_MAX {
                let (name, limit) = (name.to_owned(), TRUST_ROLES_VISITED_MAX);
                return Err(TrustError::TooManyRoles { name, limit }.into());
            }
            let Some(delegations) = &next.delegator.body.delegations else {
                return Err(nobody().into());
            };
            let role = (&delegations.keys, &next.role);
            let file = name_of(&next.name, None);
            let known = self.delegated.get(&file).map(Vec::as_slice);
            let found = self.targets_of(from, &next.name, role, known, &snapshot)?;
            self.believed(&next.name, &found.metadata);
            self.delegated.insert(file, found.bytes);
            visited.insert(next.name);
            targets = Arc::new(found.metadata);
        }
    }
}

/// Puts those that `targets` hands on to on top, the most trusted last, where it is taken first.
fn push_delegated(open: &mut Vec<Open>, targets: &Arc<Metadata<Targets>>, name: &str) {
    let Some(delegations) = &targets.body.delegations else {
        return;
    };
    let mut children = Vec::new();
    for next in delegations.asked_about(name) {
        children.push(Open {
            name: next.name,
            role: next.role.clone(),
            delegator: targets.clone(),
        });
        if next.terminating {
            // Only this one and what it hands on to may answer.
            open.clear();
            break;
        }
    }
    open.extend(children.into_iter().rev());
}
