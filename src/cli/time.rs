//! Asks time servers how far this machine's clock is off (SNTP: RFC 5905, 14).
//!
//! The supervisor starts it under a user that may do nothing else, and reads one number: nothing
//! that came from the network gets further than this program. Every server is asked once; of
//! several that answer the middle one is believed, so that one of three or four may lie.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::domain::Stamp;
use crate::domain::limits::{TIME_ANSWER_WITHIN, TIME_SERVERS_MAX};
use crate::domain::network::HostName;

const PORT: u16 = 123;
const PACKET_BYTES: usize = 48;
/// Version 4, mode 3: a client's question.
const QUESTION: u8 = 0b00_100_011;
/// From 1900 to 1970.
const SECONDS_TO_1970: i64 = 2_208_988_800;
/// A timestamp's seconds begin anew after this many.
const ERA_SECONDS: i64 = 1 << 32;

/// Why nobody knows the time.
#[derive(Debug, thiserror::Error)]
pub(super) enum TimeError {
    /// Nobody could be asked.
    #[error("no time server can be asked: {0}")]
    Unreachable(String),
    /// Nobody answered with anything that can be used.
    #[error("no time server has answered: {0}")]
    Silent(String),
}

/// An answer that counts: how far ahead of us a server is, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Offset(i64);

/// How many milliseconds this machine's clock has to be set forward. Timestamps repeat every 136
/// years; they are read as those that begin with `since`, in seconds since 1970.
pub(super) fn ask(servers: &[HostName], since: i64) -> Result<i64, TimeError> {
    let (mut addresses, mut why) = (Vec::new(), String::new());
    for server in servers {
        match (server.as_str(), PORT).to_socket_addrs() {
            Ok(found) => addresses.extend(found),
            Err(error) => why = format!("{server}: {error}"),
        }
    }
    addresses.truncate(TIME_SERVERS_MAX);
    if addresses.is_empty() {
        return Err(TimeError::Unreachable(why));
    }
    let mut offsets = Vec::new();
    for address in addresses {
        match ask_one(address, since) {
            Ok(offset) => offsets.push(offset),
            Err(error) => why = format!("{address}: {error}"),
        }
    }
    middle(offsets).map_or(Err(TimeError::Silent(why)), |Offset(millis)| Ok(millis))
}

/// The one that as many are above as below.
fn middle(mut offsets: Vec<Offset>) -> Option<Offset> {
    offsets.sort();
    offsets.get(offsets.len().checked_sub(1)? / 2).copied()
}

fn ask_one(server: SocketAddr, since: i64) -> io::Result<Offset> {
    let own = match server {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(own)?;
    // Only this server is heard.
    socket.connect(server)?;
    socket.set_read_timeout(Some(TIME_ANSWER_WITHIN))?;
    // Not the time, which is nobody's business, but what only this server can send back.
    let mut secret = [0; 8];
    let random = SystemRandom::new().fill(&mut secret);
    random.map_err(|_| io::Error::other("no randomness"))?;
    let (sent, began) = (unix_millis(), Instant::now());
    socket.send(&question(secret))?;
    let mut answer = [0; PACKET_BYTES];
    let length = socket.recv(&mut answer)?;
    let round = i64::try_from(began.elapsed().as_millis()).map_err(io::Error::other)?;
    let answer = answer.get(..length).unwrap_or_default();
    offset(answer, secret, sent, round, since)
        .ok_or_else(|| io::Error::other("its answer cannot be used"))
}

fn unix_millis() -> i64 {
    Stamp::of(SystemTime::now()).0
}

fn question(secret: [u8; 8]) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[0] = QUESTION;
    packet[40..].copy_from_slice(&secret);
    packet
}

/// What an answer to a question says that was sent at `sent` and took `round` milliseconds, if it
/// says anything. What it says is halfway between both.
fn offset(answer: &[u8], secret: [u8; 8], sent: i64, round: i64, since: i64) -> Option<Offset> {
    let answer: &[u8; PACKET_BYTES] = answer.try_into().ok()?;
    let (leap, version, mode) = (answer[0] >> 6, (answer[0] >> 3) & 7, answer[0] & 7);
    let (stratum, origin) = (answer[1], &answer[24..32]);
    // A server that lost its own servers says so by `leap`; one that wants to be left alone by its
    // stratum.
    let counts =
        leap != 3 && (3..=4).contains(&version) && mode == 4 && (1..=15).contains(&stratum);
    if !counts || origin != secret {
        return None;
    }
    let heard = timestamp(answer[32..40].try_into().ok()?, since)?;
    let said = timestamp(answer[40..48].try_into().ok()?, since)?;
    let thought = said
        .checked_sub(heard)
        .filter(|thought| (0..=round).contains(thought))?;
    // Network time in all is `round - thought`, and the answer took half of it.
    let now_there = said + (round - thought) / 2;
    Some(Offset(now_there - (sent + round)))
}

/// Milliseconds since 1970 of a timestamp in seconds since 1900 and their fraction, the first time
/// this comes round after `since`.
fn timestamp(bytes: [u8; 8], since: i64) -> Option<i64> {
    let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (seconds, fraction) = (word(0)?, word(4)?);
    if seconds == 0 {
        return None;
    }
    let after = (i64::from(seconds) - SECONDS_TO_1970 - since).rem_euclid(ERA_SECONDS);
    let millis = (i64::from(fraction) * 1_000) >> 32;
    since
        .checked_add(after)?
        .checked_mul(1_000)?
        .checked_add(millis)
}

