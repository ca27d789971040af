#![allow(clippy::unwrap_used)] // Only tests use this file; clippy cannot see that.
use super::*;
use crate::agent::stand_in::StandIn;
use crate::domain::Secret;
use tokio::net::TcpListener;

fn dialer(address: &SiteAddress, link_key: Fingerprint) -> Dialer {
    Dialer::new(address.clone(), link_key, |_| None).unwrap()
}

#[tokio::test]
async fn the_appliance_with_the_pinned_key_is_trusted() {
    let site = StandIn::new().await;
    let dialer = dialer(&site.address, site.link_key);
    let (done, accepted) = tokio::join!(dialer.dial(), site.accept());
    assert!(done.unwrap().local.is_loopback());
    accepted.unwrap();
}

#[tokio::test]
async fn a_machine_with_another_key_is_refused_before_anything_is_said() {
    let (site, other) = (StandIn::new().await, StandIn::new().await);
    let dialer = dialer(&other.address, site.link_key);
    let (done, accepted) = tokio::join!(dialer.dial(), other.accept());
    assert!(matches!(done, Err(DialError::WrongKey)), "{done:?}");
    assert!(accepted.is_err());
}

#[tokio::test]
async fn a_server_that_does_not_speak_the_link_protocol_is_refused() {
    let site = StandIn::speaking(b"h2").await;
    let dialer = dialer(&site.address, site.link_key);
    let (done, _) = tokio::join!(dialer.dial(), site.accept());
    assert!(matches!(done, Err(DialError::Tls(_))), "{done:?}");
}

#[tokio::test]
async fn a_closed_port_is_said_to_be_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let dialed = dialer(&address.parse().unwrap(), Fingerprint::of(b""))
        .dial()
        .await;
    assert!(
        matches!(&dialed, Err(DialError::Connect { place, .. }) if *place == address),
        "{dialed:?}"
    );
}

/// A proxy that wants one user name and password, and then carries bytes for one connection.
async fn serve_proxy(listener: TcpListener, to: SiteAddress) {
    loop {
        let (mut inside, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            inside.read_buf(&mut head).await.unwrap();
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with(&format!("CONNECT {to} HTTP/1.1\r\n")));
        if head.contains("Proxy-Authorization: Basic YW5uOnM6Mw==\r\n") {
            inside.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut outside = TcpStream::connect(to.to_string()).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
            return;
        }
        let answer = "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"Lab\"\r\n\
                      Content-Length: 2\r\n\r\nno";
        inside.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_proxy_is_given_credentials_once_it_asks() {
    let site = StandIn::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(serve_proxy(listener, site.address.clone()));
    let environment = |name: &str| (name == "https_proxy").then(|| proxy.clone());
    let mut dialer = Dialer::new(site.address.clone(), site.link_key, environment).unwrap();

    let asked = dialer.dial().await;
    assert!(
        matches!(&asked, Err(DialError::ProxyCredentials { realm, refused: false }) if realm == "Lab"),
        "{asked:?}"
    );
    let credentials = |password: &str| Credentials {
        user: "ann".to_owned(),
        password: Secret::new(password.to_owned()),
    };
    dialer.set_credentials(credentials("wrong"));
    let asked = dialer.dial().await;
    assert!(matches!(
        asked,
        Err(DialError::ProxyCredentials { refused: true, .. })
    ));
    dialer.set_credentials(credentials("s:3"));
    let (done, accepted) = tokio::join!(dialer.dial(), site.accept());
    done.unwrap();
    accepted.unwrap();
}
