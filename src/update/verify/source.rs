//! Where an update comes from: a file that is being handed in, or a server.

use std::convert::Infallible;

use crate::update::bundle::Metadata;
use crate::update::trust::Repository;

/// What a file calls its manifest; on a server it has a hash in its name.
pub const MANIFEST: &str = "manifest.json";

/// A file's metadata as a repository.
#[derive(Clone, Debug)]
pub struct Bundle(pub Metadata);

impl Repository for Bundle {
    type Error = Infallible;

    fn metadata(&mut self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, Infallible> {
        let file = self.0.file(name);
        // One byte more than allowed is enough to be refused.
        let most = usize::try_from(bytes_max).map_or(usize::MAX, |most| most.saturating_add(1));
        Ok(file.map(|file| file[..file.len().min(most)].to_vec()))
    }
}
