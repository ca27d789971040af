//! The identifiers in a partition table (UEFI specification 2.10, appendix A).

use std::fmt;
use std::str::FromStr;

/// 16 bytes as they lie in the table: the first three groups are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid([u8; 16]);

impl Guid {
    /// From a cryptographic random source; version 4 (RFC 9562, 5.4).
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[7] = bytes[7] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// As they lie in the table.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// As they lie in the table.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Whether it is of version 4. Those of an image are derived from its version and have another
    /// one, so this tells a disk that was given its own from one that was only flashed.
    pub fn is_random(self) -> bool {
        self.0[7] & 0xf0 == 0x40 && self.0[8] & 0xc0 == 0x80
    }

    /// The bytes in the order in which they are written for people; its own inverse.
    fn swapped(bytes: [u8; 16]) -> [u8; 16] {
        let mut swapped = bytes;
        swapped[..4].reverse();
        swapped[4..6].reverse();
        swapped[6..8].reverse();
        swapped
    }
}

impl fmt::Display for Guid {
    /// Lower case, as GRUB and Linux write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in Self::swapped(self.0).iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no GUID.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID: 8-4-4-4-12 hexadecimal digits expected")]
pub struct BadGuid;

impl FromStr for Guid {
    type Err = BadGuid;
    /// Either case.
    fn from_str(text: &str) -> Result<Self, BadGuid> {
        let groups: Vec<&str> = text.split('-').collect();
        if !groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) {
            return Err(BadGuid);
        }
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(groups.concat().as_bytes())
            .map_err(|_| BadGuid)?;
        let bytes = bytes.try_into().map_err(|_| BadGuid)?;
        Ok(Self(Self::swapped(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The EFI system partition's type: UEFI specification 2.10, table 5.7.
    const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

    #[test]
    fn the_first_three_groups_are_little_endian() {
        let esp: Guid = ESP.parse().unwrap();
        assert_eq!(
            esp.to_bytes()[..8],
            [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11]
        );
        assert_eq!(esp.to_string(), ESP);
        assert_eq!(ESP.to_uppercase().parse(), Ok(esp));
        for bad in [
            "",
            "c12a7328",
            &ESP.replace('-', ""),
            &ESP.replace('c', "g"),
            &format!("{ESP}0"),
        ] {
            assert_eq!(bad.parse::<Guid>(), Err(BadGuid), "{bad}");
        }
    }

    #[test]
    fn derived_ones_are_told_from_random_ones() {
        for derived in [
            ESP,
            "2b0b1a9c-55aa-8a11-9c00-0123456789ab",
            "2b0b1a9c-55aa-5a11-9c00-0123456789ab",
        ] {
            assert!(!derived.parse::<Guid>().unwrap().is_random(), "{derived}");
        }
        assert!(
            "2b0b1a9c-55aa-4a11-9c00-0123456789ab"
                .parse::<Guid>()
                .unwrap()
                .is_random()
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(bytes: [u8; 16]) {
            let guid = Guid::from_bytes(bytes);
            prop_assert_eq!(guid.to_string().parse(), Ok(guid));
            prop_assert!(Guid::from_random(bytes).is_random());
        }
    }
}
