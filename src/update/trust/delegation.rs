//! Who else may say what may be trusted, and for which names.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use crate::domain::limits::TRUST_ROLE_NAME_BYTES_MAX;

use super::key::{Keys, Role};
use super::malformed::{Fields, Malformed, refuse};
use super::roles::TOP_LEVEL;

/// The roles that a list of targets hands on to.
#[derive(Clone, Debug)]
pub struct Delegations {
    /// What their signatures are checked with.
    pub keys: Keys,
    to: To,
}

#[derive(Clone, Debug)]
enum To {
    /// In order of trust.
    Roles(Vec<Delegated>),
    /// 2 to the power of `bits` roles with the same keys, one for each beginning of a name's hash
    /// (TAP 15).
    Bins {
        role: Role,
        bits: u32,
        prefix: String,
    },
}

#[derive(Clone, Debug)]
struct Delegated {
    name: String,
    role: Role,
    terminating: bool,
    names: Names,
}

/// Which names a role is asked about.
#[derive(Clone, Debug)]
enum Names {
    Patterns(Vec<String>),
    /// Beginnings of the SHA-256 of a name, in digits.
    HashPrefixes(Vec<String>),
}

/// One role to be asked, and whether nobody after it is.
pub struct Next<'a> {
    pub name: String,
    pub role: &'a Role,
    pub terminating: bool,
}

impl Delegations {
    pub fn decode(fields: Fields<'_>) -> Result<Self, Malformed> {
        let to = match (fields.maybe("roles"), fields.maybe("succinct_roles")) {
            (Some(_), None) => To::Roles(roles(fields)?),
            (None, Some(_)) => bins(fields.object("succinct_roles")?)?,
            _ => return refuse("delegations", "either roles or succinct_roles"),
        };
        Ok(Self {
            keys: Keys::decode(fields)?,
            to,
        })
    }

    /// The roles to be asked about `target`, in this order.
    pub fn asked_about(&self, target: &str) -> Vec<Next<'_>> {
        let hash = digest(&SHA256, target.as_bytes());
        let hash = hash.as_ref();
        let roles = match &self.to {
            To::Roles(roles) => roles,
            To::Bins { role, bits, prefix } => {
                let first = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
                let bin = first >> (32 - bits);
                let digits = bits.div_ceil(4) as usize;
                return vec![Next {
                    name: format!("{prefix}-{bin:0digits$x}"),
                    role,
                    // A name has one bin, so there is nobody after it.
                    terminating: true,
                }];
            }
        };
        let digits = HEXLOWER.encode(hash);
        let asked = roles.iter().filter(|role| role.names.have(target, &digits));
        let next = asked.map(|delegated| Next {
            name: delegated.name.clone(),
            role: &delegated.role,
            terminating: delegated.terminating,
        });
        next.collect()
    }
}

fn roles(fields: Fields<'_>) -> Result<Vec<Delegated>, Malformed> {
    let mut roles: Vec<Delegated> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for json in fields.list("roles")? {
        let fields = Fields::of(json, "roles")?;
        let name = fields.text("name")?;
        let long = name.is_empty() || name.len() > TRUST_ROLE_NAME_BYTES_MAX;
        if long || TOP_LEVEL.contains(&name) {
            return refuse("name", "1 to 64 bytes and not that of a top-level role");
        }
        if !names.insert(name) {
            return refuse("name", "one that no other role here has");
        }
        roles.push(Delegated {
            name: name.to_owned(),
            role: Role::decode(fields)?,
            terminating: fields.flag("terminating")?,
            names: Names::decode(fields)?,
        });
    }
    Ok(roles)
}

fn bins(fields: Fields<'_>) -> Result<To, Malformed> {
    let bits = fields.count("bit_length")?;
    let bits = u32::try_from(bits)
        .ok()
        .filter(|bits| (1..=32).contains(bits));
    let Some(bits) = bits else {
        return refuse("bit_length", "1 to 32");
    };
    let prefix = fields.text("name_prefix")?;
    // A dash and up to eight digits follow.
    if prefix.is_empty() || prefix.len() + 9 > TRUST_ROLE_NAME_BYTES_MAX {
        return refuse("name_prefix", "1 to 55 bytes");
    }
    Ok(To::Bins {
        role: Role::decode(fields)?,
        bits,
        prefix: prefix.to_owned(),
    })
}

// Refusals above say it in words.
const _: () = assert!(TRUST_ROLE_NAME_BYTES_MAX == 64);

impl Names {
    fn decode(fields: Fields<'_>) -> Result<Self, Malformed> {
        match (fields.maybe("paths"), fields.maybe("path_hash_prefixes")) {
            (Some(_), None) => Ok(Self::Patterns(fields.texts("paths")?)),
            (None, Some(_)) => Ok(Self::HashPrefixes(fields.texts("path_hash_prefixes")?)),
            _ => refuse("roles", "either with paths or with path_hash_prefixes"),
        }
    }

