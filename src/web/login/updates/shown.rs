//! What the page shows of the agent's status and the machine's facts.

use crate::control::machine::{Channel, Facts, Slot};
use crate::control::update::{Automatic, Line, Offer, Phase, Settings, Status, What};
use crate::domain::Stamp;
use crate::domain::limits::UPDATE_SESSIONS_NAMED_MAX;
use crate::metrics::Sessions;
use crate::store::sessions::{SavedState, SessionRow};
use crate::web::format::{self, When};
use crate::web::site::Site;
use crate::web::view::Field;
use crate::web::words::{self as said, update as words};

/// Everything between heading and foot.
pub(super) struct Shown {
    /// The version that runs.
    pub(super) running: String,
    pub(super) now: Option<Now>,
    /// Nothing goes on, and an update may begin.
    pub(super) idle: bool,
    /// Why none may.
    pub(super) blocked: Option<String>,
    /// The last version went back: which, and why.
    pub(super) went_back: Option<WentBack>,
    pub(super) slots: Vec<SlotCard>,
    pub(super) offer: Option<OfferCard>,
    pub(super) source: Option<String>,
    pub(super) checked: Option<When>,
    pub(super) check_trouble: Option<String>,
    pub(super) settings: SettingsForm,
    pub(super) history: Vec<Row>,
    pub(super) root_version: String,
    pub(super) security_epoch: String,
}

/// What goes on.
pub(super) struct Now {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) progress: Option<Progress>,
    pub(super) ready: Option<Ready>,
}

/// So much of so much.
pub(super) struct Progress {
    pub(super) bytes: u64,
    pub(super) of: u64,
    pub(super) words: String,
}

/// A version that waits for a restart.
pub(super) struct Ready {
    /// When it comes.
    pub(super) restart: String,
    pub(super) is_set: bool,
    /// Who is in its way.
    pub(super) sessions: Option<String>,
    /// They, by name; at most [`UPDATE_SESSIONS_NAMED_MAX`].
    pub(super) who: Vec<Open>,
    /// How many more there are.
    pub(super) more: Option<String>,
    /// "every day at 02:00 UTC".
    pub(super) window: String,
}

/// A session that a restart interrupts.
pub(super) struct Open {
    pub(super) representative: String,
    pub(super) customer: String,
    pub(super) since: When,
    pub(super) waits: bool,
}

/// A version that did not prove itself.
pub(super) struct WentBack {
    pub(super) title: String,
    pub(super) why: String,
    pub(super) at: When,
}

/// A place for a version.
pub(super) struct SlotCard {
    pub(super) name: String,
    pub(super) running: bool,
    pub(super) version: String,
    pub(super) level: &'static str,
    pub(super) state: String,
}

/// A version that can be had.
pub(super) struct OfferCard {
    pub(super) version: String,
    pub(super) built: When,
    pub(super) size: String,
    pub(super) model: String,
    pub(super) development: bool,
    pub(super) notes: String,
    pub(super) failed_before: bool,
}

/// A line of the history.
pub(super) struct Row {
    pub(super) at: When,
    pub(super) who: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) level: &'static str,
    pub(super) what: &'static str,
    pub(super) why: String,
}

impl Shown {
    pub(super) fn new(
        site: &Site,
        status: &Status,
        facts: Option<&Facts>,
        sessions: Option<&Sessions>,
        open: &[SessionRow],
    ) -> Self {
        let ago = |at: Stamp| When::new(at, site.now().stamp, &site.zone);
        let when = |at: Stamp| When::on_record(at, &site.zone);
        let sentence = |why: &crate::control::machine::Notice| said::sentence(why);
        let checked = status.checked.as_ref();
        let idle = status.phase == Phase::Idle;
        // That a version proves itself is said once.
        let blocked = status.blocked.as_ref().filter(|_| idle);
        Self {
            running: facts.map_or_else(
                || env!("CARGO_PKG_VERSION").to_owned(),
                |facts| facts.image.version.to_string(),
            ),
            now: now(status, sessions, named(open, ago), when),
            idle,
            blocked: blocked.map(sentence),
            went_back: went_back(status).map(|(title, why, at)| WentBack {
                title,
                why,
                at: when(at),
            }),
            slots: facts.map_or_else(Vec::new, slots),
            offer: status.offer.as_ref().map(|offer| card(offer, when)),
            source: status.source.as_ref().map(ToString::to_string),
            checked: checked.map(|checked| When::new(checked.at, site.now().stamp, &site.zone)),
            check_trouble: checked.and_then(|checked| checked.trouble.as_ref().map(sentence)),
            settings: SettingsForm::new(&status.settings),
            history: status
                .history
                .iter()
                .map(|happened| {
                    let (level, what) = words::happened(happened.what);
                    Row {
                        at: when(happened.at),
                        who: words::who(&happened.who),
                        from: happened.from.to_string(),
                        to: happened
                            .version
                            .as_ref()
                            .map_or_else(String::new, ToString::to_string),
                        level,
                        what,
                        why: happened.why.as_ref().map_or_else(String::new, sentence),
                    }
                })
                .collect(),
            root_version: format::count(status.root_version),
            security_epoch: format::count(status.security_epoch.into()),
        }
    }
}

