//! The form for the network. Checks while one types; nothing is applied before it was shown as a
//! whole ([`super::summary`]).

use std::net::IpAddr;
use std::str::FromStr;

use super::entry::{Entry, Typed};
use super::frame::{BODY_ROW, CHOICES_ROW, Frame, MARGIN, TEXT_COLUMNS, VALUE_COLUMN, button};
use super::key::Key;
use super::screen::{Screen, clip, wrap};
use super::state::{Step, View};
use super::summary::Summary;
use super::words;
use super::world::World;
use crate::control::machine::Facts;
use crate::domain::limits::{NAME_SERVERS_MAX, SITE_NAME_BYTES_MAX, TIME_SERVERS_MAX};
use crate::domain::network::{
    BadNetwork, HostName, InterfaceName, Ipv4, Ipv6, Network, Static4, Static6,
};

/// An address with its prefix, or the longest number of a port behind a name.
const SHORT_BYTES_MAX: usize = 64;
/// A few names or addresses.
const LIST_BYTES_MAX: usize = TIME_SERVERS_MAX * (SITE_NAME_BYTES_MAX + 1);
/// Width of the fields.
const WIDTH: usize = 56;
/// Where what is wrong, or what the field is for, is said.
const HINT_ROW: usize = 16;
/// Lines for that.
const HINT_ROWS: usize = 4;

/// Where the cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Site,
    Interface,
    Vlan,
    Mode4,
    Address4,
    Gateway4,
    Mode6,
    Address6,
    Gateway6,
    Dns,
    Ntp,
    Proxy,
    Check,
    Back,
}

/// The fields from top to bottom, a line each.
const FIELDS: [Spot; 12] = [
    Spot::Site,
    Spot::Interface,
    Spot::Vlan,
    Spot::Mode4,
    Spot::Address4,
    Spot::Gateway4,
    Spot::Mode6,
    Spot::Address6,
    Spot::Gateway6,
    Spot::Dns,
    Spot::Ntp,
    Spot::Proxy,
];

/// Where an address of version 4 comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode4 {
    Dhcp,
    Static,
}

/// Where addresses of version 6 come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode6 {
    Auto,
    Static,
    Off,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Something that cannot be.
    Bad(BadNetwork),
    /// Not an address of this kind.
    NoAddress {
        found: String,
        example: &'static str,
    },
    /// A list that is too long.
    TooMany { most: usize },
    /// The last key.
    Key,
}

impl From<BadNetwork> for Problem {
    fn from(bad: BadNetwork) -> Self {
        Self::Bad(bad)
    }
}

/// The form.
#[derive(Debug)]
pub(super) struct Form {
    /// As it is now.
    kept: Network,
    /// What may be chosen, with words about each; the first is "whichever".
    interfaces: Vec<(Option<InterfaceName>, String)>,
    interface: usize,
    mode4: Mode4,
    mode6: Mode6,
    site: Entry,
    vlan: Entry,
    address4: Entry,
    gateway4: Entry,
    address6: Entry,
    gateway6: Entry,
    dns: Entry,
    ntp: Entry,
    proxy: Entry,
    at: Spot,
    is_refused: bool,
    /// Escape was pressed once with something changed.
    is_leaving: bool,
}

impl Form {
    /// Filled in with what is kept.
    pub(super) fn new(kept: Network, facts: Option<&Facts>) -> Self {
        let interfaces = interfaces(facts, kept.interface.as_ref());
        let chosen = interfaces
            .iter()
            .position(|(name, _)| *name == kept.interface);
        let text = |value: Option<String>, most| Entry::new(&value.unwrap_or_default(), most);
        let fixed4 = match kept.ipv4 {
            Ipv4::Dhcp => None,
            Ipv4::Static(fixed) => Some(fixed),
        };
        let fixed6 = match kept.ipv6 {
            Ipv6::Auto | Ipv6::Off => None,
            Ipv6::Static(fixed) => Some(fixed),
        };
        Self {
            interface: chosen.unwrap_or(0),
            interfaces,
            mode4: fixed4.map_or(Mode4::Dhcp, |_| Mode4::Static),
            mode6: match kept.ipv6 {
                Ipv6::Auto => Mode6::Auto,
                Ipv6::Static(_) => Mode6::Static,
                Ipv6::Off => Mode6::Off,
            },
            site: text(
                kept.site.as_ref().map(ToString::to_string),
                SITE_NAME_BYTES_MAX,
            ),
            vlan: text(kept.vlan.map(|vlan| vlan.to_string()), 4),
            address4: text(fixed4.map(Static4::subnet), SHORT_BYTES_MAX),
            gateway4: text(gateway(fixed4.and_then(Static4::gateway)), SHORT_BYTES_MAX),
            address6: text(fixed6.map(Static6::subnet), SHORT_BYTES_MAX),
            gateway6: text(gateway(fixed6.and_then(Static6::gateway)), SHORT_BYTES_MAX),
            dns: text(Some(words::list(&kept.dns)), LIST_BYTES_MAX),
            ntp: text(Some(words::list(&kept.ntp)), LIST_BYTES_MAX),
            proxy: text(
                kept.proxy.as_ref().map(ToString::to_string),
                SITE_NAME_BYTES_MAX + 8,
            ),
            kept,
            at: Spot::Mode4,
            is_refused: false,
            is_leaving: false,
        }
    }

