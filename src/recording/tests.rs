//! Encoder and decoder against each other.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::limits::{TRANSCRIPT_EVENT_BYTES_MAX, TRANSCRIPT_LINE_BYTES_MAX};
use crate::domain::text::label;
use crate::domain::token::Fingerprint;

fn header() -> Header {
    Header {
        columns: 80,
        rows: 24,
        started: Stamp(1_700_000_000_000),
        title: label("Kim's \"laptop\""),
    }
}

/// All items of a whole file.
fn decode(file: &[u8]) -> Result<Vec<Item>, RecordingError> {
    let mut decoder = Decoder::new();
    decoder.push(file);
    let mut items = Vec::new();
    while let Some(item) = decoder.next_item()? {
        items.push(item);
    }
    decoder.finish().map(|()| items)
}

fn output_of(items: &[Item]) -> String {
    let text = |item: &Item| match item {
        Item::Event {
            what: Happened::Output(text),
            ..
        } => text.clone(),
        _ => String::new(),
    };
    items.iter().map(text).collect()
}

/// A file with `lines` after a good header.
fn with_header(lines: &str) -> Vec<u8> {
    format!("{{\"version\":2,\"width\":80,\"height\":24}}\n{lines}").into_bytes()
}

#[test]
fn a_transcript_looks_as_the_format_says() {
    let mut out = Vec::new();
    let mut cast = Asciicast::new(&header(), &mut out);
    cast.output(Duration::from_millis(1_250), b"$ ls\r\n\x1b[1m", &mut out);
    cast.resize(Duration::from_secs(2), 100, 30, &mut out);
    let finished = cast.finish(Duration::from_secs(3), &mut out);
    assert_eq!(
        String::from_utf8(out.clone()).unwrap(),
        concat!(
            r#"{"version":2,"width":80,"height":24,"timestamp":1700000000,"title":"Kim's \"laptop\""}"#,
            "\n",
            r#"[1.250000, "o", "$ ls\r\n\u001b[1m"]"#,
            "\n",
            r#"[2.000000, "r", "100x30"]"#,
            "\n",
        )
    );
    assert_eq!(finished.bytes, out.len() as u64);
    assert_eq!(finished.sha256, Fingerprint::of(&out));
}

#[test]
fn an_unfinished_character_is_marked_at_the_end() {
    let mut out = Vec::new();
    let mut cast = Asciicast::new(&header(), &mut out);
    cast.output(Duration::ZERO, b"\xe2\x82", &mut out);
    cast.resize(Duration::ZERO, 1, 1, &mut out);
    cast.finish(Duration::ZERO, &mut out);
    assert_eq!(output_of(&decode(&out).unwrap()), "\u{fffd}");
}

#[test]
fn a_resize_does_not_tear_a_character() {
    let mut out = Vec::new();
    let mut cast = Asciicast::new(&header(), &mut out);
    cast.output(Duration::ZERO, b"\xe2\x82", &mut out);
    cast.resize(Duration::ZERO, 1, 1, &mut out);
    cast.output(Duration::ZERO, b"\xac", &mut out);
    cast.finish(Duration::ZERO, &mut out);
    assert_eq!(output_of(&decode(&out).unwrap()), "€");
}

#[test]
fn any_amount_of_the_worst_output_stays_within_a_line() {
    let mut out = Vec::new();
    let mut cast = Asciicast::new(&header(), &mut out);
    let worst = vec![0; 3 * TRANSCRIPT_EVENT_BYTES_MAX + 1];
    cast.output(Duration::MAX, &worst, &mut out);
    let lines: Vec<usize> = out.split(|byte| *byte == b'\n').map(<[u8]>::len).collect();
    // The header, four events, and nothing after the last line's end.
    assert_eq!(lines.len(), 6);
    let longest = lines.into_iter().max().unwrap();
    assert!(longest <= TRANSCRIPT_LINE_BYTES_MAX, "{longest}");
    assert_eq!(output_of(&decode(&out).unwrap()).len(), worst.len());
}

#[test]
fn time_in_a_transcript_does_not_go_back() {
    let mut out = Vec::new();
    let mut cast = Asciicast::new(&header(), &mut out);
    cast.output(Duration::from_secs(2), b"a", &mut out);
    cast.output(Duration::from_secs(1), b"b", &mut out);
    cast.finish(Duration::ZERO, &mut out);
    let items = decode(&out).unwrap();
    let two = Duration::from_secs(2);
    assert!(matches!(items[2], Item::Event { elapsed, .. } if elapsed == two));
}

