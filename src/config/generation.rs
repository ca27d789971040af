//! Which generation of the store a program opens.

/// As `--generation` and `--trial` say. Every version of an image has a store of its own, named by
/// the image's sequence number; see [`crate::config::Paths::store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The image's sequence number.
    pub sequence: u32,
    /// The slot has not proved itself yet. A store that was proved before stays proved.
    pub trial: bool,
}

/// The words of a command line for it, the same for every program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct GenerationArguments {
    /// The store of this image: its sequence number
    #[arg(long, value_name = "SEQUENCE", hide = true)]
    generation: Option<u32>,
    /// This version has not proved itself yet
    #[arg(long, requires = "generation", hide = true)]
    trial: bool,
}

impl GenerationArguments {
    /// What they say; nothing where there is no image.
    pub fn generation(self) -> Option<Generation> {
        let trial = self.trial;
        self.generation
            .map(|sequence| Generation { sequence, trial })
    }
}

impl From<Generation> for GenerationArguments {
    fn from(generation: Generation) -> Self {
        Self {
            generation: Some(generation.sequence),
            trial: generation.trial,
        }
    }
}

impl Generation {
    /// The words that say it.
    pub fn arguments(self) -> Vec<String> {
        let mut words = vec!["--generation".to_owned(), self.sequence.to_string()];
        words.extend(self.trial.then(|| "--trial".to_owned()));
        words
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        store: GenerationArguments,
    }

    #[test]
    fn what_is_passed_on_is_understood() {
        for trial in [false, true] {
            let generation = Generation { sequence: 7, trial };
            let words = std::iter::once("relay".to_owned()).chain(generation.arguments());
            let line = Line::parse_from(words);
            assert_eq!(line.store.generation(), Some(generation));
        }
        assert_eq!(Line::parse_from(["relay"]).store.generation(), None);
        assert!(Line::try_parse_from(["relay", "--trial"]).is_err());
    }
}
