//! When a slot has proved itself, and when it has to go.
//!
//! The boot loader takes a try off a slot each time it starts it. Here is decided when to give the
//! tries back ([`Gate`]), and when to restart without doing so ([`Crashes`], [`Relapses::allow`]):
//! a slot whose programs keep crashing uses up its tries and gives way to the other one. Three
//! things keep that from going on for ever: a slot that was restarted for crashes has to serve for
//! longer than it took them to show before it counts as good again; the recovery system never
//! restarts for crashes; and neither does any slot more often than it has tries, in case the boot
//! loader cannot count.
//!
//! A version on trial has to show more than pages ([`Part`]), and soon: one that does not says what it
//! lacks, and gives way at once.
//!
//! Pure: clocks and files are the caller's.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::boot::{Slot, System};
use crate::control::machine::{Notice, notice};
use crate::domain::Moment;
use crate::domain::limits::{
    CRASHES_MAX, CRASHES_WINDOW, HEALTH_GATE, HEALTH_GATE_AFTER_CRASHES, TRIES,
};

/// Whether a slot has proved itself since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Something does not serve.
    Shut,
    /// Everything has served since then.
    Serving {
        /// The first sign of it.
        since: Moment,
    },
    /// It has proved itself. Nothing leaves this state.
    Passed,
}

/// What happens in front of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A page came over a connection from outside.
    Served,
    /// It did not.
    Silent,
    /// A program ended by itself.
    Crashed,
}

impl Gate {
    /// The state after `sign` at `at`, for a slot that has to serve for `long`.
    pub(super) fn after(self, sign: Sign, at: Moment, long: Duration) -> Self {
        match self {
            Self::Shut => match sign {
                Sign::Served => Self::Serving { since: at },
                Sign::Silent | Sign::Crashed => Self::Shut,
            },
            Self::Serving { since } => match sign {
                Sign::Served if at.since(since) >= long => Self::Passed,
                Sign::Served => self,
                Sign::Silent | Sign::Crashed => Self::Shut,
            },
            Self::Passed => match sign {
                Sign::Served | Sign::Silent | Sign::Crashed => Self::Passed,
            },
        }
    }
}

/// What a version on trial has to show besides pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Every block of its root is there, and what was signed.
    Root,
    /// Its store was migrated and found in order, and has room.
    Store,
    /// Its relay carries sessions.
    Session,
    /// The network is as it was before.
    Network,
}

impl Part {
    /// What is said of a version that lacks it.
    fn lacking(self) -> &'static str {
        match self {
            Self::Root => "its system files could not be read whole",
            Self::Store => "its copy of the data was not in order",
            Self::Session => "it carried no session",
            Self::Network => "the network was not as before",
        }
    }
}

/// What has not been shown yet, each with what was seen instead.
#[derive(Debug, Default)]
pub(super) struct Missing(BTreeMap<Part, Option<String>>);

impl Missing {
    /// Everything, for a version on trial; nothing for another.
    pub(super) fn at_start(on_trial: bool) -> Self {
        let all = [Part::Root, Part::Store, Part::Session, Part::Network];
        let missing = all.into_iter().filter(|_| on_trial);
        Self(missing.map(|part| (part, None)).collect())
    }

    /// Whether `part` is missing.
    pub(super) fn has(&self, part: Part) -> bool {
        self.0.contains_key(&part)
    }

    /// Whether everything was shown.
    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// `part` was looked at. What was there may be gone again.
    pub(super) fn look(&mut self, part: Part, shown: Result<(), String>) {
        match shown {
            Ok(()) => {
                self.0.remove(&part);
            }
            Err(why) => {
                self.0.insert(part, Some(why));
            }
        }
    }

    /// Why a version did not prove itself in time, for people.
    pub(super) fn why(&self, pages_came: bool) -> Notice {
        let lacking = |(part, seen): (&Part, &Option<String>)| match seen {
            Some(seen) => Some(format!("{} ({seen})", part.lacking())),
            // Nobody looks before there are pages.
            None => pages_came.then(|| part.lacking().to_owned()),
        };
        let parts: Vec<String> = self.0.iter().filter_map(lacking).collect();
        let pages = (!pages_came || parts.is_empty())
            .then(|| "its pages, with the update agent, did not run for long enough".to_owned());
        let all: Vec<String> = pages.into_iter().chain(parts).collect();
        notice(&format!(
            "The version did not prove itself: {}",
            all.join("; ")
        ))
    }
}

/// Who crashed lately.
#[derive(Debug, Default)]
pub(super) struct Crashes(BTreeMap<&'static str, VecDeque<Moment>>);

impl Crashes {
    /// `name` crashed at `at`. Returns whether that is more than starting it again cures:
    /// [`CRASHES_MAX`] times within [`CRASHES_WINDOW`].
    pub(super) fn add(&mut self, name: &'static str, at: Moment) -> bool {
        let times = self.0.entry(name).or_default();
        times.push_back(at);
        let is_old = |first: &Moment| at.since(*first) > CRASHES_WINDOW;
        while times.len() > CRASHES_MAX || times.front().is_some_and(is_old) {
            times.pop_front();
        }
        times.len() >= CRASHES_MAX
    }
}

/// Restarts for crashes that no proof came after, of one slot. Kept where a restart does not
/// reach; another slot's count begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relapses {
    /// Whose.
    pub(super) system: System,
    /// How many in a row.
    pub(super) count: u8,
}

impl Relapses {
    /// What is kept, as it concerns the running slot; `None` for the recovery system.
    pub(super) fn of(slot: Slot, kept: Option<Self>) -> Option<Self> {
        match slot {
            Slot::Recovery => None,
            Slot::System(system) => {
                let same = kept.filter(|kept| kept.system == system);
                Some(same.unwrap_or(Self { system, count: 0 }))
            }
        }
    }

