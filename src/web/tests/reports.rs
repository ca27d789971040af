//! Reports > Support.

use super::*;
use crate::domain::entry::EndReason;
use crate::domain::{Author, Entry, LongText, ShellId, What};
use crate::store::testing::session;
use crate::store::{entries, sessions, transcripts};

/// Sixty sessions, every third of them Ana's, the others Ben's.
async fn with_sessions() -> Appliance {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let ana = appliance.account("ana", false, true).await.id;
    let ben = appliance.account("ben", false, true).await.id;
    appliance
        .write(move |tx| {
            for number in 1..=60u8 {
                let owner = if number % 3 == 0 { ana } else { ben };
                let customer = format!("Customer {number}");
                sessions::start(tx, &session(number, owner, &customer))?;
            }
            Ok(())
        })
        .await;
    appliance
}

fn id(number: u8) -> crate::domain::SessionId {
    crate::domain::SessionId::from_random([number; 8])
}

#[tokio::test]
async fn the_list_has_pages_of_fifty_and_true_counts() {
    let appliance = with_sessions().await;
    let admin = appliance.sign_in("admin").await;
    let get = |address: &str| Browser::get(address).cookie(&admin.cookie);
    let first = appliance.send(get("/login/reports")).await;
    assert!(first.text.contains("1 to 50 of 60"));
    assert!(first.text.contains("/login/reports?page=2"));
    let second = appliance.send(get("/login/reports?page=2")).await;
    assert!(second.text.contains("51 to 60 of 60"));
    assert!(!second.text.contains("page=3"));
    let found = appliance.send(get("/login/reports?q=CUSTOMER+1")).await;
    assert!(found.text.contains("1 to 11 of 11"), "{}", found.text);
    let none = appliance.send(get("/login/reports?q=%3Cb%3E")).await;
    assert!(none.text.contains("Nothing found for “&#60;b&#62;”"));
    let beyond = appliance.send(get("/login/reports?page=99999999999")).await;
    assert_eq!(beyond.status, StatusCode::OK);
}

#[tokio::test]
async fn representatives_see_their_own_sessions_and_no_others() {
    let appliance = with_sessions().await;
    let ana = appliance.sign_in("ana").await;
    let get = |address: &str| Browser::get(address).cookie(&ana.cookie);
    let list = appliance.send(get("/login/reports")).await;
    assert!(list.text.contains("1 to 20 of 20"));
    let own = appliance
        .send(get(&format!("/login/reports/{}", id(3))))
        .await;
    assert_eq!(own.status, StatusCode::OK);
    let others = appliance
        .send(get(&format!("/login/reports/{}", id(4))))
        .await;
    let missing = appliance.send(get("/login/reports/7777777777777777")).await;
    for answer in [&others, &missing] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let cast = format!("/login/reports/{}/shell/1.cast", id(4));
    assert_eq!(
        appliance.send(get(&cast)).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_session_s_page_has_its_log_and_its_shells() {
    let appliance = with_sessions().await;
    let file = "0303.cast";
    let recording = b"{\"version\":2}\n[0.1,\"o\",\"hi\"]\n";
    std::fs::write(appliance.path().join("recordings").join(file), recording).unwrap();
    appliance
        .write(move |tx| {
            let says = |text: &str| What::Chat {
                text: LongText::new(text).unwrap(),
            };
            let customer = || Author::Customer(label("Customer 3"));
            let representative = || Author::Representative(label("Rep Ana"));
            let log = [
                (customer(), What::Arrived),
                (representative(), What::Accepted),
                (customer(), says("<b>help</b>")),
                (representative(), What::ShellOpened { shell: ShellId(1) }),
                (
                    representative(),
                    What::Ended {
                        reason: EndReason::Representative,
                    },
                ),
            ];
            for (number, (by, what)) in (1..).zip(log) {
                let at = Stamp(1_000 * i64::from(number));
                entries::append(
                    tx,
                    id(3),
                    &Entry {
                        number,
                        at,
                        by,
                        what,
                    },
                )?;
            }
            transcripts::start(tx, id(3), ShellId(1), file, Stamp(4_000))?;
            let hash = Fingerprint::of(recording);
            transcripts::end(
                tx,
                id(3),
                ShellId(1),
                recording.len() as u64,
                &hash,
                Stamp(5_000),
            )?;
            sessions::end(tx, id(3), EndReason::Representative, Stamp(6_000))
        })
        .await;
    let ana = appliance.sign_in("ana").await;
    let address = format!("/login/reports/{}", id(3));
    let page = appliance
        .send(Browser::get(&address).cookie(&ana.cookie))
        .await;
    for text in [
        "Arrived with a session key.",
        "&#60;b&#62;help&#60;/b&#62;",
        "class=\"chat customer\"",
        "Ended by the representative",
        "00:00:04",
        "Thursday 1 January 1970, 00:00:03 UTC",
        "Shell 1",
    ] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    let player = format!("{address}/shell/1");
    let page = appliance
        .send(Browser::get(&player).cookie(&ana.cookie))
        .await;
    assert_eq!(page.between("data-src=\"", "\""), format!("{player}.cast"));
    let cast = format!("{player}.cast");
    let got = appliance
        .send(Browser::get(&cast).cookie(&ana.cookie))
        .await;
    assert_eq!(got.bytes, recording);
    let kept = appliance
        .send(Browser::get(&format!("{cast}?download=1")).cookie(&ana.cookie))
        .await;
    assert!(kept.header("content-disposition").starts_with("attachment"));
    for missing in ["/shell/2", "/shell/2.cast", "/shell/x", "/shell/-1.cast"] {
        let request = Browser::get(&format!("{address}{missing}")).cookie(&ana.cookie);
        assert_eq!(appliance.send(request).await.status, StatusCode::NOT_FOUND);
    }
    std::fs::remove_file(appliance.path().join("recordings").join(file)).unwrap();
    let gone = appliance
        .send(Browser::get(&cast).cookie(&ana.cookie))
        .await;
    assert_eq!(gone.status, StatusCode::INTERNAL_SERVER_ERROR);
}
