//! Wishes, one after the other.

use std::io::{self, ErrorKind, Read, Write};

use super::{Body, Transport};
use crate::control::machine::notice;
use crate::domain::limits::FETCH_PART_BYTES;
use crate::update::wire::{self, Fetched, WireError, Wish};

/// Fetches what `verify`, at the other end of `socket`, wishes, until it is gone.
pub fn serve(socket: &mut (impl Read + Write), transport: &Transport) -> Result<(), WireError> {
    let mut file = None;
    let mut part = vec![0; FETCH_PART_BYTES];
    while let Some(wish) = wire::receive(socket)? {
        match wish {
            Wish::Open {
                address,
                from,
                bytes_max,
            } => {
                // The connection of the one before can be used again, or is closed.
                file = None;
                let answer = match transport.get(&address, from, bytes_max) {
                    Ok(Some(body)) => {
                        let from = body.from();
                        file = Some(body);
                        Fetched::Begins { from }
                    }
                    Ok(None) => Fetched::Missing,
                    Err(error) => failed(&error, error.passes()),
                };
                wire::send(socket, &answer)?;
            }
            Wish::More => match more(file.as_mut(), &mut part) {
                Ok(bytes) => {
                    wire::send(socket, &Fetched::Part)?;
                    wire::send_bytes(socket, &part[..bytes])?;
                }
                Err(error) => {
                    file = None;
                    let passes = error.kind() != ErrorKind::FileTooLarge;
                    wire::send(socket, &failed(&error, passes))?;
                }
            },
        }
    }
    Ok(())
}

fn more(file: Option<&mut Body>, part: &mut [u8]) -> io::Result<usize> {
    let none = || io::Error::new(ErrorKind::NotFound, "no file is open");
    file.ok_or_else(none)?.read(part)
}

fn failed(error: &dyn std::error::Error, passes: bool) -> Fetched {
    Fetched::Failed {
        why: notice(&error.to_string()),
        passes,
    }
}
