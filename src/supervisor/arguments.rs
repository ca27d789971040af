//! How it is started.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::generation::GenerationArguments;
use crate::domain::Model;

/// Runs the appliance on this machine: HTTPS on port 8443, HTTP on 8080.
#[derive(Clone, Debug, clap::Parser)]
#[command(version, bin_name = "scripts/run")]
pub struct Arguments {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = "./state")]
    pub state: PathBuf,
    /// The name that people type to come here, such as support.example.com; kept for later starts
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,
    /// Sizes the limits: b200, b300, b400, va-s, va-m or va-l; kept for later starts
    #[arg(long, value_name = "M")]
    pub model: Option<Model>,
    /// Ports 443 and 80 (needs root) instead of 8443 and 8080
    #[arg(long)]
    pub privileged_ports: bool,
    /// Looks after the whole machine: only in an appliance image, where everything else is decided
    #[arg(long, hide = true, exclusive = true)]
    pub appliance: bool,
    /// Another port for HTTPS; 0 is any free one. For tests
    #[arg(long, value_name = "PORT", hide = true)]
    pub https_port: Option<u16>,
    /// Another port for HTTP; 0 is any free one. For tests
    #[arg(long, value_name = "PORT", hide = true)]
    pub http_port: Option<u16>,
    /// The customer client that is handed out
    #[arg(long, value_name = "FILE", hide = true)]
    pub endpoint: Option<PathBuf>,
    /// Where relay and web are
    #[arg(long, value_name = "DIR", hide = true)]
    pub programs: Option<PathBuf>,
    /// Which store relay and web use. On an image whoever knows slot and trial fills it in; on a
    /// command line it is for tests
    #[command(flatten)]
    pub store: GenerationArguments,
}

impl Arguments {
    /// Those of an appliance image on a machine sized like `model` that is called `site`.
    pub(super) fn of_appliance(model: Model, site: String) -> Self {
        Self {
            state: crate::config::ON_APPLIANCE.into(),
            site: Some(site),
            model: Some(model),
            privileged_ports: true,
            appliance: true,
            https_port: None,
            http_port: None,
            endpoint: None,
            programs: None,
            store: GenerationArguments::default(),
        }
    }

    /// The folder of relay and web: this program's own, unless another is named.
    pub(super) fn programs(&self) -> io::Result<PathBuf> {
        if let Some(folder) = &self.programs {
            return folder.canonicalize();
        }
        let own = std::env::current_exe()?;
        Ok(own.parent().unwrap_or(Path::new("/")).to_owned())
    }

    /// The customer client, if there is one: as named, beside the programs, or in a folder of its
    /// own beside theirs (where an appliance image keeps it).
    pub(super) fn endpoint(&self, programs: &Path) -> Option<PathBuf> {
        let candidates = match &self.endpoint {
            Some(named) => vec![named.clone()],
            None => vec![
                programs.join("endpoint"),
                programs.join("../endpoint/endpoint"),
            ],
        };
        let found = candidates.into_iter().find(|file| file.is_file())?;
        found.canonicalize().ok()
    }
}
