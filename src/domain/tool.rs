//! What a representative can do to a customer's computer, each allowed by the customer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A capability that needs the customer's consent (SL-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// A command shell as the user who runs the client (CS-01).
    Shell,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shell => "command shell",
        })
    }
}
