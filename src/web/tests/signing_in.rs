//! Set-up, signing in and out, and what accounts may do.

use super::*;
use crate::audit;
use crate::domain::limits::{SIGN_INS_PER_ACCOUNT_MAX, SIGN_INS_PER_ADDRESS_MAX};
use crate::domain::turned::PuzzleAnswer;
use crate::store::settings;

#[tokio::test]
async fn the_set_up_link_makes_one_administrator_once() {
    let appliance = Appliance::new();
    let token = Token::from_random([5; 16]);
    let fingerprint = token.fingerprint();
    appliance
        .write(move |tx| settings::put_setup_token(tx, &fingerprint))
        .await;
    let link = format!("/login/setup?token={}", token.reveal());
    assert!(
        appliance
            .get(&link)
            .await
            .text
            .contains("Choose the password")
    );

    let form = |password: &str, again: &str| {
        format!("token={}&password={password}&again={again}", token.reveal())
    };
    for (password, again, says) in [
        ("short", "short", "at least 10 are needed"),
        ("long+enough+1", "long+enough+2", "The two passwords differ"),
    ] {
        let request = Browser::post("/login/setup", &form(password, again));
        let answer = appliance.send(request).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains(says), "{says}");
    }
    let good = form("correct+horse", "correct+horse");
    let answer = appliance.send(Browser::post("/login/setup", &good)).await;
    assert_eq!(answer.header("location"), "/login/status");
    let cookie = answer.cookie().unwrap();
    let page = appliance.send(Browser::get("/login/status").cookie(&cookie));
    assert_eq!(page.await.status, StatusCode::OK);

    let again = appliance.send(Browser::post("/login/setup", &good)).await;
    assert_eq!(again.status, StatusCode::GONE);
    let again = appliance.get(&link).await;
    assert_eq!(again.status, StatusCode::GONE);
    assert!(again.text.contains("set up already"));
    appliance.sign_in("admin").await;
}

#[tokio::test]
async fn a_wrong_set_up_link_makes_nobody() {
    let appliance = Appliance::new();
    let fingerprint = Token::from_random([5; 16]).fingerprint();
    appliance
        .write(move |tx| settings::put_setup_token(tx, &fingerprint))
        .await;
    for token in ["", "nonsense", "06060606060606060606060606060606"] {
        let answer = appliance.get(&format!("/login/setup?token={token}")).await;
        assert_eq!(answer.status, StatusCode::GONE, "{token}");
        let form = format!("token={token}&password=correct+horse&again=correct+horse");
        let answer = appliance.send(Browser::post("/login/setup", &form)).await;
        assert_eq!(answer.status, StatusCode::GONE, "{token}");
    }
    let list = appliance.site.store.read(accounts::list).await.unwrap();
    assert!(list.is_empty());
}

#[tokio::test]
async fn an_unknown_name_a_wrong_password_and_a_disabled_account_look_alike() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let gone = appliance.account("gone", false, true).await.id;
    appliance
        .write(move |tx| accounts::set_disabled(tx, gone, true))
        .await;
    let mut pages = Vec::new();
    for (name, password) in [
        ("admin", "wrong+password"),
        ("nobody", "wrong+password"),
        ("no%20name", "wrong+password"),
        ("gone", "correct+horse"),
    ] {
        let form = format!("name={name}&password={password}");
        let answer = appliance.send(Browser::post("/login", &form)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
        assert!(answer.cookie().is_none());
        let typed = format!("value=\"{}\"", name.replace("%20", " "));
        assert!(answer.text.contains(&typed));
        pages.push(answer.text.replace(&typed, "value=\"\""));
    }
    assert!(pages.iter().all(|page| page == &pages[0]));
}

/// Wrong passwords for admin from many addresses, until the name costs a puzzle.
async fn strangers_guess(appliance: &Appliance) {
    for number in 0..SIGN_INS_PER_ACCOUNT_MAX {
        let from = [10, 0, 0, u8::try_from(number).unwrap()];
        let form = "name=admin&password=wrong+password";
        let answer = appliance.send(Browser::post("/login", form).from(from));
        assert_eq!(answer.await.status, StatusCode::UNAUTHORIZED);
    }
}

