use std::time::Duration;

mod properties;

use super::*;
use crate::domain::Stamp;
use crate::domain::entry::{Author, EndReason, Entry, What};
use crate::domain::limits::{CHAT_AGAIN_AFTER, CONSENT_WITHIN, CREDIT_STEP_BYTES, WINDOW_BYTES};
use crate::domain::text::label;
use crate::domain::turned::TurnedReason;
use crate::link::connection::decode;
use crate::link::message::{ToCustomer, Turned, Welcome};
use crate::link::{Incoming, Retained};

const SHELL: ShellId = ShellId(1);

/// A customer and a relay that says what a test wants.
struct Pair {
    customer: Customer,
    relay: Connection,
    assembler: Assembler,
    now: Moment,
    hello: Option<Hello>,
    said: Vec<FromCustomer>,
    effects: Vec<Effect>,
    /// What arrived on channels.
    output: Vec<(u16, u64, Vec<u8>)>,
}

impl Pair {
    fn new() -> Self {
        let now = Moment::default();
        let key = KeyText::try_from("1234567").unwrap();
        Self {
            customer: Customer::new(key, Facts::default(), label("test/1"), now),
            relay: Connection::new(now),
            assembler: Assembler::default(),
            now,
            hello: None,
            said: Vec::new(),
            effects: Vec::new(),
            output: Vec::new(),
        }
    }

    /// A session with somebody there.
    fn joined() -> Self {
        let mut pair = Self::new();
        pair.link_up();
        pair.welcome(&[]);
        pair.effects.clear();
        pair
    }

    /// And with one shell on channel 1.
    fn sharing() -> Self {
        let mut pair = Self::joined();
        pair.ask(1);
        assert!(pair.customer.answer(true, pair.now));
        pair.open_shell(SHELL, 1);
        pair.exchange();
        assert!(
            pair.said
                .contains(&FromCustomer::ShellStarted { shell: SHELL })
        );
        pair
    }

    fn link_up(&mut self) {
        self.relay = Connection::new(self.now);
        self.assembler = Assembler::default();
        self.hello = None;
        self.customer.link_up(Text::new(), self.now);
        self.exchange();
    }

    fn cut(&mut self) {
        self.customer.link_down(self.now);
        self.collect();
    }

    fn welcome(&mut self, allowed: &[Tool]) {
        self.relay.say(&ToCustomer::Welcome(Welcome {
            version: VERSION,
            at: Stamp(0),
            keep_alive_seconds: 60,
        }));
        self.relay
            .say(&session(SessionId::from_random([1; 8]), allowed));
        self.exchange();
    }

    fn say(&mut self, message: &ToCustomer) {
        self.relay.say(message);
        self.exchange();
    }

    fn ask(&mut self, prompt: u32) {
        self.say(&ask(prompt));
    }

