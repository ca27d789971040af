//! Where a customer reads and types: a terminal, a keyboard and the signals that mean "enough".

use std::collections::VecDeque;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::line::Typed;
use super::terminal::Terminal;

/// Where a customer reads, types and presses Ctrl-C.
pub struct Seat {
    /// Shows lines.
    pub terminal: Terminal,
    /// Typed bytes; ends when nothing more can be typed.
    pub typed: mpsc::Receiver<Vec<u8>>,
    /// Lines that came together with one that was waited for.
    pub(super) typed_ahead: VecDeque<Typed>,
    pub(super) interrupt: Signal,
    pub(super) terminate: Signal,
    pub(super) hang_up: Signal,
}

impl Seat {
    /// The standard input and output. From here on signals no longer end the program.
    pub fn standard() -> io::Result<Self> {
        // Signals first: one that came in between would leave the terminal without its echo.
        let (interrupt, terminate, hang_up) = signals()?;
        let (terminal, typed) = Terminal::standard();
        Ok(Self {
            terminal,
            typed,
            typed_ahead: VecDeque::new(),
            interrupt,
            terminate,
            hang_up,
        })
    }

    /// Any other place, for tests.
    pub fn new(terminal: Terminal, typed: mpsc::Receiver<Vec<u8>>) -> io::Result<Self> {
        let (interrupt, terminate, hang_up) = signals()?;
        Ok(Self {
            terminal,
            typed,
            typed_ahead: VecDeque::new(),
            interrupt,
            terminate,
            hang_up,
        })
    }

    /// A typed line, or `None` if there will be none or the customer wants to go.
    pub(super) async fn line(&mut self) -> Option<String> {
        loop {
            match self.typed_ahead.pop_front() {
                Some(Typed::Line { text, .. }) => return Some(text),
                Some(Typed::End) => return None,
                None => {}
            }
            tokio::select! {
                bytes = self.typed.recv() => match bytes {
                    Some(bytes) => self.typed_ahead.extend(self.terminal.feed(&bytes)),
                    None => self.typed_ahead.push_back(self.terminal.finish_input()?),
                },
                _ = self.interrupt.recv() => return None,
                _ = self.terminate.recv() => return None,
                _ = self.hang_up.recv() => return None,
            }
        }
    }
}

fn signals() -> io::Result<(Signal, Signal, Signal)> {
    Ok((
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ))
}
