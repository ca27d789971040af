//! In which order the boot loader tries the slots.
//!
//! The boot loader's own script decides; this is what it has to do, for whoever wants to know
//! beforehand (status page, update agent) and for the tests that compare the two:
//!
//! 1. A slot without a readable, signed description does not take part.
//! 2. With an environment block: a slot without tries left does not take part. The slot on trial
//!    goes first, then good ones, then others; among equals the higher sequence number.
//! 3. Without one (lost or torn) nobody is on trial. Good is a slot with a file `good` in its folder.
//!    Tries are counted in a spare block, which is empty as long as there is the other one; that
//!    is not part of this model, which tells what comes first after the loss.
//! 4. Recovery comes last.
//!
//! Then, for the first of them: take one try off, write the stamp, load kernel and initramfs. What
//! cannot be loaded or is not signed gives way to the next slot in the same boot. With recovery, slots
//! that were good get one more try, for the start after it. If recovery gives way too, the boot loader
//! says so, and restarts after 30 s.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::domain::limits::TRIES;

use super::{Environment, Slot, System};

/// What the boot loader sees of a slot on the EFI partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// From its description.
    pub sequence: u32,
    /// Whether its folder holds the file `good`.
    pub has_good_file: bool,
}

/// Where a slot stands, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Nothing that could be booted.
    Empty,
    /// Goes first, to prove itself.
    OnTrial {
        /// Boots that it still gets.
        tries_left: u8,
    },
    /// Passed its health gate once.
    Good {
        /// Boots that it still gets.
        tries_left: u8,
    },
    /// Neither.
    Untried {
        /// Boots that it still gets.
        tries_left: u8,
    },
    /// Used up its tries.
    Exhausted,
}

impl State {
    /// Of `system`, which looks like `seen`.
    pub fn of(environment: Option<&Environment>, system: System, seen: Option<Seen>) -> Self {
        let Some(seen) = seen else {
            return Self::Empty;
        };
        let Some(environment) = environment else {
            let tries_left = TRIES;
            return if seen.has_good_file {
                Self::Good { tries_left }
            } else {
                Self::Untried { tries_left }
            };
        };
        match environment.tries_left(system) {
            0 => Self::Exhausted,
            tries_left if environment.trial() == Some(system) => Self::OnTrial { tries_left },
            tries_left if environment.is_good(system) => Self::Good { tries_left },
            tries_left => Self::Untried { tries_left },
        }
    }

    /// Lower goes first; `None` does not take part.
    fn rank(self) -> Option<u8> {
        match self {
            Self::Empty | Self::Exhausted => None,
            Self::OnTrial { .. } => Some(0),
            Self::Good { .. } => Some(1),
            Self::Untried { .. } => Some(2),
        }
    }
}

