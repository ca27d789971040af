//! Asks the supervisor and the relay, on threads of their own: whoever does not answer must not
//! stop the screen.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use super::world::{Answer, News, Order, Silence};
use crate::config::Paths;
use crate::config::paths::DOING;
use crate::control::machine::{self, MachineClient};
use crate::control::wire::WireError;
use crate::control::{Client, Reply, Request, Sessions, UpdateClient, update};
use crate::domain::limits::NOTICE_BYTES_MAX;

/// News are asked for this often: an address should show while somebody still looks at the plug.
const NEWS_EVERY: Duration = Duration::from_secs(2);
/// And this often while nobody answers, since that is when somebody waits.
const NEWS_SOON: Duration = Duration::from_millis(500);

/// Tells news until `tell` says that nobody listens any more.
pub(super) fn watch(paths: &Paths, tell: impl Fn(News) -> bool) {
    loop {
        let machine = facts(paths);
        let wait = match &machine {
            News::Silence(_) => NEWS_SOON,
            News::Facts(..) | News::Sessions(_) | News::Update(_) => NEWS_EVERY,
        };
        let rest = [News::Sessions(sessions(paths)), News::Update(update(paths))];
        if !tell(machine) || !rest.into_iter().all(&tell) {
            return;
        }
        std::thread::sleep(wait);
    }
}

fn facts(paths: &Paths) -> News {
    let client = MachineClient::new(&paths.machine_socket());
    match client.ask(&machine::Request::Facts) {
        Ok(machine::Reply::Facts { facts, site }) => News::Facts(facts, site),
        Ok(machine::Reply::Refused { why }) => News::Silence(Silence::Other(why.to_string())),
        Ok(_) => News::Silence(Silence::Other("another question's answer".to_owned())),
        Err(error) => News::Silence(silence(error)),
    }
}

fn sessions(paths: &Paths) -> Option<Sessions> {
    match Client::new(&paths.control_socket()).ask(&Request::Status) {
        Ok(Reply::Status(snapshot)) => Some(snapshot.sessions),
        Ok(_) | Err(_) => None,
    }
}

fn update(paths: &Paths) -> Option<Box<update::Status>> {
    match UpdateClient::new(&paths.update_socket()).ask(&update::Request::Status) {
        Ok(update::Reply::Status(status)) => Some(status),
        Ok(_) | Err(_) => None,
    }
}

/// Carries out an order.
pub(super) fn perform(paths: &Paths, order: Order) -> Answer {
    let answer = match order {
        Order::Machine(request) => {
            let client = MachineClient::new(&paths.machine_socket());
            client.ask(&request).map(Answer::Machine)
        }
        Order::Update(request) => {
            let client = UpdateClient::new(&paths.update_socket());
            client.ask(&request).map(Answer::Update)
        }
        Order::ResetPassword { name, password } => {
            let client = Client::new(&paths.control_socket());
            let request = Request::ResetPassword { name, password };
            client.ask(&request).map(Answer::Relay)
        }
    };
    answer.unwrap_or_else(|error| Answer::Silence(silence(error)))
}

fn silence(error: WireError) -> Silence {
    match error {
        WireError::Io(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Silence::NotThere {
                doing: doing(DOING.as_ref()),
            },
            io::ErrorKind::PermissionDenied => Silence::NotPermitted,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Silence::TooLate,
            _ => Silence::Other(error.to_string()),
        },
        error => Silence::Other(error.to_string()),
    }
}

/// The word that somebody left about what is going on.
fn doing(file: &Path) -> Option<String> {
    let mut text = Vec::new();
    let file = File::open(file).ok()?;
    file.take(NOTICE_BYTES_MAX as u64)
        .read_to_end(&mut text)
        .ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_anybody_there_is_silence_and_what_was_left_word_of() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        let News::Silence(Silence::NotThere { .. }) = facts(&paths) else {
            panic!("nobody is there");
        };
        assert_eq!(sessions(&paths), None);
        let file = folder.path().join("doing");
        assert_eq!(doing(&file), None);
        std::fs::write(&file, "erasing the disk: 12 %\nmore").unwrap();
        assert_eq!(doing(&file).as_deref(), Some("erasing the disk: 12 %"));
    }
}
