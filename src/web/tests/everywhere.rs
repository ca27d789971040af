//! What holds for every answer.

use super::*;

#[tokio::test]
async fn every_answer_has_its_security_headers() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let admin = appliance.sign_in("admin").await;
    let requests = [
        Browser::get("/"),
        Browser::get("/?ak=nonsense"),
        Browser::get("/nowhere"),
        Browser::get("/login"),
        Browser::get("/login/status"),
        Browser::get("/login/status").cookie(&admin.cookie),
        Browser::get("/login/reports/0000000000000000").cookie(&admin.cookie),
        Browser::get("/login/reports?page=x").cookie(&admin.cookie),
        Browser::get("/api/v1/status"),
        Browser::get("/assets/pages.css"),
        Browser::get("/assets/../Cargo.toml"),
        Browser::get("/link"),
        Browser::post("/nowhere", ""),
        Browser::post("/login", "nonsense"),
        Browser::post("/", ""),
        Browser::post("/key", &"x".repeat(100_000)),
        Browser::post("/key", "key=1").header("sec-fetch-site", "cross-site"),
    ];
    for request in requests {
        let address = request.0.uri().to_string();
        let answer = appliance.send(request).await;
        let named = |name: &str| answer.header(name).to_owned();
        assert!(named("strict-transport-security").starts_with("max-age="));
        let policy = named("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{address}");
        assert!(
            !policy.contains("inline") && !policy.contains("eval"),
            "{policy}"
        );
        assert_eq!(named("x-content-type-options"), "nosniff", "{address}");
        assert_eq!(named("referrer-policy"), "no-referrer", "{address}");
        assert_eq!(named("x-frame-options"), "DENY", "{address}");
        assert_eq!(named("cross-origin-opener-policy"), "same-origin");
        assert_ne!(named("cache-control"), "", "{address}");
        assert_eq!(named("x-request-number").len(), 9, "{address}");
    }
}

#[tokio::test]
async fn a_failure_has_a_page_with_the_number_that_is_in_its_header() {
    let appliance = Appliance::new();
    let answer = appliance.get("/nowhere").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text.contains("There is no such page"));
    assert!(answer.text.contains(answer.header("x-request-number")));
}

#[tokio::test]
async fn a_panic_in_a_page_is_an_answer_and_the_next_request_is_served() {
    let appliance = Appliance::new();
    let broken = || async { panic!("a fault of ours") as &str };
    let pages = Router::new().route("/", axum::routing::get(broken));
    let router = crate::web::around(pages, appliance.site.clone());
    for _ in 0..2 {
        let request = Browser::get("/").0;
        let answer = Answer::of(router.clone().oneshot(request).await.unwrap()).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.text.contains("Something went wrong on our side"));
        assert!(!answer.text.contains("a fault of ours"));
        assert!(answer.text.contains(answer.header("x-request-number")));
    }
}

#[tokio::test]
async fn too_long_a_body_and_a_wrong_method_say_so() {
    let appliance = Appliance::new();
    let form = format!("key={}", "1".repeat(100_000));
    let answer = appliance.send(Browser::post("/key", &form)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let answer = appliance.get("/key").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "POST");
}

#[tokio::test]
async fn the_link_path_asks_for_an_upgrade() {
    let answer = Appliance::new().get("/link?ticket=00").await;
    assert_eq!(answer.status, StatusCode::UPGRADE_REQUIRED);
    assert_eq!(answer.header("upgrade"), "websocket");
}

#[tokio::test]
async fn another_site_s_page_cannot_post_anything() {
    let appliance = Appliance::new();
    appliance.account("admin", true, true).await;
    let admin = appliance.sign_in("admin").await;
    let token = format!("csrf={}", admin.csrf);
    for address in [
        "/key",
        "/chat/ticket",
        "/login",
        "/login/setup",
        "/login/sign-out",
        "/login/account",
        "/login/representatives",
        "/login/representatives/1/disable",
        "/login/updates/examine",
        "/login/updates/install",
        "/login/updates/restart",
        "/login/updates/settings",
        "/console/ticket",
        "/console/sign-out",
        "/console/sign-in",
    ] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let request = Browser::post(address, &token).cookie(&admin.cookie);
            let answer = appliance.send(request.header(name, value)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address} {value}");
        }
    }
}

