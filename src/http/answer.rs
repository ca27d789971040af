//! The few answers the front door gives by itself.

use super::head::{HeadError, Plain};

/// Two years, as the web side's pages say it too. On plain HTTP browsers ignore it (RFC 6797, 8.1).
const HSTS: &str = "Strict-Transport-Security: max-age=63072000";

/// Sends a browser to the same page on HTTPS. `site` stands in for a missing host.
pub fn redirect(plain: &Plain, site: &str, https_port: u16) -> Vec<u8> {
    let host = plain.host.as_deref().unwrap_or(site);
    let port = if https_port == 443 {
        String::new()
    } else {
        format!(":{https_port}")
    };
    let target: String = plain
        .target
        .chars()
        .filter(char::is_ascii_graphic)
        .collect();
    let location = format!("Location: https://{host}{port}{target}\r\n");
    answer(
        "308 Permanent Redirect",
        &location,
        "This site is served over HTTPS only.\n",
    )
}

/// Refuses a first request.
pub fn refusal(error: HeadError) -> Vec<u8> {
    let status = match error {
        HeadError::TooLong => "431 Request Header Fields Too Large",
        HeadError::Malformed => "400 Bad Request",
        HeadError::NoUpgrade => "426 Upgrade Required",
        HeadError::ForeignOrigin | HeadError::NoTicket => "403 Forbidden",
    };
    answer(status, "", &format!("{error}\n"))
}

/// A ticket that is used, too old or unknown.
pub fn bad_ticket() -> Vec<u8> {
    answer("403 Forbidden", "", "the ticket is used or too old\n")
}

/// The web side is not there just now.
pub fn unavailable() -> Vec<u8> {
    let text = "The site is starting. Please load this page again in a few seconds.\n";
    answer("503 Service Unavailable", "Retry-After: 2\r\n", text)
}

/// Finishes a WebSocket's opening handshake (RFC 6455, 4.2.2).
pub fn switch(key: &str) -> Vec<u8> {
    let accept = super::websocket::accept(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{HSTS}\r\n\r\n"
    )
    .into_bytes()
}

fn answer(status: &str, headers: &str, text: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\n{headers}{HSTS}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_keeps_host_and_target_and_changes_the_port() {
        let plain = Plain {
            host: Some("example.com".into()),
            target: "/?ak=1".into(),
        };
        let answer = String::from_utf8(redirect(&plain, "site", 8443)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
        assert!(
            answer.contains("\r\nLocation: https://example.com:8443/?ak=1\r\n"),
            "{answer}"
        );
        let plain = Plain {
            host: None,
            target: "/".into(),
        };
        let answer = String::from_utf8(redirect(&plain, "site", 443)).unwrap();
        assert!(
            answer.contains("\r\nLocation: https://site/\r\n"),
            "{answer}"
        );
    }
}
