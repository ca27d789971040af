//! Writes shells' transcripts, through `tokio-uring`: one thread, one ring of its own.
//!
//! Output that is sent again after a lost connection overlaps what was written; only what is new
//! is appended. Without a record there is no shell: a transcript that cannot be written, or has
//! reached its limit, has its shell closed.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use tokio::sync::mpsc::Receiver;
use tokio_uring::fs::{File, OpenOptions};

use super::clock::stamp;
use super::hub::Event;
use super::hub::event::{Tap, TranscriptOrder};
use super::recorder::Work;
use crate::domain::Stamp;
use crate::domain::limits::TRANSCRIPT_BYTES_MAX;
use crate::domain::text::label;
use crate::recording::{Asciicast, Cut, Header};
use crate::store::open_shells::{self, Waiting};

/// Something for a transcript.
#[derive(Debug)]
pub enum Mail {
    /// Begin, resize or finish.
    Order(TranscriptOrder),
    /// Output.
    Output {
        /// Whose.
        tap: Tap,
        /// Position of the first byte since the shell began.
        offset: u64,
        /// The output.
        bytes: Vec<u8>,
    },
}

struct Transcript {
    file: File,
    cast: Asciicast,
    /// Bytes of the file that are written.
    written: u64,
    /// Bytes of the shell that were taken.
    taken: u64,
    began: Instant,
    /// Since the shell began, when this relay came to it.
    before: Duration,
}

/// Goes on with those that `waiting` names and runs until every sender of `mail` is gone. Every
/// transcript is finished then, or noted to be gone on with.
pub fn run(
    folder: &Path,
    waiting: Vec<Waiting>,
    mail: Receiver<Mail>,
    recorder: &Sender<Work>,
    hub: &Sender<Event>,
) {
    let mut writer = Writer {
        folder: folder.to_owned(),
        open: HashMap::new(),
        failed: Vec::new(),
        recorder: recorder.clone(),
        hub: hub.clone(),
    };
    tokio_uring::start(writer.run(waiting, mail));
}

struct Writer {
    folder: PathBuf,
    open: HashMap<Tap, Transcript>,
    /// Failures the hub has not been told yet: its queue was full.
    failed: Vec<Tap>,
    recorder: Sender<Work>,
    hub: Sender<Event>,
}

impl Writer {
    async fn run(&mut self, waiting: Vec<Waiting>, mut mail: Receiver<Mail>) {
        for one in waiting {
            let tap = Tap {
                session: one.shell.session,
                shell: one.shell.shell,
            };
            match self.go_on(&one).await {
                Ok(open) => drop(self.open.insert(tap, open)),
                Err(error) => self.fail(tap, &error),
            }
        }
        while let Some(next) = mail.recv().await {
            match next {
                Mail::Order(TranscriptOrder::Begin {
                    tap,
                    at,
                    columns,
                    rows,
                }) => {
                    if let Err(error) = self.begin(tap, at, columns, rows).await {
                        self.fail(tap, &error);
                    }
                }
                Mail::Order(TranscriptOrder::Resize { tap, columns, rows }) => {
                    let lines = self.open.get_mut(&tap).map(|open| {
                        let mut lines = Vec::new();
                        let elapsed = open.elapsed();
                        open.cast.resize(elapsed, columns, rows, &mut lines);
                        lines
                    });
                    self.append(tap, lines).await;
                }
                Mail::Output { tap, offset, bytes } => {
                    let lines = self
                        .open
                        .get_mut(&tap)
                        .and_then(|open| open.take(offset, &bytes));
                    self.append(tap, lines).await;
                }
                Mail::Order(TranscriptOrder::Finish { tap }) => self.finish(tap).await,
                Mail::Order(TranscriptOrder::Suspend { tap }) => self.suspend(tap).await,
            }
            let hub = &self.hub;
            self.failed
                .retain(|tap| hub.try_send(Event::TranscriptFailed { tap: *tap }).is_err());
        }
        for tap in self.open.keys().copied().collect::<Vec<_>>() {
            self.finish(tap).await;
        }
    }

