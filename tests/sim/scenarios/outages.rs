//! Connections break, and nothing is lost.

use std::time::Duration;

use jumpgate::domain::LongText;
use jumpgate::domain::entry::{EndReason, What};
use jumpgate::domain::limits::{
    CONTROL_BACKLOG_BYTES_MAX, CUSTOMER_RETURN_WITHIN, REPRESENTATIVE_RETURN_WITHIN, SILENCE_MAX,
    WINDOW_BYTES,
};
use jumpgate::link::message::{FromConsole, Status};

use super::{joined, with_shell};
use crate::deeds::OWNER;
use crate::world::Who;

const SECOND: Duration = Duration::from_secs(1);

/// A customer on a train: three outages, each just shorter than the resume window. One session,
/// one representative, every byte once and in order.
#[test]
fn short_outages_do_not_cost_the_session() {
    let (mut sim, call, shell) = with_shell();
    for _ in 0..3 {
        sim.pty(call, shell).to_make += 50_000;
        sim.type_into(call, shell, 1_000);
        sim.pump(20);
        sim.unplug(call.endpoint());
        sim.pty(call, shell).to_make += 50_000;
        sim.type_into(call, shell, 1_000);
        sim.advance(CUSTOMER_RETURN_WITHIN - SECOND);
        assert_eq!(sim.status(call), Some(Status::CustomerAbsent));
        sim.plug_in(call.endpoint());
        sim.run_until_idle();
    }
    assert_eq!(sim.pty(call, shell).made, 300_100);
    assert_eq!(sim.terminal(call, shell).shown, 300_100);
    assert_eq!(sim.pty(call, shell).taken, 6_000);
    let accepted = sim.log_of(call);
    let accepted = accepted.iter().filter(|what| ***what == What::Accepted);
    assert_eq!(accepted.count(), 1);
    sim.check_all_arrived();
}

#[test]
fn a_customer_who_stays_away_too_long_finds_the_session_over() {
    let (mut sim, call) = joined();
    sim.unplug(call.endpoint());
    sim.advance(CUSTOMER_RETURN_WITHIN + 2 * SECOND);
    assert_eq!(sim.status(call), None);
    assert!(sim.customers[call.customer].over.is_some());
    let ended = &sim.relay.store.sessions[&call.session];
    let reason = EndReason::CustomerLost;
    assert_eq!(ended.entries.last().unwrap().what, What::Ended { reason });
}

#[test]
fn sixty_seconds_later_the_session_is_back_in_the_queue() {
    let (mut sim, call, _) = with_shell();
    sim.unplug(call.representative());
    sim.advance(REPRESENTATIVE_RETURN_WITHIN - SECOND);
    assert_eq!(sim.customers[call.customer].ptys.len(), 1);
    sim.advance(3 * SECOND);
    assert_eq!(sim.customers[call.customer].ptys.len(), 0);
    assert!(sim.log_of(call).contains(&&What::Requeued));
    sim.plug_in(call.representative());
    sim.run_until_idle();
    assert_eq!(sim.status(call), Some(Status::Waiting));
    // Whoever takes it again has to ask again.
    sim.accept(call);
    sim.open_shell(call);
    assert_eq!(sim.customers[call.customer].prompts, 2);
    sim.check_all_arrived();
}

#[test]
fn a_representative_who_is_back_in_time_goes_on_in_the_same_shell() {
    let (mut sim, call, shell) = with_shell();
    sim.unplug(call.representative());
    sim.pty(call, shell).to_make += 200_000;
    sim.advance(REPRESENTATIVE_RETURN_WITHIN - 2 * SECOND);
    sim.plug_in(call.representative());
    sim.run_until_idle();
    assert_eq!(sim.terminal(call, shell).shown, 200_100);
    assert_eq!(sim.customers[call.customer].prompts, 1);
}

/// The console's old connection looks alive for minutes after the new one came.
#[test]
fn a_half_dead_connection_gives_way_to_the_new_one() {
    for who in [Who::Console(0), Who::Customer(0)] {
        let (mut sim, call, shell) = with_shell();
        sim.pty(call, shell).to_make += 100_000;
        sim.type_into(call, shell, 2_000);
        sim.pump(30);
        sim.cut(who, Duration::ZERO, SILENCE_MAX);
        sim.pty(call, shell).to_make += 100_000;
        sim.type_into(call, shell, 2_000);
        sim.run_until_idle();
        assert_eq!(sim.terminal(call, shell).shown, 200_100);
        assert_eq!(sim.pty(call, shell).taken, 4_000);
        sim.check_all_arrived();
    }
}

