//! Which store a version opens, decided from what lies there. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Name;

/// What the store's folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which store counts, as far as it is written down.
    pub current: Pointer,
    /// Those that are there.
    pub stores: BTreeSet<Name>,
    /// Journals in their place by the image that writes them, with the store that its was copied
    /// from; nothing if that cannot be read.
    pub journals: BTreeMap<u32, Option<Name>>,
}

/// The file that says which store counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// Not written yet: nothing proved itself here.
    Missing,
    /// There, and not understood.
    Damaged,
    /// This one.
    To(Name),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// An appliance's first start: make an empty store, which counts.
    Make,
    /// Open the own one, after the rows of these journals were taken over, in this order.
    Open {
        /// By the images that wrote them.
        import: Vec<u32>,
        /// The store that counts, where it is another: this is a trial that goes on.
        counts: Option<Name>,
    },
    /// Make the own one anew, as a copy of this one, which counts. What was there of that name is
    /// left over from a trial that failed.
    Copy {
        /// The store that counts.
        from: Name,
    },
    /// The store that counts is gone, and there is no other.
    Missing {
        /// Which.
        name: Name,
    },
}

/// What the version of image `own` does.
pub fn plan(found: &Found, own: u32, trial: bool) -> Plan {
    let name = Name::Numbered(own);
    let has_own = found.stores.contains(&name);
    let Some(current) = found.current(own, trial) else {
        return Plan::Make;
    };
    let chain = found.chain(name);
    let open = |import, counts| Plan::Open { import, counts };
    if current == name && has_own {
        return open(chain, None);
    }
    if !found.stores.contains(&current) {
        return if has_own {
            open(chain, None)
        } else {
            Plan::Missing { name: current }
        };
    }
    if has_own && found.origin(own) == Some(current) {
        return open(Vec::new(), trial.then_some(current));
    }
    let is_ancestor = current.number().is_some_and(|it| chain.contains(&it));
    if has_own && is_ancestor && !trial {
        return open(chain, None);
    }
    Plan::Copy { from: current }
}

impl Found {
    /// The store that counts; nothing if there is none at all.
    fn current(&self, own: u32, trial: bool) -> Option<Name> {
        let name = Name::Numbered(own);
        let Some(newest) = self.stores.last().copied() else {
            return match self.current {
                Pointer::Missing => None,
                Pointer::To(current) => Some(current),
                // Something was written here once.
                Pointer::Damaged => Some(name),
            };
        };
        let has_own = self.stores.contains(&name);
        match self.current {
            Pointer::To(current) => Some(current),
            // Images from before there were generations wrote none, and a first start that was cut
            // off has made nothing but its own.
            Pointer::Missing if self.stores.contains(&Name::Plain) => Some(Name::Plain),
            Pointer::Missing | Pointer::Damaged if has_own => match self.origin(own) {
                Some(from) if trial => Some(from),
                _ => Some(name),
            },
            Pointer::Missing | Pointer::Damaged => Some(newest),
        }
    }

    /// Journals of stores that were copied from `store`.
    pub(super) fn copies_of(&self, store: Name) -> Vec<u32> {
        let copies = self.journals.keys().copied();
        copies
            .filter(|it| self.origin(*it) == Some(store))
            .collect()
    }

    /// From which store that of image `sequence` was copied, as its journal says. Where that cannot
    /// be read, it was the one that counts, or else the one before.
    pub(super) fn origin(&self, sequence: u32) -> Option<Name> {
        let name = Name::Numbered(sequence);
        let from = *self.journals.get(&sequence)?;
        let guess = || match self.current {
            Pointer::To(current) if current != name => Some(current),
            _ => self.stores.range(..name).next_back().copied(),
        };
        from.or_else(guess)
    }

