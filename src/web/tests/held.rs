//! While a new version proves itself.

use super::*;
use crate::store::generation;

const WORDS: &str = "A new version is proving itself";

/// Version 2 on trial; version 1's store counts.
fn on_trial() -> Appliance {
    let (sequence, trial) = (2, true);
    let appliance = Appliance::of_generation(Some(Generation { sequence, trial }));
    generation::point_to(&appliance.site.paths.store_folder(), 1).unwrap();
    appliance
}

/// Every form that changes an account or a setting.
fn changes(csrf: &str, other: i64) -> Vec<Browser> {
    let passwords = "password=another+good+one&again=another+good+one";
    let of = |page: &str| format!("/login/representatives{page}");
    let own = "/login/account".to_owned();
    [
        (own, format!("current=correct+horse&{passwords}")),
        (of(""), format!("name=new&display_name=New&{passwords}")),
        (of(&format!("/{other}/password")), passwords.to_owned()),
        (of(&format!("/{other}/disable")), String::new()),
        (of(&format!("/{other}/enable")), String::new()),
    ]
    .map(|(page, form)| Browser::post(&page, &format!("csrf={csrf}&{form}")))
    .into()
}

#[tokio::test]
async fn changes_are_held_until_the_version_has_proved_itself() {
    let appliance = on_trial();
    appliance.account("admin", true, false).await;
    let other = appliance.account("ana", false, true).await;
    let who = appliance.sign_in("admin").await;
    let before = appliance.site.store.read(accounts::list).await.unwrap();
    for change in changes(&who.csrf, other.id.0) {
        let answer = appliance.send(change.cookie(&who.cookie)).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(answer.text.contains(WORDS), "{}", answer.text);
    }
    let setup = Browser::post("/login/setup", "token=0&password=a&again=a");
    assert_eq!(appliance.send(setup).await.status, StatusCode::CONFLICT);
    let after = appliance.site.store.read(accounts::list).await.unwrap();
    assert_eq!(before, after);

    generation::point_to(&appliance.site.paths.store_folder(), 2).unwrap();
    let form = changes(&who.csrf, other.id.0).remove(1);
    let answer = appliance.send(form.cookie(&who.cookie)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
}

#[tokio::test]
async fn every_page_below_login_says_so_and_no_other() {
    let appliance = on_trial();
    appliance.account("admin", true, true).await;
    for page in ["/login", "/login/setup?token=0"] {
        assert!(appliance.get(page).await.text.contains(WORDS), "{page}");
    }
    let who = appliance.sign_in("admin").await;
    let pages = ["account", "status", "representatives", "reports"];
    for page in pages.map(|page| format!("/login/{page}")) {
        let page = appliance
            .send(Browser::get(&page).cookie(&who.cookie))
            .await;
        assert_eq!(page.text.matches(WORDS).count(), 1, "{}", page.text);
    }
    for page in ["/", "/console/sign-in"] {
        assert!(!appliance.get(page).await.text.contains(WORDS), "{page}");
    }
    generation::point_to(&appliance.site.paths.store_folder(), 2).unwrap();
    assert!(!appliance.get("/login").await.text.contains(WORDS));
}

#[tokio::test]
async fn signing_in_and_out_goes_on() {
    let appliance = on_trial();
    appliance.account("ana", false, true).await;
    let who = appliance.sign_in("ana").await;
    let form = format!("csrf={}", who.csrf);
    let out = Browser::post("/login/sign-out", &form).cookie(&who.cookie);
    assert_eq!(appliance.send(out).await.status, StatusCode::SEE_OTHER);
}