// Four servers that do not answer, and names that do not resolve, fit into the supervisor's patience.
const _: () = assert!(
    TIME_ANSWER_WITHIN.as_secs() * TIME_SERVERS_MAX as u64 + Duration::from_secs(20).as_secs()
        <= crate::domain::limits::TIME_ASKED_WITHIN.as_secs()
);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    const SECRET: [u8; 8] = *b"8 random";
    const BUILT: i64 = 1_764_000_000;
    const NOW: i64 = 1_780_000_000_000;

    /// As a server says it.
    fn bytes_of(millis: i64) -> [u8; 8] {
        let seconds = (millis.div_euclid(1_000) + SECONDS_TO_1970).rem_euclid(ERA_SECONDS);
        let fraction = (millis.rem_euclid(1_000) << 32).div_euclid(1_000) + 1;
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&u32::try_from(seconds).unwrap().to_be_bytes());
        bytes[4..].copy_from_slice(&u32::try_from(fraction).unwrap().to_be_bytes());
        bytes
    }

    fn answer(heard: i64, said: i64) -> [u8; PACKET_BYTES] {
        let mut packet = [0; PACKET_BYTES];
        packet[0] = 0b00_100_100;
        packet[1] = 2;
        packet[24..32].copy_from_slice(&SECRET);
        packet[32..40].copy_from_slice(&bytes_of(heard));
        packet[40..].copy_from_slice(&bytes_of(said));
        packet
    }

    fn read(answer: &[u8], sent: i64, round: i64) -> Option<i64> {
        offset(answer, SECRET, sent, round, BUILT).map(|Offset(millis)| millis)
    }

    #[test]
    fn an_offset_is_what_is_left_after_half_the_way() {
        // 40 ms there, 10 ms to think, 40 ms back, and they are an hour ahead.
        let ahead = 3_600_000;
        let packet = answer(NOW + ahead + 40, NOW + ahead + 50);
        assert_eq!(read(&packet, NOW, 90), Some(ahead));
    }

    #[test]
    fn years_between_do_not_matter() {
        for sent in [0, 2_208_988_800_000, 4_000_000_000_000] {
            let packet = answer(NOW, NOW);
            assert_eq!(read(&packet, sent, 0), Some(NOW - sent));
        }
        // After 2036 the seconds begin anew.
        let later = 2_300_000_000_000;
        assert_eq!(read(&answer(later, later), later, 0), Some(0));
    }

    #[test]
    fn answers_that_do_not_count_are_left_out() {
        let good = answer(NOW, NOW);
        let changed = |at: usize, byte: u8| {
            let mut packet = good;
            packet[at] = byte;
            read(&packet, NOW, 10)
        };
        assert!(read(&good, NOW, 10).is_some());
        assert_eq!(changed(0, 0b11_100_100), None, "lost its servers");
        assert_eq!(changed(0, 0b00_100_011), None, "a question");
        assert_eq!(changed(1, 0), None, "wants to be left alone");
        assert_eq!(changed(1, 16), None, "knows nothing");
        assert_eq!(changed(24, 0), None, "answers another question");
        assert_eq!(read(&good[..47], NOW, 10), None);
        assert_eq!(
            read(&answer(NOW, NOW + 11), NOW, 10),
            None,
            "thought too long"
        );
        assert_eq!(
            read(&answer(NOW, NOW - 1), NOW, 10),
            None,
            "thought backwards"
        );
        let mut zero = good;
        zero[32..].fill(0);
        assert_eq!(read(&zero, NOW, 10), None);
    }

    #[test]
    fn one_liar_among_three_is_not_believed() {
        let of = |offsets: &[i64]| middle(offsets.iter().copied().map(Offset).collect());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[5]), Some(Offset(5)));
        assert_eq!(of(&[3, 9_999_999_999, 5]), Some(Offset(5)));
        assert_eq!(of(&[-9_999_999_999, 3, 4, 5]), Some(Offset(3)));
    }

    #[test]
    fn a_server_is_asked_and_its_answer_used() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let mut question = [0; 100];
            let (length, from) = server.recv_from(&mut question).unwrap();
            assert_eq!((length, question[0]), (PACKET_BYTES, QUESTION));
            let now = unix_millis() + 86_400_000;
            let mut packet = answer(now, now);
            packet[24..32].copy_from_slice(&question[40..48]);
            server.send_to(&packet, from).unwrap();
        });
        let Offset(millis) = ask_one(address, BUILT).unwrap();
        answering.join().unwrap();
        assert!((86_390_000..86_410_000).contains(&millis), "{millis}");
    }

    proptest! {
        #[test]
        fn any_answer_ends_in_an_offset_or_nothing(
            answer in prop::collection::vec(any::<u8>(), 0..60),
            sent in 0..4_000_000_000_000_i64, round in 0..5_000_i64,
        ) {
            read(&answer, sent, round);
        }

        #[test]
        fn the_difference_is_found_whatever_it_is(
            there in BUILT * 1_000..(BUILT + ERA_SECONDS - 1) * 1_000,
            here in 0..4_000_000_000_000_i64,
        ) {
            let found = read(&answer(there, there), here, 0).unwrap();
            prop_assert!((found - (there - here)).abs() <= 1);
        }
    }
}