    fn have(&self, target: &str, digits: &str) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|pattern| matches(pattern, target)),
            Self::HashPrefixes(prefixes) => prefixes.iter().any(|start| digits.starts_with(start)),
        }
    }
}

/// Whether `name` is what `pattern` means, where `*` is any number of characters and `?` is one,
/// but none of them a `/` (section 4.5, "PATHPATTERN"). Brackets mean themselves.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star stood, and up to where it has swallowed the name.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some('?') if name[n] != '/' => (p, n) = (p + 1, n + 1),
            Some(c) if *c == name[n] && *c != '?' => (p, n) = (p + 1, n + 1),
            _ => match star {
                // An earlier star could not do better: both end before the same slash.
                Some((at, end)) if name[end] != '/' => {
                    star = Some((at, end + 1));
                    (p, n) = (at + 1, end + 1);
                }
                _ => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// See [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pattern, name) = text.split_once('\n').unwrap_or((&text, ""));
    assert_eq!(
        matches(pattern, name),
        matches_plainly(pattern, name),
        "{pattern:?} {name:?}"
    );
}

/// The same by segments and by trying everything, for short patterns.
#[cfg(any(test, fuzzing))]
fn matches_plainly(pattern: &str, name: &str) -> bool {
    fn rest(pattern: &[char], name: &[char]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['*', after @ ..] => (0..=name.len()).any(|n| rest(after, &name[n..])),
            [c, after @ ..] => {
                name.first().is_some_and(|n| n == c || *c == '?') && rest(after, &name[1..])
            }
        }
    }
    let segments = |text: &str| -> Vec<Vec<char>> {
        text.split('/').map(|part| part.chars().collect()).collect()
    };
    let (patterns, names) = (segments(pattern), segments(name));
    if pattern.matches('*').count() > 5 || name.len() > 40 {
        return matches(pattern, name);
    }
    let pairs = || patterns.iter().zip(&names);
    patterns.len() == names.len() && pairs().all(|(pattern, name)| rest(pattern, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::Json;
    use super::*;

    #[test]
    fn a_wildcard_stops_at_a_slash() {
        for (pattern, name) in [
            ("*.tgz", "foo.tgz"),
            ("targets/*.tgz", "targets/foo.tgz"),
            ("foo-?.tgz", "foo-a.tgz"),
            ("a*b*c", "axxbyybzc"),
            ("*", ""),
            ("?é*", "aé"),
            ("[a]", "[a]"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.tgz", "targets/foo.tgz"),
            ("targets/*.tgz", "targets/a/foo.tgz"),
            ("foo-?.tgz", "foo-alpha.tgz"),
            ("a?b", "a/b"),
            ("*", "a/"),
            ("[a]", "a"),
            ("README.md", "README.MD"),
            ("?", ""),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_name_goes_to_the_bin_that_its_hash_begins_with() {
        for (bits, expected) in [
            (1, "bin-1"),
            (4, "bin-8"),
            (5, "bin-11"),
            (16, "bin-8a5e"),
            (32, "bin-8a5edab2"),
        ] {
            let text = format!(
                r#"{{"keys":{{}},"succinct_roles":{{"keyids":[],"threshold":1,"bit_length":{bits},"name_prefix":"bin"}}}}"#
            );
            let json = Json::decode(text.as_bytes()).unwrap();
            let delegations = Delegations::decode(Fields::of(&json, "").unwrap()).unwrap();
            // SHA-256 of "/" is 8a5edab2….
            let asked = delegations.asked_about("/");
            assert_eq!(asked[0].name, expected);
            assert_eq!(asked.len(), 1);
        }
    }

    #[test]
    fn a_delegated_role_cannot_take_a_top_level_name() {
        let with = |name: &str| {
            let text = format!(
                r#"{{"keys":{{}},"roles":[{{"name":"{name}","keyids":[],"threshold":1,"terminating":false,"paths":["*"]}}]}}"#
            );
            let json = Json::decode(text.as_bytes()).unwrap();
            Delegations::decode(Fields::of(&json, "").unwrap()).map(|_| ())
        };
        assert_eq!(with("b200"), Ok(()));
        for name in TOP_LEVEL.into_iter().chain([""]) {
            assert_eq!(with(name).unwrap_err().field, "name");
        }
        assert_eq!(with(&"a".repeat(65)).unwrap_err().field, "name");
    }

    proptest! {
        #[test]
        fn matching_is_what_its_plain_form_says(pattern in "[ab*?/]{0,9}", name in "[ab/]{0,12}") {
            prop_assert_eq!(matches(&pattern, &name), matches_plainly(&pattern, &name));
        }
    }
}
