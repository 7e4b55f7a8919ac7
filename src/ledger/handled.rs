//! "Nothing twice" (DESIGN 9): every mail that was recorded has a row until the peer that handed it in is known to know.
//! A mail that may be a repeat and has such a row is the earlier one.

use super::Entry;
use crate::mail::{Fingerprint, Ticket};
use rusqlite::{OptionalExtension, Transaction, params};

/// A peer that has not brought its mail again for so long (30 days, in milliseconds) won't.
const LONGEST: i64 = 30 * 24 * 60 * 60 * 1000;

/// How many forgotten tickets one transaction takes with it.
pub(super) const AT_ONCE: usize = 2_000;

/// Notes a mail.
pub(super) fn note(tx: &Transaction, entry: &Entry, now: i64) -> rusqlite::Result<Ticket> {
    tx.prepare_cached("INSERT INTO handled (fingerprint, session, at) VALUES (?, ?, ?)")?
        .execute(params![
            key(&entry.mail.fingerprint()),
            entry.mail.session.0,
            now
        ])?;
    Ok(Ticket(tx.last_insert_rowid()))
}

/// Finds the row of a mail that may be a repeat, the oldest first, and puts a new one in its place: the peer still does
/// not know that the mail is recorded.
/// Rows of the same session are other mails.
pub(super) fn renew(tx: &Transaction, entry: &Entry, now: i64) -> rusqlite::Result<Option<Ticket>> {
    let found: Option<i64> = tx
        .prepare_cached("SELECT min(ticket) FROM handled WHERE fingerprint = ? AND session != ?")?
        .query_row(
            params![key(&entry.mail.fingerprint()), entry.mail.session.0],
            |row| row.get(0),
        )?;
    let Some(ticket) = found else {
        return Ok(None);
    };
    forget(tx, [Ticket(ticket)])?;
    note(tx, entry, now).map(Some)
}

/// Deletes rows that are no longer needed.
pub(super) fn forget(
    tx: &Transaction,
    tickets: impl IntoIterator<Item = Ticket>,
) -> rusqlite::Result<()> {
    let mut delete = tx.prepare_cached("DELETE FROM handled WHERE ticket = ?")?;
    for ticket in tickets {
        delete.execute([ticket.0])?;
    }
    Ok(())
}

/// Deletes a few rows of mails whose peers never came back.
pub(super) fn prune(tx: &Transaction, now: i64, most: usize) -> rusqlite::Result<()> {
    let before = now.saturating_sub(LONGEST);
    let oldest: Option<i64> = tx
        .prepare_cached("SELECT at FROM handled WHERE ticket = (SELECT min(ticket) FROM handled)")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if oldest.is_some_and(|oldest| oldest < before) {
        tx.prepare_cached(
            "DELETE FROM handled WHERE ticket < (SELECT min(ticket) FROM handled) + ?2 AND at < ?1",
        )?
        .execute(params![before, most])?;
    }
    Ok(())
}

/// Half of the hash tells mails apart, in half of the space.
fn key(fingerprint: &Fingerprint) -> &[u8] {
    &fingerprint.0[..16]
}
