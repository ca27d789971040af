//! A journal's row into this version's store. Whatever it says is checked as if a stranger had
//! written it: what this version cannot read back must not get in.

use rusqlite::Transaction;
use serde::de::DeserializeOwned;

use super::row::{
    AccountRow, EntryRow, JumpClientRow, KeyRow, Row, SessionRow, SignInRow, TranscriptRow,
};
use crate::domain::entry::EndReason;
use crate::domain::facts::Kind;
use crate::domain::limits::{ENTRIES_PER_SESSION_MAX, NAME_BYTES_MAX};
use crate::domain::text::label;
use crate::domain::{Text, Tool};
use crate::store::column::{Json, Word};
use crate::store::sessions::{SavedState, found_by};
use crate::store::{StoreError, jump_clients, known_browsers};

/// Whether a row was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in the store now, or was before.
    Over,
    /// It is of a kind, or says something, that this version does not know.
    LeftOut,
}

/// Does to this store what `row` says. Doing it again changes nothing. Rows of the audit chain are
/// not for here: [`crate::store`] does not know how they are chained.
///
/// # Errors
///
/// The store's, also for a row that contradicts it.
pub fn take_over(tx: &Transaction<'_>, row: &Row) -> Result<Taken, StoreError> {
    match row {
        Row::Session(row) => session(tx, row),
        Row::Entry(row) => entry(tx, row),
        Row::Transcript(row) => transcript(tx, row),
        Row::KeyMade(row) => key(tx, row),
        Row::KeyGone { ak } => {
            tx.prepare_cached("DELETE FROM session_keys WHERE ak = ?1")?
                .execute([ak])?;
            Ok(Taken::Over)
        }
        Row::SignedIn(row) => sign_in(tx, row),
        Row::SignedOut { token } => {
            crate::store::sign_ins::close(tx, token)?;
            Ok(Taken::Over)
        }
        Row::Account(row) => account(tx, row),
        Row::JumpClient(row) => jump_client(tx, row),
        Row::Audit(_) | Row::Later => Ok(Taken::LeftOut),
    }
}

fn session(tx: &Transaction<'_>, row: &SessionRow) -> Result<Taken, StoreError> {
    let (Some(private), Some(public)) = (
        Text::<45>::try_from(row.private_address.as_str()).ok(),
        Text::<45>::try_from(row.public_address.as_str()).ok(),
    ) else {
        return Ok(Taken::LeftOut);
    };
    // A later version's words become the nearest of ours; the session itself must not be lost.
    let kind = word::<Kind>(&row.kind).unwrap_or(Kind::Client);
    let state = word::<SavedState>(&row.state).unwrap_or(SavedState::Waiting);
    let end_reason = row.ended.map(|_| {
        let reason = row.end_reason.as_deref().and_then(word::<EndReason>);
        reason.unwrap_or(EndReason::Limit)
    });
    let [owner_name, customer, computer, platform] =
        [&row.owner_name, &row.customer, &row.computer, &row.platform].map(|text| label(text));
    let found_by = found_by([&owner_name, &customer, &computer, &private, &public]);
    tx.prepare_cached(
        "INSERT INTO sessions
             (id, owner, owner_name, kind, customer, computer, platform, private_address,
              public_address, resume, started, accepted, state, allowed, next_shell, ended,
              end_reason, found_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (id) DO UPDATE SET
             owner = excluded.owner, owner_name = excluded.owner_name,
             accepted = excluded.accepted, state = excluded.state, allowed = excluded.allowed,
             next_shell = excluded.next_shell, ended = excluded.ended,
             end_reason = excluded.end_reason, found_by = excluded.found_by",
    )?
    .execute(rusqlite::params![
        row.id,
        row.owner,
        owner_name.as_str(),
        Word(kind),
        customer.as_str(),
        computer.as_str(),
        platform.as_str(),
        private.as_str(),
        public.as_str(),
        row.resume,
        row.started,
        row.accepted,
        Word(state),
        Json(tools(&row.allowed)),
        row.next_shell.clamp(1, u32::MAX / 2),
        row.ended,
        end_reason.map(Word),
        found_by,
    ])?;
    Ok(Taken::Over)
}

/// Those of a JSON list that this version knows: nothing is allowed that it does not understand.
fn tools(json: &str) -> Vec<Tool> {
    let list: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    let known = list.into_iter().map(serde_json::from_value);
    known.filter_map(Result::ok).collect()
}

fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(text.into()).ok()
}

