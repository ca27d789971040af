//! How our nouns become columns and back. What comes back is checked as if it were new: a file
//! can be changed by others.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::token::Fingerprint;
use crate::domain::{
    AccountId, AccountName, DisplayName, JumpClientId, SessionId, ShellId, Stamp, Text, Token,
};

/// A type with its own text, as TEXT.
macro_rules! as_text {
    ($type:ty, $write:expr, $read:expr) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let write: fn(&$type) -> String = $write;
                Ok(ToSqlOutput::Owned(Value::Text(write(self))))
            }
        }
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                $read(value.as_str()?).map_err(FromSqlError::other)
            }
        }
    };
}

as_text!(
    AccountName,
    |name| name.as_str().to_owned(),
    AccountName::new
);
as_text!(
    DisplayName,
    |name| name.as_str().to_owned(),
    DisplayName::new
);
as_text!(Token, Token::reveal, str::parse::<Token>);

/// A number with a meaning, as INTEGER.
macro_rules! as_integer {
    ($type:ty, $inner:ty) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <$inner>::column_result(value).map(Self)
            }
        }
    };
}

as_integer!(Stamp, i64);
as_integer!(AccountId, i64);
as_integer!(ShellId, u32);

/// A random id, as INTEGER.
macro_rules! as_random_id {
    ($type:ty) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.to_row().into())
            }
        }
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let row = value.as_i64()?;
                Self::from_row(row).ok_or(FromSqlError::OutOfRange(row))
            }
        }
    };
}

as_random_id!(SessionId);
as_random_id!(JumpClientId);

impl ToSql for Fingerprint {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Fingerprint {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self)
    }
}

/// Text of limited length.
pub(crate) struct Short<const N: usize>(pub(crate) Text<N>);

impl<const N: usize> FromSql for Short<N> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        let kept = Text::try_from(text);
        kept.map(Self)
            .map_err(|_| FromSqlError::OutOfRange(i64::try_from(text.len()).unwrap_or(i64::MAX)))
    }
}

/// A count that fits SQLite's signed integer in any life of an appliance.
pub(crate) struct Count(pub(crate) u64);

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let row = value.as_i64()?;
        u64::try_from(row)
            .map(Self)
            .map_err(|_| FromSqlError::OutOfRange(row))
    }
}

/// Anything of serde's, as JSON text.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(ToSqlOutput::Owned(Value::Text(text)))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

/// An enum without fields, as the word serde knows it by. Bare, so that the table's CHECK and
/// whoever reads it with a shell see `accepted`, not `"accepted"`.
pub(crate) struct Word<T>(pub(crate) T);

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = serde_json::to_value(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let word = value.as_str().expect("only enums without fields are words");
        Ok(ToSqlOutput::Owned(Value::Text(word.to_owned())))
    }
}

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = serde_json::Value::from(value.as_str()?);
        serde_json::from_value(word)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}
