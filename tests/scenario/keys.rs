//! Session keys: what a wrong one gets, and what guessing gets.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use jumpgate::domain::limits::{
    GUESSES_BEFORE_PUZZLE, GUESSES_PER_ADDRESS_MAX, KEY_DIGITS, PUZZLE_BITS,
};
use jumpgate::domain::turned::TurnedReason;
use jumpgate::domain::{Stamp, Token};
use jumpgate::link::message::{ToCustomer, Turned};
use jumpgate::store::{StoreError, session_keys};
use nix::sys::signal::Signal;

use super::support::{Appliance, Customer, Peer, Raw, Representative};
use super::{nightly, programs};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Somebody who is not [`HERE`].
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// A key that was given out and has run out since, as the store remembers it.
async fn expired(appliance: &mut Appliance, of: &Representative) -> String {
    appliance.stop(Signal::SIGINT);
    let row = session_keys::SessionKeyRow {
        digits: "7654321".into(),
        ak: Token::from_random([9; 16]),
        account: of.account,
        created: Stamp(0),
        expires: Stamp(600_000),
    };
    let written = appliance.store().write(|tx| {
        session_keys::put(tx, &row)?;
        Ok::<_, StoreError>(())
    });
    written.unwrap();
    appliance.up().await;
    row.digits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_a_used_and_an_expired_key_get_one_plain_answer() {
    let mut appliance = Appliance::start(programs()).await;
    let ada = appliance.representative("ada").await;
    let expired = expired(&mut appliance, &ada).await;
    let used = appliance.key(&ada, None).await;
    let mut first = Customer::start(&appliance, &used.digits);
    first.hears("Waiting for ada").await;
    let wrong = unlike(&used.digits);

    let (mut clients, mut pages) = (BTreeSet::new(), BTreeSet::new());
    for key in [&wrong, &used.digits, &expired] {
        let mut customer = Customer::start(&appliance, key);
        assert!(!customer.ends().await.success());
        let port = appliance.https().to_string();
        clients.insert(customer.shown().replace(&port, "PORT"));
        pages.insert(
            typed_in_the_portal(&appliance, key)
                .await
                .replace(key, "KEY"),
        );
    }
    assert_eq!(
        (clients.len(), pages.len()),
        (1, 1),
        "{clients:#?} {pages:#?}"
    );
    let (client, page) = (clients.pop_first().unwrap(), pages.pop_first().unwrap());
    let plain = "This session key does not work: it is wrong, was used already, or is too old.";
    assert!(client.contains(plain), "{client}");
    assert!(
        page.contains("mistyped, used already, or too old"),
        "{page}"
    );
    for name in ["ada", "expired", "Pat"] {
        assert!(!client.contains(name), "it reveals {name}: {client}");
    }
    appliance.nothing_panicked();
}

/// Waits for a minute, the shortest life of a key, so only in the nightly run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_stops_working_when_its_time_is_up() {
    if !nightly() {
        return;
    }
    let appliance = Appliance::start(programs()).await;
    let ada = appliance.representative("ada").await;
    let key = appliance.key(&ada, Some(60)).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    for text in [key.digits, key.ak.reveal()] {
        assert_eq!(Peer::tries(&appliance, HERE, &text).await, turned_key());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_limited_by_address_and_hurts_nobody_else() {
    let appliance = Appliance::start(programs()).await;
    let ada = appliance.representative("ada").await;
    let key = appliance.key(&ada, None).await;
    let wrong = unlike(&key.digits);
    for _ in 0..GUESSES_PER_ADDRESS_MAX {
        assert_eq!(Peer::tries(&appliance, HERE, &wrong).await, turned_key());
    }
    // From here on nothing is learned, not even that a key is right.
    for text in [&wrong, &key.digits] {
        let ToCustomer::Turned(Turned { reason }) = Peer::tries(&appliance, HERE, text).await
        else {
            panic!("it was let in");
        };
        assert!(
            matches!(reason, TurnedReason::SlowDown { .. }),
            "{reason:?}"
        );
    }
    let mut customer = Customer::start(&appliance, &key.digits);
    assert!(!customer.ends().await.success());
    let words = customer.shown();
    assert!(words.contains("Try again in 10 minutes."), "{words}");
    // The unique URL is not guessed, and another address is somebody else.
    let other = Peer::tries(&appliance, ELSEWHERE, &wrong).await;
    assert_eq!(other, turned_key());
    let mut customer = Customer::start(&appliance, &key.ak.reveal());
    customer.hears("Waiting for ada").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_from_everywhere_asks_for_a_puzzle_and_lengthens_new_keys() {
    let appliance = Appliance::start(programs()).await;
    let ada = appliance.representative("ada").await;
    let before = appliance.key(&ada, None).await;
    let wrong = unlike(&before.digits);
    for guess in 0..GUESSES_BEFORE_PUZZLE {
        let from = u8::try_from(2 + guess / GUESSES_PER_ADDRESS_MAX).unwrap();
        let from = Ipv4Addr::new(127, 0, 0, from);
        assert_eq!(Peer::tries(&appliance, from, &wrong).await, turned_key());
    }
    let ToCustomer::Turned(Turned {
        reason: TurnedReason::Puzzle { bits, .. },
    }) = Peer::tries(&appliance, HERE, &before.digits).await
    else {
        panic!("no puzzle");
    };
    assert_eq!(bits, PUZZLE_BITS);
    let longer = appliance.key(&ada, None).await;
    assert_eq!(longer.digits.len(), KEY_DIGITS + 1);
    // Whoever has a key gets in, with a little patience.
    let mut customer = Customer::start(&appliance, &before.digits);
    customer.hears("fending off guesses").await;
    customer.hears("Waiting for ada").await;
}

fn turned_key() -> ToCustomer {
    ToCustomer::Turned(Turned {
        reason: TurnedReason::Key,
    })
}

/// Seven digits that are nobody's key.
fn unlike(digits: &str) -> String {
    let other = (digits.parse::<u32>().unwrap() + 1) % 10_000_000;
    format!("{other:07}")
}

/// The portal's answer to a typed key, without what changes from one request to the next.
async fn typed_in_the_portal(appliance: &Appliance, key: &str) -> String {
    let mut browser = Raw::tls(appliance, &[b"http/1.1"]).await;
    let form = format!("key={key}");
    let site = format!("localhost:{}", appliance.https());
    let request = format!(
        "POST /key HTTP/1.1\r\nHost: {site}\r\nOrigin: https://{site}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{form}",
        form.len()
    );
    browser.send(request.as_bytes()).await;
    let (answer, _) = browser.until_closed().await;
    let answer = String::from_utf8(answer).unwrap();
    let changes = |line: &&str| {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        !["date", "x-request-number"].contains(&name.as_str())
    };
    answer
        .lines()
        .filter(changes)
        .collect::<Vec<_>>()
        .join("\n")
}
