//! Appliance > Updates, with an update agent that speaks the real protocol on a real socket.

use std::io::Read as _;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::*;
use crate::control::machine::{Channel, System, notice};
use crate::control::update::Reply as Told;
use crate::control::update::{
    Accept, Automatic, Happened, Line, Offer, Phase, Request as Order, Settings, Status, Verdict,
    Way, What, When, Who, Window,
};
use crate::domain::Text;
use crate::domain::limits::BUNDLE_METADATA_BYTES_MAX;
use crate::store::sessions;

/// What the agent was asked, and what followed it.
pub(super) type Heard = Arc<Mutex<Vec<(Order, Vec<u8>)>>>;

/// Starts an agent that reads what follows a request and answers as `answer` says.
pub(super) fn agent(
    appliance: &Appliance,
    answer: impl Fn(&Order) -> Told + Send + Sync + 'static,
) -> Heard {
    let listener = UnixListener::bind(appliance.site.paths.update_socket()).unwrap();
    let heard = Heard::default();
    let (told, answer) = (heard.clone(), Arc::new(answer));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (told, answer) = (told.clone(), answer.clone());
            thread::spawn(move || talk(stream.unwrap(), &told, &*answer));
        }
    });
    heard
}

fn talk(mut stream: UnixStream, heard: &Heard, answer: &dyn Fn(&Order) -> Told) {
    let order: Order = wire::read(&mut stream).unwrap().unwrap();
    let bytes = match &order {
        Order::Examine { bytes } => u64::from(*bytes),
        Order::Install { bytes, .. } => *bytes,
        _ => 0,
    };
    let mut follows = Vec::new();
    (&mut stream).take(bytes).read_to_end(&mut follows).unwrap();
    let reply = answer(&order);
    if !matches!(order, Order::Status) {
        heard.lock().unwrap().push((order, follows));
    }
    wire::write(&mut stream, &reply).unwrap();
}

pub(super) fn status(phase: Phase) -> Status {
    Status {
        phase,
        offer: None,
        checked: None,
        settings: Settings::default(),
        source: None,
        history: Vec::new(),
        root_version: 3,
        security_epoch: 1,
        blocked: None,
        news: None,
    }
}

fn offer() -> Offer {
    Offer {
        version: Text::try_from("0.6.0").unwrap(),
        sequence: 6,
        model: Model::B200,
        channel: Channel::Release,
        built: Stamp(1_764_000_000_000),
        notes: "Faster.\nSafer <b>.".into(),
        bytes: 48 << 20,
        failed_before: false,
    }
}

/// An agent that follows every order while nothing goes on.
fn willing(order: &Order) -> Told {
    match order {
        Order::Status => Told::Status(Box::new(status(Phase::Idle))),
        Order::Examine { .. } => Told::Verdict(Box::new(Verdict {
            offer: offer(),
            needs: Accept::default(),
            expired: heapless::Vec::new(),
            refused: None,
        })),
        _ => Told::Done,
    }
}

pub(super) async fn administrated() -> (Appliance, SignedIn) {
    let appliance = Appliance::new();
    appliance.account("admin", true, false).await;
    let admin = appliance.sign_in("admin").await;
    (appliance, admin)
}

pub(super) async fn page(appliance: &Appliance, admin: &SignedIn, address: &str) -> Answer {
    appliance
        .send(Browser::get(address).cookie(&admin.cookie))
        .await
}

/// A script's POST with a body of bytes.
fn bytes(admin: &SignedIn, address: &str, body: impl Into<Body>) -> Browser {
    let Browser(mut request) = Browser::post(address, "")
        .cookie(&admin.cookie)
        .header("x-csrf-token", &admin.csrf)
        .header("content-type", "application/octet-stream");
    *request.body_mut() = body.into();
    Browser(request)
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text).unwrap()
}

#[tokio::test]
async fn without_an_agent_the_page_says_that_updates_are_for_images() {
    let (appliance, admin) = administrated().await;
    let answer = page(&appliance, &admin, "/login/updates").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.contains("Updates are for appliance images."));
    assert!(!answer.text.contains("<form class=\"form"));
    let answer = page(&appliance, &admin, "/login/updates/status").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let why = json_of(&answer)["error"].to_string();
    assert!(why.contains("appliance images"), "{why}");
    // Nor is anything of it on the page that everybody looks at.
    let answer = page(&appliance, &admin, "/login/status").await;
    assert!(!answer.text.contains("update agent"));
}

