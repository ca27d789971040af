//! JSON as metadata uses it: no fractions, no name twice, and no deeper or larger than it has to be.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::domain::limits::{TRUST_JSON_DEPTH_MAX, TRUST_JSON_VALUES_MAX};

/// A value. What is signed is its canonical form, [`Json::canonical`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// `[…]`.
    List(Vec<Json>),
    /// `{…}`, by name.
    Object(BTreeMap<String, Json>),
}

/// Bytes that are no JSON, or more of it than we take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadJson(String);

impl Json {
    /// Reads one value; nothing but white space may follow.
    ///
    /// # Errors
    ///
    /// [`BadJson`] says what stands where: also for a name that comes twice, a number that is not
    /// whole or does not fit 64 bits, more than [`TRUST_JSON_DEPTH_MAX`] levels, or more than
    /// [`TRUST_JSON_VALUES_MAX`] values.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadJson> {
        let left = Cell::new(TRUST_JSON_VALUES_MAX);
        let value = Value {
            levels: TRUST_JSON_DEPTH_MAX,
            left: &left,
        };
        let mut source = serde_json::Deserializer::from_slice(bytes);
        let read = value.deserialize(&mut source);
        read.and_then(|json| source.end().map(|()| json))
            .map_err(|error| BadJson(error.to_string()))
    }
}

/// How much may still come.
#[derive(Clone, Copy)]
struct Value<'a> {
    levels: usize,
    left: &'a Cell<usize>,
}

impl Value<'_> {
    /// What a list or an object holds.
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, ..self }),
            None => Err(E::custom(format_args!(
                "more than {TRUST_JSON_DEPTH_MAX} levels"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Json, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            let why = format_args!("more than {TRUST_JSON_VALUES_MAX} values");
            return Err(D::Error::custom(why));
        };
        self.left.set(left);
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number of 64 bits, true, false, null, a list or an object")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        let unexpected = serde::de::Unexpected::Unsigned(number);
        i64::try_from(number)
            .map(Json::Number)
            .map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut object = BTreeMap::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(inner)?;
            // Whichever of the two we took, another reader could take the other.
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("'{name}' comes twice")));
            }
            object.insert(name, value);
        }
        Ok(Json::Object(object))
    }
}

/// See [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let Ok(json) = Json::decode(data) else { return };
    let canonical = json.canonical();
    // Control characters stand for themselves in canonical JSON, and so it may be none.
    if !canonical.iter().any(|b| *b < 0x20) {
        assert_eq!(Json::decode(&canonical), Ok(json));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Json::decode(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        assert!(refused(r#"{"a":1,"a":2}"#).contains("'a' comes twice"));
        assert!(refused("[1.0]").contains("floating point"));
        assert!(refused("[-0]").contains("floating point"));
        assert!(refused("18446744073709551615").contains("18446744073709551615"));
        assert!(refused("1e3").contains("floating point"));
        assert!(refused("{} x").contains("trailing"));
        assert!(refused("\u{feff}{}").contains("expected value"));
        assert!(refused(r#""\ud800""#).contains("escape"));
    }

    #[test]
    fn depth_and_number_of_values_have_a_limit_which_can_be_reached() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Json::decode(deep(TRUST_JSON_DEPTH_MAX).as_bytes()).is_ok());
        assert!(refused(&deep(TRUST_JSON_DEPTH_MAX + 1)).contains("levels"));
        let wide = |values: usize| format!("[{}1]", "1,".repeat(values - 2));
        assert!(Json::decode(wide(TRUST_JSON_VALUES_MAX).as_bytes()).is_ok());
        assert!(refused(&wide(TRUST_JSON_VALUES_MAX + 1)).contains("values"));
    }
}
