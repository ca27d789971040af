//! What tells two disks apart that were flashed from one image.

use std::fmt;
use std::str::FromStr;

use crate::domain::Text;
use crate::domain::limits::BOOT_STAMP_BYTES_MAX;

/// What the boot loader wrote to the disk it booted, just before it started the kernel, and told
/// the kernel as well: date, time and whatever else differs. 1 to [`BOOT_STAMP_BYTES_MAX`] letters,
/// digits, `.`, `:`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootStamp(Text<BOOT_STAMP_BYTES_MAX>);

/// Text that is no stamp.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stamp has 1 to {BOOT_STAMP_BYTES_MAX} letters, digits, dots, colons, dashes and underscores"
)]
pub struct BadStamp;

impl FromStr for BootStamp {
    type Err = BadStamp;
    fn from_str(text: &str) -> Result<Self, BadStamp> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b".:-_".contains(&b);
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(BadStamp);
        }
        Text::try_from(text).map(Self).map_err(|_| BadStamp)
    }
}

impl fmt::Display for BootStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_short_and_plain() {
        for good in ["2026-11-22_19:01:07", "1", &"9".repeat(64)] {
            assert_eq!(good.parse::<BootStamp>().unwrap().to_string(), good);
        }
        for bad in ["", "a b", "a=b", "ü", &"9".repeat(65)] {
            assert_eq!(bad.parse::<BootStamp>(), Err(BadStamp), "{bad:?}");
        }
    }
}