    async fn begin(&mut self, tap: Tap, at: Stamp, columns: u16, rows: u16) -> io::Result<()> {
        let name = format!("{}-shell-{}.cast", tap.session, tap.shell);
        let path = self.folder.join(&name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .await?;
        let title = label(&format!("Command shell {}", tap.shell));
        let mut lines = Vec::new();
        let cast = Asciicast::new(
            &Header {
                columns,
                rows,
                started: at,
                title,
            },
            &mut lines,
        );
        let _ = self.recorder.send(Work::TranscriptBegan {
            tap,
            file: name,
            at,
        });
        let open = Transcript {
            file,
            cast,
            written: 0,
            taken: 0,
            began: Instant::now(),
            before: Duration::ZERO,
        };
        self.open.insert(tap, open);
        self.append(tap, Some(lines)).await;
        Ok(())
    }

    /// Opens a file that another relay left.
    async fn go_on(&self, waiting: &Waiting) -> io::Result<Transcript> {
        let path = self.folder.join(&waiting.file);
        let mut lines = std::fs::read(&path)?;
        let length = usize::try_from(waiting.cut.written).unwrap_or(usize::MAX);
        if lines.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Nothing follows what was noted, or nobody was told of it.
        lines.truncate(length);
        let file = OpenOptions::new().write(true).open(&path).await?;
        let elapsed = Duration::from_micros(waiting.cut.elapsed);
        let cut = Cut {
            elapsed,
            carried: waiting.cut.carried.clone(),
        };
        // By the calendar, which is all that both relays have.
        let away = stamp().0.saturating_sub(waiting.started.0).max(0);
        let since = Duration::from_millis(away.unsigned_abs()).max(elapsed);
        Ok(Transcript {
            file,
            cast: Asciicast::resumed(&lines, &cut),
            written: waiting.cut.written,
            taken: waiting.cut.taken,
            began: Instant::now(),
            before: since,
        })
    }

    /// Leaves a transcript as it is, for the next relay.
    async fn suspend(&mut self, tap: Tap) {
        let Some(open) = self.open.remove(&tap) else {
            return;
        };
        if let Err(error) = open.file.sync_all().await {
            tracing::error!(%error, session = %tap.session, shell = %tap.shell, "transcript_sync");
        }
        let cut = open.cast.cut();
        let cut = open_shells::Cut {
            taken: open.taken,
            written: open.written,
            elapsed: u64::try_from(cut.elapsed.as_micros()).unwrap_or(u64::MAX),
            carried: cut.carried,
        };
        let _ = open.file.close().await;
        let _ = self.recorder.send(Work::TranscriptSuspended { tap, cut });
    }

    async fn append(&mut self, tap: Tap, lines: Option<Vec<u8>>) {
        let Some(lines) = lines.filter(|lines| !lines.is_empty()) else {
            return;
        };
        let Some(open) = self.open.get_mut(&tap) else {
            return;
        };
        let length = lines.len() as u64;
        let (done, _) = open.file.write_all_at(lines, open.written).await;
        open.written += length;
        match done {
            Ok(()) if open.written < TRANSCRIPT_BYTES_MAX => {}
            Ok(()) => self.fail(tap, &io::Error::from(io::ErrorKind::FileTooLarge)),
            Err(error) => self.fail(tap, &error),
        }
    }

    async fn finish(&mut self, tap: Tap) {
        let Some(open) = self.open.remove(&tap) else {
            return;
        };
        let mut lines = Vec::new();
        let elapsed = open.elapsed();
        let end = open.cast.finish(elapsed, &mut lines);
        if !lines.is_empty() {
            let (done, _) = open.file.write_all_at(lines, open.written).await;
            if let Err(error) = done {
                tracing::error!(%error, session = %tap.session, shell = %tap.shell, "transcript_cut");
            }
        }
        if let Err(error) = open.file.sync_all().await {
            tracing::error!(%error, session = %tap.session, shell = %tap.shell, "transcript_sync");
        }
        let _ = open.file.close().await;
        let ended = Work::TranscriptEnded {
            tap,
            bytes: end.bytes,
            sha256: end.sha256,
        };
        let _ = self.recorder.send(ended);
    }

    fn fail(&mut self, tap: Tap, error: &io::Error) {
        tracing::error!(%error, session = %tap.session, shell = %tap.shell, "transcript_failed");
        if !self.failed.contains(&tap) {
            self.failed.push(tap);
        }
    }
}

impl Transcript {
    fn elapsed(&self) -> Duration {
        self.before + self.began.elapsed()
    }

    /// Lines for what of `bytes` is new.
    fn take(&mut self, offset: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        let known = usize::try_from(self.taken.saturating_sub(offset)).ok()?;
        let new = bytes.get(known..)?;
        self.taken += new.len() as u64;
        let mut lines = Vec::new();
        let elapsed = self.elapsed();
        self.cast.output(elapsed, new, &mut lines);
        Some(lines)
    }
}
