//! The nouns everybody shares: ids, limits, times, who and what.
//!
//! Compiles first, imports nothing of ours and means the same in the relay, in the web side, in
//! an endpoint and in the simulator. Start at [`id`] for names and [`limits`] for numbers.
//! Not here: what the nouns do to each other ([`crate::session`]).

pub mod account;
pub mod address;
pub mod admission;
pub mod entry;
pub mod facts;
pub mod id;
pub mod limits;
pub mod model;
pub mod network;
pub mod pass;
#[cfg(feature = "appliance")]
pub mod password;
pub mod secret;
pub mod sizing;
pub mod text;
pub mod time;
pub mod token;
pub mod tool;
pub mod turned;

pub use account::{Account, AccountName, DisplayName};
pub use address::PeerAddress;
pub use admission::AdmissionRate;
pub use entry::{Author, Entry, What};
pub use facts::Facts;
pub use id::{AccountId, JumpClientId, PromptId, SessionId, ShellId};
pub use model::Model;
pub use network::Network;
pub use secret::Secret;
pub use sizing::Sizing;
pub use text::{Label, LongText, Text};
pub use time::{Moment, Now, Stamp};
pub use token::Token;
pub use tool::Tool;