/// The form's puzzle, solved.
fn solved(page: &Answer) -> String {
    let challenge = page.between("data-challenge=\"", "\"");
    let bits = page.between("data-bits=\"", "\"").parse().unwrap();
    let answer = PuzzleAnswer::find(&challenge.parse().unwrap(), bits).answer;
    format!("&challenge={challenge}&answer={answer}")
}

#[tokio::test]
async fn whoever_knows_the_password_signs_in_by_a_puzzle_while_strangers_guess() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    strangers_guess(&appliance).await;
    let post = |form: String| appliance.send(Browser::post("/login", &form).from([10, 0, 1, 1]));
    let mut asked = Vec::new();
    for name in ["admin", "ADMIN+"] {
        let page = post(format!("name={name}&password=correct+horse")).await;
        assert!(page.cookie().is_none());
        assert!(page.text.contains("trying passwords for this name"));
        assert!(page.text.contains("/assets/portal.js"));
        assert!(!page.text.contains("correct horse"));
        asked.push(page);
    }
    // A wrong password with an answer is wrong, and brings the next puzzle along.
    let used = solved(&asked[0]);
    let wrong = post(format!("name=admin&password=wrong+password{used}")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let again = post(format!("name=admin&password=correct+horse{used}")).await;
    assert!(again.cookie().is_none(), "an answer counts once");
    let right = solved(&wrong);
    let right = post(format!("name=admin&password=correct+horse{right}")).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    assert!(right.cookie().is_some());
}

#[tokio::test]
async fn a_browser_that_signed_in_before_does_not_notice_that_strangers_guess() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    appliance.account("ana", false, true).await;
    let form = "name=admin&password=correct+horse";
    let answer = appliance.send(Browser::post("/login", form)).await;
    let known = answer.cookie_named("__Host-jumpgate-browser").unwrap();
    let ana = "name=ana&password=correct+horse";
    let answer = appliance.send(Browser::post("/login", ana)).await;
    let other = answer.cookie_named("__Host-jumpgate-browser").unwrap();
    assert_ne!(known, other);
    strangers_guess(&appliance).await;
    let try_with = |cookie: &str| {
        let request = Browser::post("/login", form).cookie(cookie);
        appliance.send(request.from([10, 0, 1, 1]))
    };
    assert_eq!(try_with(&known).await.status, StatusCode::SEE_OTHER);
    for unknown in [&other, "__Host-jumpgate-browser=00"] {
        let page = try_with(unknown).await;
        assert!(page.text.contains("data-challenge"), "{unknown}");
    }
    // The same cookie serves everybody who signs in with that browser.
    let request = Browser::post("/login", ana).cookie(&known);
    let answer = appliance.send(request).await;
    let kept = answer.cookie_named("__Host-jumpgate-browser").unwrap();
    assert_eq!(kept, known);
}

#[tokio::test]
async fn a_known_browser_guesses_no_more_than_anybody() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let form = "name=admin&password=correct+horse";
    let answer = appliance.send(Browser::post("/login", form)).await;
    let known = answer.cookie_named("__Host-jumpgate-browser").unwrap();
    for number in 0..=SIGN_INS_PER_ACCOUNT_MAX {
        let from = [10, 0, 0, u8::try_from(number).unwrap()];
        let form = "name=admin&password=wrong+password";
        let request = Browser::post("/login", form).cookie(&known).from(from);
        let answer = appliance.send(request).await;
        let held = number == SIGN_INS_PER_ACCOUNT_MAX;
        assert_eq!(answer.status == StatusCode::OK, held, "{number}");
    }
}

#[tokio::test]
async fn an_address_that_guesses_waits_whatever_it_solves() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    for number in 0..SIGN_INS_PER_ADDRESS_MAX {
        let form = format!("name=name{number}&password=wrong+password");
        let answer = appliance.send(Browser::post("/login", &form)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let form = "name=admin&password=correct+horse";
    let answer = appliance.send(Browser::post("/login", form)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 500);
    assert!(answer.text.contains("Please try again in"));
}

#[tokio::test]
async fn strangers_do_not_keep_anybody_from_changing_the_password() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let admin = appliance.sign_in("admin").await;
    strangers_guess(&appliance).await;
    let form = format!(
        "csrf={}&current=correct+horse&password=new+password&again=new+password",
        admin.csrf
    );
    let request = Browser::post("/login/account", &form).cookie(&admin.cookie);
    let answer = appliance.send(request).await;
    assert_eq!(answer.header("location"), "/login/account?changed=1");
}

