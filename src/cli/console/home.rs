//! The first screen: who this machine is, how it is reached, and what can be done.

use super::confirm::Confirm;
use super::details::Details;
use super::frame::{BODY_ROW, Frame, HELP_ROW, MARGIN, VALUE_COLUMNS, button, value};
use super::key::Key;
use super::password::Reset;
use super::screen::{COLUMNS, Screen, clip, wrap};
use super::state::{Deed, Purpose, Step, View};
use super::update::Updates;
use super::wipe::Wipe;
use super::words;
use super::world::{Order, World};
use crate::control::machine::{Channel, Facts, Request, Site};

/// What can be done, in the order of its number on the screen: what takes nothing away first. What
/// came later stands last, since numbers are in people's heads and papers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Network,
    Password,
    Bundle,
    Details,
    Deed(Deed),
    Updates,
}

const ITEMS: [Item; 9] = [
    Item::Network,
    Item::Password,
    Item::Bundle,
    Item::Details,
    Item::Deed(Deed::Reboot),
    Item::Deed(Deed::PowerOff),
    Item::Deed(Deed::PreviousVersion),
    Item::Deed(Deed::FactoryReset),
    Item::Updates,
];

/// Lines of the menu; there are two columns.
const MENU_ROWS: usize = ITEMS.len().div_ceil(2);
const MENU_ROW: usize = NEWS_ROW - MENU_ROWS;
/// The second column.
const MENU_COLUMN: usize = COLUMNS / 2;
/// Where what was done is told.
const NEWS_ROW: usize = 22;
/// Lines for facts.
const FACTS_ROWS: usize = MENU_ROW - 1 - BODY_ROW;

/// The first screen.
#[derive(Debug, Default)]
pub(super) struct Home {
    at: usize,
    news: Option<String>,
}

impl Home {
    /// With a line about what was done.
    pub(super) fn saying(line: String) -> Self {
        let news = Some(line);
        Self { at: 0, news }
    }

    pub(super) fn key(&mut self, key: Key, world: &World) -> Step {
        let count = ITEMS.len();
        match key {
            Key::Up | Key::BackTab => self.at = (self.at + count - 1) % count,
            Key::Down | Key::Tab => self.at = (self.at + 1) % count,
            Key::Left | Key::Right if self.at < MENU_ROWS => {
                self.at = (self.at + MENU_ROWS).min(count - 1);
            }
            Key::Left | Key::Right => self.at -= MENU_ROWS,
            Key::Home => self.at = 0,
            Key::End => self.at = count - 1,
            Key::Enter => return self.open(world),
            Key::Char(digit) => {
                let number = digit.to_digit(10).unwrap_or(0) as usize;
                if (1..=count).contains(&number) {
                    self.at = number - 1;
                    return self.open(world);
                }
            }
            Key::Escape => self.news = None,
            _ => {}
        }
        Step::Stay
    }

    fn open(&mut self, world: &World) -> Step {
        let item = ITEMS[self.at];
        // The relay is asked for the password, and may answer when nobody else does.
        let needs_supervisor = !matches!(item, Item::Details | Item::Password);
        if needs_supervisor && !world.is_heard() {
            self.news = Some(words::NOT_YET.to_owned());
            return Step::Stay;
        }
        match item {
            Item::Network => Step::Ask(Order::Machine(Request::Network), Purpose::OpenNetwork),
            Item::Bundle => Step::Ask(
                Order::Machine(Request::ListSupportBundle),
                Purpose::ListBundle,
            ),
            Item::Password => match words::no_password_to_reset(world) {
                Some(why) => Step::Show(View::Told {
                    title: words::ADMINISTRATORS_PASSWORD.to_owned(),
                    text: why,
                    then: Box::new(View::Home(Self::default())),
                }),
                None => Step::Show(View::Password(Box::new(Reset::new()))),
            },
            Item::Details => Step::Show(View::Details(Details::default())),
            Item::Updates => Step::Show(View::Updates(Updates::default())),
            Item::Deed(Deed::FactoryReset) => Step::Show(View::Wipe(Wipe::new())),
            Item::Deed(Deed::PreviousVersion) if world.others().is_empty() => {
                Step::Show(View::Told {
                    title: words::deed(Deed::PreviousVersion).to_owned(),
                    text: words::no_previous_version(world),
                    then: Box::new(View::Home(Self::default())),
                })
            }
            Item::Deed(deed) => Step::Show(View::Confirm(Confirm::new(deed))),
        }
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        Frame::draw(screen, world, "", words::HELP_HOME);
        let facts = world.facts.as_deref();
        if facts.is_some_and(|facts| facts.image.channel == Channel::Development) {
            let text = format!("{:^COLUMNS$}", words::DEVELOPMENT_LONG);
            screen.write_reversed(1, 0, &text);
        }
        let mut row = BODY_ROW;
        for block in fitting(blocks(world)) {
            for (at, line) in block.lines.iter().enumerate() {
                value(screen, row, if at == 0 { block.name } else { "" }, line);
                row += 1;
            }
        }
        screen.point_at(HELP_ROW, 0);
        for (at, item) in ITEMS.into_iter().enumerate() {
            let row = MENU_ROW + at % MENU_ROWS;
            let column = if at < MENU_ROWS { MARGIN } else { MENU_COLUMN };
            let text = format!("{} {}", at + 1, words::item(item));
            button(screen, (row, column), &text, at == self.at);
        }
        if let Some(news) = &self.news {
            screen.write(NEWS_ROW, MARGIN, &clip(news, COLUMNS - 2 * MARGIN));
        }
    }
}