/// What the relay sent before one side's outage is under way to the other, whose connection
/// breaks next.
#[test]
fn bytes_under_way_to_the_side_that_breaks_next_are_sent_again() {
    for (first, second) in [
        (Who::Customer(0), Who::Console(0)),
        (Who::Console(0), Who::Customer(0)),
    ] {
        for steps in 0..60 {
            let (mut sim, call, shell) = with_shell();
            sim.pty(call, shell).to_make += 60_000;
            sim.type_into(call, shell, 60_000);
            // Whoever breaks second is reached by nothing from now on.
            let deaf = sim.peer_of(second).unwrap();
            sim.deaf.insert(deaf);
            sim.pump(steps);
            sim.cut(first, Duration::ZERO, Duration::ZERO);
            sim.run_until_idle();
            sim.cut(second, Duration::ZERO, Duration::ZERO);
            sim.run_until_idle();
            assert_eq!(sim.terminal(call, shell).shown, 60_100);
            assert_eq!(sim.pty(call, shell).taken, 60_000);
            sim.check_all_arrived();
        }
    }
}

/// The customer is lost, so the console's channel closes; before the relay hears where that stood,
/// another connection of the console has come.
#[test]
fn a_console_that_comes_anew_while_its_channels_close_goes_on() {
    for steps in 0..80 {
        let (mut sim, call, shell) = with_shell();
        sim.pty(call, shell).to_make += 10_000;
        sim.run_until_idle();
        sim.cut(call.representative(), Duration::ZERO, SILENCE_MAX);
        sim.settle();
        sim.cut(call.endpoint(), Duration::ZERO, Duration::ZERO);
        sim.advance(Duration::from_millis(250));
        sim.pump(steps);
        sim.type_into(call, shell, 100);
        sim.run_until_idle();
        sim.run_until_idle();
        assert_eq!(
            sim.customers[call.customer].ptys.len(),
            1,
            "the shell goes on"
        );
        assert_eq!(sim.terminal(call, shell).shown, 10_100);
        assert_eq!(sim.pty(call, shell).taken, 100);
        sim.check_all_arrived();
    }
}

/// Nothing of a full window was consumed when the connection broke.
#[test]
fn a_full_window_moves_on_after_an_outage() {
    let (mut sim, call, shell) = with_shell();
    sim.terminal(call, shell).shows = false;
    sim.pty(call, shell).reads = false;
    sim.pty(call, shell).to_make += 2 * WINDOW_BYTES;
    let window = usize::try_from(WINDOW_BYTES).unwrap();
    for who in [call.endpoint(), call.representative(), call.endpoint()] {
        sim.type_into(call, shell, window);
        sim.run_until_idle();
        sim.cut(who, Duration::ZERO, Duration::ZERO);
        sim.run_until_idle();
    }
    let (received, shown) = {
        let terminal = sim.terminal(call, shell);
        (terminal.received, terminal.shown)
    };
    assert!(
        received - shown <= WINDOW_BYTES,
        "more than a window waits for a slow terminal"
    );
    let pty = sim.pty(call, shell);
    assert!(
        pty.given - pty.taken <= WINDOW_BYTES,
        "more than a window waits for a shell"
    );
    sim.terminal(call, shell).shows = true;
    sim.pty(call, shell).reads = true;
    sim.run_until_idle();
    assert_eq!(sim.terminal(call, shell).shown, 2 * WINDOW_BYTES + 100);
    assert_eq!(sim.pty(call, shell).taken, WINDOW_BYTES);
    sim.check_all_arrived();
}

/// Two outages of the customer while the recorder stands still.
#[test]
fn outages_while_the_record_lags_cost_no_byte() {
    let (mut sim, call, shell) = with_shell();
    sim.pty(call, shell).to_make += 5_000;
    sim.type_into(call, shell, 5_000);
    sim.run_until_idle();
    sim.relay.store.stalled_until = sim.now + 12 * SECOND;
    sim.ask_for_shell(call);
    sim.cut(call.endpoint(), Duration::ZERO, Duration::ZERO);
    sim.run_until_idle();
    sim.cut(call.endpoint(), Duration::ZERO, Duration::ZERO);
    sim.type_into(call, shell, 5_000);
    sim.run_until_idle();
    sim.advance(10 * SECOND);
    assert_eq!(sim.pty(call, shell).taken, 10_000);
    sim.check_all_arrived();
}

