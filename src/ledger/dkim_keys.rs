//! Every key that DNS was seen to have for our domains: a bounce may need last month's.

use super::text::millis;
use super::{Ledger, LedgerError};
use crate::trust::KeyName;
use rusqlite::params;
use std::time::SystemTime;

/// More than this our domains never had; beyond, those that were not seen for longest go.
const MOST: u32 = 500;

/// A key as DNS had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// Where.
    pub name: KeyName,
    /// `v=DKIM1; k=rsa; p=…`
    pub record: String,
}

impl Ledger {
    /// All of them, those that were seen last behind the others.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn dkim_keys(&self) -> Result<Vec<DkimKey>, LedgerError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT domain, selector, record FROM dkim_keys ORDER BY seen")?
                .query_map([], |row| {
                    let (domain, selector): (String, String) = (row.get(0)?, row.get(1)?);
                    Ok(DkimKey {
                        name: KeyName::new(&domain, &selector),
                        record: row.get(2)?,
                    })
                })?
                .collect()
        })
    }

    /// Keeps one, or notes that it is still there.
    ///
    /// # Errors
    /// As for every transaction.
    pub fn keep_dkim_key(
        &self,
        name: &KeyName,
        record: &str,
        now: SystemTime,
    ) -> Result<(), LedgerError> {
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO dkim_keys (domain, selector, record, seen) VALUES (?, ?, ?, ?)
                 ON CONFLICT (domain, selector, record) DO UPDATE SET seen = excluded.seen",
            )?
            .execute(params![name.domain, name.selector, record, millis(now)])?;
            tx.prepare_cached(
                "DELETE FROM dkim_keys WHERE (domain, selector, record) IN
                     (SELECT domain, selector, record FROM dkim_keys ORDER BY seen DESC LIMIT -1 OFFSET ?)",
            )?
            .execute([MOST])?;
            Ok(())
        })
    }
}