#[tokio::test]
async fn signing_in_gives_a_new_token_and_closes_the_old_one() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let first = appliance.sign_in("admin").await;
    let form = "name=admin&password=correct+horse";
    let request = Browser::post("/login", form).cookie(&first.cookie);
    let second = appliance.send(request).await.cookie().unwrap();
    assert_ne!(first.cookie, second);
    let old = Browser::get("/login/account").cookie(&first.cookie);
    assert_eq!(appliance.send(old).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn whoever_is_not_signed_in_comes_back_to_the_page_after_signing_in() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let answer = appliance.get("/login/reports?page=2").await;
    assert_eq!(answer.header("location"), "/login?next=/login/reports");
    let form = "name=admin&password=correct+horse&next=%2Flogin%2Freports";
    let answer = appliance.send(Browser::post("/login", form)).await;
    assert_eq!(answer.header("location"), "/login/reports");
    let form = "name=admin&password=correct+horse&next=%2F%2Fevil.example";
    let answer = appliance.send(Browser::post("/login", form)).await;
    assert_eq!(answer.header("location"), "/login/status");
    let answer = appliance.get("/console").await;
    assert_eq!(answer.header("location"), "/console/sign-in");
}

#[tokio::test]
async fn signing_out_closes_the_sign_in_and_its_consoles() {
    let appliance = Appliance::new();
    let ana = appliance.account("ana", false, true).await.id;
    for (address, header) in [("/login/sign-out", false), ("/console/sign-out", true)] {
        let who = appliance.sign_in("ana").await;
        let form = if header {
            String::new()
        } else {
            format!("csrf={}", who.csrf)
        };
        let mut request = Browser::post(address, &form).cookie(&who.cookie);
        if header {
            request = request.header("x-csrf-token", &who.csrf);
        }
        let answer = appliance.send(request).await;
        assert!(
            answer.header("set-cookie").contains("Max-Age=0"),
            "{address}"
        );
        let again = Browser::get("/login/account").cookie(&who.cookie);
        assert_eq!(appliance.send(again).await.status, StatusCode::SEE_OTHER);
        let last = appliance.asked().pop();
        let Some(Asked::SignOut {
            account,
            sign_in: Some(_),
        }) = last
        else {
            panic!("{last:?}");
        };
        assert_eq!(account, ana);
    }
}

#[tokio::test]
async fn the_console_is_for_representatives() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    appliance.account("ana", false, true).await;
    let admin = appliance.sign_in("admin").await;
    let page = appliance
        .send(Browser::get("/console").cookie(&admin.cookie))
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("The console is for representatives"));
    let request = Browser::post("/console/ticket", "").cookie(&admin.cookie);
    let answer = appliance
        .send(request.header("x-csrf-token", &admin.csrf))
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);

    let ana = appliance.sign_in("ana").await;
    let page = appliance
        .send(Browser::get("/console").cookie(&ana.cookie))
        .await;
    assert_eq!(page.between("data-csrf=\"", "\""), ana.csrf);
    let request = Browser::post("/console/ticket", "").cookie(&ana.cookie);
    let answer = appliance
        .send(request.header("x-csrf-token", &ana.csrf))
        .await;
    assert!(answer.text.starts_with("{\"ticket\":"));
    let answer = appliance.send(Browser::post("/console/ticket", "")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.text, r#"{"error":"signed_out"}"#);
}

