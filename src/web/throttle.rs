//! How often a wrong password may be tried: per address, and per name.
//!
//! An address that had its tries waits. A name that had its tries does not, or any stranger could
//! keep its owner out: each further try costs a puzzle ([`super::puzzles`]). A browser that signed
//! in to the account before has tries of its own, and meets no puzzle for what strangers do.
//!
//! A try counts when it begins, so that a hundred at once are not a hundred free ones; the right
//! password gives it back. Names count whether an account has them or not, so a refusal says
//! nothing about which exist. Pure: time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use crate::domain::limits::{
    SIGN_IN_GUESSERS_MAX, SIGN_IN_WINDOW, SIGN_INS_PER_ACCOUNT_MAX, SIGN_INS_PER_ADDRESS_MAX,
};
use crate::domain::token::Fingerprint;
use crate::domain::{Moment, PeerAddress};

/// Wrong passwords of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    addresses: Tally<IpAddr>,
    names: Tally<Fingerprint>,
}

/// Whose tries are counted together. By hash: people type passwords into the wrong field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whom(pub(crate) Fingerprint);

impl Whom {
    /// Everybody who tries this name.
    pub(crate) fn name(name: &str) -> Self {
        Self(Fingerprint::of(spelt(name).as_bytes()))
    }

    /// One browser that signed in to the account of this name before.
    pub(crate) fn browser(browser: &Fingerprint, name: &str) -> Self {
        Self(Fingerprint::of(
            // No account name has a colon.
            format!("{browser}:{}", spelt(name)).as_bytes(),
        ))
    }
}

fn spelt(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// Not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Too many from this address.
    Address {
        /// Until another try is heard; at least a second.
        wait: Duration,
    },
    /// Too many for this name: solve a puzzle first.
    Whom {
        /// Until none is needed; at least a second.
        wait: Duration,
        /// In this window.
        tries: u32,
    },
}

impl Throttle {
    /// Counts a try before it is checked; `solved` says that it paid with a puzzle.
    ///
    /// # Errors
    ///
    /// [`Held`] if the address or the name has had its tries; then nothing is counted.
    pub(crate) fn begin(
        &mut self,
        from: PeerAddress,
        whom: &Whom,
        solved: bool,
        at: Moment,
    ) -> Result<(), Held> {
        let address = from.neighbourhood();
        if let Some((wait, _)) = self.addresses.over(&address, SIGN_INS_PER_ADDRESS_MAX, at) {
            return Err(Held::Address { wait });
        }
        let over = self.names.over(&whom.0, SIGN_INS_PER_ACCOUNT_MAX, at);
        if let Some((wait, tries)) = over.filter(|_| !solved) {
            return Err(Held::Whom { wait, tries });
        }
        self.addresses.count(address, at);
        self.names.count(whom.0, at);
        Ok(())
    }

    /// Tries so far, if the next will cost a puzzle.
    pub(crate) fn pressure(&self, whom: &Whom, at: Moment) -> Option<u32> {
        let over = self.names.over(&whom.0, SIGN_INS_PER_ACCOUNT_MAX, at);
        over.map(|(_, tries)| tries)
    }

    /// The try that began was right: it costs the address nothing, and its name starts anew.
    pub(crate) fn right(&mut self, from: PeerAddress, whom: &Whom) {
        self.addresses.give_back(&from.neighbourhood());
        self.names.0.remove(&whom.0);
    }
}