    /// Journals that lead away from `store`: of those copied from it, then of those copied from
    /// those. Each was written after the ones before it.
    pub(super) fn chain(&self, start: Name) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut open = vec![start];
        while let Some(store) = open.pop() {
            for sequence in self.copies_of(store) {
                let of = Name::Numbered(sequence);
                if of != start && !chain.contains(&sequence) {
                    chain.push(sequence);
                    open.push(of);
                }
            }
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: bool = true;
    const GOOD: bool = false;

    fn numbered(numbers: &[u32]) -> BTreeSet<Name> {
        numbers.iter().copied().map(Name::Numbered).collect()
    }

    /// Stores 1, 2, 3; `current` counts; each journal with the number of the store it came from.
    fn found(current: Option<u32>, stores: &[u32], journals: &[(u32, u32)]) -> Found {
        Found {
            current: current.map_or(Pointer::Missing, |it| Pointer::To(Name::Numbered(it))),
            stores: numbered(stores),
            journals: journals
                .iter()
                .map(|(of, from)| (*of, Some(Name::Numbered(*from))))
                .collect(),
        }
    }

    fn open(import: &[u32], counts: Option<u32>) -> Plan {
        Plan::Open {
            import: import.to_vec(),
            counts: counts.map(Name::Numbered),
        }
    }

    fn copy(from: u32) -> Plan {
        let from = Name::Numbered(from);
        Plan::Copy { from }
    }

    #[test]
    fn a_first_start_makes_its_own_and_goes_on_with_it_when_it_was_cut_off() {
        assert_eq!(plan(&found(None, &[], &[]), 7, TRIAL), Plan::Make);
        assert_eq!(plan(&found(None, &[7], &[]), 7, GOOD), open(&[], None));
    }

    #[test]
    fn a_store_from_before_generations_counts() {
        let mut there = found(None, &[], &[]);
        there.stores.insert(Name::Plain);
        let from = Name::Plain;
        assert_eq!(plan(&there, 7, GOOD), Plan::Copy { from });
        // A copy without a journal was cut off.
        there.stores.insert(Name::Numbered(7));
        assert_eq!(plan(&there, 7, TRIAL), Plan::Copy { from });
        there.journals.insert(7, Some(Name::Plain));
        let (import, counts) = (Vec::new(), Some(Name::Plain));
        assert_eq!(plan(&there, 7, TRIAL), Plan::Open { import, counts });
        // The slot proved itself, and only the pointer was not written any more.
        assert_eq!(plan(&there, 7, GOOD), open(&[], None));
    }

    #[test]
    fn an_update_copies_and_a_trial_that_was_interrupted_goes_on() {
        assert_eq!(plan(&found(Some(1), &[1], &[]), 2, TRIAL), copy(1));
        let under_way = found(Some(1), &[1, 2], &[(2, 1)]);
        assert_eq!(plan(&under_way, 2, TRIAL), open(&[], Some(1)));
        assert_eq!(plan(&under_way, 2, GOOD), open(&[], None));
    }

    #[test]
    fn what_an_earlier_failed_trial_left_is_not_taken_up_again() {
        // Its journal was put aside by the version that took it over.
        assert_eq!(plan(&found(Some(1), &[1, 2], &[]), 2, TRIAL), copy(1));
        // Its journal is of another copy.
        let other = found(Some(3), &[1, 2, 3], &[(2, 1)]);
        assert_eq!(plan(&other, 2, TRIAL), copy(3));
    }

    #[test]
    fn going_back_takes_over_every_journal_since() {
        let failed = found(Some(1), &[1, 2], &[(2, 1)]);
        assert_eq!(plan(&failed, 1, GOOD), open(&[2], None));
        let proved = found(Some(2), &[1, 2], &[(2, 1)]);
        assert_eq!(plan(&proved, 1, GOOD), open(&[2], None));
        let twice = found(Some(3), &[1, 2, 3], &[(2, 1), (3, 2)]);
        assert_eq!(plan(&twice, 1, GOOD), open(&[2, 3], None));
        assert_eq!(plan(&twice, 2, GOOD), open(&[3], None));
    }

    #[test]
    fn a_downgrade_on_trial_leaves_the_newer_store_alone() {
        let proved = found(Some(2), &[1, 2], &[(2, 1)]);
        assert_eq!(plan(&proved, 1, TRIAL), copy(2));
        let under_way = found(Some(2), &[1, 2], &[(1, 2)]);
        assert_eq!(plan(&under_way, 1, TRIAL), open(&[], Some(2)));
        assert_eq!(plan(&under_way, 2, GOOD), open(&[1], None));
    }

    #[test]
    fn a_lost_store_is_never_replaced_by_an_empty_one() {
        let name = Name::Numbered(1);
        let lost = found(Some(1), &[], &[]);
        // Not even where nothing else is left.
        assert_eq!(plan(&lost, 1, GOOD), Plan::Missing { name });
        assert_eq!(
            plan(&found(Some(1), &[3], &[]), 2, GOOD),
            Plan::Missing { name }
        );
        assert_eq!(
            plan(&found(Some(2), &[1], &[(2, 1)]), 1, GOOD),
            open(&[2], None)
        );
    }

    #[test]
    fn without_a_readable_pointer_the_own_store_counts_or_the_newest() {
        let mut there = found(None, &[1, 2], &[(2, 1)]);
        there.current = Pointer::Damaged;
        assert_eq!(plan(&there, 1, GOOD), open(&[2], None));
        assert_eq!(plan(&there, 2, GOOD), open(&[], None));
        assert_eq!(plan(&there, 2, TRIAL), open(&[], Some(1)));
        assert_eq!(plan(&there, 3, TRIAL), copy(2));
    }

    #[test]
    fn a_journal_whose_first_line_is_damaged_is_that_of_a_copy_of_the_current_store() {
        let mut failed = found(Some(1), &[1, 2], &[]);
        failed.journals.insert(2, None);
        assert_eq!(plan(&failed, 1, GOOD), open(&[2], None));
        assert_eq!(plan(&failed, 2, TRIAL), open(&[], Some(1)));
        failed.current = Pointer::To(Name::Numbered(2));
        assert_eq!(plan(&failed, 1, GOOD), open(&[2], None));
    }

    /// Journals may lie: they are files. Whatever they say, a plan is found, and a chain ends.
    #[test]
    fn journals_in_a_circle_end() {
        let circle = found(Some(2), &[1, 2], &[(1, 2), (2, 1)]);
        assert_eq!(circle.chain(Name::Numbered(1)), [2]);
        assert_eq!(plan(&circle, 2, TRIAL), open(&[1], None));
    }
}
