//! A journal's lines into the store, some transactions at a time.

use std::io::Read;

use crate::audit::{self, Restored, chain};
use crate::domain::token::Fingerprint;
use crate::store::journal::line::{FORMAT, Head, Line, Reader};
use crate::store::journal::row::Row;
use crate::store::journal::{self, Taken};
use crate::store::{Database, StoreError, Transaction};

/// Lines of the log about single rows; the rest is only counted.
const LOGGED_MAX: u64 = 20;

/// What became of a journal's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) transactions: u64,
    pub(super) rows: u64,
    /// Audit rows that do not stand under their own number.
    pub(super) appended: u64,
    /// Rows that this version does not know or refused.
    pub(super) left_out: u64,
    /// Lines that are not as they were written.
    pub(super) damaged: u64,
    /// Rows that a transaction should have, and did not.
    pub(super) missing: u64,
}

/// Takes all of a journal over, as far as that was not done before. Of one whose format this version
/// does not know, it only counts the lines.
pub(super) fn import<R: Read>(
    database: &mut Database,
    mut reader: Reader<R>,
    rows_at_once: u64,
) -> Result<Told, StoreError> {
    let mut told = Told::default();
    let head = reader.line();
    let journal = reader.fingerprint();
    if let Ok(Some(Ok(Line::Head(Head { format, .. })))) = head
        && format > FORMAT
    {
        tracing::error!(format, known = FORMAT, "journal_of_unknown_format");
        while next(&mut reader, &mut told).is_some() {
            told.left_out += 1;
        }
        return Ok(told);
    }
    // A damaged first line costs no more than itself.
    told.damaged += u64::from(matches!(head, Ok(Some(Err(_)))));
    let through = database.read(|c| journal::imported(c, &journal))?;
    let mut import = Import {
        reader,
        journal,
        through,
        told,
        open: None,
    };
    while database.write(|tx| import.some(tx, rows_at_once))? {}
    Ok(import.told)
}

/// The next line that can be read; damaged ones are counted. A file that cannot be read on ends
/// there.
fn next<R: Read>(reader: &mut Reader<R>, told: &mut Told) -> Option<Line> {
    loop {
        match reader.line() {
            Ok(Some(Ok(line))) => return Some(line),
            Ok(Some(Err(damaged))) => {
                told.damaged += 1;
                if told.damaged <= LOGGED_MAX {
                    tracing::error!(%damaged, "journal_line_left_out");
                }
            }
            Ok(None) => return None,
            Err(error) => {
                tracing::error!(%error, "journal_cut_off");
                told.damaged += 1;
                return None;
            }
        }
    }
}

struct Import<R> {
    reader: Reader<R>,
    journal: Fingerprint,
    /// Transactions up to this one are in.
    through: u64,
    told: Told,
    /// The transaction whose rows are being read, if its end has not come yet.
    open: Option<Open>,
}

struct Open {
    n: u64,
    rows: u64,
    before: Told,
}

impl<R: Read> Import<R> {
    /// Takes over some transactions, about `rows_at_once` rows, and notes how far that is; tells
    /// whether there are more.
    fn some(&mut self, tx: &Transaction<'_>, rows_at_once: u64) -> Result<bool, StoreError> {
        let begun = self.told.rows;
        loop {
            let Some(line) = next(&mut self.reader, &mut self.told) else {
                self.give_up(tx)?;
                journal::note_imported(tx, &self.journal, self.through)?;
                return Ok(false);
            };
            match line {
                Line::Row { n, row } if n > self.through => self.row(tx, n, &row)?,
                Line::End { n, rows } if n > self.through => {
                    self.close(tx, Some((n, rows)))?;
                    self.through = n;
                    if self.told.rows - begun >= rows_at_once {
                        journal::note_imported(tx, &self.journal, self.through)?;
                        return Ok(true);
                    }
                }
                Line::Ended { .. } => tracing::error!("journal_ended_at_its_limit"),
                Line::Head(_) | Line::Row { .. } | Line::End { .. } => {}
            }
        }
    }

    fn row(&mut self, tx: &Transaction<'_>, n: u64, row: &Row) -> Result<(), StoreError> {
        if self.open.as_ref().is_none_or(|open| open.n != n) {
            // Its end was damaged, but another one follows: it was committed.
            self.close(tx, None)?;
            tx.execute_batch("SAVEPOINT journal")?;
            let before = self.told;
            self.open = Some(Open { n, rows: 0, before });
        }
        if let Some(open) = &mut self.open {
            open.rows += 1;
        }
        let taken = match row {
            Row::Audit(row) => {
                let said = chain::Row {
                    number: row.number,
                    at: row.at,
                    actor: &row.actor,
                    event: &row.event,
                };
                audit::restore(tx, &said, &row.hash).map(|restored| {
                    self.told.appended += u64::from(restored == Restored::Appended);
                    Taken::Over
                })
            }
            row => journal::take_over(tx, row),
        };
        match taken {
            Ok(Taken::Over) => self.told.rows += 1,
            Ok(Taken::LeftOut) => self.told.left_out += 1,
            Err(error) if error.is_for_good() => {
                self.told.left_out += 1;
                if self.told.left_out <= LOGGED_MAX {
                    tracing::error!(%error, transaction = n, "journal_row_left_out");
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Keeps the rows of the transaction that is open, if one is; `end` is what its last line says.
    fn close(&mut self, tx: &Transaction<'_>, end: Option<(u64, u64)>) -> Result<(), StoreError> {
        let open = self.open.take();
        if let Some((n, rows)) = end {
            let found = open.as_ref().filter(|open| open.n == n);
            let found = found.map_or(0, |open| open.rows);
            self.told.missing += rows.saturating_sub(found);
        }
        if let Some(open) = open {
            tx.execute_batch("RELEASE journal")?;
            self.told.transactions += 1;
            self.through = self.through.max(open.n);
        }
        Ok(())
    }

    /// The journal ends inside a transaction: nobody was told that it happened.
    fn give_up(&mut self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        tx.execute_batch("ROLLBACK TO journal; RELEASE journal")?;
        self.told = Told {
            damaged: self.told.damaged,
            ..open.before
        };
        Ok(())
    }
}