/// The slots in the order in which the boot loader tries them. `environment` is `None` if the block
/// is lost or torn.
pub fn order(environment: Option<&Environment>, a: Option<Seen>, b: Option<Seen>) -> Vec<Slot> {
    let ranked = |(system, seen): (System, Option<Seen>)| {
        let rank = State::of(environment, system, seen).rank()?;
        Some((rank, Reverse(seen?.sequence), system))
    };
    let mut systems: Vec<_> = [(System::A, a), (System::B, b)]
        .into_iter()
        .filter_map(ranked)
        .collect();
    systems.sort();
    let systems = systems
        .into_iter()
        .map(|(_, _, system)| Slot::System(system));
    systems.chain([Slot::Recovery]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Slot = Slot::System(System::A);
    const B: Slot = Slot::System(System::B);
    const R: Slot = Slot::Recovery;

    fn environment(values: &[(&str, &str)]) -> Environment {
        let mut environment = Environment::default();
        for (key, value) in values {
            environment.set(key, value).unwrap();
        }
        environment
    }

    fn seen(sequence: u32) -> Seen {
        let has_good_file = false;
        Seen {
            sequence,
            has_good_file,
        }
    }

    #[test]
    fn good_slots_go_before_newer_ones_and_a_trial_before_all() {
        for (values, expected) in [
            (&[][..], [B, A]),
            (&[("a_good", "1")], [A, B]),
            (&[("a_good", "1"), ("b_good", "1")], [B, A]),
            (&[("a_good", "1"), ("trial", "b")], [B, A]),
            (&[("b_good", "1"), ("trial", "a")], [A, B]),
        ] {
            let found = order(Some(&environment(values)), Some(seen(1)), Some(seen(2)));
            assert_eq!(found, [expected[0], expected[1], R], "{values:?}");
        }
    }

    #[test]
    fn a_slot_without_tries_or_description_does_not_take_part() {
        let spent = environment(&[("a_good", "1"), ("a_left", "0"), ("trial", "a")]);
        assert_eq!(order(Some(&spent), Some(seen(1)), Some(seen(2))), [B, R]);
        assert_eq!(order(Some(&spent), Some(seen(1)), None), [R]);
        assert_eq!(
            State::of(Some(&spent), System::A, Some(seen(1))),
            State::Exhausted
        );
        assert_eq!(State::of(Some(&spent), System::A, None), State::Empty);
    }

    #[test]
    fn without_an_environment_the_newest_good_slot_is_booted() {
        let with = |sequence, has_good_file| {
            Some(Seen {
                sequence,
                has_good_file,
            })
        };
        assert_eq!(order(None, with(1, true), with(2, false)), [A, B, R]);
        assert_eq!(order(None, with(1, true), with(2, true)), [B, A, R]);
        assert_eq!(order(None, with(1, false), with(2, false)), [B, A, R]);
        assert_eq!(order(None, None, None), [R]);
    }

    /// What the boot loader does to the block before it starts the kernel.
    fn boot(environment: &mut Environment, slot: Slot) {
        if let Slot::System(system) = slot {
            let left = environment.tries_left(system) - 1;
            let key = format!("{system}_left");
            environment.set(&key, &left.to_string()).unwrap();
        }
    }

    prop_compose! {
        fn any_environment()(
            left in proptest::collection::vec(0..=TRIES, 2), good: [bool; 2],
            trial in proptest::sample::select(vec!["", "a", "b"])
        ) -> Environment {
            let mut environment = environment(&[("trial", trial)]);
            for (at, system) in System::ALL.into_iter().enumerate() {
                environment.set(&format!("{system}_left"), &left[at].to_string()).unwrap();
                environment.set(&format!("{system}_good"), if good[at] { "1" } else { "0" }).unwrap();
            }
            environment
        }
    }

    fn any_seen() -> impl Strategy<Value = Option<Seen>> {
        proptest::option::of(
            (0_u32..4, any::<bool>()).prop_map(|(sequence, has_good_file)| Seen {
                sequence,
                has_good_file,
            }),
        )
    }

    proptest! {
        #[test]
        fn recovery_is_always_last_and_every_slot_at_most_once(
            environment in proptest::option::of(any_environment()), a in any_seen(), b in any_seen()
        ) {
            let order = order(environment.as_ref(), a, b);
            prop_assert_eq!(order.last(), Some(&R));
            let mut distinct = order.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), order.len());
        }

        #[test]
        fn boots_that_all_fail_end_in_recovery(
            mut environment in any_environment(), a in any_seen(), b in any_seen()
        ) {
            for _ in 0..2 * TRIES {
                let first = order(Some(&environment), a, b)[0];
                boot(&mut environment, first);
            }
            prop_assert_eq!(order(Some(&environment), a, b), [R]);
        }

        #[test]
        fn a_failing_trial_gives_way_to_the_slot_that_was_good(
            mut environment in any_environment(), sequences: [u32; 2]
        ) {
            environment.confirm(System::A).unwrap();
            environment.set("b_good", "0").unwrap();
            environment.set("b_left", "3").unwrap();
            environment.set("trial", "b").unwrap();
            let [a, b] = sequences.map(|sequence| Some(seen(sequence)));
            for _ in 0..TRIES {
                prop_assert_eq!(order(Some(&environment), a, b), [B, A, R]);
                boot(&mut environment, B);
            }
            prop_assert_eq!(order(Some(&environment), a, b), [A, R]);
        }

        #[test]
        fn a_slot_that_confirms_each_boot_is_booted_for_ever(
            mut environment in any_environment(), a in any_seen(), b in any_seen()
        ) {
            let first = order(Some(&environment), a, b)[0];
            let Slot::System(system) = first else { return Ok(()) };
            environment.confirm(system).unwrap();
            // The other one may be newer and good as well, or still on trial.
            environment.set(&format!("{}_left", system.other()), "0").unwrap();
            for _ in 0..10 {
                prop_assert_eq!(order(Some(&environment), a, b)[0], first);
                boot(&mut environment, first);
                environment.confirm(system).unwrap();
            }
        }
    }
}
