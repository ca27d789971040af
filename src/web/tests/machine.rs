//! Status > Information on an appliance image: what the supervisor wrote about the machine.

use serde_json::{Value, json};

use super::*;

/// As the supervisor writes it: a development image on a machine that has too little.
pub(super) fn machine() -> Value {
    json!({
        "hardware": {
            "model": "va-s",
            "shortfall": "Virtual L needs 4096 MiB of memory and 4 cores, this machine has 967 and 2",
            "product": "Standard PC <Q35>", "serial": "VM-0815", "memory_mib": 967, "memory_used_mib": 90, "cores": 2,
        },
        "image": {
            "version": "1.4.0", "built": 1_764_000_000_000_i64, "commit": "a8b32d9c41e0",
            "channel": "development", "backend": "debian",
        },
        "boot": {
            "slot": { "system": "a" }, "disk": "vda", "watchdogs": 1,
            "slots": [
                { "system": "a", "version": "1.4.0", "state": "on_trial", "tries_left": 2 },
                { "system": "b", "version": "1.3.2", "state": "exhausted" },
            ],
        },
        "health": { "health": "serving" },
        "network": {
            "interfaces": [
                { "name": "eth0", "hardware_address": "52:54:00:12:34:56", "has_link": true,
                  "addresses": ["10.0.2.15"] },
                { "name": "eth1", "hardware_address": "52:54:00:12:34:57", "has_link": false,
                  "addresses": [] },
            ],
            "used": "eth0", "addresses": ["10.0.2.15"], "gateways": ["10.0.2.2"],
            "dns": ["10.0.2.3"], "ntp": ["ntp.example.com"],
            "trouble": "eth0: the router does not answer",
        },
        "clock": { "source": "floor", "confirmed": null, "floor": 1_764_000_000_000_i64 },
        "storage": { "bytes": 8_589_934_592_u64, "free_bytes": 0,
                     "trouble": "the data partition is full" },
        "rescue": null,
    })
}

async fn appliance(machine: &Value) -> (Appliance, SignedIn) {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    std::fs::write(appliance.site.paths.machine(), machine.to_string()).unwrap();
    let admin = appliance.sign_in("admin").await;
    (appliance, admin)
}

async fn page(appliance: &Appliance, admin: &SignedIn) -> String {
    let request = Browser::get("/login/status").cookie(&admin.cookie);
    let answer = appliance.send(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.text
}

#[tokio::test]
async fn a_development_image_cannot_be_mistaken_for_a_release() {
    let (appliance, admin) = appliance(&machine()).await;
    let text = page(&appliance, &admin).await;
    for words in [
        "<span class=\"mark\">DEVELOPMENT IMAGE</span>",
        "This is a development image, not a release.",
        "<span class=\"badge bad\">DEVELOPMENT</span>",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let mut release = machine();
    release["image"]["channel"] = json!("release");
    std::fs::write(appliance.site.paths.machine(), release.to_string()).unwrap();
    let text = page(&appliance, &admin).await;
    assert!(!text.contains("evelopment image") && !text.contains("DEVELOPMENT"));
    assert!(text.contains("<span class=\"badge good\">Release</span>"));
}

#[tokio::test]
async fn the_machine_is_told_with_its_reasons() {
    let (appliance, admin) = appliance(&machine()).await;
    let text = page(&appliance, &admin).await;
    for words in [
        "this machine has 967 and 2.",
        "VM-0815",
        "Standard PC &#60;Q35&#62;",
        "1.4.0, on trial, 2 tries left",
        "Version 1.3.2 in slot B was tried and given up",
        "The data partition is full.",
        "eth0: the router does not answer.",
        "eth1 52:54:00:12:34:57 (no cable)",
        "No time server has confirmed the clock.",
        "Proving itself",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    // Worst first.
    let at = |words: &str| text.find(words).unwrap();
    assert!(at("notice bad") < at("notice warn"));
    assert!(!text[at("notice warn")..].contains("notice bad"));
}

#[tokio::test]
async fn programs_get_the_same_if_an_administrator_asks() {
    let (appliance, admin) = appliance(&machine()).await;
    let anonymous = appliance.get("/api/v1/status").await.text;
    assert!(!anonymous.contains("machine"), "{anonymous}");
    let request = Browser::get("/api/v1/status").cookie(&admin.cookie);
    let told: Value = serde_json::from_str(&appliance.send(request).await.text).unwrap();
    assert_eq!(told["machine"], machine());
    assert_eq!(told["status"], "ok");
}

#[tokio::test]
async fn facts_of_another_version_are_left_out() {
    let mut newer = machine();
    newer["sound"] = json!("loud");
    let (appliance, admin) = appliance(&newer).await;
    let text = page(&appliance, &admin).await;
    assert!(!text.contains("VM-0815") && text.contains("<h2>Appliance</h2>"));
    let request = Browser::get("/api/v1/status").cookie(&admin.cookie);
    let told: Value = serde_json::from_str(&appliance.send(request).await.text).unwrap();
    assert!(told.get("machine").is_none());
}
