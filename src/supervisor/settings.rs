//! `appliance.toml`: what it says, changed by the arguments.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, lchown};
use std::path::Path;

use super::arguments::Arguments;
use super::state::{Mode, StateError};
use crate::config::{Config, ConfigError, Paths};
use crate::sandbox::users::Identity;

/// Stands above the settings.
const HEADER: &str = "\
# Read at start. --site, --model and --privileged-ports of scripts/run change it; ports may also be
# chosen here. Without --privileged-ports, 443 and 80 become 8443 and 8080 again.

";

/// What `--privileged-ports` means.
const PRIVILEGED: (u16, u16) = (443, 80);

/// The file's settings, or the defaults if there is none, with what `arguments` say.
pub(super) fn merge(paths: &Paths, arguments: &Arguments) -> Result<Config, ConfigError> {
    let path = paths.config();
    let config = if path.exists() {
        Config::read(&path)?
    } else {
        Config::default()
    };
    changed(config, arguments).checked()
}

fn changed(mut config: Config, arguments: &Arguments) -> Config {
    if let Some(site) = &arguments.site {
        config.site.clone_from(site);
    }
    if let Some(model) = arguments.model {
        config.model = model;
    }
    let ports = (config.https_port, config.http_port);
    let ports = match arguments.privileged_ports {
        true => PRIVILEGED,
        false if ports == PRIVILEGED => {
            let default = Config::default();
            (default.https_port, default.http_port)
        }
        false => ports,
    };
    config.https_port = arguments.https_port.unwrap_or(ports.0);
    config.http_port = arguments.http_port.unwrap_or(ports.1);
    config
}

/// Writes `config` if the file says anything else. The file is whole at every instant.
pub(super) fn write(paths: &Paths, config: &Config, mode: Mode) -> Result<(), StateError> {
    let path = paths.config();
    let unchanged = path.exists() && Config::read(&path).is_ok_and(|found| found == *config);
    let has_owner = || {
        let found = std::fs::symlink_metadata(&path);
        found.is_ok_and(|f| (f.uid(), f.gid()) == (Identity::ROOT.user, Identity::ROOT.group))
    };
    if unchanged && (mode == Mode::User || has_owner()) {
        return Ok(());
    }
    let text = format!("{HEADER}{}", config.to_toml());
    replace(&path, text.as_bytes(), 0o640, mode).map_err(|error| StateError::Unusable {
        path: path.clone(),
        error,
    })
}

/// Puts `bytes` in the place of `path`, readable by our programs if `bits` say so.
pub(super) fn replace(path: &Path, bytes: &[u8], bits: u32, mode: Mode) -> std::io::Result<()> {
    let new = path.with_extension("new");
    // Not truncated but made anew, so that its mode is the one asked for.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(bits)
        .open(&new)?;
    if mode == Mode::Root {
        lchown(&new, Some(Identity::ROOT.user), Some(Identity::ROOT.group))?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::domain::Model;

    fn started_with(config: &Config, line: &[&str]) -> Config {
        let line = std::iter::once(&"supervisor").chain(line);
        changed(config.clone(), &Arguments::parse_from(line))
    }

    #[test]
    fn site_and_model_are_kept_for_later_starts() {
        let chosen = ["--site", "support.example.com", "--model", "b300"];
        let first = started_with(&Config::default(), &chosen);
        assert_eq!(first.site, "support.example.com");
        assert_eq!(first.model, Model::B300);
        assert_eq!(started_with(&first, &[]), first);
    }

    #[test]
    fn privileged_ports_last_as_long_as_they_are_asked_for() {
        let first = started_with(&Config::default(), &["--privileged-ports"]);
        assert_eq!((first.https_port, first.http_port), (443, 80));
        assert_eq!(started_with(&first, &[]), Config::default());
    }

    #[test]
    fn ports_chosen_in_the_file_are_kept() {
        let chosen = Config {
            https_port: 9443,
            ..Config::default()
        };
        assert_eq!(started_with(&chosen, &[]), chosen);
    }

    #[test]
    fn the_file_explains_itself_and_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        let config = started_with(&Config::default(), &["--site", "10.0.0.1"]);
        write(&paths, &config, Mode::User).unwrap();
        let text = std::fs::read_to_string(paths.config()).unwrap();
        assert!(text.starts_with("# Read at start."), "{text}");
        assert_eq!(Config::read(&paths.config()).unwrap(), config);
    }
}
