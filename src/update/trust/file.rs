//! How metadata files are called where they are fetched from.

use std::fmt::Write as _;

/// Name of a role's file, with its version in front where the repository keeps all of them.
pub fn name_of(role: &str, version: Option<u64>) -> String {
    let role = quoted(role);
    match version {
        Some(version) => format!("{version}.{role}.json"),
        None => format!("{role}.json"),
    }
}

/// `name` as one segment of a path: letters, digits, `_`, `.`, `-` and `~` as they are, every other
/// byte as `%2F`. It may still be `.` or `..`, if nothing is put in front or behind.
pub fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for b in name.bytes() {
        if b.is_ascii_alphanumeric() || b"_.-~".contains(&b) {
            quoted.push(char::from(b));
        } else {
            // Writing to a `String` does not fail.
            let _ = write!(quoted, "%{b:02X}");
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_cannot_name_a_file_outside() {
        assert_eq!(name_of("../a b", Some(3)), "3...%2Fa%20b.json");
        assert_eq!(name_of("é?#", None), "%C3%A9%3F%23.json");
        assert_eq!(name_of("timestamp", None), "timestamp.json");
    }
}
