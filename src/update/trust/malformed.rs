//! Reading fields out of JSON: what is needed is there, and of the right kind.

use std::collections::BTreeMap;

use crate::domain::Stamp;

use super::json::Json;

/// A field that is missing or not what it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{field}' is not {expected}")]
pub struct Malformed {
    /// As the specification calls it.
    pub field: &'static str,
    /// What it has to be.
    pub expected: &'static str,
}

/// `Err` with these words.
pub fn refuse<T>(field: &'static str, expected: &'static str) -> Result<T, Malformed> {
    Err(Malformed { field, expected })
}

/// The fields of an object. Further ones are those of a newer version, and left alone.
#[derive(Clone, Copy)]
pub struct Fields<'a>(&'a BTreeMap<String, Json>);

impl<'a> Fields<'a> {
    /// Those of `json`, which stands at `field`.
    pub fn of(json: &'a Json, field: &'static str) -> Result<Self, Malformed> {
        match json {
            Json::Object(fields) => Ok(Self(fields)),
            _ => refuse(field, "an object"),
        }
    }

    /// Every name with its value.
    pub fn each(self) -> impl ExactSizeIterator<Item = (&'a String, &'a Json)> {
        self.0.iter()
    }

    /// A field that may be missing.
    pub fn maybe(self, field: &'static str) -> Option<&'a Json> {
        self.0.get(field)
    }

    /// A field that has to be there.
    pub fn any(self, field: &'static str) -> Result<&'a Json, Malformed> {
        let missing = Malformed {
            field,
            expected: "there",
        };
        self.0.get(field).ok_or(missing)
    }

    pub fn object(self, field: &'static str) -> Result<Self, Malformed> {
        Self::of(self.any(field)?, field)
    }

    pub fn list(self, field: &'static str) -> Result<&'a [Json], Malformed> {
        match self.any(field)? {
            Json::List(items) => Ok(items),
            _ => refuse(field, "a list"),
        }
    }

    pub fn text(self, field: &'static str) -> Result<&'a str, Malformed> {
        text(self.any(field)?, field)
    }

    /// Texts, each of them once.
    pub fn texts(self, field: &'static str) -> Result<Vec<String>, Malformed> {
        let mut texts: Vec<String> = Vec::new();
        for item in self.list(field)? {
            texts.push(text(item, field)?.to_owned());
        }
        let mut sorted: Vec<&String> = texts.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return refuse(field, "a list without repetitions");
        }
        Ok(texts)
    }

    pub fn flag(self, field: &'static str) -> Result<bool, Malformed> {
        match self.any(field)? {
            Json::Flag(flag) => Ok(*flag),
            _ => refuse(field, "true or false"),
        }
    }

    pub fn count(self, field: &'static str) -> Result<u64, Malformed> {
        let expected = "a number that is not negative";
        match self.any(field)? {
            Json::Number(number) => {
                u64::try_from(*number).map_err(|_| Malformed { field, expected })
            }
            _ => refuse(field, expected),
        }
    }

    /// A version or a threshold.
    pub fn positive(self, field: &'static str) -> Result<u64, Malformed> {
        match self.count(field)? {
            0 => refuse(field, "1 or more"),
            number => Ok(number),
        }
    }

    /// A time in UTC to the second, as the specification writes it: `2026-11-23T05:26:06Z`.
    pub fn time(self, field: &'static str) -> Result<Stamp, Malformed> {
        let expected = "a time like 2026-11-23T05:26:06Z";
        let text = self.text(field)?;
        let shape = text
            .bytes()
            .map(|b| if b.is_ascii_digit() { b'0' } else { b });
        if !shape.eq(*b"0000-00-00T00:00:00Z") {
            return refuse(field, expected);
        }
        match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Stamp(time.as_millisecond())),
            Err(_) => refuse(field, expected),
        }
    }
}

/// A text that stands at `field`.
pub fn text<'a>(json: &'a Json, field: &'static str) -> Result<&'a str, Malformed> {
    match json {
        Json::Text(text) => Ok(text),
        _ => refuse(field, "a text"),
    }
}