    fn open_shell(&mut self, shell: ShellId, channel: u16) {
        self.relay.open(channel, 0, 0);
        self.say(&open(shell, channel));
        if self.effects.contains(&opened(shell)) {
            self.customer.shell_started(shell);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.customer.tick(self.now).unwrap();
        self.exchange();
    }

    /// Moves bytes both ways until none are left.
    fn exchange(&mut self) {
        loop {
            let out = self.customer.take_output();
            let back = self.relay.take_output();
            if out.is_empty() && back.is_empty() {
                break;
            }
            self.hear(&out);
            self.customer.received(&back, self.now).unwrap();
        }
        self.collect();
    }

    fn hear(&mut self, bytes: &[u8]) {
        let input = self.assembler.join(bytes);
        let mut rest = &input[..];
        while let Some((frame, taken)) = split_frame(rest).unwrap() {
            rest = &rest[taken..];
            match self.relay.accept(frame, self.now).unwrap() {
                Incoming::Message(json) if self.hello.is_none() => {
                    self.hello = Some(decode(json).unwrap());
                }
                Incoming::Message(json) => self.said.push(decode(json).unwrap()),
                Incoming::Data {
                    channel,
                    offset,
                    bytes,
                } => self.output.push((channel, offset, bytes.to_vec())),
                Incoming::Credit { .. } | Incoming::Nothing => {}
            }
        }
        self.assembler.keep(rest);
    }

    fn collect(&mut self) {
        while let Some(effect) = self.customer.next_effect() {
            self.effects.push(effect);
        }
    }

    fn entry(&mut self, number: u32, what: What) {
        let by = match what {
            What::Chat { .. } => Author::Customer(label("c")),
            _ => Author::Appliance,
        };
        let at = Stamp(0);
        self.say(&ToCustomer::Entry(Entry {
            number,
            at,
            by,
            what,
        }));
    }
}

fn session(session: SessionId, allowed: &[Tool]) -> ToCustomer {
    ToCustomer::Session {
        session,
        token: Token::from_random([2; 16]),
        customer: label("c"),
        representative: label("Rita"),
        accepted: true,
        allowed: heapless::Vec::from_slice(allowed).unwrap(),
    }
}

fn ask(prompt: u32) -> ToCustomer {
    ToCustomer::Ask {
        prompt: PromptId(prompt),
        tool: Tool::Shell,
        representative: label("Rita"),
        seconds: 60,
    }
}

fn open(shell: ShellId, channel: u16) -> ToCustomer {
    ToCustomer::ShellOpen {
        shell,
        channel,
        columns: 80,
        rows: 24,
    }
}

fn opened(shell: ShellId) -> Effect {
    Effect::OpenShell {
        shell,
        columns: 80,
        rows: 24,
    }
}

fn chat(text: &str) -> LongText {
    LongText::new(text).unwrap()
}

#[test]
fn a_shell_is_refused_unless_the_customer_allowed_it_here() {
    let mut pair = Pair::joined();
    pair.open_shell(SHELL, 1);
    assert!(!pair.effects.contains(&opened(SHELL)));
    assert!(matches!(pair.said[..], [FromCustomer::ShellFailed { .. }]));
    // Input that was on its way is ignored.
    pair.relay.send(1, b"rm");
    pair.exchange();
    pair.ask(1);
    pair.customer.answer(false, pair.now);
    pair.open_shell(ShellId(2), 2);
    assert!(!pair.effects.contains(&opened(ShellId(2))));
}

#[test]
fn a_relay_that_claims_a_permission_is_told_that_there_is_none() {
    let mut pair = Pair::joined();
    pair.cut();
    pair.link_up();
    pair.welcome(&[Tool::Shell]);
    assert_eq!(pair.said, [FromCustomer::StopSharing]);
    pair.open_shell(SHELL, 1);
    assert!(!pair.effects.contains(&opened(SHELL)));
}

#[test]
fn a_question_nobody_answers_is_refused_in_time() {
    let mut pair = Pair::joined();
    pair.ask(1);
    assert!(pair.customer.is_asked());
    let almost = CONSENT_WITHIN
        .checked_sub(Duration::from_millis(1))
        .unwrap();
    pair.pass(almost);
    assert!(pair.customer.is_asked());
    pair.now = pair.now + Duration::from_millis(1);
    assert!(!pair.customer.answer(true, pair.now), "too late");
    pair.pass(Duration::ZERO);
    // The relay lets it lapse by its own clock, and records that nobody answered.
    assert_eq!(pair.said, []);
    assert!(
        pair.effects
            .contains(&Effect::PromptOver(PromptEnd::Lapsed))
    );
}

#[test]
fn stopping_without_a_link_closes_shells_at_once_and_is_told_later() {
    let mut pair = Pair::sharing();
    pair.cut();
    pair.effects.clear();
    pair.said.clear();
    assert!(pair.customer.stop());
    pair.collect();
    assert_eq!(pair.effects, [Effect::CloseShell(SHELL), Effect::Stopped]);
    assert!(!pair.customer.is_sharing());
    pair.link_up();
    let Some(Purpose::Resume { shells, .. }) = pair.hello.clone().map(|h| h.purpose) else {
        panic!("{:?}", pair.hello);
    };
    assert!(shells.is_empty());
    pair.welcome(&[Tool::Shell]);
    assert_eq!(pair.said, [FromCustomer::StopSharing]);
}

#[test]
fn an_answer_that_was_lost_with_the_link_is_given_again() {
    let mut pair = Pair::joined();
    pair.ask(1);
    assert!(pair.customer.answer(true, pair.now));
    // Nothing of it arrives.
    pair.customer.take_output();
    pair.cut();
    pair.link_up();
    pair.welcome(&[]);
    pair.effects.clear();
    pair.ask(1);
    let allowed = FromCustomer::Answer {
        prompt: PromptId(1),
        allow: true,
    };
    assert_eq!(pair.said, [allowed]);
    assert_eq!(pair.effects, []);
    // But not after it was taken back.
    pair.customer.stop();
    pair.ask(1);
    assert!(pair.customer.is_asked());
}

#[test]
fn a_yes_that_was_lost_with_the_link_is_not_given_again_after_a_stop() {
    let mut pair = Pair::joined();
    pair.ask(3);
    assert!(pair.customer.answer(true, pair.now));
    pair.cut();
    pair.link_up();
    pair.welcome(&[]);
    pair.customer.stop();
    pair.ask(3);
    assert!(pair.customer.is_asked());
    pair.open_shell(SHELL, 1);
    pair.collect();
    assert!(!pair.effects.contains(&opened(SHELL)));
}

#[test]
fn chat_that_was_under_way_arrives_once_whatever_happened_to_it() {
    let mut pair = Pair::joined();
    pair.customer.chat(chat("arrives"), pair.now).unwrap();
    pair.exchange();
    pair.customer.chat(chat("is lost"), pair.now).unwrap();
    pair.customer.take_output();
    pair.cut();
    pair.customer.chat(chat("later"), pair.now).unwrap();
    pair.said.clear();
    pair.link_up();
    pair.welcome(&[]);
    let text = chat("arrives");
    pair.entry(1, What::Chat { text });
    assert_eq!(pair.said, []);
    pair.pass(CHAT_AGAIN_AFTER);
    let said = |text| FromCustomer::Chat { text: chat(text) };
    assert_eq!(pair.said, [said("is lost"), said("later")]);
}

#[test]
fn chat_that_was_shown_and_not_recorded_is_said_again_to_an_appliance_that_died() {
    let mut pair = Pair::joined();
    for (number, text) in [(1, "recorded"), (2, "shown"), (3, "shown too")] {
        pair.customer.chat(chat(text), pair.now).unwrap();
        pair.exchange();
        let text = chat(text);
        pair.entry(number, What::Chat { text });
    }
    pair.say(&ToCustomer::Recorded { number: 1 });
    // A lost link alone is no reason.
    for restarted in [false, true] {
        pair.cut();
        pair.said.clear();
        pair.link_up();
        pair.welcome(&[]);
        if restarted {
            pair.entry(2, What::ApplianceRestarted);
        }
        pair.pass(CHAT_AGAIN_AFTER);
        let said = |text| FromCustomer::Chat { text: chat(text) };
        let expected = [said("shown"), said("shown too")];
        let expected = if restarted { &expected[..] } else { &[] };
        assert_eq!(pair.said, expected);
    }
}

#[test]
fn entries_are_shown_once() {
    let mut pair = Pair::joined();
    for number in [1, 2, 1, 2, 3] {
        pair.entry(number, What::Accepted);
    }
    let shown = |effect: &Effect| matches!(effect, Effect::Entry(_));
    assert_eq!(pair.effects.iter().filter(|e| shown(e)).count(), 3);
    pair.cut();
    pair.link_up();
    let purpose = pair.hello.unwrap().purpose;
    assert!(matches!(purpose, Purpose::Resume { entries: 3, .. }));
}

#[test]
fn a_puzzle_is_solved_and_the_hello_said_again() {
    let mut pair = Pair::new();
    pair.link_up();
    let challenge = Token::from_random([3; 16]);
    let turned = |bits| {
        let challenge = challenge.clone();
        let reason = TurnedReason::Puzzle { challenge, bits };
        ToCustomer::Turned(Turned { reason })
    };
    pair.say(&turned(8));
    let bits = 8;
    let solve = Effect::Solve {
        challenge: challenge.clone(),
        bits,
    };
    assert_eq!(pair.effects, [solve]);
    pair.cut();
    assert!(!pair.customer.wants_link());
    let answer = PuzzleAnswer::find(&challenge, bits);
    pair.customer.solved(answer.clone(), pair.now);
    pair.link_up();
    let Purpose::Start { puzzle, .. } = pair.hello.clone().unwrap().purpose else {
        panic!("not a start");
    };
    assert_eq!(puzzle, Some(answer));
    // One that nobody could solve is not begun.
    pair.say(&turned(60));
    assert!(matches!(
        pair.effects.last(),
        Some(Effect::Over(End::Turned(TurnedReason::Puzzle { .. })))
    ));
}

#[test]
fn a_wrong_key_is_the_end() {
    let mut pair = Pair::new();
    pair.link_up();
    let reason = TurnedReason::Key;
    pair.say(&ToCustomer::Turned(Turned { reason }));
    let end = Effect::Over(End::Turned(TurnedReason::Key));
    assert_eq!(pair.effects, [end]);
    pair.cut();
    assert!(!pair.customer.wants_link());
    assert_eq!(pair.customer.deadline(), None);
}

#[test]
fn an_appliance_that_restarts_as_it_said_is_waited_for_longer() {
    let restart = |seconds| ToCustomer::Restart { seconds };
    let mut pair = Pair::sharing();
    pair.effects.clear();
    pair.say(&restart(None));
    assert_eq!(pair.effects, [], "nobody was told that it does");
    pair.say(&restart(Some(15)));
    let told = Effect::Restart(Some(Duration::from_secs(15)));
    assert_eq!(pair.effects, [told]);
    pair.cut();
    assert!(pair.customer.expects_restart());
    pair.pass(CUSTOMER_RETURN_WITHIN * 3);
    assert!(pair.customer.wants_link());
    // Back: the next loss is an ordinary one, unless it says so again.
    pair.link_up();
    pair.welcome(&[Tool::Shell]);
    assert!(!pair.customer.expects_restart());
    pair.cut();
    pair.effects.clear();
    pair.pass(CUSTOMER_RETURN_WITHIN);
    assert_eq!(
        pair.effects,
        [Effect::CloseShell(SHELL), Effect::Over(End::Lost)]
    );
    let mut pair = Pair::joined();
    pair.say(&restart(Some(15)));
    pair.say(&restart(None));
    assert!(!pair.customer.expects_restart());
    assert_eq!(pair.effects.last(), Some(&Effect::Restart(None)));
}

#[test]
fn a_lost_link_is_waited_for_and_then_given_up() {
    let mut pair = Pair::sharing();
    pair.pass(Duration::from_secs(30));
    pair.cut();
    pair.effects.clear();
    pair.pass(
        CUSTOMER_RETURN_WITHIN
            .checked_sub(Duration::from_millis(1))
            .unwrap(),
    );
    assert!(pair.customer.wants_link());
    // A link that never gets as far as the session does not start the wait anew.
    pair.link_up();
    pair.cut();
    assert_eq!(pair.effects, []);
    pair.pass(Duration::from_millis(1));
    assert_eq!(
        pair.effects,
        [Effect::CloseShell(SHELL), Effect::Over(End::Lost)]
    );
}

#[test]
fn a_site_that_is_never_reached_is_given_up() {
    let mut pair = Pair::new();
    assert_eq!(
        pair.customer.deadline(),
        Some(Moment::default() + FIRST_LINK_WITHIN)
    );
    pair.pass(FIRST_LINK_WITHIN);
    assert_eq!(pair.effects, [Effect::Over(End::NeverReached)]);
}

#[test]
fn leaving_closes_shells_at_once_and_waits_a_moment_for_the_appliance() {
    let mut pair = Pair::sharing();
    pair.effects.clear();
    pair.customer.leave(pair.now);
    pair.exchange();
    assert_eq!(pair.effects, [Effect::CloseShell(SHELL)]);
    assert_eq!(pair.said.last(), Some(&FromCustomer::Leave));
    pair.ask(9);
    assert!(!pair.customer.is_asked());
    pair.pass(LEAVE_WITHIN);
    assert_eq!(pair.effects.last(), Some(&Effect::Over(End::Left)));

    let mut pair = Pair::sharing();
    pair.customer.leave(pair.now);
    pair.exchange();
    let reason = EndReason::Customer;
    pair.say(&ToCustomer::Ended { reason });
    let end = Effect::Over(End::Session(reason));
    assert_eq!(pair.effects.last(), Some(&end));
}

#[test]
fn leaving_before_there_is_a_session_is_immediate() {
    let mut pair = Pair::new();
    pair.customer.leave(pair.now);
    pair.collect();
    assert_eq!(pair.effects, [Effect::Over(End::Left)]);
}

#[test]
fn messages_out_of_turn_close_the_link() {
    let now = Moment::default();
    let received = |pair: &mut Pair, message: &ToCustomer| {
        pair.relay.say(message);
        let bytes = pair.relay.take_output();
        pair.customer.received(&bytes, now)
    };
    let mut pair = Pair::new();
    pair.link_up();
    assert!(received(&mut pair, &ask(1)).is_err());
    let mut pair = Pair::joined();
    let other = session(SessionId::from_random([1; 8]), &[]);
    assert!(received(&mut pair, &other).is_err());
    // Another session than the one that was joined.
    let mut pair = Pair::joined();
    pair.cut();
    pair.link_up();
    pair.relay.say(&ToCustomer::Welcome(Welcome {
        version: VERSION,
        at: Stamp(0),
        keep_alive_seconds: 60,
    }));
    let other = session(SessionId::from_random([9; 8]), &[]);
    assert!(received(&mut pair, &other).is_err());
}

#[test]
fn a_relay_that_does_not_answer_the_hello_is_given_up() {
    let mut pair = Pair::new();
    pair.link_up();
    let deadline = pair.customer.deadline().unwrap();
    assert_eq!(deadline, pair.now + HELLO_WITHIN);
    assert_eq!(pair.customer.tick(deadline), Err(LinkError::NoHello));
}

#[test]
fn a_shell_that_ends_says_so_after_its_last_byte() {
    let mut pair = Pair::sharing();
    let window = usize::try_from(WINDOW_BYTES).unwrap();
    assert_eq!(pair.customer.shell_room(SHELL), window);
    pair.customer.shell_output(SHELL, &vec![1; window]);
    pair.exchange();
    assert_eq!(pair.customer.shell_room(SHELL), 0);
    pair.relay.grant(1, WINDOW_BYTES + 3);
    pair.exchange();
    pair.customer.shell_output(SHELL, b"end");
    pair.customer.shell_ended(SHELL);
    pair.exchange();
    let all: usize = pair.output.iter().map(|(_, _, bytes)| bytes.len()).sum();
    assert_eq!(all, window + 3);
    let ended = FromCustomer::ShellEnded { shell: SHELL };
    assert_eq!(pair.said.last(), Some(&ended));
    // Until the log shows that it was heard, it is offered again.
    pair.cut();
    pair.link_up();
    let Some(Purpose::Resume { shells, .. }) = pair.hello.clone().map(|h| h.purpose) else {
        panic!("{:?}", pair.hello);
    };
    assert_eq!(shells.len(), 1);
    pair.welcome(&[Tool::Shell]);
    let (shell, open) = (SHELL, 0);
    pair.entry(1, What::ShellClosed { shell, open });
    assert_eq!(pair.customer.shell_room(SHELL), 0);
}

#[test]
fn output_that_is_not_kept_any_more_cannot_be_asked_for_again() {
    let mut pair = Pair::sharing();
    pair.customer.shell_output(SHELL, b"hello");
    pair.exchange();
    pair.relay.grant(1, WINDOW_BYTES + 5);
    pair.exchange();
    pair.cut();
    pair.link_up();
    pair.welcome(&[Tool::Shell]);
    pair.effects.clear();
    pair.relay.open(1, 0, 0);
    pair.say(&ToCustomer::ShellResume {
        shell: SHELL,
        channel: 1,
        send_from: 2,
        receive_from: 0,
    });
    assert_eq!(pair.effects, [Effect::CloseShell(SHELL)]);
    let ended = FromCustomer::ShellEnded { shell: SHELL };
    assert_eq!(pair.said.last(), Some(&ended));
}
