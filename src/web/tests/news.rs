//! What is new in the version that runs, between signing in and going on.

use super::updates::{administrated, agent, page, status};
use super::*;
use crate::control::update::{News, Phase, Reply as Told};
use crate::domain::Text;

#[tokio::test]
async fn what_is_new_is_shown_at_the_next_sign_in_once_to_each_person() {
    let appliance = Appliance::new();
    for (name, administrator) in [("admin", true), ("rita", false)] {
        appliance.account(name, administrator, !administrator).await;
    }
    let proved = |version: &str| {
        let mut now = status(Phase::Idle);
        now.news = Some(News {
            version: Text::try_from(version).unwrap(),
            notes: "Sessions go on <b>by themselves</b>.".into(),
        });
        Told::Status(Box::new(now))
    };
    agent(&appliance, move |_| proved("0.6.0"));
    for (door, name, to) in [
        ("/login", "admin", "/login/status"),
        ("/console/sign-in", "rita", "/console"),
    ] {
        let form = format!("name={name}&password=correct+horse");
        let sign_in = || appliance.send(Browser::post(door, &form));
        let answer = sign_in().await;
        let news = format!("/login/news?to={to}");
        assert_eq!(answer.header("location"), news);
        let cookie = answer.cookie().unwrap();
        let shown = appliance.send(Browser::get(&news).cookie(&cookie)).await;
        for words in ["version 0.6.0", "Sessions go on &#60;b&#62;by themselves"] {
            assert!(shown.text.contains(words), "{words} in {}", shown.text);
        }
        // Who only looked is shown it again.
        assert_eq!(sign_in().await.header("location"), news);
        let cookie = sign_in().await.cookie().unwrap();
        let shown = appliance.send(Browser::get(&news).cookie(&cookie)).await;
        let csrf = shown.between("name=\"csrf\" value=\"", "\"");
        let form = format!("csrf={csrf}&to={to}&version=0.6.0");
        let read = Browser::post("/login/news", &form).cookie(&cookie);
        assert_eq!(appliance.send(read).await.header("location"), to);
        assert_eq!(sign_in().await.header("location"), to);
        let again = appliance.send(Browser::get(&news).cookie(&cookie)).await;
        assert_eq!(again.header("location"), to);
    }
}

#[tokio::test]
async fn news_lead_only_to_our_own_pages() {
    let (appliance, admin) = administrated().await;
    for to in [
        "https://evil.example/",
        "//evil.example",
        "/login//evil.example",
    ] {
        let answer = page(&appliance, &admin, &format!("/login/news?to={to}")).await;
        assert_eq!(answer.header("location"), "/login/status", "{to}");
    }
}
