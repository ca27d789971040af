//! For `tests/fuzz` and its smoke run: what a stranger sends, before and after a handshake.

use super::keys::{APPLICATION_DATA, HANDSHAKE};
use super::stand_in::{StandIn, client_hello_of_tls12, configs};
use super::{Pipe, TlsError};

/// A script: each step is a byte that says what to do, one that says how much, and that many bytes.
/// What arrives unharmed arrives once and in order, and nothing else does.
pub fn fuzz(data: &[u8]) {
    // A stranger who never got as far as a handshake.
    let mut first = data.to_vec();
    let _ = Pipe::default().receive(&mut first, configs(), &mut Vec::new(), &mut Vec::new());
    // One whose second message is not what it should be, in TLS 1.2, where it is not encrypted.
    let content = &data[..data.len().min(1_000)];
    let length = u16::try_from(content.len())
        .expect("not more than that")
        .to_be_bytes();
    let mut record = vec![HANDSHAKE, 3, 3, length[0], length[1]];
    record.extend_from_slice(content);
    let mut server = Pipe::default();
    for bytes in [&mut client_hello_of_tls12(), &mut record] {
        let _ = server.receive(bytes, configs(), &mut Vec::new(), &mut Vec::new());
    }
    let (mut client, mut server) = StandIn::joined();
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    let mut rest = data;
    while let Some((&[step, size], after)) = rest.split_first_chunk() {
        let (content, after) = after.split_at(usize::from(size).min(after.len()));
        rest = after;
        let mut harmed = false;
        let mut wire = match step % 8 {
            0..=2 => {
                sent.extend_from_slice(content);
                client.seal(APPLICATION_DATA, content)
            }
            3 => client.key_update(step >> 7),
            4 => {
                harmed = true;
                // Cipher spec, alert, handshake.
                client.seal(20 + step / 8 % 3, content)
            }
            5 => {
                harmed = true;
                let mut record = client.seal(APPLICATION_DATA, content);
                let at = usize::from(step) % record.len();
                record[at] ^= 1 << (size % 8);
                record
            }
            6 => {
                harmed = true;
                content.to_vec()
            }
            _ => {
                let mut output = Vec::new();
                server.send(content, &mut output).expect("open");
                server.answer(&mut output);
                client.open(&mut output);
                server.rest();
                continue;
            }
        };
        let cut = usize::from(size % 7) * 5 + 1;
        let taken = hear(&mut server, &mut wire, cut, &mut received);
        if taken.is_err() || harmed {
            break;
        }
    }
    assert!(sent.starts_with(&received));
}

fn hear(
    server: &mut Pipe,
    wire: &mut [u8],
    cut: usize,
    received: &mut Vec<u8>,
) -> Result<(), TlsError> {
    for piece in wire.chunks_mut(cut) {
        let mut side = Vec::new();
        let (_, plain) = server.receive(piece, configs(), &mut side, &mut Vec::new())?;
        received.extend(side);
        received.extend_from_slice(&piece[plain]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, steps in "([\0-\u{7}][\0-\u{20}].{0,9}){0,20}") {
            super::fuzz(&data);
            super::fuzz(steps.as_bytes());
        }
    }
}
