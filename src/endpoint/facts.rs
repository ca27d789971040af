//! What this program says of its customer and computer (QU-14), and where a user's shell is.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::domain::text::label;
use crate::domain::{Facts, Text};

/// A user as the system knows one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Home directory, if known.
    pub home: Option<PathBuf>,
    /// Login shell, if known.
    pub shell: Option<PathBuf>,
}

/// The user who runs this program. Directory services cannot be asked by a static program, so
/// somebody who is not in `/etc/passwd` is known by the environment alone.
pub fn user() -> User {
    let uid = nix::unistd::getuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_of(uid, &passwd, |name| std::env::var(name).ok())
}

fn user_of(uid: u32, passwd: &str, environment: impl Fn(&str) -> Option<String>) -> User {
    let set = |name| environment(name).filter(|value| !value.is_empty());
    let known = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let matching = fields.len() == 7 && fields[2].parse() == Ok(uid);
        matching.then(|| (fields[0].to_owned(), fields[5], fields[6]))
    });
    let path = |text: &str| (text.starts_with('/')).then(|| PathBuf::from(text));
    // The environment may still speak of the user before su; the uid does not.
    match known {
        Some((name, home, shell)) => User {
            name,
            home: path(home),
            shell: path(shell),
        },
        None => User {
            name: set("USER")
                .or_else(|| set("LOGNAME"))
                .unwrap_or_else(|| format!("user {uid}")),
            home: set("HOME").as_deref().and_then(path),
            shell: set("SHELL").as_deref().and_then(path),
        },
    }
}

/// Everything but the private address, which the way to the appliance decides.
pub fn facts(user: &User) -> Facts {
    let computer = nix::unistd::gethostname().unwrap_or_default();
    let release = ["/etc/os-release", "/usr/lib/os-release"]
        .into_iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = ["Linux", kernel.trim(), std::env::consts::ARCH];
    let kernel = kernel.into_iter().filter(|part| !part.is_empty());
    let kernel = kernel.collect::<Vec<_>>().join(" ");
    let platform = match pretty_name(&release) {
        Some(name) => format!("{name}, {kernel}"),
        None => kernel,
    };
    Facts {
        customer: label(&user.name),
        computer: label(&computer.to_string_lossy()),
        platform: label(&platform),
        private_address: Text::new(),
    }
}

/// Our address on the way to the appliance, as a fact.
pub fn private_address(local: IpAddr) -> Text<45> {
    Text::try_from(local.to_canonical().to_string().as_str()).unwrap_or_default()
}

/// `PRETTY_NAME` of an os-release file.
fn pretty_name(release: &str) -> Option<String> {
    let value = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = value.trim().trim_matches(['"', '\'']).replace('\\', "");
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          broken:1000\nann:x:1000:1000:Ann,,,:/home/ann:/usr/bin/zsh\n";

    #[test]
    fn the_user_comes_from_the_passwd_file_before_the_environment() {
        let environment = |name: &str| (name == "USER").then(|| "somebody".to_owned());
        let ann = user_of(1000, PASSWD, environment);
        assert_eq!(ann.name, "ann");
        assert_eq!(ann.shell, Some("/usr/bin/zsh".into()));
        assert_eq!(user_of(7, PASSWD, environment).name, "somebody");
        assert_eq!(user_of(7, PASSWD, |_| None).name, "user 7");
    }

    #[test]
    fn the_platform_is_what_the_system_calls_itself() {
        let release = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        let name = "Debian GNU/Linux 12 (bookworm)".to_owned();
        assert_eq!(pretty_name(release), Some(name));
        assert_eq!(pretty_name("PRETTY_NAME=\"\""), None);
        assert!(!facts(&user()).platform.is_empty());
    }

    #[test]
    fn an_address_in_ipv6_clothes_is_undressed() {
        let address = private_address("::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(address.as_str(), "10.0.0.1");
    }
}