#[test]
fn a_slow_console_stops_only_its_own_shell() {
    let (mut sim, call, slow) = with_shell();
    let other = sim.open_shell(call);
    sim.terminal(call, slow).shows = false;
    sim.pty(call, slow).to_make += 10 * WINDOW_BYTES;
    sim.pty(call, other).to_make += 10 * WINDOW_BYTES;
    sim.run_until_idle();
    assert_eq!(sim.terminal(call, other).shown, 10 * WINDOW_BYTES + 100);
    assert_eq!(sim.pty(call, slow).made, WINDOW_BYTES);
    let text = LongText::new("still here").unwrap();
    let session = call.session;
    sim.say(call, &FromConsole::Chat { session, text });
    assert!(sim.customers[call.customer].says().contains(&"still here"));
    sim.check_all_arrived();
}

#[test]
fn a_console_that_never_reads_is_closed_before_it_costs_memory() {
    let (mut sim, call, shell) = with_shell();
    let peer = sim.consoles[call.console].peer.unwrap();
    sim.deaf.insert(peer);
    sim.pty(call, shell).to_make += 10 * WINDOW_BYTES;
    let text = "x".repeat(3_000);
    for round in 0..2 * CONTROL_BACKLOG_BYTES_MAX / 3_000 {
        let now = sim.now;
        sim.customers[call.customer].chat(&format!("{round} {text}"), now);
        sim.flush_customer(call.customer);
        sim.advance(Duration::from_millis(250));
    }
    assert!(sim.relay.wires[&peer].relay_closed);
    assert!(sim.customers[call.customer].peer.is_some());
    sim.deaf.clear();
    sim.run_until_idle();
    sim.check_all_arrived();
}

#[test]
fn another_console_of_the_same_representative_takes_over() {
    let (mut sim, call, shell) = with_shell();
    sim.type_into(call, shell, 1_000);
    let second = sim.console_up(OWNER);
    assert_eq!(
        sim.consoles[call.console].stage,
        crate::console::Stage::Closed
    );
    let there = crate::deeds::Call {
        console: second,
        ..call
    };
    sim.pty(there, shell).to_make += 1_000;
    sim.type_into(there, shell, 1_000);
    sim.run_until_idle();
    let typed = sim.terminal(there, shell).typed;
    assert_eq!(sim.pty(there, shell).taken, typed);
    assert_eq!(sim.terminal(there, shell).shown, 1_100);
    sim.check_all_arrived();
}

/// A shell that ended while nobody looked is not shown as open for ever.
#[test]
fn a_console_that_was_away_learns_which_shells_are_over() {
    let (mut sim, call, shell) = with_shell();
    sim.unplug(call.representative());
    sim.run_until_idle();
    sim.customers[call.customer].stop(sim.now);
    sim.flush_customer(call.customer);
    sim.run_until_idle();
    sim.plug_in(call.representative());
    sim.run_until_idle();
    assert!(sim.terminal(call, shell).over);
}

/// The answer, or the question itself, was under way when the customer's connection broke, and
/// the relay believed in that connection until the new one came.
#[test]
fn a_question_is_asked_again_on_a_new_connection() {
    for allow in [true, false] {
        let (mut sim, call) = joined();
        sim.ask_for_shell(call);
        sim.cut(call.endpoint(), Duration::ZERO, SILENCE_MAX);
        if allow {
            // Said into the dead connection.
            sim.customers[call.customer].answer(true, sim.now);
        }
        sim.run_until_idle();
        if !allow {
            assert!(
                sim.customers[call.customer].is_asked,
                "the question stands, so it is shown"
            );
            sim.answer(call, true);
        }
        sim.run_until_idle();
        assert_eq!(sim.customers[call.customer].ptys.len(), 1);
        sim.check_all_arrived();
    }
}

/// The word that the shell runs was under way when the connection broke.
#[test]
fn a_shell_whose_start_was_not_heard_is_in_the_log_all_the_same() {
    for steps in 0..40 {
        let (mut sim, call) = joined();
        sim.ask_for_shell(call);
        sim.customers[call.customer].answer(true, sim.now);
        sim.flush_customer(call.customer);
        sim.pump(steps);
        sim.cut(call.endpoint(), Duration::ZERO, Duration::ZERO);
        sim.run_until_idle();
        for shell in sim.customers[call.customer].ptys.keys() {
            let opened = What::ShellOpened { shell: *shell };
            assert!(sim.log_of(call).contains(&&opened), "{shell} runs unseen");
        }
    }
}
