//! Jump Clients by the thousand: how many may be there, and how they come back.

use std::process::Command;
use std::time::{Duration, Instant};

use jumpgate::domain::{AdmissionRate, Model};
use nix::unistd::Pid;

use super::session::counts;
use super::support::fleet::Part;
use super::support::{Appliance, Console, Fleet};
use super::{Joined, join, nightly, programs, shell};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_relay_takes_over_and_jump_clients_stay_connected_while_a_session_comes_back() {
    let appliance = of(Model::B400).await;
    appliance.admit(AdmissionRate::LIFTED).await;
    let token = appliance.deployment(many()).await;
    let mut joined = Joined::on(appliance).await;
    let at = shell(&joined.console, &mut joined.customer, joined.session).await;
    let fleet = Fleet::start(part, joined.appliance.https(), &token, many());
    let all = u64::from(many());
    fleet
        .is("all are let in", ALL_WITHIN, |now| now.connected == all)
        .await;
    // Whoever had to come back would be told to wait.
    let slow = AdmissionRate::per_second(1).unwrap();
    joined.appliance.admit(slow).await;

    for _ in 0..3 {
        joined.appliance.relay_anew().await;
        joined.console.cut().await;
        let Joined {
            console,
            appliance,
            representative,
            ..
        } = &mut joined;
        console.come_back(appliance, representative).await;
        joined.customer.hears("The connection is back.").await;
        joined.chats("beside them").await;
        joined.console.sees_shell(at.0, 1).await;
        joined.console.runs(at, "X=41; echo $((X * 2))", "82").await;
        let active = || async { joined.appliance.status().await.jump_clients.active };
        let deadline = Instant::now() + ALL_WITHIN;
        while u64::from(active().await) < all {
            assert!(Instant::now() < deadline, "{} of {all}", active().await);
            tokio::task::yield_now().await;
        }
    }
    let said = fleet.tally().statistics;
    let now = fleet
        .is("statistics", ALL_WITHIN, |now| now.statistics >= said + all)
        .await;
    assert_eq!((now.lost, now.let_in, now.told_when), (0, all, 0));
    joined.appliance.nothing_panicked();
}

/// Sessions beside them whose shells count, and how often each machine says its statistics
/// meanwhile: once a minute.
fn beside() -> (usize, u64) {
    if nightly() { (200, 10) } else { (10, 1) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_all_jump_clients_say_their_statistics_and_sessions_relay_nothing_is_lost() {
    let appliance = of(Model::B400).await;
    let ceiling = memory_ceiling(&appliance);
    appliance.admit(AdmissionRate::LIFTED).await;
    let token = appliance.deployment(many()).await;
    let fleet = Fleet::start(part, appliance.https(), &token, many());
    let all = u64::from(many());
    fleet
        .is("all are let in", ALL_WITHIN, |now| now.connected == all)
        .await;

    let (sessions, rounds) = beside();
    let ada = appliance.representative("ada").await;
    let console = Console::connect(&appliance, &ada).await;
    let stop = appliance.beside("stop");
    let file = stop.display();
    let count = format!(
        "stty -echo; i=0; while [ ! -e {file} ]; do seq $((i + 1)) $((i += 100)); sleep 1; done; \
         echo do''ne\n"
    );
    let mut counting = Vec::new();
    for _ in 0..sessions {
        let (mut customer, session) = join(&appliance, &console, &ada).await;
        let at = shell(&console, &mut customer, session).await;
        let from = console.shown(at.0, at.1);
        console.types(at.0, at.1, &count);
        counting.push((customer, at, from));
    }
    let said = fleet.tally().statistics;
    let minutes = Duration::from_secs(60 * rounds);
    let now = fleet
        .is("statistics", minutes + ALL_WITHIN, |now| {
            now.statistics >= said + rounds * all
        })
        .await;
    assert_eq!(
        (now.lost, now.turned, now.over_limit, now.failed),
        (0, 0, 0, 0)
    );
    let relay = appliance.program("relay").unwrap();
    let pss = proportional_set_size(relay);
    assert!(pss <= ceiling, "{pss} bytes of {ceiling}");
    std::fs::write(&stop, "").unwrap();
    for (_, at, from) in &counting {
        let end = console.reads(*at, *from, "done\r\n").await;
        let shown = console.seen().shells[at].shown[*from..end].to_vec();
        assert!(counts(&shown) >= 100);
    }
    assert_eq!(appliance.program("relay"), Some(relay));
    let closed = appliance.status().await.connections.closed_for_fault_in_all;
    assert_eq!(closed, 0);
    appliance.nothing_panicked();
}

/// What the relay printed when it started, in bytes.
fn memory_ceiling(appliance: &Appliance) -> u64 {
    let log = appliance.log("relay");
    let (_, rest) = log.split_once("memory_ceiling_mib=").unwrap();
    let mib: u64 = rest.split(' ').next().unwrap().parse().unwrap();
    mib << 20
}

/// Of user space, in bytes.
fn proportional_set_size(pid: Pid) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() << 10
}
