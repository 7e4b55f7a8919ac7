//! Mails that could not be handled, compressed, to look at and to requeue. Capped by count, size and age: the oldest goes first.

use super::text::{bounded, millis, time};
use super::{Entry, Ledger, LedgerError};
use crate::address::Address;
use crate::config::Handler;
use flate2::read::GzDecoder;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::io::Read;
use std::time::SystemTime;

/// Puts a mail, whose row of the history is `mail`, into quarantine; returns its number.
pub(super) fn put(
    tx: &Transaction,
    entry: &Entry,
    mail: i64,
    why: &str,
    now: SystemTime,
) -> rusqlite::Result<i64> {
    let envelope = entry.report.as_ref().map(|report| &report.envelope);
    let raw = entry.mail.packed();
    let recipients: Vec<&str> = entry
        .mail
        .envelope_recipients()
        .iter()
        .map(Address::as_str)
        .collect();
    tx.prepare_cached(
        "INSERT INTO quarantine (at, mail, why, source, mail_from, subject, envelope_recipients, size, raw)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        millis(now),
        mail,
        bounded(why),
        bounded(&entry.mail.source().to_string()),
        envelope.and_then(|e| e.from.as_deref()).map(bounded),
        envelope.and_then(|e| e.subject.as_deref()).map(bounded),
        recipients.join(" "),
        raw.len(),
        raw,
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Deletes the oldest mails while there are too many, or they are too large or too old; at most `most` of them. How many went that were
/// not too old.
pub(super) fn prune(
    tx: &Transaction,
    handler: &Handler,
    most: usize,
    now: SystemTime,
) -> rusqlite::Result<usize> {
    let oldest = now
        .checked_sub(handler.quarantine_max_age.0)
        .map_or(0, millis);
    let (mut count, mut size): (i64, i64) = tx
        .prepare_cached("SELECT mails, size FROM quarantine_total")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let most_mails = i64::from(handler.quarantine_max_count);
    let largest = i64::try_from(handler.quarantine_max_size.as_u64()).unwrap_or(i64::MAX);
    let mut too_many = 0;
    for _ in 0..most {
        let first: Option<(i64, i64, i64)> = tx
            .prepare_cached(
                "SELECT id, at, size FROM quarantine WHERE id = (SELECT min(id) FROM quarantine)",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((id, at, its_size)) = first else {
            break;
        };
        let too_much = count > most_mails || size > largest;
        if !too_much && at >= oldest {
            break;
        }
        delete(tx, id)?;
        count -= 1;
        size -= its_size;
        too_many += usize::from(at >= oldest);
    }
    Ok(too_many)
}

/// A mail in quarantine. Its texts are hostile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its number.
    pub id: i64,
    /// When it was put there.
    pub at: SystemTime,
    /// Why.
    pub why: String,
    /// Where it came from.
    pub source: String,
    /// Its `From`.
    pub from: String,
    /// Its `Subject`.
    pub subject: String,
    /// The SMTP envelope recipients.
    pub envelope_recipients: Vec<Address>,
    /// Its length, compressed.
    pub size: u64,
}

impl Ledger {
    /// The mails in quarantine, the oldest first.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, LedgerError> {
        self.read(|connection| {
            connection
                .prepare(
                    "SELECT id, at, why, source, mail_from, subject, envelope_recipients, size
                     FROM quarantine ORDER BY id",
                )?
                .query_map([], quarantined)?
                .collect()
        })
    }

    /// A mail in quarantine and its bytes; none if there is none of this number.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn quarantined_mail(&self, id: i64) -> Result<Option<(Quarantined, Vec<u8>)>, LedgerError> {
        self.read(|connection| {
            connection
                .query_row(
                    "SELECT id, at, why, source, mail_from, subject, envelope_recipients, size, raw
                 FROM quarantine WHERE id = ?",
                    [id],
                    |row| {
                        let packed: Vec<u8> = row.get("raw")?;
                        let mut raw = Vec::new();
                        // A row whose bytes were damaged shows what is left of them.
                        let _ = GzDecoder::new(packed.as_slice()).read_to_end(&mut raw);
                        Ok((quarantined(row)?, raw))
                    },
                )
                .optional()
        })
    }

    /// Deletes a mail from quarantine; whether there was one of this number.
    ///
    /// # Errors
    /// As for every transaction: then it is still there.
    pub fn delete_quarantined(&self, id: i64) -> Result<bool, LedgerError> {
        self.write(|tx| delete(tx, id))
    }
}

/// Deletes a mail; whether there was one.
pub(super) fn delete(tx: &Transaction, id: i64) -> rusqlite::Result<bool> {
    let deleted = tx
        .prepare_cached("DELETE FROM quarantine WHERE id = ?")?
        .execute([id])?;
    Ok(deleted > 0)
}

fn quarantined(row: &Row) -> rusqlite::Result<Quarantined> {
    let recipients: String = row.get("envelope_recipients")?;
    let text = |column| {
        row.get::<_, Option<String>>(column)
            .map(Option::unwrap_or_default)
    };
    Ok(Quarantined {
        id: row.get("id")?,
        at: time(row.get("at")?),
        why: row.get("why")?,
        source: row.get("source")?,
        from: text("mail_from")?,
        subject: text("subject")?,
        envelope_recipients: recipients
            .split(' ')
            .filter_map(|r| r.parse().ok())
            .collect(),
        size: row.get("size")?,
    })
}
