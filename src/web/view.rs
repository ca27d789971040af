//! What every page shows around its own content.

use std::ops::Deref;

use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::http::{Failure, SignedIn};
use super::site::Site;

/// Around every page.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The site's name.
    pub(crate) site: String,
    /// Accounts and settings are held; see [`Site::is_held`].
    pub(crate) held: bool,
}

impl View {
    /// Of this site.
    pub(crate) fn new(site: &Site) -> Self {
        Self {
            site: site.config.site.clone(),
            held: site.is_held(),
        }
    }
}

/// The pages below `/login`, by the documents' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// My Account.
    Account,
    /// Status > Information.
    Information,
    /// Appliance > Updates.
    Updates,
    /// Users & Security > Representatives.
    Representatives,
    /// Reports > Support.
    Reports,
}

/// Around every page below `/login`.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    view: View,
    /// Who is signed in.
    pub(crate) name: String,
    /// What forms carry.
    pub(crate) csrf: String,
    /// The navigation.
    pub(crate) places: Vec<Group>,
}

/// Pages that stand together.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Above them; empty for a page that stands alone.
    pub(crate) title: &'static str,
    /// The pages.
    pub(crate) links: Vec<Link>,
}

/// One page in the navigation.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// What it is called.
    pub(crate) title: &'static str,
    /// Where it is.
    pub(crate) address: &'static str,
    /// Shown now.
    pub(crate) here: bool,
}

impl Desk {
    /// For whoever is signed in, at `place`. Pages that the account may not open are left out.
    pub(crate) fn new(site: &Site, who: &SignedIn, place: Place) -> Self {
        let account = &who.account;
        let link = |title, address, of: Place| Link {
            title,
            address,
            here: of == place,
        };
        let mut places = vec![Group {
            title: "",
            links: vec![link("My Account", "/login/account", Place::Account)],
        }];
        if account.administrator {
            places.push(Group {
                title: "Status",
                links: vec![link("Information", "/login/status", Place::Information)],
            });
            places.push(Group {
                title: "Appliance",
                links: vec![link("Updates", "/login/updates", Place::Updates)],
            });
            let representatives = "/login/representatives";
            places.push(Group {
                title: "Users & Security",
                links: vec![link(
                    "Representatives",
                    representatives,
                    Place::Representatives,
                )],
            });
        }
        places.push(Group {
            title: "Reports",
            links: vec![link("Support", "/login/reports", Place::Reports)],
        });
        if account.representative {
            places[0].links.push(Link {
                title: "Representative Console",
                address: "/console",
                here: false,
            });
        }
        Self {
            view: View::new(site),
            name: account.display_name.to_string(),
            csrf: who.csrf.reveal(),
            places,
        }
    }
}

/// Templates find what is around every page in the same place everywhere.
impl Deref for Desk {
    type Target = View;
    fn deref(&self) -> &View {
        &self.view
    }
}

/// Any failure, in plain words.
#[derive(Template)]
#[template(path = "error.html", config = "src/web/askama.toml")]
pub(crate) struct ErrorPage {
    view: View,
    title: &'static str,
    text: &'static str,
    back: (&'static str, &'static str),
    number: String,
}

impl ErrorPage {
    /// Says what happened at the route `at`, what is safe and what to do next.
    pub(crate) fn new(site: &Site, failure: &Failure, at: &str, number: &str) -> Self {
        let words = failure.words();
        Self {
            view: View::new(site),
            title: words.title,
            text: words.text,
            back: if at.starts_with("/login") || at.starts_with("/console") {
                ("/login", "To your pages")
            } else {
                ("/", "To the start page")
            },
            number: number.to_owned(),
        }
    }
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> Response {
        page(&self)
    }
}

/// A template as an answer.
pub(crate) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => Failure::Internal(format!("template: {error}")).into_response(),
    }
}

/// One field of a form, as it was typed, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    /// As typed. Passwords are never given back.
    pub(crate) value: String,
    /// For people; empty if nothing is wrong.
    pub(crate) error: String,
}

impl Field {
    /// As typed.
    pub(crate) fn typed(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            error: String::new(),
        }
    }

    /// Says what is wrong: as a sentence.
    pub(crate) fn refuse(&mut self, why: impl std::fmt::Display) {
        let mut why = why.to_string();
        if let Some(first) = why.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        if !why.ends_with('.') {
            why.push('.');
        }
        self.error = why;
    }

    /// Nothing is wrong.
    pub(crate) fn good(&self) -> bool {
        self.error.is_empty()
    }
}
