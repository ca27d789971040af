//! The relay's two identities, made at first start: the site's certificate, which an administrator
//! may replace, and the link key, which endpoints pin and nothing replaces.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::tls::Identity;
use crate::tls::identity::IdentityError;

/// Both identities.
#[derive(Debug)]
pub struct Identities {
    /// What browsers see.
    pub web: Identity,
    /// What endpoints pin.
    pub link: Identity,
}

/// Why the relay has no keys. Ends the program with this line.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// There is a file, but no key in it. It is left alone: a new link key would strand every
    /// client that pins the old one.
    #[error(
        "{path} holds no usable key ({error}); restore it from a backup, or move it away to have a new one made"
    )]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What was found.
        error: IdentityError,
    },
}

impl Identities {
    /// Reads both from `folder`, making what is missing. `names` are the site's, for the
    /// certificate.
    pub fn open_or_make(folder: &Path, names: &[String]) -> Result<Self, KeysError> {
        let web = open_or_make(&folder.join("site.pem"), names)?;
        let link = open_or_make(&folder.join("link.pem"), &["link.jumpgate.invalid".into()])?;
        Ok(Self { web, link })
    }
}

fn open_or_make(path: &Path, names: &[String]) -> Result<Identity, KeysError> {
    let file = |error| KeysError::File {
        path: path.to_owned(),
        error,
    };
    let unusable = |error| KeysError::Unusable {
        path: path.to_owned(),
        error,
    };
    match fs::read(path) {
        Ok(pem) => return Identity::from_pem(&pem).map_err(unusable),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(file(error)),
    }
    let made = Identity::make(names).map_err(unusable)?;
    write_whole(path, made.to_pem().as_bytes()).map_err(file)?;
    Ok(made)
}

/// Writes a file that is there whole or not at all, readable by us alone.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_made_once_kept_private_and_never_silently_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        let made = Identities::open_or_make(folder.path(), &names).unwrap();
        let again = Identities::open_or_make(folder.path(), &names).unwrap();
        assert_eq!(made.link.key_fingerprint(), again.link.key_fingerprint());
        assert_eq!(
            made.web.certificate_fingerprint(),
            again.web.certificate_fingerprint()
        );
        assert_ne!(made.link.key_fingerprint(), made.web.key_fingerprint());
        let path = folder.path().join("link.pem");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&path, "torn").unwrap();
        let refused = Identities::open_or_make(folder.path(), &names).unwrap_err();
        assert!(refused.to_string().contains("link.pem"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"torn");
    }
}
