//! Who may do what.

use std::time::Duration;

use jumpgate::agent::End;
use jumpgate::domain::entry::{EndReason, What};
use jumpgate::domain::limits::{CONSENT_WITHIN, GUESSES_BEFORE_PUZZLE, GUESSES_PER_ADDRESS_MAX};
use jumpgate::domain::turned::TurnedReason;
use jumpgate::domain::{AccountId, ShellId, Tool};
use jumpgate::link::message::{Failure, FromConsole, Status, ToConsole};

use super::{joined, with_shell};
use crate::console::Stage;
use crate::deeds::{OTHER, OWNER};
use crate::hostile::Mask;
use crate::random::Seed;
use crate::world::Sim;

#[test]
fn a_used_key_starts_nothing() {
    let mut sim = Sim::new(Seed::from_env_or_random());
    let console = sim.console_up(OWNER);
    let key = sim.key_of(console, 600);
    sim.add_customer(&key);
    sim.run_until_idle();
    let second = sim.add_customer(&key);
    sim.run_until_idle();
    assert_eq!(
        sim.customers[second].over,
        Some(End::Turned(TurnedReason::Key))
    );
    assert_eq!(sim.relay.store.sessions.len(), 1);
}

#[test]
fn an_expired_key_starts_nothing() {
    let mut sim = Sim::new(Seed::from_env_or_random());
    let console = sim.console_up(OWNER);
    let key = sim.key_of(console, 60);
    sim.advance(Duration::from_secs(61));
    let late = sim.add_customer(&key);
    sim.run_until_idle();
    assert_eq!(
        sim.customers[late].over,
        Some(End::Turned(TurnedReason::Key))
    );
}

#[test]
fn who_guesses_waits_and_nobody_else_does() {
    let mut sim = Sim::new(Seed::from_env_or_random());
    let console = sim.console_up(OWNER);
    let key = sim.key_of(console, 600);
    let guesser = sim.add_customer("0000001");
    let address = sim.customers[guesser].address;
    for _ in 0..GUESSES_PER_ADDRESS_MAX {
        let again = sim.add_customer("0000001");
        sim.customers[again].address = address;
    }
    sim.run_until_idle();
    let last = sim.customers.iter().filter(|customer| {
        matches!(
            customer.over,
            Some(End::Turned(TurnedReason::SlowDown { .. }))
        )
    });
    assert_eq!(last.count(), 1);
    let honest = sim.add_customer(&key);
    sim.run_until_idle();
    assert!(sim.customers[honest].session.is_some());
}

#[test]
fn a_site_that_is_guessed_at_lets_a_customer_in_for_a_puzzle() {
    let mut sim = Sim::new(Seed::from_env_or_random());
    let console = sim.console_up(OWNER);
    let key = sim.key_of(console, 600);
    for _ in 0..GUESSES_BEFORE_PUZZLE {
        sim.add_customer("0000001");
    }
    sim.run_until_idle();
    let honest = sim.add_customer(&key);
    sim.run_until_idle();
    assert_eq!(sim.customers[honest].session, None);
    let now = sim.now;
    sim.customers[honest].solve(now);
    sim.run_until_idle();
    assert!(sim.customers[honest].session.is_some());
}

#[test]
fn a_question_nobody_answers_is_a_no() {
    let (mut sim, call) = joined();
    sim.ask_for_shell(call);
    sim.advance(CONSENT_WITHIN + Duration::from_secs(2));
    let tool = Tool::Shell;
    let log = sim.log_of(call);
    let answered =
        |what: &&&What| **what == &What::Unanswered { tool } || **what == &What::Refused { tool };
    assert_eq!(log.iter().filter(answered).count(), 1);
    assert_eq!(sim.customers[call.customer].ptys.len(), 0);
}

#[test]
fn a_question_that_was_withdrawn_cannot_be_answered() {
    let (mut sim, call) = joined();
    sim.ask_for_shell(call);
    let session = call.session;
    let prompt = sim.consoles[call.console].tabs[&session].asking.unwrap();
    sim.tell(call.console, &FromConsole::Withdraw { session, prompt });
    // A yes that crosses the withdrawal on its way.
    sim.customers[call.customer].answer(true, sim.now);
    sim.flush_customer(call.customer);
    sim.run_until_idle();
    sim.check_all_arrived();
    let ptys = sim.customers[call.customer].ptys.len();
    let allowed = sim
        .log_of(call)
        .contains(&&What::Allowed { tool: Tool::Shell });
    assert_eq!(ptys == 1, allowed);
}