#[test]
fn what_is_no_transcript_is_refused_by_line() {
    use RecordingError::{BadSize, CutShort, LineTooLong, UnknownEvent, Version};
    let error = |file: &[u8]| decode(file).unwrap_err();
    assert_eq!(error(b""), CutShort { line: 1 });
    assert_eq!(
        error(b"{\"version\":3,\"width\":80,\"height\":24}\n"),
        Version { found: 3 }
    );
    assert!(matches!(
        error(b"\n"),
        RecordingError::BadLine { line: 1, .. }
    ));
    let event = |line: &str| error(&with_header(line));
    assert_eq!(event("[0, \"o\", \"a\"]"), CutShort { line: 2 });
    assert_eq!(event("[0, \"x\", \"a\"]\n"), UnknownEvent { line: 2 });
    assert_eq!(event("[0, \"r\", \"80\"]\n"), BadSize { line: 2 });
    assert_eq!(event("[0, \"r\", \"70000x1\"]\n"), BadSize { line: 2 });
    for line in [
        "[]\n",
        "[0, \"o\"]\n",
        "[0, \"o\", \"a\", 1]\n",
        "{}\n",
        "\n",
    ] {
        assert!(
            matches!(event(line), RecordingError::BadLine { line: 2, .. }),
            "{line}"
        );
    }
    for line in ["[-1, \"o\", \"\"]\n", "[2e9, \"o\", \"\"]\n"] {
        assert!(
            matches!(event(line), RecordingError::BadTime { line: 2, .. }),
            "{line}"
        );
    }
    assert!(matches!(
        event("[2, \"o\", \"\"]\n[1, \"o\", \"\"]\n"),
        RecordingError::BadTime { line: 3, .. }
    ));
    let endless = "x".repeat(TRANSCRIPT_LINE_BYTES_MAX + 1);
    assert_eq!(event(&endless), LineTooLong { line: 2 });
}

#[test]
fn fuzz_smoke() {
    fuzz(b"");
    let good = with_header("[0.5, \"o\", \"a\"]\n[1, \"r\", \"80x24\"]\n");
    for end in 0..good.len() {
        fuzz(&good[..end]);
        let mut flipped = good.clone();
        flipped[end] ^= 0x15;
        fuzz(&flipped);
    }
}

/// What a shell does, for the properties below.
#[derive(Clone, Debug)]
enum Step {
    Output(Vec<u8>),
    Resize(u16, u16),
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let output = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        // Characters of every length, cut anywhere.
        ("[a-zä€𝄞\u{7f}\u{0}\u{2028}]{0,12}", 0..16_usize)
            .prop_map(|(text, skip)| { text.as_bytes()[skip.min(text.len())..].to_vec() }),
    ];
    let step = prop_oneof![
        4 => output.prop_map(Step::Output),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(columns, rows)| Step::Resize(columns, rows)),
    ];
    (0..5_000_000_u64, step)
}

proptest! {
    /// Wherever output is cut into chunks, the text is the one of the whole.
    #[test]
    fn cutting_a_stream_changes_nothing(
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut out = Vec::new();
        let mut cast = Asciicast::new(&header(), &mut out);
        let mut whole = Vec::new();
        for (_, step) in &steps {
            if let Step::Output(bytes) = step {
                whole.extend_from_slice(bytes);
                cast.output(Duration::ZERO, bytes, &mut out);
            }
        }
        cast.finish(Duration::ZERO, &mut out);
        prop_assert_eq!(output_of(&decode(&out).unwrap()), String::from_utf8_lossy(&whole));
    }

    /// Times, sizes and text come back as they went in, and the hash is the file's.
    #[test]
    fn encode_then_decode_is_identity(
        steps in prop::collection::vec(step(), 0..40),
        piece in 1..200_usize,
    ) {
        let mut out = Vec::new();
        let mut cast = Asciicast::new(&header(), &mut out);
        let mut expected = vec![Item::Header(header())];
        let mut elapsed = Duration::ZERO;
        for (micros, step) in steps {
            elapsed += Duration::from_micros(micros);
            let what = match step {
                Step::Output(bytes) => {
                    // Whole characters: what is carried over is the other property's matter.
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    cast.output(elapsed, text.as_bytes(), &mut out);
                    if text.is_empty() {
                        continue;
                    }
                    Happened::Output(text)
                }
                Step::Resize(columns, rows) => {
                    cast.resize(elapsed, columns, rows, &mut out);
                    Happened::Resized { columns, rows }
                }
            };
            expected.push(Item::Event { elapsed, what });
        }
        let finished = cast.finish(elapsed, &mut out);
        prop_assert_eq!(finished.sha256, Fingerprint::of(&out));
        prop_assert_eq!(finished.bytes, out.len() as u64);

        let mut decoder = Decoder::new();
        let mut items = Vec::new();
        for piece in out.chunks(piece) {
            decoder.push(piece);
            while let Some(item) = decoder.next_item().unwrap() {
                items.push(item);
            }
        }
        prop_assert_eq!(decoder.finish(), Ok(()));
        prop_assert_eq!(items, expected);
    }

    /// Anything ends in items or an error, and the same ones however it is cut.
    #[test]
    fn any_bytes_are_decoded_or_refused(data in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz(&data);
        fuzz(&with_header(&String::from_utf8_lossy(&data)));
    }
}
