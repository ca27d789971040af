//! Where a session stands.

use crate::domain::Moment;
use crate::domain::entry::EndReason;
use crate::domain::limits::{CUSTOMER_RETURN_WITHIN, REPRESENTATIVE_RETURN_WITHIN};

/// Whether somebody's connection is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Connected.
    Here,
    /// Lost; may come back up to and including `until`.
    Away {
        /// End of the grace.
        until: Moment,
    },
}

impl Presence {
    /// Connected.
    pub fn is_here(self) -> bool {
        self == Self::Here
    }

    fn is_over(self, at: Moment) -> bool {
        matches!(self, Self::Away { until } if until < at)
    }

    fn deadline(self) -> Option<Moment> {
        match self {
            Self::Here => None,
            Self::Away { until } => Some(until),
        }
    }
}

/// Where one support session stands (QU-14, SL-02, SL-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// In the personal queue of its representative.
    Waiting {
        /// The customer's connection.
        customer: Presence,
    },
    /// Its representative has taken it.
    Accepted {
        /// The customer's connection.
        customer: Presence,
        /// The representative's connection.
        owner: Presence,
    },
    /// Over. Nothing leaves this state.
    Ended(EndReason),
}

/// What can happen to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The representative takes it.
    Accept,
    /// The representative puts it back (SL-10).
    Hold,
    /// Somebody ends it.
    Close(EndReason),
    /// The customer's connection is gone.
    CustomerLost {
        /// Since when.
        at: Moment,
    },
    /// The customer is back.
    CustomerBack,
    /// The representative's connection is gone.
    OwnerLost {
        /// Since when.
        at: Moment,
    },
    /// The representative is back.
    OwnerBack,
    /// Nothing but time.
    TimePassed {
        /// It is now.
        at: Moment,
    },
}

/// Why an event does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Accepted already.
    #[error("the session is taken")]
    Taken,
    /// Not accepted.
    #[error("the session is waiting in the queue")]
    NotTaken,
    /// Ended.
    #[error("the session is over")]
    Over,
}

impl Session {
    /// The state after `event`, or why this state refuses it. Pure: the caller commits the new
    /// state and the audit record in one transaction.
    pub fn after(self, event: Event) -> Result<Self, Refused> {
        use Event::{
            Accept, Close, CustomerBack, CustomerLost, Hold, OwnerBack, OwnerLost, TimePassed,
        };
        use Presence::{Away, Here};
        match self {
            Self::Waiting { customer } => match event {
                Accept => Ok(Self::Accepted {
                    customer,
                    owner: Here,
                }),
                Hold => Err(Refused::NotTaken),
                Close(reason) => Ok(Self::Ended(reason)),
                CustomerLost { at } => Ok(Self::Waiting {
                    customer: Away {
                        until: at + CUSTOMER_RETURN_WITHIN,
                    },
                }),
                CustomerBack => Ok(Self::Waiting { customer: Here }),
                // Nobody owns it yet, so nobody's absence changes it.
                OwnerLost { .. } | OwnerBack => Ok(self),
                TimePassed { at } if customer.is_over(at) => {
                    Ok(Self::Ended(EndReason::CustomerLost))
                }
                TimePassed { .. } => Ok(self),
            },
            Self::Accepted { customer, owner } => match event {
                Accept => Err(Refused::Taken),
                Hold => Ok(Self::Waiting { customer }),
                Close(reason) => Ok(Self::Ended(reason)),
                CustomerLost { at } => {
                    let customer = Away {
                        until: at + CUSTOMER_RETURN_WITHIN,
                    };
                    Ok(Self::Accepted { customer, owner })
                }
                CustomerBack => Ok(Self::Accepted {
                    customer: Here,
                    owner,
                }),
                OwnerLost { at } => {
                    let owner = Away {
                        until: at + REPRESENTATIVE_RETURN_WITHIN,
                    };
                    Ok(Self::Accepted { customer, owner })
                }
                OwnerBack => Ok(Self::Accepted {
                    customer,
                    owner: Here,
                }),
                TimePassed { at } if customer.is_over(at) => {
                    Ok(Self::Ended(EndReason::CustomerLost))
                }
                TimePassed { at } if owner.is_over(at) => Ok(Self::Waiting { customer }),
                TimePassed { .. } => Ok(self),
            },
            Self::Ended(first) => match event {
                // Both sides may hang up at once; the first reason stands.
                Close(_) | TimePassed { .. } | CustomerLost { .. } | OwnerLost { .. } => {
                    Ok(Self::Ended(first))
                }
                Accept | Hold | CustomerBack | OwnerBack => Err(Refused::Over),
            },
        }
    }

