//! The customer's way in.

use super::*;
use crate::domain::pass::Pass;
use crate::domain::turned::PuzzleAnswer;

#[tokio::test]
async fn a_good_key_leads_to_the_question_and_on() {
    let appliance = Appliance::new();
    let answer = appliance.send(Browser::post("/key", "key=123+45-67")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let question = format!("/?ak={}", ak().reveal());
    assert_eq!(answer.header("location"), question);
    let answer = appliance.get(&question).await;
    assert!(
        answer
            .text
            .contains("Start a session with Ana &#60;Support&#62;?")
    );
    assert!(
        answer
            .text
            .contains(&format!("/start?ak={}", ak().reveal()))
    );
}

#[tokio::test]
async fn wrong_used_and_expired_keys_get_one_and_the_same_page() {
    let pages = [
        Appliance::new()
            .send(Browser::post("/key", "key=7654321"))
            .await,
        Appliance::new()
            .send(Browser::post("/key", "key=7654321"))
            .await,
        Appliance::with_relay(|_| Reply::Turned(TurnedReason::Session))
            .send(Browser::post("/key", "key=7654321"))
            .await,
    ];
    for page in &pages {
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(page.text, pages[0].text);
        assert!(page.text.contains("mistyped, used already, or too old"));
    }
    for link in ["", "nonsense", "ffffffffffffffffffffffffffffffff"] {
        let page = Appliance::new().get(&format!("/?ak={link}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text.contains("incomplete, used already, or too old"));
    }
}

#[tokio::test]
async fn what_was_typed_is_escaped() {
    let appliance = Appliance::new();
    let form = "key=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let answer = appliance.send(Browser::post("/key", form)).await;
    assert!(!answer.text.contains("<script>"));
}

#[tokio::test]
async fn a_guesser_is_told_when_to_come_back() {
    let appliance = Appliance::with_relay(|_| {
        Reply::Turned(TurnedReason::SlowDown {
            retry_after_seconds: 90,
        })
    });
    let answer = appliance.send(Browser::post("/key", "key=1")).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "90");
    assert!(answer.text.contains("1 min 30 s"));
}

#[tokio::test]
async fn a_puzzle_is_handed_to_the_browser_and_its_answer_to_the_relay() {
    let challenge = Token::from_random([3; 16]);
    let given = challenge.clone();
    let appliance = Appliance::with_relay(move |asked| match asked {
        Asked::LookUpKey {
            puzzle: Some(answer),
            ..
        } if answer.challenge == given && answer.solves(8) => relay(asked),
        _ => Reply::Turned(TurnedReason::Puzzle {
            challenge: given.clone(),
            bits: 8,
        }),
    });
    let page = appliance.send(Browser::post("/key", "key=1234567")).await;
    assert_eq!(page.between("data-challenge=\"", "\""), challenge.reveal());
    assert_eq!(page.between("data-bits=\"", "\""), "8");
    assert!(page.text.contains("value=\"1234567\""));
    assert!(page.text.contains("portal.js"));

    let found = PuzzleAnswer::find(&challenge, 8).answer;
    let form = format!(
        "key=1234567&challenge={}&answer={found}",
        challenge.reveal()
    );
    let answer = appliance.send(Browser::post("/key", &form)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn only_linux_is_offered_the_client() {
    let appliance = Appliance::new();
    let start = format!("/start?ak={}", ak().reveal());
    let linux = Browser::get(&start).header("user-agent", "Mozilla/5.0 (X11; Linux x86_64)");
    let page = appliance.send(linux).await;
    let file = format!(
        "jumpgate-customer-client-{}",
        &ak().fingerprint().to_string()[..4]
    );
    assert!(page.text.contains(&format!("chmod +x {file}")));
    assert!(page.text.contains("/chat?ak="));
    let windows = Browser::get(&start).header("user-agent", "Mozilla/5.0 (Windows NT 10.0)");
    let page = appliance.send(windows).await;
    assert!(!page.text.contains("/download/"));
    assert!(page.text.contains("made for Linux computers only"));
    assert!(page.text.contains("/chat?ak="));
}

#[tokio::test]
async fn the_client_carries_its_pass() {
    let appliance = Appliance::new();
    let address = format!("/download/linux?ak={}", ak().reveal());
    let answer = appliance.get(&address).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"jumpgate-customer-client-"));
    assert_eq!(
        answer.header("content-length"),
        answer.bytes.len().to_string()
    );
    assert!(answer.bytes.starts_with(b"\x7fELF program"));
    let pass = Pass::split(&answer.bytes).unwrap().unwrap();
    assert_eq!(pass.address.to_string(), "support.example.com:8443");
    assert_eq!(pass.link_key, Fingerprint::of(b"link key"));
    assert_eq!(pass.key, ak());
}

#[tokio::test]
async fn a_host_that_is_no_address_does_not_get_into_the_pass() {
    let appliance = Appliance::new();
    let address = format!("/download/linux?ak={}", ak().reveal());
    for (host, dialled) in [
        ("10.0.0.1:8443", "10.0.0.1:8443"),
        ("other.example", "other.example:443"),
        ("[::1]:8443", "[::1]:8443"),
        ("evil.example/x", "support.example.com:8443"),
        ("user@evil.example", "support.example.com:8443"),
        ("evil.example\",\"link_key\":\"", "support.example.com:8443"),
        ("evil.example:99999", "support.example.com:8443"),
        ("", "support.example.com:8443"),
    ] {
        let request = Browser::get(&address).header("host", host);
        let answer = appliance.send(request).await;
        let pass = Pass::split(&answer.bytes).unwrap().unwrap();
        assert_eq!(pass.address.to_string(), dialled, "{host}");
    }
}

#[tokio::test]
async fn without_a_good_key_nothing_is_downloaded() {
    let appliance = Appliance::new();
    for address in [
        "/download/linux",
        "/download/linux?ak=00",
        "/start?ak=00",
        "/start",
    ] {
        let answer = appliance.get(address).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
        assert!(answer.text.contains("This link does not work"));
    }
}

#[tokio::test]
async fn chat_tickets_are_given_for_a_key_and_for_coming_back() {
    let appliance = Appliance::new();
    let start = format!("{{\"ak\":\"{}\"}}", ak().reveal());
    for body in [start.as_str(), "{}"] {
        let answer = appliance
            .send(Browser::post_json("/chat/ticket", body))
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.text,
            format!("{{\"ticket\":\"{}\"}}", "07".repeat(16))
        );
    }
    let answer = appliance
        .send(Browser::post_json("/chat/ticket", r#"{"ak":"x"}"#))
        .await;
    assert_eq!(
        (answer.status, &*answer.text),
        (StatusCode::FORBIDDEN, r#"{"error":"key"}"#)
    );
    let answer = appliance
        .send(Browser::post_json("/chat/ticket", "{"))
        .await;
    assert!(answer.text.contains("\"error\":\"bad_request\""));
}
