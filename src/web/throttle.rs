//! How often a wrong password may be tried: per address, and per name.
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
    /// By hash: people type passwords into the wrong field.
    names: Tally<Fingerprint>,
}

/// Too many; another try is heard after this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlowDown {
    /// At least a second.
    pub(crate) wait: Duration,
}

impl Throttle {
    /// Counts a try before it is checked.
    ///
    /// # Errors
    ///
    /// [`SlowDown`] if the address or the name has had its tries; then nothing is counted.
    pub(crate) fn begin(
        &mut self,
        from: PeerAddress,
        name: &str,
        at: Moment,
    ) -> Result<(), SlowDown> {
        let address = from.neighbourhood();
        let name = key(name);
        let by_address = self.addresses.wait(&address, SIGN_INS_PER_ADDRESS_MAX, at);
        let by_name = self.names.wait(&name, SIGN_INS_PER_ACCOUNT_MAX, at);
        if let Some(wait) = by_address.max(by_name) {
            return Err(SlowDown { wait });
        }
        self.addresses.count(address, at);
        self.names.count(name, at);
        Ok(())
    }

    /// The try that began was right: it costs the address nothing, and the name starts anew.
    pub(crate) fn right(&mut self, from: PeerAddress, name: &str) {
        self.addresses.give_back(&from.neighbourhood());
        self.names.0.remove(&key(name));
    }
}

fn key(name: &str) -> Fingerprint {
    Fingerprint::of(name.trim().to_ascii_lowercase().as_bytes())
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
    /// How long until another try, if `most` have been made.
    fn wait(&self, key: &K, most: u32, at: Moment) -> Option<Duration> {
        let (since, tries) = self.0.get(key)?;
        let left = SIGN_IN_WINDOW.checked_sub(at.since(*since))?;
        (*tries >= most && !left.is_zero()).then(|| left.max(Duration::from_secs(1)))
    }

    fn count(&mut self, key: K, at: Moment) {
        if self.0.len() >= SIGN_IN_GUESSERS_MAX && !self.0.contains_key(&key) {
            self.make_room(at);
        }
        let tally = self.0.entry(key).or_insert((at, 0));
        if at.since(tally.0) >= SIGN_IN_WINDOW {
            *tally = (at, 0);
        }
        tally.1 += 1;
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

    #[test]
    fn a_name_waits_after_its_tries_from_whatever_addresses() {
        let mut throttle = Throttle::default();
        for last in 0..10 {
            assert_eq!(throttle.begin(peer(last), "Admin", START), Ok(()));
        }
        let later = START + Duration::from_mins(1);
        let wait = SIGN_IN_WINDOW.checked_sub(Duration::from_mins(1)).unwrap();
        let refused = throttle.begin(peer(99), " admin", later);
        assert_eq!(refused, Err(SlowDown { wait }));
        assert_eq!(throttle.begin(peer(99), "other", later), Ok(()));
        let over = START + SIGN_IN_WINDOW;
        assert_eq!(throttle.begin(peer(99), "admin", over), Ok(()));
    }

    #[test]
    fn an_address_waits_after_its_tries_for_whatever_names() {
        let mut throttle = Throttle::default();
        for number in 0..SIGN_INS_PER_ADDRESS_MAX {
            let name = format!("name{number}");
            assert_eq!(throttle.begin(peer(1), &name, START), Ok(()));
        }
        assert!(throttle.begin(peer(1), "one more", START).is_err());
        assert_eq!(throttle.begin(peer(2), "one more", START), Ok(()));
    }

    #[test]
    fn the_right_password_costs_nothing() {
        let mut throttle = Throttle::default();
        for _ in 0..1_000 {
            assert_eq!(throttle.begin(peer(1), "ana", START), Ok(()));
            throttle.right(peer(1), "ana");
        }
    }

    #[test]
    fn a_refused_try_does_not_lengthen_the_wait() {
        let mut throttle = Throttle::default();
        for _ in 0..SIGN_INS_PER_ACCOUNT_MAX {
            throttle.begin(peer(1), "ana", START).unwrap();
        }
        for second in 0..600 {
            let at = START + Duration::from_secs(second);
            assert!(throttle.begin(peer(2), "ana", at).is_err());
        }
        let over = START + SIGN_IN_WINDOW;
        assert_eq!(throttle.begin(peer(2), "ana", over), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut throttle = Throttle::default();
        for number in 0..=SIGN_IN_GUESSERS_MAX {
            let [a, b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
            let from = PeerAddress::new(([10 + a, b, c, d], 1).into());
            let at = START + Duration::from_millis(u64::try_from(number).unwrap());
            let name = format!("name{number}");
            assert_eq!(throttle.begin(from, &name, at), Ok(()));
        }
        assert_eq!(throttle.addresses.0.len(), SIGN_IN_GUESSERS_MAX);
        assert_eq!(throttle.names.0.len(), SIGN_IN_GUESSERS_MAX);
        assert!(!throttle.names.0.contains_key(&key("name0")));
    }
}
