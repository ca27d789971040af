//! Session keys that can still start a session.

use std::collections::HashMap;

use super::event::KeyRecord;
use crate::domain::token::Fingerprint;
use crate::domain::{AccountId, Stamp};
use crate::session::key::Typed;

/// Keys by their URL's token; digits lead there.
#[derive(Debug, Default)]
pub struct Keys {
    by_ak: HashMap<Fingerprint, KeyRecord>,
    by_digits: HashMap<String, Fingerprint>,
}

impl Keys {
    /// Adds a key.
    pub fn insert(&mut self, key: KeyRecord) {
        let ak = key.ak.fingerprint();
        self.by_digits.insert(key.digits.as_str().to_owned(), ak);
        self.by_ak.insert(ak, key);
    }

    /// The key that was meant, if it is good at `at`.
    pub fn find(&self, typed: &Typed, at: Stamp) -> Option<&KeyRecord> {
        let ak = match typed {
            Typed::Digits(digits) => *self.by_digits.get(digits.as_str())?,
            Typed::Token(token) => token.fingerprint(),
            Typed::Nonsense => return None,
        };
        self.by_ak.get(&ak).filter(|key| at <= key.expires)
    }

    /// Whose key leads to this URL's token.
    pub fn owner(&self, ak: &Fingerprint) -> Option<AccountId> {
        self.by_ak.get(ak).map(|key| key.account)
    }

    /// Whether these digits are in use.
    pub fn has_digits(&self, digits: &str) -> bool {
        self.by_digits.contains_key(digits)
    }

    /// Uses a key up.
    pub fn take(&mut self, ak: &Fingerprint) -> Option<KeyRecord> {
        let key = self.by_ak.remove(ak)?;
        self.by_digits.remove(key.digits.as_str());
        Some(key)
    }

    /// Drops what has expired.
    pub fn forget(&mut self, at: Stamp) {
        let old: Vec<_> = self
            .by_ak
            .iter()
            .filter(|(_, key)| key.expires < at)
            .map(|(ak, _)| *ak)
            .collect();
        for ak in old {
            self.take(&ak);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_ak.len()
    }

    /// How many of one representative's.
    pub fn count_of(&self, account: AccountId) -> usize {
        self.by_ak
            .values()
            .filter(|key| key.account == account)
            .count()
    }
}
