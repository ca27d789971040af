//! What a representative says, until the customer has it: both ends are real peers in this
//! process, the relay and its store are the real program.

use std::time::{Duration, Instant};

use jumpgate::domain::entry::What;
use jumpgate::domain::limits::MESSAGES_PER_SECOND_MAX;
use jumpgate::link::message::ToCustomer;

use super::Bench;
use super::row::{Row, percentile};
use super::support::{Appliance, Console, Peer};

/// 99 of 100 messages.
const CHAT_P99_MAX_MILLIS: f64 = 2.0;

/// Time between messages: below the relay's limit.
const PACE: Duration = Duration::from_millis(1_200 / MESSAGES_PER_SECOND_MAX as u64);

/// Sends one message at a time and waits for it at the other end.
pub async fn measure(bench: &Bench) -> Vec<Row> {
    let appliance = Appliance::start(&bench.programs).await;
    let ada = appliance.representative("ada").await;
    let console = Console::connect(&appliance, &ada).await;
    let key = appliance.key(&ada, None).await;
    let mut customer = Peer::start(&appliance, &key.digits).await;
    let session = console.accepts_next().await;

    let mut millis = Vec::new();
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0..bench.rounds(2_400) {
        pace.tick().await;
        let words = format!("message {number}: is the light on the box green or orange?");
        let said = Instant::now();
        console.chat(session, &words);
        customer
            .hears(|message| match message {
                ToCustomer::Entry(entry) => match entry.what {
                    What::Chat { text } if text.as_str() == words => Some(()),
                    _ => None,
                },
                _ => None,
            })
            .await;
        millis.push(said.elapsed().as_secs_f64() * 1_000.0);
    }
    let (median, slowest) = (percentile(&mut millis, 50), percentile(&mut millis, 100));
    let count = millis.len();
    eprintln!("chat: {count} messages, median {median:.2} ms, slowest {slowest:.2} ms");
    vec![Row::below(
        "chat message, representative to customer, 99th percentile",
        "ms",
        percentile(&mut millis, 99),
        CHAT_P99_MAX_MILLIS,
    )]
}