    /// Whether there is something to fill in at `spot`.
    fn is_offered(&self, spot: Spot) -> bool {
        match spot {
            Spot::Address4 | Spot::Gateway4 => self.mode4 == Mode4::Static,
            Spot::Address6 | Spot::Gateway6 => self.mode6 == Mode6::Static,
            _ => true,
        }
    }

    fn spots(&self) -> Vec<Spot> {
        let all = FIELDS.into_iter().chain([Spot::Check, Spot::Back]);
        all.filter(|spot| self.is_offered(*spot)).collect()
    }

    fn entry(&self, spot: Spot) -> Option<&Entry> {
        Some(match spot {
            Spot::Site => &self.site,
            Spot::Vlan => &self.vlan,
            Spot::Address4 => &self.address4,
            Spot::Gateway4 => &self.gateway4,
            Spot::Address6 => &self.address6,
            Spot::Gateway6 => &self.gateway6,
            Spot::Dns => &self.dns,
            Spot::Ntp => &self.ntp,
            Spot::Proxy => &self.proxy,
            Spot::Interface | Spot::Mode4 | Spot::Mode6 | Spot::Check | Spot::Back => return None,
        })
    }

    fn entry_mut(&mut self, spot: Spot) -> Option<&mut Entry> {
        Some(match spot {
            Spot::Site => &mut self.site,
            Spot::Vlan => &mut self.vlan,
            Spot::Address4 => &mut self.address4,
            Spot::Gateway4 => &mut self.gateway4,
            Spot::Address6 => &mut self.address6,
            Spot::Gateway6 => &mut self.gateway6,
            Spot::Dns => &mut self.dns,
            Spot::Ntp => &mut self.ntp,
            Spot::Proxy => &mut self.proxy,
            Spot::Interface | Spot::Mode4 | Spot::Mode6 | Spot::Check | Spot::Back => return None,
        })
    }

    pub(super) fn key(&mut self, key: Key) -> Step {
        self.is_refused = false;
        let was_leaving = std::mem::take(&mut self.is_leaving);
        let typed = self
            .entry_mut(self.at)
            .map_or(Typed::NotForUs, |entry| entry.key(key));
        match typed {
            Typed::Taken => return Step::Stay,
            Typed::Refused => {
                self.is_refused = true;
                return Step::Stay;
            }
            Typed::NotForUs => {}
        }
        match (key, self.at) {
            (Key::Escape, _) | (Key::Enter, Spot::Back) => {
                if was_leaving || !self.is_changed() {
                    return Step::Home;
                }
                self.is_leaving = true;
            }
            (Key::Enter, Spot::Check) => return self.check(),
            (Key::Right | Key::Char(' '), Spot::Interface | Spot::Mode4 | Spot::Mode6) => {
                self.choose(1);
            }
            (Key::Left, Spot::Interface | Spot::Mode4 | Spot::Mode6) => self.choose(-1),
            (Key::Up | Key::BackTab | Key::Left, _) => self.go(-1),
            (Key::Down | Key::Tab | Key::Right | Key::Enter, _) => self.go(1),
            (Key::PageUp, _) => self.at = FIELDS[0],
            (Key::PageDown, _) => self.at = Spot::Check,
            _ => {}
        }
        Step::Stay
    }

    fn go(&mut self, by: isize) {
        let spots = self.spots();
        let at = spots.iter().position(|spot| *spot == self.at).unwrap_or(0);
        self.at = spots[turned(at, by, spots.len())];
    }

    fn choose(&mut self, by: isize) {
        const MODES4: [Mode4; 2] = [Mode4::Dhcp, Mode4::Static];
        const MODES6: [Mode6; 3] = [Mode6::Auto, Mode6::Static, Mode6::Off];
        match self.at {
            Spot::Interface => {
                self.interface = turned(self.interface, by, self.interfaces.len());
            }
            Spot::Mode4 => self.mode4 = next(&MODES4, self.mode4, by),
            Spot::Mode6 => self.mode6 = next(&MODES6, self.mode6, by),
            _ => {}
        }
    }

