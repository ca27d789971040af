//! `GET /login/reports`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::owner;
use crate::domain::limits::{PAGE_ROWS, SEARCH_BYTES_MAX};
use crate::store::sessions::{self, Filter};
use crate::web::format::{self, When};
use crate::web::http::{Failure, SignedIn};
use crate::web::site::Site;
use crate::web::view::{Desk, Place, page};

#[derive(Template)]
#[template(path = "reports.html", config = "src/web/askama.toml")]
struct Reports {
    view: Desk,
    all: bool,
    representative: bool,
    search: String,
    rows: Vec<ListRow>,
    position: String,
    newer: Option<String>,
    older: Option<String>,
}

/// A session and when it began, relative to now.
struct ListRow {
    row: super::Row,
    started: When,
}

impl std::ops::Deref for ListRow {
    type Target = super::Row;
    fn deref(&self) -> &super::Row {
        &self.row
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
    page: Option<usize>,
}

/// A page of sessions, latest first.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    who: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let search = cut(asked.q.trim());
    let number = asked.page.unwrap_or(1).max(1);
    let skip = (number - 1).saturating_mul(PAGE_ROWS);
    let (wanted, owner) = (search.clone(), owner(&who.account));
    let (total, sessions) = site
        .store
        .read(move |c| {
            let filter = Filter {
                owner,
                skip,
                limit: PAGE_ROWS,
                search: Some(&wanted),
                ..Filter::default()
            };
            Ok((sessions::count(c, &filter)?, sessions::page(c, &filter)?))
        })
        .await?;
    let now = site.now().stamp;
    let last = skip.saturating_add(sessions.len());
    let count = |number: usize| format::count(number as u64);
    let position = format!("{} to {} of {}", count(skip + 1), count(last), count(total));
    let rows = sessions.iter().map(|session| ListRow {
        row: super::Row::new(session, now),
        started: When::new(session.started, now, &site.zone),
    });
    Ok(page(&Reports {
        view: Desk::new(&site, &who, Place::Reports),
        all: who.account.administrator,
        representative: who.account.representative,
        rows: rows.collect(),
        position,
        newer: (number > 1).then(|| address(&search, number - 1)),
        older: (last < total).then(|| address(&search, number + 1)),
        search,
    }))
}

/// As much of a search as is looked for, cut at a character.
fn cut(search: &str) -> String {
    let mut end = search.len().min(SEARCH_BYTES_MAX);
    while !search.is_char_boundary(end) {
        end -= 1;
    }
    search[..end].to_owned()
}

fn address(search: &str, number: usize) -> String {
    if search.is_empty() {
        return format!("/login/reports?page={number}");
    }
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let search: String = search.bytes().map(escaped).collect();
    format!("/login/reports?page={number}&q={search}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_survives_paging_whatever_it_holds() {
        assert_eq!(address("", 2), "/login/reports?page=2");
        assert_eq!(
            address("a&b ü", 3),
            "/login/reports?page=3&q=a%26b%20%C3%BC"
        );
    }

    #[test]
    fn a_long_search_is_cut_between_characters() {
        let long = "ü".repeat(SEARCH_BYTES_MAX);
        assert_eq!(cut(&long).len(), SEARCH_BYTES_MAX);
        assert_eq!(cut(&format!("a{long}")).len(), SEARCH_BYTES_MAX - 1);
    }
}
