//! Session keys: short digits to read out on the telephone, and the token of a unique URL (PP-04,
//! PP-06). A key is no authentication; it only leads a customer to a representative.

use crate::domain::Text;
use crate::domain::Token;
use crate::domain::limits::KEY_DIGITS_MAX;

/// The digits of a key.
pub type Digits = Text<16>;

/// What somebody typed into the key field, or what a client brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Digits, without the spaces and dashes people put between them.
    Digits(Digits),
    /// The token of a unique URL.
    Token(Token),
    /// Neither; cannot be a key.
    Nonsense,
}

/// Reads a key as people write it: spaces, dashes, dots and a copied line end are ignored.
pub fn read(text: &str) -> Typed {
    let kept: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !"-.\u{2010}\u{2013}".contains(*c))
        .collect();
    if let Ok(token) = kept.to_ascii_lowercase().parse() {
        return Typed::Token(token);
    }
    let plausible = !kept.is_empty()
        && kept.len() <= KEY_DIGITS_MAX
        && kept.bytes().all(|b| b.is_ascii_digit());
    if !plausible {
        return Typed::Nonsense;
    }
    Digits::try_from(kept.as_str()).map_or(Typed::Nonsense, Typed::Digits)
}

/// `count` digits, each equally likely. `random` fills a buffer with random bytes.
///
/// # Panics
///
/// If `count` is above [`KEY_DIGITS_MAX`].
pub fn draw(count: usize, random: &mut dyn FnMut(&mut [u8])) -> Digits {
    assert!(count <= KEY_DIGITS_MAX);
    let mut digits = Digits::new();
    while digits.len() < count {
        let mut byte = [0];
        random(&mut byte);
        // 250 is the largest multiple of ten in a byte: above it some digits would be likelier.
        if byte[0] < 250 {
            let digit = char::from(b'0' + byte[0] % 10);
            digits.push(digit).expect("KEY_DIGITS_MAX fits the text");
        }
    }
    digits
}

/// For `tests/fuzz` and the smoke run below: whatever is typed, what was understood is understood
/// again.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match read(text) {
        Typed::Digits(digits) => assert_eq!(read(&digits), Typed::Digits(digits)),
        Typed::Token(token) => assert_eq!(read(&token.reveal()), Typed::Token(token)),
        Typed::Nonsense => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fuzz_smoke(
            typed in "[0-9a-fA-F .\\-\u{2010}\u{2013}\r\n]{0,40}", data: Vec<u8>, any in ".*"
        ) {
            fuzz(typed.as_bytes());
            fuzz(&data);
            fuzz(any.as_bytes());
        }
    }

    #[test]
    fn a_key_is_read_however_people_write_it() {
        let plain = Typed::Digits(Digits::try_from("8964548").unwrap());
        for text in ["8964548", " 896 4548\r\n", "896-45-48", "896.4548"] {
            assert_eq!(read(text), plain, "{text:?}");
        }
        let token = Token::from_random([0xab; 16]);
        assert_eq!(read(&token.reveal().to_uppercase()), Typed::Token(token));
        for text in ["", "12a4567", "1234567890123", "٣٤٥٦٧٨٩"] {
            assert_eq!(read(text), Typed::Nonsense, "{text:?}");
        }
    }

    #[test]
    fn every_digit_is_drawn_equally_often() {
        let mut next = 0_u8;
        let mut random = |buffer: &mut [u8]| {
            for byte in buffer {
                *byte = next;
                next = next.wrapping_add(1);
            }
        };
        let mut counts = [0; 10];
        for _ in 0..100 {
            for digit in draw(10, &mut random).bytes() {
                counts[usize::from(digit - b'0')] += 1;
            }
        }
        assert_eq!(counts, [100; 10]);
    }
}
