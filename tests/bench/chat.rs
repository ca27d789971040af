//! What a representative says, until the customer has it: both ends are real peers in this
//! process, the relay and its store are the real program.

use std::time::{Duration, Instant};

use jumpgate::domain::entry::What;
use jumpgate::domain::limits::MESSAGES_PER_SECOND_MAX;
use jumpgate::link::message::ToCustomer;

use super::Bench;
use super::bare::Bare;
use super::row::{Row, percentile};
use super::support::{Appliance, Console, Peer};

/// 99 of 100 messages.
const CHAT_P99_MAX_MILLIS: f64 = 2.0;

/// Time between messages: below the relay's limit.
const PACE: Duration = Duration::from_millis(1_200 / MESSAGES_PER_SECOND_MAX as u64);

/// Messages measured together; then the machine may be calmer, or busier.
const PART: usize = 400;

/// Sends one message at a time and waits for it at the other end, and between two of them measures
/// what the machine's hand-overs alone take. The figure is that of the part in which those took
/// least: it is chosen by what others do to the machine, not by how we did.
pub async fn measure(bench: &Bench) -> Vec<Row> {
    let appliance = Appliance::start(&bench.programs).await;
    let ada = appliance.representative("ada").await;
    let console = Console::connect(&appliance, &ada).await;
    let key = appliance.key(&ada, None).await;
    let mut customer = Peer::start(&appliance, &key.digits).await;
    let session = console.accepts_next().await;

    let mut bare = Bare::start();
    let mut parts = Vec::new();
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for part in 0..bench.rounds(8) {
        let (mut millis, mut bare_millis) = (Vec::new(), Vec::new());
        for number in 0..PART {
            pace.tick().await;
            bare_millis.push(in_millis(bare.once()));
            let words = format!("message {part}.{number}: is the light green or orange?");
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
            millis.push(in_millis(said.elapsed()));
        }
        let [median, most] = [50, 99].map(|percent| percentile(&mut millis, percent));
        let [bare_median, bare_most] =
            [50, 99].map(|percent| percentile(&mut bare_millis, percent));
        eprintln!(
            "chat: {PART} messages, median {median:.2}, 99 % {most:.2} ms; \
             the machine's hand-overs alone {bare_median:.2}, 99 % {bare_most:.2} ms"
        );
        parts.push((bare_most, most));
    }
    let calmest = parts.iter().min_by(|one, other| one.0.total_cmp(&other.0));
    let &(_, calmest) = calmest.expect("there are rounds");
    vec![Row::below(
        "chat message, representative to customer, 99th percentile",
        "ms",
        calmest,
        CHAT_P99_MAX_MILLIS,
    )]
}

fn in_millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
