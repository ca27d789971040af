//! The console as a state machine: keys, news and time in; screens and orders out.
//!
//! Pure: whoever drives it brings the clock and does what it orders ([`super::terminal`]).

use std::time::Duration;

use super::bundle::Bundle;
use super::confirm::{Confirm, Leaving};
use super::details::Details;
use super::frame::{Frame, HELP_ROW};
use super::home::Home;
use super::key::Key;
use super::network::Form;
use super::password::Reset;
use super::screen::Screen;
use super::summary::Summary;
use super::update::{self, Sticks, Updates};
use super::wipe::Wipe;
use super::words;
use super::world::{Answer, News, Order, World};
use crate::control::Reply;
use crate::control::machine::{self, Request};
use crate::control::update::{Reply as UpdateReply, Version, When};
use crate::domain::{Moment, Now};

/// Whoever typed half a form and went away left a console that everybody can use.
const IDLE_MAX: Duration = Duration::from_secs(10 * 60);
/// A machine that was told to restart is gone by then.
const LEAVE_WITHIN: Duration = Duration::from_secs(180);

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// Somebody pressed it.
    Key(Key),
    /// Time went by.
    Tick,
    /// Heard without being ordered.
    News(News),
    /// What came of the last order.
    Answer(Answer),
}

/// What is to be seen.
#[derive(Debug)]
pub(super) enum View {
    Home(Home),
    Details(Details),
    Network(Box<Form>),
    Summary(Box<Summary>),
    Password(Box<Reset>),
    Confirm(Confirm),
    Wipe(Wipe),
    Bundle(Bundle),
    Updates(Updates),
    Sticks(Sticks),
    ConfirmUpdate(Box<update::Confirm>),
    When(update::When),
    /// An order is being carried out.
    Waiting {
        purpose: Purpose,
        since: Moment,
    },
    /// What came of it, to be read before going on.
    Told {
        title: String,
        text: String,
        then: Box<View>,
    },
    /// The machine goes down.
    Leaving(Leaving),
}

/// What an order is for: with its answer, what is seen next.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To fill in the form.
    OpenNetwork,
    /// The form is kept in case they are refused.
    KeepNetwork(Box<Summary>),
    /// Likewise.
    ResetPassword(Box<Reset>),
    ListBundle,
    WriteBundle,
    /// With updates on them.
    ListSticks,
    /// One of them.
    Install {
        version: Version,
    },
    /// Into the version that is ready.
    Restart {
        version: Version,
        when: When,
    },
    /// The machine goes down for this.
    Leave(Deed),
}

/// What ends everything that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    PreviousVersion,
    Reboot,
    PowerOff,
    FactoryReset,
}

impl Deed {
    /// What the supervisor is asked.
    pub(super) fn request(self) -> Request {
        match self {
            Self::PreviousVersion => Request::PreviousVersion,
            Self::Reboot => Request::Reboot,
            Self::PowerOff => Request::PowerOff,
            Self::FactoryReset => Request::FactoryReset,
        }
    }
}

/// What a key does.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing beyond the view itself.
    Stay,
    /// Back to the beginning.
    Home,
    /// On to another view.
    Show(View),
    /// Have something done.
    Ask(Order, Purpose),
}

/// The console.
#[derive(Debug)]
pub(super) struct Console {
    world: World,
    view: View,
    last_key: Moment,
}

impl Console {
    /// Nothing is known yet.
    pub(super) fn new(now: Now) -> Self {
        Self {
            world: World::new(now),
            view: View::Home(Home::default()),
            last_key: now.moment,
        }
    }

    /// Takes in `event`. What it returns is to be carried out, and answered with one
    /// [`Event::Answer`]; until then it orders nothing else.
    pub(super) fn event(&mut self, event: Event, now: Now) -> Option<Order> {
        self.world.now = now;
        match event {
            Event::Key(key) => {
                self.last_key = now.moment;
                let step = self.key(key);
                return self.step(step);
            }
            Event::Tick => self.tick(),
            Event::News(news) => self.world.hear(news),
            Event::Answer(answer) => self.answered(answer),
        }
        None
    }

    fn key(&mut self, key: Key) -> Step {
        let world = &self.world;
        match &mut self.view {
            View::Home(home) => home.key(key, world),
            View::Details(details) => details.key(key, world),
            View::Network(form) => form.key(key),
            View::Summary(summary) => summary.key(key),
            View::Password(reset) => reset.key(key),
            View::Confirm(confirm) => confirm.key(key),
            View::Wipe(wipe) => wipe.key(key, world),
            View::Bundle(bundle) => bundle.key(key),
            View::Updates(updates) => updates.key(key, world),
            View::Sticks(sticks) => sticks.key(key),
            View::ConfirmUpdate(confirm) => confirm.key(key),
            View::When(when) => when.key(key),
            // What is under way cannot be called back; every order has its deadline.
            View::Waiting { .. } | View::Leaving(_) => Step::Stay,
            View::Told { then, .. } => match key {
                Key::Enter | Key::Escape | Key::Char(_) => {
                    let home = Box::new(View::Home(Home::default()));
                    Step::Show(*std::mem::replace(then, home))
                }
                _ => Step::Stay,
            },
        }
    }

    fn step(&mut self, step: Step) -> Option<Order> {
        match step {
            Step::Stay => {}
            Step::Home => self.view = View::Home(Home::default()),
            Step::Show(view) => self.view = view,
            Step::Ask(order, purpose) => {
                let since = self.world.now.moment;
                self.view = View::Waiting { purpose, since };
                return Some(order);
            }
        }
        None
    }