    /// When [`Event::TimePassed`] can next change something.
    pub fn deadline(self) -> Option<Moment> {
        match self {
            Self::Waiting { customer } => customer.deadline(),
            Self::Accepted { customer, owner } => {
                let (a, b) = (customer.deadline(), owner.deadline());
                a.into_iter().chain(b).min()
            }
            Self::Ended(_) => None,
        }
    }

    /// Whether the customer's connection is up.
    pub fn customer_is_here(self) -> bool {
        match self {
            Self::Waiting { customer } | Self::Accepted { customer, .. } => customer.is_here(),
            Self::Ended(_) => false,
        }
    }

    /// Whether it is accepted and its representative's connection is up.
    pub fn owner_is_here(self) -> bool {
        matches!(
            self,
            Self::Accepted {
                owner: Presence::Here,
                ..
            }
        )
    }

    /// Whether a representative has taken it.
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const HERE: Session = Session::Accepted {
        customer: Presence::Here,
        owner: Presence::Here,
    };

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_representative_may_come_back_up_to_and_including_the_sixtieth_second() {
        let lost = HERE.after(Event::OwnerLost { at: at(10) }).unwrap();
        let still = lost.after(Event::TimePassed { at: at(70) }).unwrap();
        assert_eq!(still.after(Event::OwnerBack), Ok(HERE));
        let lapsed = still.after(Event::TimePassed { at: at(71) }).unwrap();
        assert_eq!(
            lapsed,
            Session::Waiting {
                customer: Presence::Here
            }
        );
    }

    #[test]
    fn a_customer_who_stays_away_for_five_minutes_ends_the_session() {
        let lost = HERE.after(Event::CustomerLost { at: at(0) }).unwrap();
        assert_eq!(lost.deadline(), Some(at(300)));
        assert_eq!(lost.after(Event::CustomerBack), Ok(HERE));
        assert_eq!(
            lost.after(Event::TimePassed { at: at(301) }),
            Ok(Session::Ended(EndReason::CustomerLost))
        );
    }

    #[test]
    fn only_one_accept_succeeds() {
        let waiting = Session::Waiting {
            customer: Presence::Here,
        };
        let taken = waiting.after(Event::Accept).unwrap();
        assert_eq!(taken, HERE);
        assert_eq!(taken.after(Event::Accept), Err(Refused::Taken));
    }

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Accept),
            Just(Event::Hold),
            Just(Event::Close(EndReason::Representative)),
            Just(Event::CustomerBack),
            Just(Event::OwnerBack),
            (0_u64..1_000).prop_map(|s| Event::CustomerLost { at: at(s) }),
            (0_u64..1_000).prop_map(|s| Event::OwnerLost { at: at(s) }),
            (0_u64..1_000).prop_map(|s| Event::TimePassed { at: at(s) }),
        ]
    }

    proptest! {
        #[test]
        fn nothing_leaves_ended(events in proptest::collection::vec(events(), 0..30)) {
            let mut state = Session::Ended(EndReason::Customer);
            for event in events {
                state = state.after(event).unwrap_or(state);
                prop_assert_eq!(state, Session::Ended(EndReason::Customer));
            }
        }

        #[test]
        fn a_deadline_that_passed_always_changes_something(
            events in proptest::collection::vec(events(), 0..30)
        ) {
            let mut state = Session::Waiting { customer: Presence::Here };
            for event in events {
                state = state.after(event).unwrap_or(state);
                if let Some(deadline) = state.deadline() {
                    let later = deadline + Duration::from_millis(1);
                    prop_assert_ne!(state.after(Event::TimePassed { at: later }), Ok(state));
                }
            }
        }
    }
}
