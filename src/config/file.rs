//! `appliance.toml`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::Model;

/// What was chosen when the appliance was set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name people type: a host name or address, without scheme and port.
    pub site: String,
    /// What the appliance is sized like.
    pub model: Model,
    /// Pages and links.
    pub https_port: u16,
    /// Redirects to `https_port`.
    pub http_port: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            site: "localhost".into(),
            model: Model::VaS,
            https_port: 8443,
            http_port: 8080,
        }
    }
}

/// Why there is no configuration. Ends the program with this line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Missing or out of reach.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// Not what this version understands.
    #[error("{path} is not a configuration this version understands: line {line}: {why}")]
    NotUnderstood {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The decoder's words.
        why: String,
    },
    /// Anything but a host name or an address.
    #[error("'{site}' is no site name; use a host name like support.example.com, or an address")]
    BadSite {
        /// What was given.
        site: String,
    },
}

impl Config {
    /// Reads and checks `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        let config: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            ConfigError::NotUnderstood {
                path: path.to_owned(),
                line: before.unwrap_or_default().matches('\n').count() + 1,
                // Its `Display` draws the place on several lines; ours has one.
                why: error.message().replace('\n', " "),
            }
        })?;
        config.checked()
    }

    /// The same configuration if its site name can stand in a URL.
    pub fn checked(self) -> Result<Self, ConfigError> {
        let is_address = self.site.parse::<std::net::IpAddr>().is_ok();
        let is_name = (1..=253).contains(&self.site.len())
            && self.site.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            });
        if is_address || is_name {
            Ok(self)
        } else {
            Err(ConfigError::BadSite { site: self.site })
        }
    }

    /// As the file holds it.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("plain fields always have a TOML form")
    }

    /// Host and, unless it is 443, port, as a URL's authority (IPv6 in brackets).
    pub fn authority(&self) -> String {
        let host = match self.site.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V6(v6)) => format!("[{v6}]"),
            _ => self.site.clone(),
        };
        if self.https_port == 443 {
            host
        } else {
            format!("{host}:{}", self.https_port)
        }
    }

    /// `https://` and the authority, without a final slash.
    pub fn url(&self) -> String {
        format!("https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let config = Config {
            site: "support.example.com".into(),
            ..Config::default()
        };
        assert_eq!(toml::from_str::<Config>(&config.to_toml()).unwrap(), config);
    }

    #[test]
    fn a_file_that_is_not_understood_is_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("appliance.toml");
        for (text, line) in [("site = 7\n", 1), ("site = \"a\"\nmodel = {\n", 2)] {
            std::fs::write(&path, text).unwrap();
            let told = Config::read(&path).unwrap_err().to_string();
            assert!(told.contains("appliance.toml"), "{told}");
            assert!(told.contains(&format!("line {line}: ")), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }

    #[test]
    fn a_site_name_must_stand_in_a_url() {
        for bad in ["", "a b", "x/y", "a..b", "user@host", "host:8443"] {
            let config = Config {
                site: bad.into(),
                ..Config::default()
            };
            assert!(
                matches!(config.checked(), Err(ConfigError::BadSite { .. })),
                "{bad}"
            );
        }
        for (good, authority) in [("10.0.0.1", "10.0.0.1:8443"), ("::1", "[::1]:8443")] {
            let config = Config {
                site: good.into(),
                ..Config::default()
            }
            .checked()
            .unwrap();
            assert_eq!(config.authority(), authority);
        }
    }
}
