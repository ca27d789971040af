//! The figures of one moment.

use serde::{Deserialize, Serialize};

use crate::domain::token::Fingerprint;
use crate::domain::{AdmissionRate, Model, Stamp};

/// What the relay knows of itself. Everything a page adds (store size, zone) is the page's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Of the software.
    pub version: String,
    /// Sizes the limits.
    pub model: Model,
    /// Jump Clients connected at once, by model.
    pub active_jump_clients_max: u32,
    /// Passive Jump Clients, by model.
    pub passive_jump_clients_max: u32,
    /// When the relay started.
    pub started: Stamp,
    /// Seconds since then, by the clock that does not step.
    pub uptime_seconds: u64,
    /// Ring threads.
    pub threads: u16,
    /// Connections by kind, now.
    pub connections: Connections,
    /// Sessions, now.
    pub sessions: Sessions,
    /// Session keys, now.
    pub keys: Keys,
    /// Jump Clients, now.
    #[serde(default)]
    pub jump_clients: JumpClients,
    /// What this program may still do.
    pub sandbox: Sandbox,
    /// Which store it uses.
    #[serde(default)]
    pub store: StoreState,
    /// SHA-256 of the certificate that browsers see.
    pub certificate: Fingerprint,
    /// SHA-256 of the link key's subject public key info: what endpoints pin.
    pub link_key: Fingerprint,
    /// SHA-256 of the certificate around it.
    #[serde(default)]
    pub link_certificate: Option<Fingerprint>,
}

/// Open connections by what they turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// TLS or first request not finished.
    pub arriving: u64,
    /// Representatives' consoles.
    pub consoles: u64,
    /// Customer clients.
    pub customer_clients: u64,
    /// Click-to-chat browsers.
    pub chats: u64,
    /// Browsers reading pages.
    pub pages: u64,
    /// Accepted since start.
    pub accepted_in_all: u64,
    /// Closed for a fault of the peer since start.
    pub closed_for_fault_in_all: u64,
}

/// Sessions that are not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// In a queue.
    pub waiting: u64,
    /// Accepted.
    pub running: u64,
}

impl Sessions {
    /// All of them, whatever the peer says that there are of each.
    pub fn open(self) -> u64 {
        self.waiting.saturating_add(self.running)
    }
}

/// Jump Clients, and those who come back after a restart or an outage (GX-14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JumpClients {
    /// Connected.
    pub active: u32,
    /// Installed, connected or not.
    pub known: u64,
    /// Messages with statistics since the start.
    pub statistics_in_all: u64,
    /// How many are let in each second; none is as many as come.
    pub admission_rate: AdmissionRate,
    /// Told when to come, and not there yet.
    pub waiting: u64,
    /// Until the last of them may come.
    pub done_in_seconds: u64,
}

/// Session keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Neither used nor expired.
    pub unused: u64,
    /// Digits that a new one has; more than usual while somebody is guessing.
    pub digits: u8,
    /// Wrong keys within the last ten minutes, whole site.
    pub wrong_lately: u32,
}

/// How a program is locked in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Runs under a user of its own.
    pub own_user: bool,
    /// System calls are filtered, and starting a process is not among those allowed.
    pub seccomp: bool,
    /// Files outside its own folders are out of reach; false where the kernel cannot.
    pub landlock: bool,
}

/// Which store is used. Without an image there is only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreState {
    /// The sequence number of the image it belongs to.
    pub generation: Option<u32>,
    /// The version has not proved itself: another store counts if it does not, and accounts and
    /// settings are held until then.
    pub on_trial: bool,
    /// It was migrated, read whole and found in order when this program started. Only a version on
    /// trial takes the time.
    #[serde(default)]
    pub checked: bool,
}
