//! `GET /start?ak=…`: the two ways into a session.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;

use super::download::{file_name, site_address};
use super::key::bad_link;
use super::look_up_link;
use crate::web::http::{Failure, Peer};
use crate::web::site::Site;
use crate::web::view::{self, View};

#[derive(Template)]
#[template(path = "start.html", config = "src/web/askama.toml")]
struct Start {
    view: View,
    representative: String,
    ak: String,
    linux: bool,
    client: Option<Client>,
}

/// The customer client for this session.
struct Client {
    file: String,
    address: String,
    whole_address: String,
}

#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    pub(super) ak: String,
}

/// What the customer can do on this computer.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Peer(peer): Peer,
    Query(link): Query<Link>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let found = match look_up_link(&site, &link.ak, peer).await? {
        Ok(found) => found,
        Err(problem) => return Ok(bad_link(&site, problem)),
    };
    let agent = headers.get(header::USER_AGENT);
    let linux = runs_linux(agent.and_then(|agent| agent.to_str().ok()).unwrap_or(""));
    let ak = found.ak.reveal();
    let client = (linux && site.endpoint.is_some()).then(|| {
        let address = format!("/download/linux?ak={ak}");
        Client {
            file: file_name(&found.ak),
            whole_address: format!("https://{}{address}", site_address(&site, &headers)),
            address,
        }
    });
    Ok(view::page(&Start {
        view: View::new(&site),
        representative: found.representative,
        ak,
        linux,
        client,
    }))
}

/// What the browser says it runs on. Android is a Linux without a terminal to start a client in,
/// and Chrome OS one without our kind of programs.
fn runs_linux(agent: &str) -> bool {
    agent.contains("Linux") && !agent.contains("Android") && !agent.contains("CrOS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_desktop_linux_is_offered_the_client() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        assert!(runs_linux(firefox));
        for other in [
            "",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36",
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36",
        ] {
            assert!(!runs_linux(other), "{other}");
        }
    }
}