    fn tick(&mut self) {
        let idle = self.world.since(self.last_key) > IDLE_MAX;
        match &self.view {
            View::Home(_) | View::Waiting { .. } | View::Leaving(_) => {}
            _ if idle => self.view = View::Home(Home::default()),
            _ => {}
        }
        if let View::Leaving(leaving) = &self.view
            && self.world.is_heard()
            && self.world.since(leaving.since) > LEAVE_WITHIN
        {
            let line = words::still_here(leaving.deed);
            self.view = View::Home(Home::saying(line));
        }
    }

    /// On to what comes after the order that was under way.
    fn answered(&mut self, answer: Answer) {
        let home = || View::Home(Home::default());
        let purpose = match std::mem::replace(&mut self.view, home()) {
            View::Waiting { purpose, .. } => purpose,
            // Nobody waits for it.
            other => {
                self.view = other;
                return;
            }
        };
        // Reading a long answer is not idling.
        self.last_key = self.world.now.moment;
        let told = |title: &str, text: String, then| View::Told {
            title: title.to_owned(),
            text,
            then: Box::new(then),
        };
        self.view = match (purpose, answer) {
            (Purpose::OpenNetwork, Answer::Machine(machine::Reply::Network { settings })) => {
                View::Network(Box::new(Form::new(*settings, self.world.facts.as_deref())))
            }
            (Purpose::KeepNetwork(_), Answer::Machine(machine::Reply::Done)) => {
                View::Home(Home::saying(words::NETWORK_KEPT.to_owned()))
            }
            (Purpose::ResetPassword(_), Answer::Relay(Reply::Account(account))) => {
                View::Home(Home::saying(words::password_reset(&account.name)))
            }
            (
                Purpose::ListBundle | Purpose::WriteBundle,
                Answer::Machine(machine::Reply::Bundle(bundle)),
            ) => View::Bundle(Bundle::new(bundle)),
            (Purpose::ListSticks, Answer::Machine(machine::Reply::Sticks(found))) => {
                View::Sticks(Sticks::new(*found))
            }
            (Purpose::Install { version }, Answer::Machine(machine::Reply::Done)) => {
                View::When(update::When::new(version))
            }
            (Purpose::Restart { version, when }, Answer::Update(UpdateReply::Done)) => {
                View::Home(Home::saying(words::settled(&version, when)))
            }
            (Purpose::Leave(deed), Answer::Machine(machine::Reply::Done)) => {
                let since = self.world.now.moment;
                View::Leaving(Leaving { deed, since })
            }
            (purpose, answer) => {
                let (title, then) = match purpose {
                    Purpose::OpenNetwork => (words::NETWORK, home()),
                    Purpose::KeepNetwork(summary) => (words::NETWORK, View::Summary(summary)),
                    Purpose::ResetPassword(reset) => {
                        (words::ADMINISTRATORS_PASSWORD, View::Password(reset))
                    }
                    Purpose::ListBundle | Purpose::WriteBundle => (words::SUPPORT_BUNDLE, home()),
                    Purpose::ListSticks | Purpose::Install { .. } | Purpose::Restart { .. } => {
                        (words::UPDATES, View::Updates(Updates::default()))
                    }
                    Purpose::Leave(deed) => (words::deed(deed), home()),
                };
                told(title, why_not(answer), then)
            }
        };
    }

    /// What is to be seen now.
    pub(super) fn screen(&self) -> Screen {
        let mut screen = Screen::new();
        let world = &self.world;
        match &self.view {
            View::Home(home) => home.draw(&mut screen, world),
            View::Details(details) => details.draw(&mut screen, world),
            View::Network(form) => form.draw(&mut screen, world),
            View::Summary(summary) => summary.draw(&mut screen, world),
            View::Password(reset) => reset.draw(&mut screen, world),
            View::Confirm(confirm) => confirm.draw(&mut screen, world),
            View::Wipe(wipe) => wipe.draw(&mut screen, world),
            View::Bundle(bundle) => bundle.draw(&mut screen, world),
            View::Updates(updates) => updates.draw(&mut screen, world),
            View::Sticks(sticks) => sticks.draw(&mut screen, world),
            View::ConfirmUpdate(confirm) => confirm.draw(&mut screen, world),
            View::When(when) => when.draw(&mut screen, world),
            View::Waiting { purpose, since } => {
                let (title, text) = words::waiting(purpose, world.since(*since), world);
                let mut frame = Frame::draw(&mut screen, world, title, "");
                frame.paragraph(&text);
            }
            View::Told { title, text, .. } => {
                let mut frame = Frame::draw(&mut screen, world, title, words::HELP_TOLD);
                frame.paragraph(text);
                screen.point_at(HELP_ROW, 0);
            }
            View::Leaving(leaving) => leaving.draw(&mut screen, world),
        }
        screen
    }
}

/// Why an order was not carried out.
fn why_not(answer: Answer) -> String {
    match answer {
        Answer::Machine(machine::Reply::Refused { why })
        | Answer::Update(UpdateReply::Refused { why }) => words::sentence(&why),
        Answer::Relay(Reply::Refused { why }) => words::sentence(&why),
        Answer::Silence(silence) => words::unheard(&silence),
        Answer::Machine(_) | Answer::Update(_) | Answer::Relay(_) => words::OUT_OF_TURN.to_owned(),
    }
}