#[tokio::test]
async fn administrators_pages_are_closed_to_representatives() {
    let appliance = Appliance::new();
    let admin = appliance.account("admin", true, false).await.id.0;
    appliance.account("ana", false, true).await;
    let ana = appliance.sign_in("ana").await;
    for address in [
        "/login/status",
        "/login/representatives",
        "/login/representatives/1",
    ] {
        let answer = appliance
            .send(Browser::get(address).cookie(&ana.cookie))
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
    }
    let form = format!(
        "csrf={}&name=eve&display_name=Eve&password=correct+horse&again=correct+horse",
        ana.csrf
    );
    for address in [
        "/login/representatives".to_owned(),
        format!("/login/representatives/{admin}/password"),
        format!("/login/representatives/{admin}/disable"),
        format!("/login/representatives/{admin}/enable"),
    ] {
        let answer = appliance
            .send(Browser::post(&address, &form).cookie(&ana.cookie))
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
    }
    let page = appliance
        .send(Browser::get("/login/account").cookie(&ana.cookie))
        .await;
    assert!(!page.text.contains("/login/representatives"));
}

#[tokio::test]
async fn a_representative_is_made_signs_in_and_is_disabled_everywhere() {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let admin = appliance.sign_in("admin").await;
    let form = |name: &str| {
        format!(
            "csrf={}&name={name}&display_name=Ana+B.&password=correct+horse&again=correct+horse",
            admin.csrf
        )
    };
    let post = |address: &str, form: &str| Browser::post(address, form).cookie(&admin.cookie);
    let answer = appliance
        .send(post("/login/representatives", &form("Ana")))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let page = Browser::get(answer.header("location")).cookie(&admin.cookie);
    assert!(
        appliance
            .send(page)
            .await
            .text
            .contains("Ana B. may sign in now")
    );
    let answer = appliance
        .send(post("/login/representatives", &form("ana")))
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer
            .text
            .contains("The name ana is taken, choose another.")
    );
    let answer = appliance
        .send(post("/login/representatives", &form("a+b")))
        .await;
    assert!(answer.text.contains("An account name has 1 to 64 letters"));

    let ana = appliance.sign_in("ana").await;
    let csrf = format!("csrf={}", admin.csrf);
    let answer = appliance
        .send(post("/login/representatives/2/disable", &csrf))
        .await;
    assert_eq!(
        answer.header("location"),
        "/login/representatives/2?done=disabled"
    );
    let closed = Browser::get("/console").cookie(&ana.cookie);
    assert_eq!(appliance.send(closed).await.status, StatusCode::SEE_OTHER);
    let last = appliance.asked().pop();
    assert!(
        matches!(last, Some(Asked::SignOut { sign_in: None, .. })),
        "{last:?}"
    );
    let answer = appliance
        .send(post("/login/representatives/2/enable", &csrf))
        .await;
    assert_eq!(
        answer.header("location"),
        "/login/representatives/2?done=enabled"
    );
    appliance.sign_in("ana").await;
    let answer = appliance
        .send(post("/login/representatives/1/disable", &csrf))
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let rows = appliance
        .site
        .store
        .read(|c| audit::verify(c).map_err(|error| panic!("{error}")));
    assert!(rows.await.unwrap() >= 6);
}

#[tokio::test]
async fn changing_the_password_signs_out_everywhere_but_here() {
    let appliance = Appliance::new();
    appliance.account("ana", false, true).await;
    let elsewhere = appliance.sign_in("ana").await;
    let here = appliance.sign_in("ana").await;
    let form = |current: &str| {
        format!(
            "csrf={}&current={current}&password=new+password&again=new+password",
            here.csrf
        )
    };
    let request = Browser::post("/login/account", &form("wrong+password")).cookie(&here.cookie);
    let answer = appliance.send(request).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("This is not your password"));

    let request = Browser::post("/login/account", &form("correct+horse")).cookie(&here.cookie);
    let answer = appliance.send(request).await;
    assert_eq!(answer.header("location"), "/login/account?changed=1");
    let new = answer.cookie().unwrap();
    let page = Browser::get("/login/account?changed=1").cookie(&new);
    assert!(
        appliance
            .send(page)
            .await
            .text
            .contains("Your password is changed.")
    );
    for old in [&elsewhere.cookie, &here.cookie] {
        let page = Browser::get("/login/account").cookie(old);
        assert_eq!(appliance.send(page).await.status, StatusCode::SEE_OTHER);
    }
    let last = appliance.asked().pop();
    assert!(
        matches!(last, Some(Asked::SignOut { sign_in: None, .. })),
        "{last:?}"
    );
}
