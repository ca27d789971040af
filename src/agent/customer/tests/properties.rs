//! Random lives of a customer's side.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Ask(u32),
    AskOver(u32),
    Answer(bool),
    Stop,
    OpenShell,
    CloseShell(u32),
    ShellEnds(u32),
    Cut,
    Return(bool),
    Wait(u64),
    Leave,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u32..4).prop_map(Step::Ask),
        1 => (1_u32..4).prop_map(Step::AskOver),
        4 => any::<bool>().prop_map(Step::Answer),
        2 => Just(Step::Stop),
        6 => Just(Step::OpenShell),
        1 => (1_u32..6).prop_map(Step::CloseShell),
        1 => (1_u32..6).prop_map(Step::ShellEnds),
        2 => Just(Step::Cut),
        3 => any::<bool>().prop_map(Step::Return),
        2 => (0_u64..70).prop_map(Step::Wait),
        1 => Just(Step::Leave),
        1 => Just(Step::End),
    ]
}

proptest! {
    /// Whatever the relay says, and however the link behaves.
    #[test]
    fn no_shell_opens_without_consent_and_stopping_closes_all(
        steps in proptest::collection::vec(step(), 1..80)
    ) {
        let mut pair = Pair::joined();
        let (mut connected, mut over) = (true, false);
        // The model: a yes since the last stop; shells opened and not closed.
        let mut consent = false;
        let mut open_now = BTreeSet::new();
        let mut opened_ever = 0;
        for step in steps {
            let mut stopped = false;
            match step {
                Step::Ask(prompt) if connected => pair.ask(prompt),
                Step::AskOver(prompt) if connected => {
                    pair.say(&ToCustomer::AskOver { prompt: PromptId(prompt) });
                }
                Step::OpenShell if connected => {
                    opened_ever += 1;
                    let channel = u16::try_from(opened_ever).unwrap();
                    pair.open_shell(ShellId(opened_ever), channel);
                }
                Step::CloseShell(shell) if connected => {
                    pair.say(&ToCustomer::ShellClose { shell: ShellId(shell) });
                }
                Step::End if connected => {
                    let reason = EndReason::Representative;
                    pair.say(&ToCustomer::Ended { reason });
                }
                Step::Return(allowed) if !connected && pair.customer.wants_link() => {
                    pair.link_up();
                    pair.welcome(if allowed { &[Tool::Shell] } else { &[] });
                    connected = true;
                }
                Step::Ask(_) | Step::AskOver(_) | Step::OpenShell | Step::CloseShell(_)
                | Step::End | Step::Return(_) => {}
                Step::Answer(allow) => {
                    let taken = pair.customer.answer(allow, pair.now);
                    consent |= taken && allow;
                }
                Step::Stop => stopped = pair.customer.stop() || !pair.customer.is_sharing(),
                Step::Leave => {
                    pair.customer.leave(pair.now);
                    stopped = true;
                }
                Step::ShellEnds(shell) => {
                    pair.customer.shell_ended(ShellId(shell));
                    open_now.remove(&ShellId(shell));
                }
                Step::Cut => {
                    pair.cut();
                    connected = false;
                }
                Step::Wait(seconds) => pair.pass(Duration::from_secs(seconds)),
            }
            if connected {
                pair.exchange();
            }
            pair.collect();
            for effect in pair.effects.drain(..) {
                prop_assert!(!over, "{effect:?} after the end");
                match effect {
                    Effect::OpenShell { shell, .. } => {
                        prop_assert!(consent, "{shell} opened without consent");
                        prop_assert!(open_now.insert(shell));
                    }
                    Effect::CloseShell(shell) => { open_now.remove(&shell); }
                    Effect::Over(_) => {
                        prop_assert!(open_now.is_empty(), "{open_now:?} open at the end");
                        over = true;
                    }
                    _ => {}
                }
            }
            if stopped {
                prop_assert!(open_now.is_empty(), "{open_now:?} open after stopping");
                prop_assert!(!pair.customer.is_sharing());
                consent = false;
            }
        }
    }

}

