//! Hardware models and their limits (AP-01, JC-02, JC-03).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the appliance runs on; sizes everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// 1,000 active Jump Clients.
    B200,
    /// 10,000 active Jump Clients.
    B300,
    /// 25,000 active Jump Clients.
    B400,
    /// Virtual, sized like B200.
    VaS,
    /// Virtual, sized like B300.
    VaM,
    /// Virtual, sized like B400.
    VaL,
}

impl Model {
    /// Every model, smallest first.
    pub const ALL: [Self; 6] = [
        Self::B200,
        Self::B300,
        Self::B400,
        Self::VaS,
        Self::VaM,
        Self::VaL,
    ];

    /// Jump Clients connected at once.
    pub fn active_jump_clients_max(self) -> u32 {
        match self {
            Self::B200 | Self::VaS => 1_000,
            Self::B300 | Self::VaM => 10_000,
            Self::B400 | Self::VaL => 25_000,
        }
    }

    /// Jump Clients that listen instead.
    pub fn passive_jump_clients_max(self) -> u32 {
        50_000
    }

    /// Bytes that peers can make the relay keep, all together: what they do not read, and the
    /// beginnings of what they said.
    pub fn queued_bytes_max(self) -> usize {
        match self {
            Self::B200 | Self::VaS => 64 << 20,
            Self::B300 | Self::VaM => 128 << 20,
            Self::B400 | Self::VaL => 256 << 20,
        }
    }

    /// As scripts write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::B200 => "b200",
            Self::B300 => "b300",
            Self::B400 => "b400",
            Self::VaS => "va-s",
            Self::VaM => "va-m",
            Self::VaL => "va-l",
        }
    }
}

impl fmt::Display for Model {
    /// As people read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::B200 => "B200",
            Self::B300 => "B300",
            Self::B400 => "B400",
            Self::VaS => "Virtual S",
            Self::VaM => "Virtual M",
            Self::VaL => "Virtual L",
        })
    }
}

/// A word that names no model.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown model '{found}', expected b200, b300, b400, va-s, va-m or va-l")]
pub struct UnknownModel {
    /// What was written.
    pub found: String,
}

impl FromStr for Model {
    type Err = UnknownModel;
    fn from_str(text: &str) -> Result<Self, UnknownModel> {
        let known = Self::ALL.into_iter().find(|model| model.code() == text);
        known.ok_or_else(|| UnknownModel {
            found: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_found_by_its_code_and_writes_it_in_json() {
        for model in Model::ALL {
            assert_eq!(model.code().parse(), Ok(model));
            let json = serde_json::to_string(&model).unwrap();
            assert_eq!(json, format!("\"{}\"", model.code()));
        }
    }
}