    /// How long the slot has to serve to prove itself.
    pub(super) fn gate(self) -> Duration {
        if self.count == 0 {
            HEALTH_GATE
        } else {
            HEALTH_GATE_AFTER_CRASHES
        }
    }

    /// What to keep before a restart for crashes; `None` if there has to be none. One restart more
    /// than there are tries: the first one still finds them all.
    pub(super) fn allow(self) -> Option<Self> {
        let count = self.count + 1;
        (self.count <= TRIES).then_some(Self { count, ..self })
    }

    /// Reads what [`Self::encode`] wrote; anything else counts as nothing.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let (system, count) = text.trim().split_once(' ')?;
        let system = System::ALL.into_iter().find(|s| s.letter() == system)?;
        let count = count.parse().ok().filter(|count| *count <= TRIES + 1)?;
        Some(Self { system, count })
    }

    /// As a file.
    pub(super) fn encode(self) -> String {
        format!("{} {}\n", self.system.letter(), self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_slot_has_proved_itself_once_it_served_long_enough_without_a_fault() {
        let gate = Gate::Shut.after(Sign::Served, at(5), HEALTH_GATE);
        assert_eq!(gate, Gate::Serving { since: at(5) });
        assert_eq!(gate.after(Sign::Served, at(14), HEALTH_GATE), gate);
        let passed = gate.after(Sign::Served, at(15), HEALTH_GATE);
        assert_eq!(passed, Gate::Passed);
        for fault in [Sign::Silent, Sign::Crashed] {
            assert_eq!(gate.after(fault, at(14), HEALTH_GATE), Gate::Shut);
            assert_eq!(passed.after(fault, at(16), HEALTH_GATE), Gate::Passed);
        }
    }

    #[test]
    fn only_a_version_on_trial_has_to_show_more_than_pages() {
        assert!(Missing::at_start(false).is_nothing());
        let mut missing = Missing::at_start(true);
        for part in [Part::Root, Part::Store, Part::Session] {
            missing.look(part, Ok(()));
            assert!(!missing.has(part) && !missing.is_nothing());
        }
        missing.look(Part::Network, Ok(()));
        assert!(missing.is_nothing());
        // A cable is pulled before it has served for long enough.
        missing.look(
            Part::Network,
            Err("eth0 has no address any more".to_owned()),
        );
        assert_eq!(
            missing.why(true).as_str(),
            "The version did not prove itself: the network was not as before (eth0 has no address \
             any more)"
        );
    }

    #[test]
    fn what_a_version_lacks_is_said_in_words_that_fit() {
        let mut missing = Missing::at_start(true);
        assert!(missing.why(false).ends_with("did not run for long enough"));
        missing.look(Part::Root, Err("input/output error".to_owned()));
        let why = missing.why(true);
        assert!(
            why.contains("read whole (input/output error); its copy"),
            "{why}"
        );
        let pages = Missing::at_start(false).why(true);
        assert!(pages.ends_with("did not run for long enough"), "{pages}");
    }

    #[test]
    fn five_crashes_within_ten_minutes_are_too_many() {
        let mut crashes = Crashes::default();
        for second in 0..4 {
            assert!(!crashes.add("web", at(second)));
            assert!(!crashes.add("relay", at(second)));
        }
        assert!(crashes.add("web", at(600)));
        assert!(!crashes.add("relay", at(604)), "the first is forgotten");
        let mut rare = Crashes::default();
        for number in 0..100 {
            assert!(!rare.add("web", at(number * 151)));
        }
    }

    #[test]
    fn restarts_for_crashes_end() {
        let slot = Slot::System(System::A);
        let mut kept = None;
        let mut restarts = 0;
        while let Some(next) = Relapses::of(slot, kept).unwrap().allow() {
            assert_eq!(Relapses::decode(&next.encode()), Some(next));
            kept = Some(next);
            restarts += 1;
        }
        // Boots with 3, 2, 1 and no tries left after them.
        assert_eq!(restarts, u32::from(TRIES) + 1);
        let other = Relapses::of(Slot::System(System::B), kept).unwrap();
        assert_eq!(other.count, 0);
        assert!(other.allow().is_some());
        assert_eq!(Relapses::of(Slot::Recovery, kept), None);
    }

    #[test]
    fn after_a_restart_for_crashes_the_proof_takes_longer() {
        let system = System::A;
        assert_eq!(Relapses { system, count: 0 }.gate(), HEALTH_GATE);
        let again = Relapses { system, count: 1 };
        assert!(again.gate() > CRASHES_WINDOW);
    }

    #[test]
    fn a_damaged_count_is_none() {
        for text in ["", "a", "c 1", "a 9", "a -1", "a 1 2"] {
            assert_eq!(Relapses::decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_service_opens_the_gate(
            signs in prop::collection::vec((0..3_u8, 0..20_u64), 0..40)
        ) {
            let mut now = 0;
            let mut gate = Gate::Shut;
            let mut served_since = None;
            for (sign, later) in signs {
                now += later;
                let sign = [Sign::Served, Sign::Silent, Sign::Crashed][usize::from(sign)];
                let before = gate;
                gate = gate.after(sign, at(now), HEALTH_GATE);
                served_since = match sign {
                    Sign::Served => served_since.or(Some(now)),
                    Sign::Silent | Sign::Crashed => None,
                };
                if gate == Gate::Passed && before != Gate::Passed {
                    prop_assert!(now - served_since.unwrap() >= HEALTH_GATE.as_secs());
                }
            }
        }
    }
}