/// Sessions as far as they are named, and how many more there are.
fn named(open: &[SessionRow], ago: impl Fn(Stamp) -> When) -> (Vec<Open>, Option<String>) {
    let named = open.iter().take(UPDATE_SESSIONS_NAMED_MAX).map(|row| {
        let facts = &row.facts;
        let names = [&facts.customer, &facts.computer];
        let told = names.into_iter().find(|name| !name.is_empty());
        Open {
            representative: row.owner_name.to_string(),
            customer: told.map_or_else(|| "a customer".to_owned(), ToString::to_string),
            since: ago(row.started),
            waits: row.state == SavedState::Waiting,
        }
    });
    let more = open.len().saturating_sub(UPDATE_SESSIONS_NAMED_MAX) as u64;
    let more = (more > 0).then(|| said::plural(more, "more session", "more sessions"));
    (named.collect(), more)
}

fn now(
    status: &Status,
    sessions: Option<&Sessions>,
    (who, more): (Vec<Open>, Option<String>),
    when: impl Fn(Stamp) -> When,
) -> Option<Now> {
    let (title, text) = words::phase(&status.phase)?;
    let progress = match status.phase {
        Phase::Writing {
            bytes, of, millis, ..
        }
        | Phase::ReadingBack {
            bytes, of, millis, ..
        } => Some(Progress {
            bytes,
            of,
            words: words::progress(bytes, of, millis),
        }),
        _ => None,
    };
    let ready = match status.phase {
        Phase::Ready { restart, .. } => Some(Ready {
            restart: words::restart(restart, when),
            is_set: restart.is_some(),
            sessions: sessions.and_then(words::sessions),
            who,
            more,
            window: words::window(status.settings.window),
        }),
        _ => None,
    };
    Some(Now {
        title,
        text,
        progress,
        ready,
    })
}

/// Which version went back last and why, unless another one has been installed since.
pub(crate) fn went_back(status: &Status) -> Option<(String, String, Stamp)> {
    let is_end = |what| matches!(what, What::Ready | What::Proved | What::WentBack);
    let last = status.history.iter().find(|h| is_end(h.what))?;
    if last.what != What::WentBack {
        return None;
    }
    let version = last.version.as_deref().unwrap_or("a newer one");
    let title = format!("Version {version} did not prove itself.");
    let why = last.why.as_ref().map_or_else(String::new, |why| {
        let mut why = said::sentence(why);
        why.push(' ');
        why
    });
    let text = format!(
        "{why}The appliance went back to version {} with all its data; the other one is not tried \
         again by itself.",
        last.from
    );
    Some((title, text, last.at))
}

fn slots(facts: &Facts) -> Vec<SlotCard> {
    let slots = facts.boot.slots.iter();
    slots
        .map(|slot| {
            let (level, state) = words::slot(slot.state);
            SlotCard {
                name: format!("Slot {}", Slot::System(slot.system)),
                running: facts.boot.slot == Slot::System(slot.system),
                version: slot
                    .version
                    .as_ref()
                    .map_or_else(|| "No version".to_owned(), |v| format!("Version {v}")),
                level,
                state,
            }
        })
        .collect()
}

fn card(offer: &Offer, when: impl Fn(Stamp) -> When) -> OfferCard {
    OfferCard {
        version: offer.version.to_string(),
        built: when(offer.built),
        size: format::size(offer.bytes),
        model: offer.model.to_string(),
        development: offer.channel == Channel::Development,
        notes: offer.notes.trim().to_owned(),
        failed_before: offer.failed_before,
    }
}

/// What an administrator decides, as a form.
pub(super) struct SettingsForm {
    pub(super) automatic: Vec<Choice>,
    pub(super) days: Vec<Choice>,
    pub(super) time: Field,
    pub(super) lines: Vec<Choice>,
    pub(super) source: Field,
}

/// One of several.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) title: &'static str,
    pub(super) chosen: bool,
}

impl SettingsForm {
    fn new(settings: &Settings) -> Self {
        let day = settings.window.day;
        Self::typed(
            settings.automatic,
            &day.map_or_else(String::new, |day| day.to_string()),
            &words::clock(settings.window),
            settings.line,
            settings.source.as_deref().unwrap_or_default(),
        )
    }

    /// As somebody left it.
    pub(super) fn typed(
        automatic: Automatic,
        day: &str,
        time: &str,
        line: Line,
        source: &str,
    ) -> Self {
        let automatics = [
            ("off", Automatic::Off),
            ("download", Automatic::Download),
            ("install", Automatic::Install),
        ];
        let lines = [
            ("stable", "Stable: proven elsewhere before", Line::Stable),
            ("early", "Early: as soon as they are there", Line::Early),
        ];
        let choice = |value: &str, title, chosen| Choice {
            value: value.to_owned(),
            title,
            chosen,
        };
        let numbers = (0..words::DAYS.len()).map(|number| number.to_string());
        let named = numbers.zip(words::DAYS);
        let every = choice("", "Every day", day.is_empty());
        Self {
            automatic: automatics
                .map(|(value, of)| choice(value, words::automatic(of), of == automatic))
                .into(),
            days: std::iter::once(every)
                .chain(named.map(|(number, name)| choice(&number, name, number == day)))
                .collect(),
            time: Field::typed(time),
            lines: lines
                .map(|(value, title, of)| choice(value, title, of == line))
                .into(),
            source: Field::typed(source),
        }
    }

    /// Says what is wrong with a field.
    pub(super) fn refuse(&mut self, field: &str, why: &str) {
        match field {
            "time" => self.time.refuse(why),
            _ => self.source.refuse(why),
        }
    }
}