    /// On to the summary, or to the field that is wrong.
    fn check(&mut self) -> Step {
        match self.settings() {
            Ok(wanted) => {
                let form = std::mem::replace(self, Self::new(Network::default(), None));
                Step::Show(View::Summary(Box::new(Summary::new(form, wanted))))
            }
            Err((spot, _)) => {
                self.at = spot;
                Step::Stay
            }
        }
    }

    /// As it is now.
    pub(super) fn kept(&self) -> &Network {
        &self.kept
    }

    fn is_changed(&self) -> bool {
        self.settings().as_ref() != Ok(&self.kept)
    }

    /// As it would be, or what is wrong first, and where.
    fn settings(&self) -> Result<Network, (Spot, Problem)> {
        let at = |spot| move |problem| (spot, problem);
        Ok(Network {
            site: optional(&self.site).map_err(at(Spot::Site))?,
            interface: self.interfaces[self.interface].0.clone(),
            vlan: optional(&self.vlan).map_err(at(Spot::Vlan))?,
            ipv4: self.ipv4()?,
            ipv6: self.ipv6()?,
            dns: addresses(&self.dns).map_err(at(Spot::Dns))?,
            ntp: hosts(&self.ntp).map_err(at(Spot::Ntp))?,
            proxy: optional(&self.proxy).map_err(at(Spot::Proxy))?,
        })
    }

    fn ipv4(&self) -> Result<Ipv4, (Spot, Problem)> {
        if self.mode4 == Mode4::Dhcp {
            return Ok(Ipv4::Dhcp);
        }
        let subnet = self.address4.text();
        Static4::new(subnet, None).map_err(|bad| (Spot::Address4, bad.into()))?;
        let at_gateway = |problem| (Spot::Gateway4, problem);
        let gateway = address(self.gateway4.text(), "192.0.2.1").map_err(at_gateway)?;
        let fixed = Static4::new(subnet, gateway).map_err(|bad| at_gateway(bad.into()))?;
        Ok(Ipv4::Static(fixed))
    }

    fn ipv6(&self) -> Result<Ipv6, (Spot, Problem)> {
        match self.mode6 {
            Mode6::Auto => return Ok(Ipv6::Auto),
            Mode6::Off => return Ok(Ipv6::Off),
            Mode6::Static => {}
        }
        let subnet = self.address6.text();
        Static6::new(subnet, None).map_err(|bad| (Spot::Address6, bad.into()))?;
        let at_gateway = |problem| (Spot::Gateway6, problem);
        let gateway = address(self.gateway6.text(), "2001:db8::1").map_err(at_gateway)?;
        let fixed = Static6::new(subnet, gateway).map_err(|bad| at_gateway(bad.into()))?;
        Ok(Ipv6::Static(fixed))
    }

    /// What is wrong at `spot`, whatever is wrong elsewhere.
    fn problem(&self, spot: Spot) -> Option<Problem> {
        let here = |found: Result<(), (Spot, Problem)>| match found {
            Err((at, problem)) if at == spot => Some(problem),
            _ => None,
        };
        match spot {
            Spot::Site => optional::<HostName>(&self.site).err(),
            Spot::Vlan => optional::<crate::domain::network::Vlan>(&self.vlan).err(),
            Spot::Address4 | Spot::Gateway4 => here(self.ipv4().map(drop)),
            Spot::Address6 | Spot::Gateway6 => here(self.ipv6().map(drop)),
            Spot::Dns => addresses(&self.dns).err(),
            Spot::Ntp => hosts(&self.ntp).err(),
            Spot::Proxy => optional::<crate::domain::network::Proxy>(&self.proxy).err(),
            Spot::Interface | Spot::Mode4 | Spot::Mode6 | Spot::Check | Spot::Back => None,
        }
    }

    pub(super) fn draw(&self, screen: &mut Screen, world: &World) {
        Frame::draw(screen, world, words::NETWORK, words::HELP_FORM);
        for (at, spot) in FIELDS.into_iter().enumerate() {
            if self.is_offered(spot) {
                self.draw_field(screen, BODY_ROW + at, spot);
            }
        }
        for (at, line) in wrap(&self.hint(), TEXT_COLUMNS)
            .iter()
            .take(HINT_ROWS)
            .enumerate()
        {
            screen.write(HINT_ROW + at, MARGIN, line);
        }
        let is_at = |spot| self.at == spot;
        let end = button(
            screen,
            (CHOICES_ROW, MARGIN),
            words::CHECK,
            is_at(Spot::Check),
        );
        button(
            screen,
            (CHOICES_ROW, end + 2),
            words::BACK,
            is_at(Spot::Back),
        );
    }

