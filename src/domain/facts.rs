//! What is known of the customer's side of a session (QU-14, QU-20).

use serde::{Deserialize, Serialize};

use super::text::{Label, Text};

/// How the customer takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The downloaded customer client: all tools.
    Client,
    /// Click-to-chat in the browser: chat only.
    Chat,
}

/// What the customer's program says of itself. Shown, never trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// As typed, or the login name.
    #[serde(default)]
    pub customer: Label,
    /// Host name; empty in a browser.
    #[serde(default)]
    pub computer: Label,
    /// Operating system, or the browser.
    #[serde(default)]
    pub platform: Label,
    /// The address on the customer's own network; empty if unknown.
    #[serde(default)]
    pub private_address: Text<45>,
}
