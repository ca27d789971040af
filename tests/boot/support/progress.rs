//! What takes more than one night: how far it came, in a file.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use super::Seed;

/// A seed, and a line for each part that is done.
pub struct Progress {
    path: PathBuf,
    parts: usize,
}

impl Progress {
    /// Goes on with what the file says; begins anew, with another seed, if all `parts` are done.
    pub fn of(path: PathBuf, parts: usize) -> Self {
        let progress = Self { path, parts };
        let begun = fs::read_to_string(&progress.path).is_ok() && progress.next().is_some();
        if !begun {
            let Seed(seed) = Seed::from_env_or_any();
            fs::write(&progress.path, format!("{seed}\n")).unwrap();
        }
        progress
    }

    /// The seed, and the number of the first part that is not done.
    pub fn next(&self) -> Option<(Seed, usize)> {
        let text = fs::read_to_string(&self.path).unwrap();
        let mut lines = text.lines();
        let seed = Seed(lines.next().unwrap().parse().unwrap());
        let number = lines.count();
        (number < self.parts).then_some((seed, number))
    }

    /// It is, with this result.
    pub fn done(&self, result: &str) {
        let mut file = File::options().append(true).open(&self.path).unwrap();
        writeln!(file, "{result}").unwrap();
    }
}
