//! A public key as people pass it on: PEM around a `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7).

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;

/// What a key is for, by its `AlgorithmIdentifier`, whose DER is always the same.
const EC_P256: &[u8] =
    b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
/// An uncompressed point: a tag and two numbers of 32 bytes.
const P256_POINT_BYTES: usize = 65;

/// The key inside.
#[derive(Debug, PartialEq, Eq)]
pub enum Inside {
    /// A point on P-256, uncompressed.
    P256(Vec<u8>),
    /// An `RSAPublicKey` in DER (RFC 8017, A.1.1).
    Rsa(Vec<u8>),
}

/// Reads PEM that holds one public key and nothing else.
pub fn decode(pem: &str) -> Option<Inside> {
    let pem = pem.trim_end();
    let alone = pem.starts_with("-----BEGIN PUBLIC KEY-----")
        && pem.ends_with("-----END PUBLIC KEY-----")
        && pem.matches("-----BEGIN").count() == 1;
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
    let inside = whole(&der, SEQUENCE).filter(|_| alone)?;
    let (algorithm, rest) = element(inside, SEQUENCE)?;
    // A key has whole bytes: the number of unused bits in the last one is zero.
    let key = whole(rest, BIT_STRING)?.strip_prefix(&[0])?.to_vec();
    match algorithm {
        EC_P256 if key.len() == P256_POINT_BYTES && key[0] == 4 => Some(Inside::P256(key)),
        RSA => Some(Inside::Rsa(key)),
        _ => None,
    }
}

/// What the one element `der` consists of holds.
fn whole(der: &[u8], tag: u8) -> Option<&[u8]> {
    element(der, tag).and_then(|(inside, rest)| rest.is_empty().then_some(inside))
}

/// What the first element of `der` holds, and what follows it. Its length has to be written in the
/// shortest form (X.690, 10.1).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (length, rest) = match *rest {
        [short, ref rest @ ..] if short < 0x80 => (usize::from(short), rest),
        [0x81, length, ref rest @ ..] if length >= 0x80 => (usize::from(length), rest),
        [0x82, high, low, ref rest @ ..] if high > 0 => {
            (usize::from(u16::from_be_bytes([high, low])), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// See [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let _ = decode(text);
    }
    if let Some((inside, rest)) = element(data, SEQUENCE) {
        assert!(inside.len() + rest.len() < data.len());
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn pem(der: &[u8]) -> String {
        let text = BASE64.encode(der);
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    fn p256() -> Vec<u8> {
        let head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
        [head, [7; 64].as_slice()].concat()
    }

    #[test]
    fn a_key_is_read_and_everything_around_it_refused() {
        let point = [&[4][..], &[7; 64]].concat();
        assert_eq!(decode(&pem(&p256())), Some(Inside::P256(point)));
        assert_eq!(decode(&format!("x\n{}", pem(&p256()))), None);
        assert_eq!(decode(&pem(&p256()).repeat(2)), None);
        assert_eq!(decode(&pem(&p256()).replace("PUBLIC", "RSA PUBLIC")), None);
        for at in 0..27 {
            let mut der = p256();
            der[at] ^= 1;
            assert_eq!(decode(&pem(&der)), None, "byte {at}");
        }
        let longer = [p256(), vec![0]].concat();
        assert_eq!(decode(&pem(&longer)), None);
        assert_eq!(decode(&pem(&p256()[..80])), None);
    }

    #[test]
    fn a_length_in_another_than_the_shortest_form_is_refused() {
        assert_eq!(element(b"\x30\x01x", SEQUENCE), Some((&b"x"[..], &b""[..])));
        assert_eq!(element(b"\x30\x81\x01x", SEQUENCE), None);
        assert_eq!(element(b"\x30\x82\x00\x01x", SEQUENCE), None);
        assert_eq!(element(b"\x30\x80x\x00\x00", SEQUENCE), None);
    }
}