#[tokio::test]
async fn a_form_without_the_sign_in_s_token_changes_nothing() {
    let appliance = Appliance::new();
    appliance.account("admin", true, true).await;
    let admin = appliance.sign_in("admin").await;
    let other = appliance.sign_in("admin").await;
    for token in [
        "",
        "csrf=",
        "csrf=nonsense",
        &format!("csrf={}", other.csrf),
    ] {
        let form = format!(
            "{token}&name=ben&display_name=Ben&password={0}&again={0}",
            "x".repeat(10)
        );
        for address in ["/login/representatives", "/login/sign-out"] {
            let request = Browser::post(address, &form).cookie(&admin.cookie);
            let answer = appliance.send(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address} {token}");
        }
        for address in ["/console/ticket", "/console/sign-out"] {
            let request = Browser::post(address, "").cookie(&admin.cookie);
            let answer = appliance.send(request.header("x-csrf-token", "00")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
        }
    }
    let list = appliance.site.store.read(accounts::list).await.unwrap();
    assert_eq!(list.len(), 1);
}

#[tokio::test]
async fn forwarded_headers_are_nobody_s_address() {
    let appliance = Appliance::new();
    let request = Browser::post("/key", "key=1234567")
        .from([203, 0, 113, 9])
        .header("x-forwarded-for", "198.51.100.1")
        .header("x-real-ip", "198.51.100.2")
        .header("forwarded", "for=198.51.100.3");
    appliance.send(request).await;
    let asked = appliance.asked();
    let [Asked::LookUpKey { address, .. }] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(address.to_string(), "203.0.113.9:50000");
}

#[tokio::test]
async fn assets_are_kept_by_version_and_asked_again_without_one() {
    let appliance = Appliance::new();
    let page = appliance.get("/").await;
    let address = page.between("rel=\"stylesheet\" href=\"", "\"").to_owned();
    let versioned = appliance.get(&address).await;
    assert_eq!(versioned.status, StatusCode::OK);
    assert!(versioned.header("cache-control").contains("immutable"));
    assert!(versioned.header("content-type").starts_with("text/css"));
    let tag = versioned.header("etag").to_owned();
    let plain = appliance.get("/assets/pages.css").await;
    assert_eq!(plain.header("cache-control"), "no-cache");
    let request = Browser::get("/assets/pages.css").header("if-none-match", &tag);
    let known = appliance.send(request).await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    assert!(known.bytes.is_empty());
    for missing in ["/assets/none.js", "/assets/..%2fmod.rs", "/assets/%00"] {
        let answer = appliance.get(missing).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn the_status_for_programs_tells_strangers_only_that_it_is_there() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    appliance.account("ana", false, true).await;
    let anonymous = r#"{"product":"Jumpgate","status":"ok"}"#;
    assert_eq!(appliance.get("/api/v1/status").await.text, anonymous);
    let ana = appliance.sign_in("ana").await;
    let request = Browser::get("/api/v1/status").cookie(&ana.cookie);
    assert_eq!(appliance.send(request).await.text, anonymous);

    let admin = appliance.sign_in("admin").await;
    let request = Browser::get("/api/v1/status").cookie(&admin.cookie);
    let answer: serde_json::Value =
        serde_json::from_str(&appliance.send(request).await.text).unwrap();
    assert_eq!(answer["site"], "support.example.com");
    assert_eq!(answer["model"], "va-s");
    assert!(answer["store_bytes"].as_u64().unwrap() > 0);
    assert_eq!(answer["keys"]["digits"], 7);
}

#[tokio::test]
async fn the_status_page_warns_from_90_percent_of_the_jump_clients_and_says_when_all_are_back() {
    for (active, waiting, warns) in [(899, 0, false), (900, 0, true), (10, 431, false)] {
        let appliance = Appliance::with_relay(move |request| match request {
            Asked::Status => {
                let mut snapshot = snapshot();
                snapshot.jump_clients.active = active;
                snapshot.jump_clients.waiting = waiting;
                snapshot.jump_clients.done_in_seconds = 9;
                Reply::Status(Box::new(snapshot))
            }
            other => relay(other),
        });
        appliance.account("admin", true, false).await;
        let admin = appliance.sign_in("admin").await;
        let request = Browser::get("/login/status").cookie(&admin.cookie);
        let text = appliance.send(request).await.text;
        assert_eq!(text.contains(" of 1,000 are; beyond that"), warns, "{text}");
        let coming = "431 wait for their turn; all of them are back in 9 s.";
        assert_eq!(text.contains(coming), waiting > 0, "{text}");
    }
}

#[tokio::test]
async fn without_the_relay_pages_say_so_and_show_what_they_know() {
    let appliance = Appliance::without_relay();
    appliance.account("admin", true, false).await;
    let admin = appliance.sign_in("admin").await;
    let request = Browser::get("/login/status").cookie(&admin.cookie);
    let answer = appliance.send(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.contains("The relay does not answer."));
    assert!(answer.text.contains("Virtual S"));
    let answer = appliance.send(Browser::post("/key", "key=1234567")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let answer = appliance
        .send(Browser::post_json("/chat/ticket", "{}"))
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains(r#""error":"unavailable""#));
}
