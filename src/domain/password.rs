//! Passwords: which are accepted, and how they are kept (Argon2id, RFC 9106).

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

use super::limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use super::secret::Secret;

/// A password as somebody typed it: [`PASSWORD_CHARS_MIN`] characters to [`PASSWORD_BYTES_MAX`]
/// bytes, nothing else is asked of it (NIST SP 800-63B, 5.1.1.2).
#[derive(Clone, Debug)]
pub struct Password(Secret<String>);

/// Why a password is not taken. The texts are for people.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Fewer than [`PASSWORD_CHARS_MIN`] characters.
    #[error("the password has {chars} characters, at least {PASSWORD_CHARS_MIN} are needed")]
    TooShort {
        /// What was found.
        chars: usize,
    },
    /// More than [`PASSWORD_BYTES_MAX`] bytes.
    #[error("the password has {bytes} bytes, at most {PASSWORD_BYTES_MAX} are taken")]
    TooLong {
        /// What was found.
        bytes: usize,
    },
}

impl Password {
    /// Accepts a new password.
    pub fn new(text: &str) -> Result<Self, BadPassword> {
        let chars = text.chars().count();
        if text.len() > PASSWORD_BYTES_MAX {
            return Err(BadPassword::TooLong { bytes: text.len() });
        }
        if chars < PASSWORD_CHARS_MIN {
            return Err(BadPassword::TooShort { chars });
        }
        Ok(Self(Secret::new(text.to_owned())))
    }

    /// The PHC string to store. Takes about 20 ms and 19 MiB (OWASP's Argon2id minimum, the
    /// crate's default): call it away from any event loop. `salt` is 16 random bytes.
    pub fn hash(&self, salt: [u8; 16]) -> String {
        let hashed = argon2::Argon2::default()
            .hash_password_with_salt(self.0.expose().as_bytes(), &salt)
            .expect("default parameters and a 16-byte salt are valid");
        hashed.to_string()
    }
}

/// Whether `typed` is the password behind the PHC string `stored`. As slow as hashing, also for a
/// name that nobody has (`None`), so that time does not tell which names exist.
pub fn matches(typed: &str, stored: Option<&str>) -> bool {
    if typed.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let argon2 = argon2::Argon2::default();
    let Some(stored) = stored else {
        let hashed = argon2.hash_password_with_salt(typed.as_bytes(), &[0; 16]);
        std::hint::black_box(hashed.is_ok());
        return false;
    };
    PasswordHash::new(stored)
        .is_ok_and(|hash| argon2.verify_password(typed.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_that_was_hashed_matches() {
        let hash = Password::new("correct horse").unwrap().hash([7; 16]);
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(matches("correct horse", Some(&hash)));
        assert!(!matches("Correct horse", Some(&hash)));
        assert!(!matches("correct horse", Some("not a hash")));
        assert!(!matches("correct horse", None));
    }

    #[test]
    fn a_password_says_what_is_wrong_with_it() {
        assert_eq!(
            Password::new("äöü").unwrap_err(),
            BadPassword::TooShort { chars: 3 }
        );
        let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
        assert_eq!(
            Password::new(&long).unwrap_err(),
            BadPassword::TooLong {
                bytes: PASSWORD_BYTES_MAX + 1
            }
        );
    }
}
