//! From flags and the pass behind the program to what to do.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use clap::Parser;

use super::words;
use crate::domain::pass::{BadPass, Pass, SiteAddress};
use crate::domain::token::Fingerprint;
use crate::domain::turned::KeyText;

/// Lets a representative help you on this computer, as far as you allow it.
///
/// Talks in the terminal. Type /stop to stop sharing and /leave to end; nothing stays behind.
#[derive(Debug, Parser)]
#[command(name = "jumpgate-customer-client", version)]
pub struct Options {
    /// Session key, as it was told to you
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    pub key: Option<KeyText>,
    /// Where the site is, if this copy does not know
    #[arg(long, value_name = "HOST:PORT", requires = "link_key")]
    pub address: Option<SiteAddress>,
    /// SHA-256 of the site's link key, 64 hexadecimal digits
    #[arg(long, value_name = "HEX", requires = "address")]
    pub link_key: Option<Fingerprint>,
    /// This program opened the terminal itself
    #[arg(long, hide = true)]
    pub own_window: bool,
}

/// Everything needed to begin.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to dial.
    pub address: SiteAddress,
    /// Whom to trust.
    pub link_key: Fingerprint,
    /// What to show; asked for if absent.
    pub key: Option<KeyText>,
    /// The file carries a pass: it was downloaded for one session and goes when that is over.
    pub downloaded: bool,
}

/// Why there is nothing to begin with.
#[derive(Debug, thiserror::Error)]
pub enum BadPlan {
    /// See [`words::NO_ADDRESS`].
    #[error("{}", words::NO_ADDRESS)]
    NoAddress,
    /// The download was cut short, say.
    #[error("{0}; download this program again")]
    Pass(#[from] BadPass),
}

impl Options {
    /// Flags go before what the pass says.
    pub fn plan(self, pass: Option<Pass>) -> Result<Plan, BadPlan> {
        let downloaded = pass.is_some();
        let (from_pass, key) = match pass {
            Some(pass) => (Some((pass.address, pass.link_key)), Some(pass.key.reveal())),
            None => (None, None),
        };
        let (address, link_key) = self
            .address
            .zip(self.link_key)
            .or(from_pass)
            .ok_or(BadPlan::NoAddress)?;
        let key = self.key.or_else(|| KeyText::try_from(key?.as_str()).ok());
        Ok(Plan {
            address,
            link_key,
            key,
            downloaded,
        })
    }
}

/// The pass at the end of this program's own file, if it has one. A file that cannot be read has
/// none.
pub fn own_pass() -> Result<Option<Pass>, BadPass> {
    let read = || {
        let mut file = File::open("/proc/self/exe")?;
        let length = file.seek(SeekFrom::End(0))?;
        let needed = u64::try_from(Pass::BYTES_NEEDED).unwrap_or(u64::MAX);
        file.seek(SeekFrom::Start(length.saturating_sub(needed)))?;
        let mut end = Vec::new();
        file.take(needed).read_to_end(&mut end)?;
        Ok::<_, std::io::Error>(end)
    };
    read().map_or(Ok(None), |end| Pass::split(&end))
}

/// A session key as people write it: digits in groups, or the address of the unique URL.
pub fn parse_key(text: &str) -> Result<KeyText, &'static str> {
    let text = match text.split_once("ak=") {
        Some((_, rest)) => rest.split(['&', '#']).next().unwrap_or_default(),
        None => text,
    };
    let kept: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.'))
        .collect();
    let fits = !kept.is_empty() && kept.chars().all(|c| c.is_ascii_alphanumeric());
    let key = KeyText::try_from(kept.as_str()).ok();
    key.filter(|_| fits).ok_or(words::NOT_A_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Token;

    fn options(arguments: &[&str]) -> Options {
        let arguments = std::iter::once(&"client").chain(arguments);
        Options::try_parse_from(arguments).unwrap()
    }

    fn pass() -> Pass {
        Pass {
            address: "site.example:443".parse().unwrap(),
            link_key: Fingerprint::of(b"key"),
            key: Token::from_random([1; 16]),
        }
    }

    #[test]
    fn a_downloaded_program_needs_no_flags_and_flags_go_first() {
        let plan = options(&[]).plan(Some(pass())).unwrap();
        assert_eq!(plan.address, pass().address);
        assert_eq!(plan.key.unwrap().as_str(), pass().key.reveal());
        assert!(plan.downloaded);
        let hex = "ab".repeat(32);
        let flags = [
            "--key",
            "123 4567",
            "--address",
            "[::1]:8443",
            "--link-key",
            &hex,
        ];
        let plan = options(&flags).plan(Some(pass())).unwrap();
        assert_eq!(plan.address.to_string(), "[::1]:8443");
        assert_eq!(plan.link_key.to_string(), hex);
        assert_eq!(plan.key.unwrap().as_str(), "1234567");
    }

    #[test]
    fn a_copy_that_knows_no_site_says_so() {
        assert!(matches!(options(&[]).plan(None), Err(BadPlan::NoAddress)));
    }

    #[test]
    fn a_key_is_taken_as_people_write_it() {
        assert_eq!(parse_key(" 896-45 48 ").unwrap().as_str(), "8964548");
        let url = "https://site.example/?ak=0123456789abcdef0123456789abcdef#x";
        assert_eq!(
            parse_key(url).unwrap().as_str(),
            "0123456789abcdef0123456789abcdef"
        );
        assert!(parse_key("").is_err());
        assert!(parse_key("12ü4567").is_err());
        assert!(parse_key(&"1".repeat(65)).is_err());
    }
}