/// As it was written, whether this version understands it or not: the audit chain pins the line,
/// and a later version will show it again.
fn entry(tx: &Transaction<'_>, row: &EntryRow) -> Result<Taken, StoreError> {
    if row.number as usize > ENTRIES_PER_SESSION_MAX + 1 {
        return Ok(Taken::LeftOut);
    }
    tx.prepare_cached(
        "INSERT INTO entries (session, number, at, author, what) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (session, number) DO NOTHING",
    )?
    .execute((row.session, row.number, row.at, &row.author, &row.what))?;
    Ok(Taken::Over)
}

fn transcript(tx: &Transaction<'_>, row: &TranscriptRow) -> Result<Taken, StoreError> {
    if !is_plain_name(&row.file) || row.bytes.is_some_and(|bytes| bytes < 0) {
        return Ok(Taken::LeftOut);
    }
    tx.prepare_cached(
        "INSERT INTO transcripts (session, shell, file, started, ended, bytes, sha256)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (session, shell) DO UPDATE SET
             ended = excluded.ended, bytes = excluded.bytes, sha256 = excluded.sha256",
    )?
    .execute((
        row.session,
        row.shell,
        &row.file,
        row.started,
        row.ended,
        row.bytes,
        row.sha256,
    ))?;
    Ok(Taken::Over)
}

/// A file directly within its folder, as the relay names them.
fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && name.bytes().all(plain)
}

fn key(tx: &Transaction<'_>, row: &KeyRow) -> Result<Taken, StoreError> {
    let digits = row.digits.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || row.digits.len() > 16 {
        return Ok(Taken::LeftOut);
    }
    tx.prepare_cached(
        "INSERT INTO session_keys (ak, digits, account, created, expires)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )?
    .execute((&row.ak, &row.digits, row.account, row.created, row.expires))?;
    Ok(Taken::Over)
}

fn sign_in(tx: &Transaction<'_>, row: &SignInRow) -> Result<Taken, StoreError> {
    tx.prepare_cached(
        "INSERT INTO sign_ins (token, account, csrf, opened, seen) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT DO NOTHING",
    )?
    .execute((row.token, row.account, &row.csrf, row.opened))?;
    Ok(Taken::Over)
}

fn jump_client(tx: &Transaction<'_>, row: &JumpClientRow) -> Result<Taken, StoreError> {
    let row = jump_clients::JumpClientRow {
        id: row.id,
        device: row.device,
        computer: label(&row.computer).as_str().to_owned(),
        platform: label(&row.platform).as_str().to_owned(),
        deployment: row.deployment,
        enrolled: row.enrolled,
    };
    jump_clients::enrol(tx, &row)?;
    Ok(Taken::Over)
}

fn account(tx: &Transaction<'_>, row: &AccountRow) -> Result<Taken, StoreError> {
    let known: Option<String> = crate::store::accounts::by_id(tx, row.id)?.map(|(_, hash)| hash);
    tx.prepare_cached(
        "INSERT INTO accounts
             (id, name, display_name, administrator, representative, disabled, password_hash,
              created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET
             name = excluded.name, display_name = excluded.display_name,
             administrator = excluded.administrator, representative = excluded.representative,
             disabled = excluded.disabled, password_hash = excluded.password_hash",
    )?
    .execute((
        row.id,
        &row.name,
        &row.display_name,
        row.administrator,
        row.representative,
        row.disabled,
        &row.password_hash,
        row.created,
    ))?;
    if known.is_some_and(|known| known != row.password_hash) {
        known_browsers::forget_all(tx, row.id)?;
    }
    Ok(Taken::Over)
}
