//! What other programs ask for, and session keys, which consoles ask for too.

use super::Hub;
use super::Turn;
use super::event::{Answer, Effect, Figures, KeyRecord, Order, Record};
use super::peers::Who;
use crate::control::Reply;
use crate::control::request::TicketHolder;
use crate::domain::facts::Kind;
use crate::domain::limits::{
    KEY_LIFE_DEFAULT, KEY_LIFE_MAX, KEYS_PER_REPRESENTATIVE_MAX, TICKET_WITHIN, TICKETS_MAX,
    TICKETS_TO_COME_BACK_MAX, TICKETS_WITH_KEY_MAX,
};
use crate::domain::turned::{PuzzleAnswer, TurnedReason};
use crate::domain::{AccountId, Label, Moment, Now, PeerAddress, Token};
use crate::link::message::{Failure, ToConsole};
use crate::session::key::{self, Typed};

/// A life shorter than this could end while the key is being read out.
const KEY_SECONDS_MIN: u32 = 60;

impl Hub {
    pub(super) fn order(&mut self, id: u64, order: Order, turn: &mut Turn<'_>) {
        let reply = match order {
            Order::LookUpKey {
                key,
                address,
                puzzle,
            } => {
                let found = self.find_key(&key::read(&key), address, puzzle.as_ref(), turn);
                match found {
                    Ok(key) => Reply::KeyFound {
                        representative: key.name,
                        ak: key.ak,
                        expires: key.expires,
                    },
                    Err(reason) => Reply::Turned(reason),
                }
            }
            Order::IssueTicket(holder) => self.issue_ticket(holder, turn),
            Order::SignOut { account, sign_in } => {
                self.sign_out(account, sign_in.as_ref());
                Reply::Done
            }
            Order::CreateKey {
                account,
                name,
                seconds,
            } => {
                let default = u32::try_from(KEY_LIFE_DEFAULT.as_secs()).unwrap_or(u32::MAX);
                match self.create_key(account, name, seconds.unwrap_or(default), turn) {
                    Ok((
                        batch,
                        KeyRecord {
                            digits,
                            ak,
                            expires,
                            ..
                        },
                    )) => {
                        let answer = Answer::Key {
                            digits,
                            ak,
                            expires,
                        };
                        self.out.after(batch, Effect::Answer { id, answer });
                        return;
                    }
                    Err(failure) => Reply::Refused {
                        why: why_no_key(failure),
                    },
                }
            }
            Order::Announce { restart } => {
                self.announce(restart, turn.now);
                Reply::Done
            }
            Order::LoopBack => self.begin_loop_back(turn),
            Order::Deploy(deployment) => {
                if self.fleet.add_deployment(deployment, turn.now) {
                    Reply::Done
                } else {
                    Reply::Turned(TurnedReason::Full)
                }
            }
            Order::SetAdmissionRate(rate) => {
                self.fleet.set_rate(rate);
                Reply::Done
            }
            Order::Figures => {
                let answer = Answer::Figures(self.figures(turn.now.moment));
                self.out.now(Effect::Answer { id, answer });
                return;
            }
        };
        self.out.now(Effect::Answer {
            id,
            answer: Answer::Reply(reply),
        });
    }

    /// The key that was meant. A wrong one counts as a guess; the token of a unique URL is never
    /// limited, since nobody guesses it.
    pub(super) fn find_key(
        &mut self,
        typed: &Typed,
        address: PeerAddress,
        puzzle: Option<&PuzzleAnswer>,
        turn: &mut Turn<'_>,
    ) -> Result<KeyRecord, TurnedReason> {
        let now = turn.now;
        if let Typed::Token(_) = typed {
            return self
                .keys
                .find(typed, now.stamp)
                .cloned()
                .ok_or(TurnedReason::Key);
        }
        let from = address.neighbourhood();
        self.guesses
            .may_try(from, puzzle, now.moment, turn.random)?;
        let found = self.keys.find(typed, now.stamp).cloned();
        found.ok_or_else(|| {
            self.guesses.was_wrong(from, now.moment);
            TurnedReason::Key
        })
    }

