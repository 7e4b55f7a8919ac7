//! Mails that were being read when the process ended, and how often.

use super::text::millis;
use super::{Entry, Ledger, LedgerError};
use crate::mail::Fingerprint;
use rusqlite::{Transaction, params};
use std::time::SystemTime;

impl Ledger {
    /// Notes of each of these mails that it was being read when a process ended.
    ///
    /// # Errors
    /// As for every transaction: then nothing was noted.
    pub fn blame(&self, unfinished: &[Fingerprint], now: SystemTime) -> Result<(), LedgerError> {
        self.write(|tx| {
            let mut blame = tx.prepare_cached(
                "INSERT INTO attempts (fingerprint, attempts, at) VALUES (?1, 1, ?2)
                 ON CONFLICT DO UPDATE SET attempts = attempts + 1, at = ?2",
            )?;
            for fingerprint in unfinished {
                blame.execute(params![fingerprint.0, millis(now)])?;
            }
            Ok(())
        })
    }

    /// The mails that ended so many processes, or more.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn blamed(&self, times: u32) -> Result<Vec<Fingerprint>, LedgerError> {
        self.read(|connection| {
            connection
                .prepare("SELECT fingerprint FROM attempts WHERE attempts >= ?")?
                .query_map([times], |row| Ok(Fingerprint(row.get(0)?)))?
                .collect()
        })
    }
}

/// Forgets the attempts of mails that were read well after all.
pub(super) fn survived(tx: &Transaction, entries: &[Entry]) -> rusqlite::Result<()> {
    let any: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM attempts)")?
        .query_row([], |row| row.get(0))?;
    if any {
        let mut delete = tx.prepare_cached("DELETE FROM attempts WHERE fingerprint = ?")?;
        for entry in entries.iter().filter(|entry| entry.report.is_some()) {
            delete.execute([&entry.mail.fingerprint().0])?;
        }
    }
    Ok(())
}
