//! Names of things that have none a person would use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A name of 63 random bits, written as 16 lower-case hexadecimal digits.
///
/// 63 bits, not 64, because the store keeps it as SQLite's signed integer.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $bad:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Takes 8 random bytes; the top bit is cleared.
            pub fn from_random(bytes: [u8; 8]) -> Self {
                Self(u64::from_be_bytes(bytes) >> 1)
            }

            /// As the store keeps it.
            pub fn to_row(self) -> i64 {
                self.0.cast_signed()
            }

            /// From the store; `None` if a negative number got in there.
            pub fn from_row(row: i64) -> Option<Self> {
                u64::try_from(row).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        #[doc = concat!("A ", $what, " id that is not 16 hexadecimal digits below 2^63.")]
        #[derive(Debug, PartialEq, Eq, thiserror::Error)]
        #[error("not a {} id: 16 hexadecimal digits expected", $what)]
        pub struct $bad;

        impl FromStr for $name {
            type Err = $bad;
            fn from_str(text: &str) -> Result<Self, $bad> {
                let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let value = u64::from_str_radix(text, 16).map_err(|_| $bad)?;
                (digits && value >> 63 == 0).then_some(Self(value)).ok_or($bad)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = heapless::String::<16>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

random_id! {
    /// One support session, for ever.
    SessionId, BadSessionId, "session"
}

random_id! {
    /// One Jump Client, for as long as it is installed.
    JumpClientId, BadJumpClientId, "Jump Client"
}

/// A representative's or administrator's account: the store's row number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

/// A command shell within its session, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShellId(pub u32);

impl fmt::Display for ShellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A consent prompt within its session, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_survives_being_written_and_read() {
        for bytes in [[0; 8], [0xff; 8], [1, 2, 3, 4, 5, 6, 7, 8]] {
            let id = SessionId::from_random(bytes);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(SessionId::from_row(id.to_row()), Some(id));
        }
    }

    #[test]
    fn anything_but_sixteen_digits_is_no_session_id() {
        for text in [
            "",
            "1",
            "+000000000000001",
            "ffffffffffffffff",
            "00000000000000001",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(BadSessionId), "{text}");
        }
    }
}