/// A fact with the lines it takes.
struct Block {
    name: &'static str,
    lines: Vec<String>,
    /// What has the highest gives way first when there is too much.
    rank: u8,
}

fn block(rank: u8, name: &'static str, text: &str) -> Block {
    let lines = wrap(text, VALUE_COLUMNS);
    Block { name, lines, rank }
}

/// Everything that might be said, in the order in which it is read.
fn blocks(world: &World) -> Vec<Block> {
    let mut blocks = Vec::new();
    let Some(facts) = &world.facts else {
        blocks.push(block(0, words::STATE, &words::not_heard_yet(world)));
        return blocks;
    };
    if let Some((since, why)) = &world.silence {
        let text = words::no_longer_heard(why, world.since(*since));
        blocks.push(block(0, words::STATE, &text));
    }
    if let Some(why) = &facts.rescue {
        blocks.push(block(0, words::RESCUE, &words::rescue(why)));
    }
    if world.silence.is_none() {
        blocks.push(block(1, words::STATE, &words::health(world, facts)));
    }
    if let Some(trouble) = &facts.storage.trouble {
        blocks.push(block(0, words::DISK, &words::sentence(trouble)));
    }
    blocks.push(block(4, words::MODEL, &words::model(facts)));
    if let Some(why) = &facts.hardware.shortfall {
        blocks.push(block(6, "", &words::sentence(why)));
    }
    let serial = world.serial().unwrap_or(words::NO_SERIAL_NUMBER);
    blocks.push(block(3, words::SERIAL_NUMBER, serial));
    blocks.push(block(3, words::VERSION, &words::version(facts)));
    if let Some(text) = world.update.as_deref().and_then(words::update_line) {
        blocks.push(block(2, words::UPDATE, &text));
    }
    blocks.extend(reached(facts, world.site.as_ref()));
    if let Some(text) = words::doubtful_clock(facts, world.now.stamp) {
        blocks.push(block(5, words::CLOCK, &text));
    }
    blocks
}

/// How the machine is reached, and what to do about it if it is not.
fn reached(facts: &Facts, site: Option<&Site>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let addresses = words::addresses(&facts.network);
    // Without an address nobody can open anything; what to do about that comes first.
    let site = site.filter(|_| addresses.is_some());
    if let Some(site) = site {
        blocks.push(block(1, words::ADDRESS, &site.url));
    }
    if let Some(addresses) = &addresses {
        blocks.push(block(2, words::INTERFACE, addresses));
    }
    match &facts.network.trouble {
        Some(trouble) => blocks.push(block(0, words::NETWORK, &words::sentence(trouble))),
        None if addresses.is_none() => {
            blocks.push(block(0, words::NETWORK, &words::no_address(&facts.network)));
        }
        None => {}
    }
    let Some(site) = site else { return blocks };
    if let Some(fingerprint) = &site.certificate {
        blocks.push(Block {
            lines: words::fingerprint(fingerprint),
            ..block(4, words::CERTIFICATE, "")
        });
    }
    if let Some(link) = &site.setup_url {
        blocks.push(Block {
            lines: link_lines(link.expose()),
            ..block(1, words::SET_UP, "")
        });
        blocks.push(block(5, "", words::SET_UP_HINT));
    }
    blocks
}

/// A link to be typed: broken where it can be read, before its question mark.
fn link_lines(link: &str) -> Vec<String> {
    if link.len() <= VALUE_COLUMNS {
        return vec![link.to_owned()];
    }
    match link.find('?') {
        Some(at) => [&link[..at], &link[at..]]
            .iter()
            .flat_map(|part| wrap(part, VALUE_COLUMNS))
            .collect(),
        None => wrap(link, VALUE_COLUMNS),
    }
}

/// `blocks` without what there is no room for: the least important ones lose their last lines.
fn fitting(mut blocks: Vec<Block>) -> Vec<Block> {
    loop {
        let used: usize = blocks.iter().map(|block| block.lines.len()).sum();
        if used <= FACTS_ROWS {
            return blocks;
        }
        let long = blocks.iter_mut().rev();
        let Some(block) = long.max_by_key(|block| (block.rank, block.lines.len())) else {
            return blocks;
        };
        block.lines.pop();
        match block.lines.last_mut() {
            // Better no link or fingerprint than a part of one.
            Some(_) if block.name == words::SET_UP || block.name == words::CERTIFICATE => {
                block.lines.clear();
            }
            Some(last) => {
                let kept = clip(last, VALUE_COLUMNS - 3);
                *last = kept.trim_end_matches('.').to_owned() + "...";
            }
            None => {}
        }
        blocks.retain(|block| !block.lines.is_empty());
    }
}
