//! What is on record, and what a relay that starts again makes of it.

use std::time::Duration;

use jumpgate::domain::LongText;
use jumpgate::domain::entry::What;
use jumpgate::link::message::{FromConsole, Status};

use super::{joined, with_shell};
use crate::deeds::OWNER;
use crate::random::Seed;
use crate::world::Sim;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_session_goes_on_after_the_relay_was_started_again() {
    let (mut sim, call, _) = with_shell();
    let text = LongText::new("before").unwrap();
    let session = call.session;
    sim.say(call, &FromConsole::Chat { session, text });
    sim.restart_relay();
    sim.advance(6 * SECOND);
    assert_eq!(sim.status(call), Some(Status::InProgress));
    let log = sim.log_of(call);
    assert!(log.contains(&&What::ApplianceRestarted));
    assert!(sim.customers[call.customer].says().contains(&"before"));
    sim.check_all_arrived();
}

#[test]
fn a_key_that_was_shown_works_after_the_relay_was_started_again() {
    let mut sim = Sim::new(Seed::from_env_or_random());
    let console = sim.console_up(OWNER);
    let key = sim.key_of(console, 600);
    sim.restart_relay();
    sim.run_until_idle();
    let customer = sim.add_customer(&key);
    sim.run_until_idle();
    assert!(sim.customers[customer].session.is_some());
}

/// The relay dies with lines of the log that both sides have seen and nobody has recorded. Their
/// writer still has them and says them again.
#[test]
fn after_a_crash_both_sides_see_the_log_that_is_on_record() {
    let (mut sim, call) = joined();
    sim.relay.store.stalled_until = sim.now + 60 * SECOND;
    for number in 0..5 {
        let now = sim.now;
        sim.customers[call.customer].chat(&format!("not on record {number}"), now);
        sim.flush_customer(call.customer);
        sim.settle();
    }
    assert_eq!(sim.customers[call.customer].says().len(), 5);
    sim.restart_relay();
    sim.relay.store.stalled_until = sim.now;
    // However long both wait before they try again.
    sim.advance(20 * SECOND);
    let text = LongText::new("after the crash").unwrap();
    let session = call.session;
    sim.say(call, &FromConsole::Chat { session, text });
    let says = sim.customers[call.customer].says();
    assert_eq!(says.len(), 6, "{says:?}");
    assert_eq!(says.last(), Some(&"after the crash"));
    sim.cut(call.endpoint(), Duration::ZERO, Duration::ZERO);
    sim.run_until_idle();
    sim.check_all_arrived();
}

/// A customer comes back while the recorder stands still, and is spoken to before it is let in.
#[test]
fn a_customer_who_returns_while_the_record_lags_understands_what_it_hears() {
    for steps in 0..40 {
        let (mut sim, call) = joined();
        sim.relay.store.stalled_until = sim.now + 10 * SECOND;
        sim.ask_for_shell(call);
        sim.customers[call.customer].answer(true, sim.now);
        sim.flush_customer(call.customer);
        sim.pump(steps);
        sim.cut(call.endpoint(), Duration::ZERO, Duration::ZERO);
        sim.run_until_idle();
        let text = LongText::new("hello").unwrap();
        let session = call.session;
        sim.say(call, &FromConsole::Chat { session, text });
        sim.advance(10 * SECOND);
        assert_eq!(sim.customers[call.customer].says(), ["hello"]);
        sim.check_all_arrived();
    }
}

/// Taking something away needs no record first.
#[test]
fn stop_sharing_closes_every_shell_at_once() {
    let (mut sim, call, _) = with_shell();
    sim.open_shell(call);
    assert_eq!(sim.relay.truth.open_routes(), 2);
    // A third one waits for its record when the customer has had enough.
    sim.relay.store.stalled_until = sim.now + 60 * SECOND;
    sim.ask_for_shell(call);
    sim.customers[call.customer].stop(sim.now);
    assert!(sim.customers[call.customer].ptys.is_empty());
    sim.flush_customer(call.customer);
    sim.settle();
    assert_eq!(sim.relay.truth.open_routes(), 0);
    sim.relay.store.stalled_until = sim.now;
    sim.run_until_idle();
    assert!(sim.customers[call.customer].ptys.is_empty());
    assert!(
        sim.consoles[call.console]
            .terminals()
            .all(|(_, terminal)| terminal.over)
    );
    // The next shell needs another yes.
    sim.ask_for_shell(call);
    assert!(sim.customers[call.customer].is_asked);
    sim.check_all_arrived();
}

#[test]
fn ending_and_holding_cut_every_shell_at_once() {
    for end in [true, false] {
        let (mut sim, call, _) = with_shell();
        sim.relay.store.stalled_until = sim.now + 60 * SECOND;
        sim.ask_for_shell(call);
        let session = call.session;
        let message = if end {
            FromConsole::End { session }
        } else {
            FromConsole::Hold { session }
        };
        sim.say(call, &message);
        assert_eq!(sim.relay.truth.open_routes(), 0);
        sim.relay.store.stalled_until = sim.now;
        sim.run_until_idle();
        assert!(sim.customers[call.customer].ptys.is_empty());
        sim.check_all_arrived();
    }
}

#[test]
fn nobody_is_joined_before_it_is_on_record() {
    let mut sim = Sim::new(Seed::from_env_or_random());
    let console = sim.console_up(OWNER);
    let call = sim.waiting_session(console);
    sim.relay.store.stalled_until = sim.now + 60 * SECOND;
    let session = call.session;
    sim.say(call, &FromConsole::Accept { session });
    assert_eq!(sim.status(call), Some(Status::Waiting));
    assert!(!sim.log_of(call).contains(&&What::Accepted));
    sim.relay.store.stalled_until = sim.now;
    sim.run_until_idle();
    assert_eq!(sim.status(call), Some(Status::InProgress));
    assert!(sim.log_of(call).contains(&&What::Accepted));
}