#[tokio::test]
async fn only_administrators_get_in_and_only_with_their_own_token() {
    let (appliance, admin) = administrated().await;
    let heard = agent(&appliance, willing);
    appliance.account("ana", false, true).await;
    let ana = appliance.sign_in("ana").await;
    for address in ["/login/updates", "/login/updates/status"] {
        let answer = page(&appliance, &ana, address).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
        assert_eq!(
            page(&appliance, &admin, address)
                .await
                .header("cache-control"),
            "no-store"
        );
    }
    let signed_out = appliance.get("/login/updates/status").await;
    assert_eq!(signed_out.status, StatusCode::UNAUTHORIZED);
    for address in ["/login/updates/examine", "/login/updates/install"] {
        let sent = |request: Browser| appliance.send(request.header("content-length", "3"));
        let answer = sent(bytes(&ana, address, "abc")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
        assert_eq!(json_of(&answer)["error"], "not_allowed");
        let answer = sent(bytes(&admin, address, "abc").header("x-csrf-token", &ana.csrf)).await;
        assert_eq!(json_of(&answer)["error"], "stale");
    }
    for address in ["check", "install-offered", "restart", "settings"] {
        let address = format!("/login/updates/{address}");
        for who in [&ana, &admin] {
            let form = format!("csrf={}&when=now", ana.csrf);
            let request = Browser::post(&address, &form).cookie(&who.cookie);
            let answer = appliance.send(request).await;
            assert!(
                answer.status.is_client_error(),
                "{address} {}",
                answer.status
            );
        }
    }
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_s_beginning_gets_a_verdict() {
    let (appliance, admin) = administrated().await;
    let heard = agent(&appliance, willing);
    let request = bytes(&admin, "/login/updates/examine", vec![7; 100_000]);
    let answer = appliance.send(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(json_of(&answer)["offer"]["version"], "0.6.0");
    let (order, follows) = heard.lock().unwrap().remove(0);
    assert!(matches!(order, Order::Examine { bytes: 100_000 }));
    assert_eq!(follows, vec![7; 100_000]);
    let long = vec![7; BUNDLE_METADATA_BYTES_MAX + 53];
    let answer = appliance
        .send(bytes(&admin, "/login/updates/examine", long))
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_passes_through_whole_with_who_sent_it() {
    let (appliance, admin) = administrated().await;
    let heard = agent(&appliance, willing);
    let file: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let address = "/login/updates/install?older=true&expired=false";
    let request = bytes(&admin, address, file.clone())
        .header("content-length", "3000000")
        .from([203, 0, 113, 9]);
    let answer = appliance.send(request).await;
    assert_eq!(answer.text.trim_start(), r#"{"done":true}"#);
    let (order, follows) = heard.lock().unwrap().remove(0);
    assert!(follows == file);
    let Order::Install {
        who,
        bytes: length,
        accept,
    } = order
    else {
        panic!("{order:?}");
    };
    assert_eq!(length, 3_000_000);
    assert_eq!((accept.older, accept.expired), (true, false));
    assert_eq!(who.way, Way::Page);
    assert_eq!(who.account.unwrap().as_str(), "admin");
    assert_eq!(who.address.unwrap().to_string(), "203.0.113.9:50000");
    let without = bytes(&admin, "/login/updates/install", "abc");
    let answer = appliance.send(without).await;
    assert_eq!(answer.status, StatusCode::LENGTH_REQUIRED);
}

#[tokio::test]
async fn what_the_agent_refuses_is_said_in_its_words() {
    let (appliance, admin) = administrated().await;
    agent(&appliance, |order| match order {
        Order::Status => willing(order),
        _ => Told::Refused {
            why: notice("a version is ready already"),
        },
    });
    for address in ["/login/updates/install", "/login/updates/examine"] {
        let request = bytes(&admin, address, vec![0; 500_000]).header("content-length", "500000");
        let answer = appliance.send(request).await;
        let told: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(told["error"], "A version is ready already.");
    }
    let form = format!("csrf={}&when=window", admin.csrf);
    let request = Browser::post("/login/updates/restart", &form).cookie(&admin.cookie);
    let answer = appliance.send(request).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("A version is ready already."));
}

#[tokio::test]
async fn orders_reach_the_agent_as_they_were_given() {
    let (appliance, admin) = administrated().await;
    let heard = agent(&appliance, willing);
    for (address, form, leads_to) in [
        ("check", "", "check"),
        ("install-offered", "", "install"),
        ("restart", "when=now", "restart"),
        ("restart", "when=window", "restart"),
        ("restart", "when=later", "later"),
        (
            "settings",
            "automatic=download&day=6&time=23%3A30&line=early&source=https%3A%2F%2Fu.example%2Fx",
            "settings",
        ),
    ] {
        let form = format!("csrf={}&{form}", admin.csrf);
        let request = Browser::post(&format!("/login/updates/{address}"), &form);
        let answer = appliance.send(request.cookie(&admin.cookie)).await;
        let to = format!("/login/updates?done={leads_to}");
        assert_eq!(answer.header("location"), to, "{}", answer.text);
        let shown = page(&appliance, &admin, &to).await.text;
        assert!(shown.contains("notice good\" role=\"status\""), "{to}");
    }
    let heard = heard.lock().unwrap();
    let orders: Vec<&Order> = heard.iter().map(|(order, _)| order).collect();
    assert!(matches!(
        orders[0],
        Order::Check {
            who: Who { way: Way::Page, .. }
        }
    ));
    assert!(matches!(orders[1], Order::InstallOffered { .. }));
    assert!(matches!(
        orders[2],
        Order::Restart {
            when: When::Now,
            ..
        }
    ));
    assert!(matches!(
        orders[3],
        Order::Restart {
            when: When::Window,
            ..
        }
    ));
    assert!(matches!(
        orders[4],
        Order::Restart {
            when: When::Later,
            ..
        }
    ));
    let Order::Set { settings, .. } = orders[5] else {
        panic!("{orders:?}");
    };
    let expected = Settings {
        automatic: Automatic::Download,
        window: Window {
            day: Some(6),
            minute: 1_410,
        },
        line: Line::Early,
        source: Some(Text::try_from("https://u.example/x/").unwrap()),
    };
    assert_eq!(settings, &expected);
}

#[tokio::test]
async fn settings_that_are_none_are_shown_again_with_what_is_wrong() {
    let (appliance, admin) = administrated().await;
    let heard = agent(&appliance, willing);
    let form = format!(
        "csrf={}&automatic=off&day=&time=02:00&line=stable&source=http%3A%2F%2Fu.example",
        admin.csrf
    );
    let request = Browser::post("/login/updates/settings", &form).cookie(&admin.cookie);
    let answer = appliance.send(request).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for words in [
        "An address begins with https:// and a name.",
        "value=\"http://u.example\"",
        "<option value=\"off\" selected>",
    ] {
        assert!(answer.text.contains(words), "{words}");
    }
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_goes_on_is_shown_with_what_to_do_next() {
    let version = || Text::try_from("0.6.0").unwrap();
    let writing = Phase::Writing {
        version: version(),
        bytes: 16 << 20,
        of: 48 << 20,
        millis: 2_000,
    };
    let ready = |restart| Phase::Ready {
        version: version(),
        slot: System::B,
        restart,
    };
    for (phase, shown, hidden) in [
        (Phase::Idle, "id=\"update-file\"", "Restart now"),
        (writing, "8.0 MiB/s, 4 s left", "id=\"update-file\""),
        (ready(None), "waits until somebody says when", "Not yet"),
        (
            ready(Some(Stamp(1_787_313_600_000))),
            "restarts at Friday 21 August 2026, 12:00:00 UTC",
            "id=\"update-file\"",
        ),
        (
            Phase::Proving { version: version() },
            "the version before starts again by itself",
            "Restart now",
        ),
    ] {
        let (appliance, admin) = administrated().await;
        let now = phase.clone();
        agent(&appliance, move |_| {
            Told::Status(Box::new(status(now.clone())))
        });
        let text = page(&appliance, &admin, "/login/updates").await.text;
        assert!(text.contains(shown), "{phase:?}: {shown} in {text}");
        assert!(!text.contains(hidden), "{phase:?}: {hidden}");
        let told = page(&appliance, &admin, "/login/updates/status").await;
        let told: Status = serde_json::from_str(&told.text).unwrap();
        assert_eq!(told.phase, phase);
        let text = page(&appliance, &admin, "/login/status").await.text;
        let is_told = text.contains("href=\"/login/updates\">Updates</a></p>");
        let matters = matches!(phase, Phase::Ready { .. } | Phase::Proving { .. });
        assert_eq!(is_told, matters, "{phase:?}");
    }
}

#[tokio::test]
async fn open_sessions_are_counted_before_a_restart() {
    let appliance = Appliance::with_relay(|asked| match asked {
        Asked::Status => {
            let mut now = snapshot();
            (now.sessions.running, now.sessions.waiting) = (2, 1);
            Reply::Status(Box::new(now))
        }
        other => relay(other),
    });
    appliance.account("admin", true, false).await;
    let admin = appliance.sign_in("admin").await;
    agent(&appliance, |_| {
        Told::Status(Box::new(status(Phase::Ready {
            version: Text::try_from("0.6.0").unwrap(),
            slot: System::B,
            restart: None,
        })))
    });
    let ana = appliance.account("ana", false, true).await;
    let mut row = crate::store::testing::session(7, ana.id, "Kim <i>Lee</i>");
    row.owner_name = label("Ana");
    appliance.write(move |tx| sessions::start(tx, &row)).await;
    let text = page(&appliance, &admin, "/login/updates").await.text;
    assert!(text.contains("3 support sessions are open."), "{text}");
    let named =
        "<strong>Ana</strong> is waited for by <strong>Kim &#60;i&#62;Lee&#60;/i&#62;</strong>";
    assert!(text.contains(named), "{text}");
    assert!(text.contains("Restart in the window"), "{text}");
}

#[tokio::test]
async fn an_offer_has_its_notes_and_a_version_that_went_back_its_reason() {
    let (appliance, admin) = administrated().await;
    agent(&appliance, |_| {
        let mut now = status(Phase::Idle);
        now.offer = Some(offer());
        let happened = Happened {
            at: Stamp(1_787_313_600_000),
            who: Who::default(),
            version: Some(Text::try_from("0.5.9").unwrap()),
            from: Text::try_from("0.5.0").unwrap(),
            what: What::WentBack,
            why: Some(notice("the relay did not carry a session")),
            manifest: None,
            keys: heapless::Vec::new(),
        };
        now.history.push(happened);
        Told::Status(Box::new(now))
    });
    let text = page(&appliance, &admin, "/login/updates").await.text;
    for words in [
        "Version 0.6.0 is available",
        "Safer &#60;b&#62;.",
        "Install 0.6.0",
        "48.0 MiB",
        "Version 0.5.9 did not prove itself.",
        "The relay did not carry a session. The appliance went back to version 0.5.0",
        "<span class=\"badge bad\">Went back</span>",
        "Command line",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let text = page(&appliance, &admin, "/login/status").await.text;
    assert!(text.contains("Version 0.5.9 did not prove itself."));
}

#[tokio::test]
async fn both_slots_are_shown_as_the_boot_loader_sees_them() {
    let (appliance, admin) = administrated().await;
    agent(&appliance, willing);
    let mut facts = super::machine::machine();
    facts["boot"]["slots"] = json!([
        { "system": "a", "version": "1.4.0", "state": "good", "tries_left": 3 },
        { "system": "b", "version": "1.3.2", "state": "exhausted" },
    ]);
    std::fs::write(appliance.site.paths.machine(), facts.to_string()).unwrap();
    let text = page(&appliance, &admin, "/login/updates").await.text;
    for words in [
        "Version 1.4.0 runs",
        "Runs now",
        "Version 1.3.2",
        "Failed to start",
        "DEVELOPMENT IMAGE",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
}
