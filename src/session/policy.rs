//! Who may do what in a session.

use super::state::Session;
use crate::domain::facts::Kind;
use crate::domain::limits::SHELLS_PER_SESSION_MAX;

/// Why a representative may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Not accepted, or over.
    NotAccepted,
    /// The customer's connection is gone.
    CustomerAbsent,
    /// Click-to-chat has no tools.
    ChatOnly,
    /// As many as a session may have.
    Limit,
}

/// May the session's owner write to the customer? Also while the customer is away: the words wait.
pub fn may_chat(session: Session) -> Result<(), Denied> {
    if session.is_accepted() {
        Ok(())
    } else {
        Err(Denied::NotAccepted)
    }
}

/// May the session's owner open a shell, given `open` of them, if the customer consents?
pub fn may_open_shell(session: Session, kind: Kind, open: usize) -> Result<(), Denied> {
    may_chat(session)?;
    match kind {
        Kind::Chat => return Err(Denied::ChatOnly),
        Kind::Client => {}
    }
    if !session.customer_is_here() {
        return Err(Denied::CustomerAbsent);
    }
    if open >= SHELLS_PER_SESSION_MAX {
        Err(Denied::Limit)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Presence;
    use super::*;
    use crate::domain::Moment;

    #[test]
    fn a_shell_needs_an_accepted_session_with_a_present_client() {
        let away = Presence::Away {
            until: Moment::default(),
        };
        let here = Session::Accepted {
            customer: Presence::Here,
            owner: Presence::Here,
        };
        let gone = Session::Accepted {
            customer: away,
            owner: Presence::Here,
        };
        let waiting = Session::Waiting {
            customer: Presence::Here,
        };
        assert_eq!(may_open_shell(here, Kind::Client, 0), Ok(()));
        assert_eq!(may_open_shell(here, Kind::Chat, 0), Err(Denied::ChatOnly));
        assert_eq!(
            may_open_shell(gone, Kind::Client, 0),
            Err(Denied::CustomerAbsent)
        );
        assert_eq!(
            may_open_shell(waiting, Kind::Client, 0),
            Err(Denied::NotAccepted)
        );
        let full = may_open_shell(here, Kind::Client, SHELLS_PER_SESSION_MAX);
        assert_eq!(full, Err(Denied::Limit));
    }
}