    fn draw_field(&self, screen: &mut Screen, row: usize, spot: Spot) {
        if self.problem(spot).is_some() {
            screen.write(row, 0, "!");
        }
        let name = clip(words::network_name(spot), VALUE_COLUMN - MARGIN - 1);
        screen.write(row, MARGIN, &name);
        let is_current = self.at == spot;
        if let Some(entry) = self.entry(spot) {
            entry.draw(screen, (row, VALUE_COLUMN), WIDTH, is_current);
            return;
        }
        let value = match spot {
            Spot::Mode4 => words::mode4(self.mode4),
            Spot::Mode6 => words::mode6(self.mode6),
            _ => &self.interfaces[self.interface].1,
        };
        let text = format!("< {} >", clip(value, WIDTH - 4));
        if is_current {
            screen.write_reversed(row, VALUE_COLUMN, &text);
            screen.point_at(row, VALUE_COLUMN);
        } else {
            screen.write(row, VALUE_COLUMN, &text);
        }
    }

    /// What is wrong here, else what the field is for.
    fn hint(&self) -> String {
        if self.is_leaving {
            return words::LEAVE_FORM.to_owned();
        }
        if self.is_refused {
            return words::network_problem(&Problem::Key);
        }
        match self.problem(self.at) {
            Some(problem) => words::network_problem(&problem),
            None => match (self.at, self.settings()) {
                (Spot::Check, Err((spot, _))) => words::network_unfinished(spot),
                _ => words::network_hint(self.at).to_owned(),
            },
        }
    }
}

/// What may be chosen: every interface that stands for itself, and the one that is kept even if it
/// is not there.
fn interfaces(
    facts: Option<&Facts>,
    kept: Option<&InterfaceName>,
) -> Vec<(Option<InterfaceName>, String)> {
    let mut offered = vec![(None, words::ANY_INTERFACE.to_owned())];
    let there = facts.map_or(&[][..], |facts| &facts.network.interfaces);
    for interface in there {
        // A virtual network's interface is named after the one that carries it.
        let is_tagged = there.iter().any(|other| {
            let rest = interface.name.as_str().strip_prefix(other.name.as_str());
            rest.is_some_and(|rest| rest.starts_with('.'))
        });
        if !is_tagged {
            offered.push((Some(interface.name.clone()), words::interface(interface)));
        }
    }
    if let Some(kept) = kept
        && !offered.iter().any(|(name, _)| name.as_ref() == Some(kept))
    {
        offered.push((Some(kept.clone()), words::missing_interface(kept)));
    }
    offered
}

fn gateway(address: Option<impl Into<IpAddr>>) -> Option<String> {
    address.map(|address| address.into().to_string())
}

/// What is typed in `entry`; nothing if it is empty.
fn optional<T: FromStr<Err = BadNetwork>>(entry: &Entry) -> Result<Option<T>, Problem> {
    match entry.text().trim() {
        "" => Ok(None),
        text => Ok(Some(text.parse::<T>()?)),
    }
}

/// An address; nothing if there is none.
fn address<T: FromStr>(text: &str, example: &'static str) -> Result<Option<T>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let found = || text.to_owned();
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| Problem::NoAddress {
        found: found(),
        example,
    })
}

/// The words between blanks and commas.
fn items(entry: &Entry) -> impl Iterator<Item = &str> {
    let parts = entry.text().split([' ', ',', ';']);
    parts.filter(|part| !part.is_empty())
}

fn addresses(entry: &Entry) -> Result<heapless::Vec<IpAddr, NAME_SERVERS_MAX>, Problem> {
    let mut found = heapless::Vec::new();
    for item in items(entry) {
        let address = address(item, "192.0.2.53")?.expect("items are not empty");
        found.push(address).map_err(|_| Problem::TooMany {
            most: NAME_SERVERS_MAX,
        })?;
    }
    Ok(found)
}

fn hosts(entry: &Entry) -> Result<heapless::Vec<HostName, TIME_SERVERS_MAX>, Problem> {
    let mut found = heapless::Vec::new();
    for item in items(entry) {
        let host = item.parse::<HostName>()?;
        found.push(host).map_err(|_| Problem::TooMany {
            most: TIME_SERVERS_MAX,
        })?;
    }
    Ok(found)
}

/// `at` moved by one, around the end.
fn turned(at: usize, by: isize, count: usize) -> usize {
    if by < 0 {
        (at + count - 1) % count
    } else {
        (at + 1) % count
    }
}

fn next<T: Copy + PartialEq>(all: &[T], now: T, by: isize) -> T {
    let at = all.iter().position(|one| *one == now).unwrap_or(0);
    all[turned(at, by, all.len())]
}
