//! The customer client as a customer downloads it.

use super::Bench;
use super::row::Row;
use super::support::{Appliance, Raw};

/// MB, not MiB: what a browser shows.
const DOWNLOAD_MAX_MB: f64 = 8.0;

/// Downloads it through the front door and counts.
pub async fn measure(bench: &Bench) -> Vec<Row> {
    let appliance = Appliance::start(&bench.programs).await;
    let ada = appliance.representative("ada").await;
    let key = appliance.key(&ada, None).await;
    let mut browser = Raw::tls(&appliance, &[b"http/1.1"]).await;
    let request = format!(
        "GET /download/linux?ak={} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
        key.ak.reveal(),
        appliance.https()
    );
    browser.send(request.as_bytes()).await;
    let head = browser.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (file, _) = browser.until_closed().await;
    assert!(file.starts_with(b"\x7fELF"), "no program was downloaded");
    assert!(file.ends_with(b"JUMPGATE"), "without its pass");
    let bytes = u32::try_from(file.len()).unwrap();
    vec![Row::below(
        "customer client download",
        "MB",
        f64::from(bytes) / 1e6,
        DOWNLOAD_MAX_MB,
    )]
}