/// Tries within a window that begins with the first of them.
#[derive(Debug)]
struct Tally<K>(HashMap<K, (Moment, u32)>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> Tally<K> {
    /// How long until another try, and the tries so far, if `most` have been made.
    fn over(&self, key: &K, most: u32, at: Moment) -> Option<(Duration, u32)> {
        let (since, tries) = self.0.get(key)?;
        let left = SIGN_IN_WINDOW.checked_sub(at.since(*since))?;
        let over = *tries >= most && !left.is_zero();
        over.then(|| (left.max(Duration::from_secs(1)), *tries))
    }

    fn count(&mut self, key: K, at: Moment) {
        if self.0.len() >= SIGN_IN_GUESSERS_MAX && !self.0.contains_key(&key) {
            self.make_room(at);
        }
        let tally = self.0.entry(key).or_insert((at, 0));
        if at.since(tally.0) >= SIGN_IN_WINDOW {
            *tally = (at, 0);
        }
        tally.1 = tally.1.saturating_add(1);
    }

    fn give_back(&mut self, key: &K) {
        if let Some((_, tries)) = self.0.get_mut(key) {
            *tries = tries.saturating_sub(1);
        }
    }

    /// Forgets what no longer counts, or else the oldest.
    fn make_room(&mut self, at: Moment) {
        self.0
            .retain(|_, (since, _)| at.since(*since) < SIGN_IN_WINDOW);
        if self.0.len() >= SIGN_IN_GUESSERS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> PeerAddress {
        PeerAddress::new(([192, 0, 2, last], 50_000).into())
    }

    const START: Moment = Moment::from_millis(5_000);

    fn ana() -> Whom {
        Whom::name("ana")
    }

    #[test]
    fn a_name_costs_a_puzzle_after_its_tries_from_whatever_addresses() {
        let mut throttle = Throttle::default();
        let admin = Whom::name("Admin");
        for last in 0..10 {
            assert_eq!(throttle.begin(peer(last), &admin, false, START), Ok(()));
        }
        let later = START + Duration::from_mins(1);
        let wait = SIGN_IN_WINDOW.checked_sub(Duration::from_mins(1)).unwrap();
        let admin = Whom::name(" admin");
        assert_eq!(
            throttle.begin(peer(99), &admin, false, later),
            Err(Held::Whom { wait, tries: 10 })
        );
        assert_eq!(throttle.pressure(&admin, later), Some(10));
        assert_eq!(throttle.begin(peer(99), &admin, true, later), Ok(()));
        assert_eq!(throttle.pressure(&admin, later), Some(11));
        assert_eq!(throttle.begin(peer(99), &ana(), false, later), Ok(()));
        let over = START + SIGN_IN_WINDOW;
        assert_eq!(throttle.begin(peer(99), &admin, false, over), Ok(()));
    }

    #[test]
    fn a_known_browser_has_tries_of_its_own() {
        let mut throttle = Throttle::default();
        for _ in 0..SIGN_INS_PER_ACCOUNT_MAX {
            throttle.begin(peer(1), &ana(), false, START).unwrap();
        }
        let known = Whom::browser(&Fingerprint::of(b"cookie"), "Ana ");
        for _ in 0..SIGN_INS_PER_ACCOUNT_MAX {
            assert_eq!(throttle.begin(peer(2), &known, false, START), Ok(()));
        }
        let over = throttle.begin(peer(2), &known, false, START);
        assert!(matches!(over, Err(Held::Whom { .. })), "{over:?}");
        throttle.right(peer(2), &known);
        assert_eq!(throttle.pressure(&known, START), None);
        assert!(throttle.pressure(&ana(), START).is_some());
    }

    #[test]
    fn an_address_waits_after_its_tries_for_whatever_names_and_puzzles() {
        let mut throttle = Throttle::default();
        for number in 0..SIGN_INS_PER_ADDRESS_MAX {
            let name = Whom::name(&format!("name{number}"));
            assert_eq!(throttle.begin(peer(1), &name, false, START), Ok(()));
        }
        for solved in [false, true] {
            let refused = throttle.begin(peer(1), &ana(), solved, START);
            let wait = SIGN_IN_WINDOW;
            assert_eq!(refused, Err(Held::Address { wait }));
        }
        assert_eq!(throttle.begin(peer(2), &ana(), false, START), Ok(()));
    }

    #[test]
    fn the_right_password_costs_nothing() {
        let mut throttle = Throttle::default();
        for _ in 0..1_000 {
            assert_eq!(throttle.begin(peer(1), &ana(), false, START), Ok(()));
            throttle.right(peer(1), &ana());
        }
    }

    #[test]
    fn a_refused_try_does_not_lengthen_the_wait() {
        let mut throttle = Throttle::default();
        for _ in 0..SIGN_INS_PER_ACCOUNT_MAX {
            throttle.begin(peer(1), &ana(), false, START).unwrap();
        }
        for second in 0..600 {
            let at = START + Duration::from_secs(second);
            assert!(throttle.begin(peer(2), &ana(), false, at).is_err());
        }
        let over = START + SIGN_IN_WINDOW;
        assert_eq!(throttle.begin(peer(2), &ana(), false, over), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut throttle = Throttle::default();
        for number in 0..=SIGN_IN_GUESSERS_MAX {
            let [a, b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
            let from = PeerAddress::new(([10 + a, b, c, d], 1).into());
            let at = START + Duration::from_millis(u64::try_from(number).unwrap());
            let name = Whom::name(&format!("name{number}"));
            assert_eq!(throttle.begin(from, &name, false, at), Ok(()));
        }
        assert_eq!(throttle.addresses.0.len(), SIGN_IN_GUESSERS_MAX);
        assert_eq!(throttle.names.0.len(), SIGN_IN_GUESSERS_MAX);
        assert!(!throttle.names.0.contains_key(&Whom::name("name0").0));
    }
}
