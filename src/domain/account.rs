//! Who may sign in.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::id::AccountId;
use super::text::{Label, Text, label};

/// What somebody types to sign in: 1 to 64 of letters, digits, `.`, `-`, `_` and `@`, kept in
/// lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AccountName(Text<64>);

/// An account name with something else in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account name has 1 to 64 letters, digits, dots, dashes, underscores or @")]
pub struct BadAccountName;

impl AccountName {
    /// Accepts a name and folds it to lower case.
    pub fn new(text: &str) -> Result<Self, BadAccountName> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
        if text.is_empty() || !text.chars().all(allowed) {
            return Err(BadAccountName);
        }
        let folded = text.to_ascii_lowercase();
        Text::try_from(folded.as_str())
            .map(Self)
            .map_err(|_| BadAccountName)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AccountName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::<64>::deserialize(deserializer)?;
        Self::new(&text).map_err(D::Error::custom)
    }
}

/// What customers and colleagues see: 1 to 128 bytes, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DisplayName(Label);

/// A display name that is empty or too long.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a display name has 1 to 128 bytes and no control characters")]
pub struct BadDisplayName;

impl DisplayName {
    /// Accepts a name, without the space around it.
    pub fn new(text: &str) -> Result<Self, BadDisplayName> {
        let text = text.trim();
        let kept = label(text);
        (!kept.is_empty() && kept == text)
            .then_some(Self(kept))
            .ok_or(BadDisplayName)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a label of a message.
    pub fn to_label(&self) -> Label {
        self.0.clone()
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DisplayName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Label::deserialize(deserializer)?;
        Self::new(&text).map_err(D::Error::custom)
    }
}

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The store's row.
    pub id: AccountId,
    /// Typed to sign in.
    pub name: AccountName,
    /// Seen by others.
    pub display_name: DisplayName,
    /// May sign in at `/login` and change the appliance.
    pub administrator: bool,
    /// May sign in at `/console` and support customers.
    pub representative: bool,
    /// Set by an administrator: may not sign in at all.
    pub disabled: bool,
}
