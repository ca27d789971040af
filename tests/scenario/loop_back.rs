//! The session of the appliance with itself, by which a new version shows that it carries sessions.

use jumpgate::audit;
use jumpgate::control::{Reply, Request};
use jumpgate::store::{StoreError, sessions};
use serde_json::{Value, json};

use super::support::Appliance;
use super::{Joined, programs};

/// What `appliancectl` says of it, with these tokens.
async fn carried(appliance: &Appliance, customer: &str, console: &str) -> Value {
    let status = appliance.status().await;
    let link_certificate = status.link_certificate.unwrap().to_string();
    appliance.ctl(
        &[
            "loop-back",
            "--port",
            &appliance.https().to_string(),
            "--certificate",
            &status.certificate.to_string(),
            "--link-certificate",
            &link_certificate,
            "--customer",
            customer,
            "--console",
            console,
        ],
        "",
    )
}

async fn tokens(appliance: &Appliance) -> (String, String) {
    match appliance.ask(Request::LoopBack).await {
        Reply::LoopBack { customer, console } => (customer.reveal(), console.reveal()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_carried_through_the_front_door_while_others_talk_and_leaves_no_trace() {
    let mut joined = Joined::new().await;
    let appliance = &joined.appliance;
    let records = |appliance: &Appliance| {
        let read = appliance.store().read(|c| {
            let all = sessions::Filter {
                limit: 100,
                ..sessions::Filter::default()
            };
            let chain = audit::page(c, None, 500)?;
            Ok::<_, StoreError>((sessions::page(c, &all)?, chain.len()))
        });
        read.unwrap()
    };
    let before = (records(appliance), appliance.status().await);
    for _ in 0..3 {
        let (customer, console) = tokens(appliance).await;
        let said = carried(appliance, &customer, &console).await;
        assert_eq!(said, json!({ "carried": true }));
        // Both tokens are used up.
        let again = carried(appliance, &customer, &console).await;
        assert!(
            again["error"].as_str().unwrap().contains("no session"),
            "{again}"
        );
    }
    let after = (records(appliance), appliance.status().await);
    assert_eq!(before.0, after.0, "something is on record");
    let (before, after) = (before.1, after.1);
    assert_eq!((before.sessions, before.keys), (after.sessions, after.keys));
    assert_eq!(before.connections.consoles, after.connections.consoles);
    joined.chats("still there").await;
    joined.appliance.nothing_panicked();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_gets_in_by_its_tokens_changed_about() {
    let appliance = Appliance::start(programs()).await;
    let (customer, console) = tokens(&appliance).await;
    let said = carried(&appliance, &console, &customer).await;
    assert!(said["error"].is_string(), "{said}");
    // The next pair is good again.
    let (customer, console) = tokens(&appliance).await;
    let said = carried(&appliance, &customer, &console).await;
    assert_eq!(said, json!({ "carried": true }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_on_trial_says_that_its_store_was_checked_and_one_that_proved_itself_does_not() {
    let mut appliance = Appliance::prepare(programs());
    for (sequence, trial) in [(5, false), (6, true), (6, true)] {
        appliance.generation(sequence, trial);
        appliance.up().await;
        let store = appliance.status().await.store;
        assert_eq!((store.generation, store.checked), (Some(sequence), trial));
        appliance.stop(nix::sys::signal::Signal::SIGINT);
    }
}
