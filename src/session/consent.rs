//! A customer's consent to one tool (SL-15, SL-16, SL-21).

use crate::domain::limits::CONSENT_WITHIN;
use crate::domain::{Moment, PromptId};

/// Where consent to one tool stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// Not given: never asked, refused, withdrawn or lapsed.
    #[default]
    None,
    /// The customer is being asked.
    Asked {
        /// Which prompt.
        prompt: PromptId,
        /// Unanswered by then, it is refused.
        until: Moment,
    },
    /// Given, until the customer stops sharing or the session leaves its representative.
    Allowed,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The representative asks.
    Ask {
        /// A prompt that was never used before.
        prompt: PromptId,
        /// When.
        at: Moment,
    },
    /// The customer answers.
    Answer {
        /// Which prompt.
        prompt: PromptId,
        /// What.
        allow: bool,
    },
    /// The representative takes the question back.
    Withdraw {
        /// Which prompt.
        prompt: PromptId,
    },
    /// Everything granted is withdrawn.
    Revoke,
    /// Nothing but time.
    TimePassed {
        /// It is now.
        at: Moment,
    },
}

/// What an event brought about, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: it was an answer to a question that no longer stands, or there was nothing to do.
    Nothing,
    /// The customer has to be asked now.
    Ask,
    /// The customer allowed it.
    Allowed,
    /// The customer refused it.
    Refused,
    /// Nobody answered in time.
    Unanswered,
    /// The question was taken back.
    Withdrawn,
    /// What had been given is gone.
    Revoked,
}

impl Consent {
    /// The consent after `event`, and what that means.
    pub fn after(self, event: Event) -> (Self, Outcome) {
        match (self, event) {
            (Self::None, Event::Ask { prompt, at }) => (
                Self::Asked {
                    prompt,
                    until: at + CONSENT_WITHIN,
                },
                Outcome::Ask,
            ),
            (
                Self::Asked { prompt, .. },
                Event::Answer {
                    prompt: answered,
                    allow,
                },
            ) if prompt == answered => {
                if allow {
                    (Self::Allowed, Outcome::Allowed)
                } else {
                    (Self::None, Outcome::Refused)
                }
            }
            (Self::Asked { prompt, .. }, Event::Withdraw { prompt: withdrawn })
                if prompt == withdrawn =>
            {
                (Self::None, Outcome::Withdrawn)
            }
            (Self::Asked { .. }, Event::Revoke) => (Self::None, Outcome::Withdrawn),
            (Self::Asked { until, .. }, Event::TimePassed { at }) if until <= at => {
                (Self::None, Outcome::Unanswered)
            }
            (Self::Allowed, Event::Revoke) => (Self::None, Outcome::Revoked),
            (
                Self::None | Self::Asked { .. } | Self::Allowed,
                Event::Ask { .. }
                | Event::Answer { .. }
                | Event::Withdraw { .. }
                | Event::Revoke
                | Event::TimePassed { .. },
            ) => (self, Outcome::Nothing),
        }
    }

    /// When a question lapses.
    pub fn deadline(self) -> Option<Moment> {
        match self {
            Self::Asked { until, .. } => Some(until),
            Self::None | Self::Allowed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: PromptId = PromptId(1);

    #[test]
    fn an_unanswered_question_refuses_after_a_minute() {
        let (asked, outcome) = Consent::None.after(Event::Ask {
            prompt: FIRST,
            at: Moment::default(),
        });
        assert_eq!(outcome, Outcome::Ask);
        let early = Moment::from_millis(59_999);
        assert_eq!(
            asked.after(Event::TimePassed { at: early }),
            (asked, Outcome::Nothing)
        );
        let late = Moment::from_millis(60_000);
        let lapsed = (Consent::None, Outcome::Unanswered);
        assert_eq!(asked.after(Event::TimePassed { at: late }), lapsed);
    }

    fn events() -> impl Strategy<Value = Event> {
        let prompts = (1_u32..4).prop_map(PromptId);
        prop_oneof![
            (prompts.clone(), 0_u64..200_000).prop_map(|(prompt, at)| Event::Ask {
                prompt,
                at: Moment::from_millis(at)
            }),
            (prompts.clone(), any::<bool>())
                .prop_map(|(prompt, allow)| Event::Answer { prompt, allow }),
            prompts.prop_map(|prompt| Event::Withdraw { prompt }),
            Just(Event::Revoke),
            (0_u64..200_000).prop_map(|at| Event::TimePassed {
                at: Moment::from_millis(at)
            }),
        ]
    }

    proptest! {
        #[test]
        fn only_a_yes_to_the_standing_question_allows(
            events in proptest::collection::vec(events(), 0..40)
        ) {
            let mut consent = Consent::None;
            for event in events {
                let (next, outcome) = consent.after(event);
                if next == Consent::Allowed && consent != Consent::Allowed {
                    let Consent::Asked { prompt, .. } = consent else {
                        return Err(TestCaseError::fail("allowed without a question"));
                    };
                    prop_assert_eq!(event, Event::Answer { prompt, allow: true });
                    prop_assert_eq!(outcome, Outcome::Allowed);
                }
                consent = next;
            }
        }

        #[test]
        fn nothing_is_granted_after_a_revoke(events in proptest::collection::vec(events(), 0..40)) {
            let mut consent = Consent::None;
            for event in events {
                consent = consent.after(event).0;
            }
            prop_assert_eq!(consent.after(Event::Revoke).0, Consent::None);
        }
    }
}