#[test]
fn another_representative_can_do_nothing_to_a_session() {
    let (mut sim, call, shell) = with_shell();
    let other = sim.console_up(OTHER);
    let session = call.session;
    let (columns, rows) = (80, 24);
    for message in [
        FromConsole::Accept { session },
        FromConsole::OpenShell {
            session,
            columns,
            rows,
        },
        FromConsole::CloseShell { session, shell },
        FromConsole::Hold { session },
        FromConsole::End { session },
    ] {
        sim.tell(other, &message);
        sim.run_until_idle();
        let failed = ToConsole::Failed {
            request: 0,
            session: Some(session),
            reason: Failure::NoSession,
        };
        assert_eq!(sim.consoles[other].failures.pop(), Some(failed));
    }
    assert_eq!(sim.status(call), Some(Status::InProgress));
    assert_eq!(sim.customers[call.customer].ptys.len(), 1);
    assert!(sim.consoles[other].tabs.is_empty());
}

#[test]
fn peers_that_mean_no_good_change_nothing() {
    let (mut sim, call, shell) = with_shell();
    sim.order_key(crate::truth::HOSTILE_ACCOUNT, 600);
    sim.run_until_idle();
    let key = sim.hostile_keys.pop().unwrap();
    for mask in [Mask::Stranger, Mask::Customer { key }, Mask::Console] {
        let index = sim.add_hostile(mask);
        for _ in 0..100 {
            sim.harass(index);
            sim.pump(10);
            sim.now = sim.now + Duration::from_millis(100);
        }
    }
    sim.pty(call, shell).to_make += 10_000;
    sim.type_into(call, shell, 10_000);
    sim.run_until_idle();
    assert_eq!(sim.terminal(call, shell).shown, 10_100);
    assert_eq!(sim.pty(call, shell).taken, 10_000);
    sim.check_all_arrived();
}

#[test]
fn leaving_ends_the_session_for_both() {
    let (mut sim, call, _) = with_shell();
    sim.customers[call.customer].leave(sim.now);
    sim.flush_customer(call.customer);
    sim.run_until_idle();
    assert_eq!(sim.status(call), None);
    let over = sim.customers[call.customer].over.clone();
    assert_eq!(over, Some(End::Session(EndReason::Customer)));
}

#[test]
fn who_signs_out_is_gone_and_the_sessions_wait() {
    let (mut sim, call, _) = with_shell();
    sim.sign_out(OWNER);
    sim.run_until_idle();
    assert_eq!(sim.consoles[call.console].stage, Stage::Closed);
    assert_eq!(sim.relay.truth.open_routes(), 0);
    sim.check_all_arrived();
}

/// A console that has shown its ticket and not said hello when its sign-in ends.
#[test]
fn signing_out_also_stops_a_console_that_is_just_arriving() {
    for steps in 0..30 {
        let mut sim = Sim::new(Seed::from_env_or_random());
        let console = sim.add_console(AccountId(1), 1);
        sim.tick();
        sim.pump(steps);
        sim.sign_out(AccountId(1));
        // From the moment it is done, nobody gets in by that sign-in.
        sim.advance(Duration::from_millis(1_000));
        assert!(!sim.consoles[console].is_up(), "let in after signing out");
    }
}

#[test]
fn a_chat_in_the_browser_has_no_tools() {
    let mut sim = Sim::new(Seed::from_env_or_random());
    let console = sim.console_up(OWNER);
    sim.key_of(console, 600);
    let ak = sim.consoles[console].keys[0].1.clone();
    let customer = sim.add_chat(&ak);
    sim.run_until_idle();
    let session = sim.customers[customer].session.unwrap();
    let call = crate::deeds::Call {
        customer,
        console,
        session,
    };
    sim.accept(call);
    sim.ask_for_shell(call);
    assert_eq!(sim.customers[customer].prompts, 0);
    assert!(matches!(
        sim.consoles[console].failures.last(),
        Some(ToConsole::Failed {
            reason: Failure::ChatOnly,
            ..
        })
    ));
    sim.check_all_arrived();
}

/// A yes to the last representative is none to the next.
#[test]
fn consent_ends_with_hold_in_the_customers_program_too() {
    let (mut sim, call, _) = with_shell();
    let session = call.session;
    sim.say(call, &FromConsole::Hold { session });
    assert!(!sim.customers[call.customer].agent.is_sharing());
    sim.accept(call);
    sim.ask_for_shell(call);
    sim.answer(call, false);
    assert!(!sim.customers[call.customer].agent.is_sharing());
    assert_eq!(
        sim.customers[call.customer]
            .ptys
            .get(&ShellId(2))
            .map(|_| ()),
        None
    );
}