proptest! {
    // Fewer than usual: each case moves megabytes.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Both directions of a shell over links that break at any byte.
    #[test]
    fn every_byte_of_a_shell_arrives_once_and_in_order_over_broken_links(
        steps in proptest::collection::vec((0_usize..40_000, 0_usize..40_000, 0_u8..8), 1..60)
    ) {
        let mut pair = Pair::sharing();
        pair.effects.clear();
        let byte_at = |i: usize| u8::try_from(i % 251).unwrap();
        // Output: made by the shell; shown by the console. Input: typed; taken by the shell.
        let (mut made, mut shown) = (0_usize, Vec::new());
        let (mut typed, mut given, mut taken) = (0_usize, Vec::new(), 0_usize);
        let mut console = Retained::default();
        let (mut channel, mut granted) = (1_u16, WINDOW_BYTES);
        let mut last = false;
        let rounds = steps.len();
        for (round, (make, give, chance)) in steps.into_iter().chain([(0, 0, 1); 60]).enumerate() {
            last |= round >= rounds;
            let room = pair.customer.shell_room(SHELL);
            let fresh: Vec<u8> = (made..made + make.min(room)).map(byte_at).collect();
            made += fresh.len();
            pair.customer.shell_output(SHELL, &fresh);
            let fresh: Vec<u8> =
                (typed..typed + give.min(console.room())).map(byte_at).collect();
            typed += fresh.len();
            console.push(&fresh);
            loop {
                let piece = console.unsent(10_000);
                let sent = pair.relay.send(channel, piece);
                if sent == 0 { break; }
                console.sent(sent);
            }
            if chance == 0 && !last {
                // Some of what is under way in each direction is lost with the link.
                let out = pair.customer.take_output();
                pair.hear(&out[..out.len() / 2]);
                let back = pair.relay.take_output();
                pair.customer.received(&back[..back.len() / 3], pair.now).unwrap();
            } else {
                pair.exchange();
            }
            for (_, offset, bytes) in pair.output.drain(..) {
                prop_assert_eq!(usize::try_from(offset).unwrap(), shown.len());
                shown.extend(bytes);
            }
            pair.collect();
            for effect in pair.effects.drain(..) {
                if let Effect::Input { bytes, .. } = effect { given.extend(bytes); }
            }
            // The shell takes a part of what it was given, or all in the end.
            let part = if last { given.len() - taken } else { (given.len() - taken) / 2 };
            taken += part;
            pair.customer.shell_took(SHELL, part);
            if chance == 0 && !last {
                pair.cut();
                pair.link_up();
                let Some(Purpose::Resume { shells, .. }) = pair.hello.clone().map(|h| h.purpose)
                else { panic!("not a resume") };
                let received = shells[0].received;
                prop_assert!(usize::try_from(received).unwrap() == given.len());
                pair.welcome(&[Tool::Shell]);
                pair.effects.clear();
                channel = u16::from(chance) + 1;
                console.rewind(received).unwrap();
                let send_from = shown.len() as u64;
                granted = send_from + WINDOW_BYTES;
                pair.relay.open(channel, received, send_from);
                pair.say(&ToCustomer::ShellResume {
                    shell: SHELL, channel, send_from, receive_from: received,
                });
            } else {
                let up_to = shown.len() as u64 + WINDOW_BYTES;
                if up_to >= granted + CREDIT_STEP_BYTES || last {
                    granted = up_to;
                    pair.relay.grant(channel, up_to);
                }
                pair.exchange();
                if let Some(open) = pair.relay.channel(channel) {
                    console.consumed(open.acknowledged());
                }
            }
            // What a resume or the grant just brought.
            for (_, offset, bytes) in pair.output.drain(..) {
                prop_assert_eq!(usize::try_from(offset).unwrap(), shown.len());
                shown.extend(bytes);
            }
            pair.collect();
            for effect in pair.effects.drain(..) {
                if let Effect::Input { bytes, .. } = effect { given.extend(bytes); }
            }
        }
        prop_assert_eq!(shown, (0..made).map(byte_at).collect::<Vec<_>>());
        prop_assert_eq!(given, (0..typed).map(byte_at).collect::<Vec<_>>());
    }

}

proptest! {
    /// A relay may send anything.
    #[test]
    fn any_bytes_from_the_relay_end_in_state_or_an_error(
        data in proptest::collection::vec(any::<u8>(), 0..200)
    ) {
        let mut pair = Pair::sharing();
        let _ = pair.customer.received(&data, pair.now);
    }
}
