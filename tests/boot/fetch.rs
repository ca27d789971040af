//! Versions from a server, over HTTPS.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::server::{FROM_A_GUEST, Server};
use crate::support::{Admin, Disk, Image, Machine, Setup, Variant, run};

/// A look at the source, or all of a version, by emulation.
const FETCHED: Duration = Duration::from_secs(180);

#[test]
fn what_the_maker_offers_is_fetched_over_https_and_resumed_where_it_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(folder.path().join("repository"));
    let certificate = folder.path().join("certificate.der");
    fs::write(&certificate, &server.certificate).unwrap();
    let ours = Variant::new(&Image::under_test(), 0, |root| {
        let place = |name: &str| root.join("etc/jumpgate").join(name);
        let source = server.address(FROM_A_GUEST);
        fs::write(place("update-source"), source + "/\n").unwrap();
        let mut convert = Command::new("openssl");
        convert.args(["x509", "-inform", "DER", "-in"]);
        convert.arg(&certificate).arg("-out");
        run(convert.arg(place("update-authorities.pem")));
    });
    let newer = Variant::new(&Image::under_test(), 1, |_| {});
    newer.update_into(&folder.path().join("repository"));
    server.trouble().breaks = vec![5_000_000];

    let disk = Disk::flashed(&ours.image());
    let mut machine = Machine::start(&disk, &Setup::default());
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");
    let status = admin.may_update(&machine);
    assert!(status["source"].as_str().unwrap().contains(FROM_A_GUEST));
    admin.order(&machine, "check", &[]);
    let status = admin.sees(&machine, FETCHED, |status| status["checked"].is_object());
    assert!(status["checked"]["trouble"].is_null(), "{status:#}");
    assert_eq!(status["offer"]["version"], newer.version());
    admin.order(&machine, "install-offered", &[]);
    admin.sees(&machine, FETCHED, |status| {
        status["phase"]["phase"] == "ready"
    });
    let fetched = server.payloads();
    assert_eq!((fetched.len(), fetched[0].sent), (2, 5_000_000));
    assert!(fetched[1].from > 4_000_000, "{fetched:?}");
}
