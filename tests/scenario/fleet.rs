//! Jump Clients by the thousand: how many may be there, and how they come back.

use std::process::Command;
use std::time::Duration;

use jumpgate::domain::{AdmissionRate, Model};

use super::support::fleet::Part;
use super::support::{Appliance, Fleet};
use super::{Joined, nightly, programs};

/// As many as the largest model may have; a tenth of them unless there is time.
fn many() -> u32 {
    Model::B400.active_jump_clients_max() / if nightly() { 1 } else { 10 }
}

/// For all of them to be let in, at the rates below and on a busy machine.
const ALL_WITHIN: Duration = Duration::from_secs(300);

/// Not a test by itself: what [`Fleet`] starts. Does nothing unless asked to be one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_process_is_a_part_of_a_fleet_if_it_was_asked_to_be() {
    if let Some(part) = Part::asked() {
        part.be().await;
    }
}

fn part() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "fleet::this_process_is_a_part_of_a_fleet_if_it_was_asked_to_be",
        "--nocapture",
    ]);
    command
}

async fn of(model: Model) -> Appliance {
    let mut appliance = Appliance::prepare(programs());
    appliance.model(model);
    appliance.up().await;
    appliance
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_1001st_active_jump_client_of_a_b200_is_turned_away_and_customers_are_not() {
    let appliance = of(Model::B200).await;
    appliance.admit(AdmissionRate::LIFTED).await;
    let limit = Model::B200.active_jump_clients_max();
    let token = appliance.deployment(limit).await;
    let first = Fleet::start(part, appliance.https(), &token, limit);
    first
        .is("all are let in", ALL_WITHIN, |now| {
            now.connected == u64::from(limit)
        })
        .await;
    let token = appliance.deployment(1).await;
    let one_more = Fleet::start(part, appliance.https(), &token, 1);
    one_more
        .is("it is turned away", ALL_WITHIN, |now| now.over_limit == 1)
        .await;
    let status = appliance.status().await;
    assert_eq!(status.jump_clients.active, limit);
    // Customers and representatives always get in.
    let mut joined = Joined::on(appliance).await;
    joined.chats("beside a thousand").await;
    assert_eq!(first.tally().lost, 0);
    joined.appliance.nothing_panicked();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_all_jump_clients_are_back_and_a_session_was_before_them() {
    let appliance = of(Model::B400).await;
    let rate = AdmissionRate::per_second(300).unwrap();
    appliance.admit(rate).await;
    let token = appliance.deployment(many()).await;
    let mut joined = Joined::on(appliance).await;
    let fleet = Fleet::start(part, joined.appliance.https(), &token, many());
    let all = u64::from(many());
    let before = fleet
        .is("all are let in", ALL_WITHIN, |now| now.connected == all)
        .await;
    assert_eq!((before.lost, before.turned, before.over_limit), (0, 0, 0));
    let status = joined.appliance.status().await.jump_clients;
    assert_eq!((u64::from(status.active), status.known), (all, all));

    joined.appliance.kill("relay").await;
    joined.console.cut().await;
    let Joined {
        console,
        appliance,
        representative,
        ..
    } = &mut joined;
    console.come_back(appliance, representative).await;
    joined.customer.hears("The connection is back.").await;
    joined.chats("before them").await;
    let after = fleet
        .is("all are back", ALL_WITHIN, |now| {
            now.connected == all && now.let_in == 2 * all
        })
        .await;
    assert!(after.told_when > before.told_when, "{after:?}");
    assert_eq!((after.lost, after.turned, after.over_limit), (all, 0, 0));
    let status = joined.appliance.status().await.jump_clients;
    assert_eq!((u64::from(status.active), status.known), (all, all));
    joined.appliance.nothing_panicked();
}