    /// Makes a key; it may be shown once the returned batch is on record.
    pub(super) fn create_key(
        &mut self,
        account: AccountId,
        name: Label,
        seconds: u32,
        turn: &mut Turn<'_>,
    ) -> Result<(u64, KeyRecord), Failure> {
        let longest = u32::try_from(KEY_LIFE_MAX.as_secs()).unwrap_or(u32::MAX);
        if !(KEY_SECONDS_MIN..=longest).contains(&seconds) {
            return Err(Failure::Range);
        }
        if self.keys.count_of(account) >= KEYS_PER_REPRESENTATIVE_MAX {
            return Err(Failure::Limit);
        }
        let mut digits = key::draw(self.guesses.digits(), turn.random);
        while self.keys.has_digits(&digits) {
            // At most 100 keys for each of 5,000 accounts: one draw in twenty collides at worst.
            digits = key::draw(self.guesses.digits(), turn.random);
        }
        let key = KeyRecord {
            digits,
            ak: Token::from_random(turn.bytes()),
            account,
            name,
            created: turn.now.stamp,
            expires: turn
                .now
                .stamp
                .after(std::time::Duration::from_secs(seconds.into())),
        };
        self.keys.insert(key.clone());
        let batch = self.out.record(Record::KeyCreated(key.clone()));
        Ok((batch, key))
    }

    fn issue_ticket(&mut self, holder: TicketHolder, turn: &mut Turn<'_>) -> Reply {
        let now: Now = turn.now;
        if let TicketHolder::Customer { ak: Some(ak) } = &holder
            && self
                .keys
                .find(&Typed::Token(ak.clone()), now.stamp)
                .is_none()
        {
            return Reply::Turned(TurnedReason::Key);
        }
        // Nobody who is not signed in can use up the consoles' share.
        let most = match &holder {
            TicketHolder::Console { .. } => TICKETS_MAX,
            TicketHolder::Customer { ak: Some(_) } => TICKETS_WITH_KEY_MAX,
            TicketHolder::Customer { ak: None } => TICKETS_TO_COME_BACK_MAX,
        };
        if self.tickets.len() >= most {
            return Reply::Turned(TurnedReason::Full);
        }
        let ticket = Token::from_random(turn.bytes());
        self.tickets
            .insert(ticket.fingerprint(), (now.moment + TICKET_WITHIN, holder));
        Reply::Ticket { ticket }
    }

    fn sign_out(
        &mut self,
        account: AccountId,
        sign_in: Option<&crate::domain::token::Fingerprint>,
    ) {
        self.tickets
            .retain(|_, (_, holder)| !holds(holder, account, sign_in));
        // Who has shown a ticket already finds it void when saying hello.
        self.admitted
            .retain(|_, holder| !holds(holder, account, sign_in));
        let Some(seat) = self.seats.get_mut(&account) else {
            return;
        };
        if sign_in.is_some_and(|sign_in| *sign_in != seat.sign_in) {
            return;
        }
        if let Some(peer) = seat.peer {
            seat.is_signed_out = true;
            self.out.say(peer, &ToConsole::SignedOut);
            self.out.now(Effect::HangUp { peer });
        }
    }

    fn figures(&self, now: Moment) -> Figures {
        let mut figures = Figures {
            keys_unused: self.keys.count() as u64,
            key_digits: u8::try_from(self.guesses.digits()).unwrap_or(u8::MAX),
            wrong_keys_lately: self.guesses.wrong_lately(),
            consoles: self
                .seats
                .values()
                .filter(|seat| seat.peer.is_some())
                .count() as u64,
            fleet: self.fleet.figures(now),
            ..Figures::default()
        };
        for case in self.cases.values() {
            if case.state.is_accepted() {
                figures.running += 1;
            } else {
                figures.waiting += 1;
            }
            let connected = case.customer.and_then(|peer| self.peers.who(peer));
            match (connected, case.record.kind) {
                (Some(Who::Customer(_)), Kind::Client) => figures.customer_clients += 1,
                (Some(Who::Customer(_)), Kind::Chat) => figures.chats += 1,
                (Some(Who::Console(_) | Who::JumpClient(_)) | None, _) => {}
            }
        }
        figures
    }
}

fn holds(
    holder: &TicketHolder,
    account: AccountId,
    sign_in: Option<&crate::domain::token::Fingerprint>,
) -> bool {
    match holder {
        TicketHolder::Console {
            account: whose,
            sign_in: which,
            ..
        } => *whose == account && sign_in.is_none_or(|sign_in| sign_in == which),
        TicketHolder::Customer { .. } => false,
    }
}

fn why_no_key(failure: Failure) -> String {
    match failure {
        Failure::Range => format!(
            "a session key lives {KEY_SECONDS_MIN} to {} seconds",
            KEY_LIFE_MAX.as_secs()
        ),
        _ => format!(
            "the representative has {KEYS_PER_REPRESENTATIVE_MAX} unused session keys; wait until some \
             are used or expire"
        ),
    }
}
