//! The duty to tell a platform about an address: pending until the platform has answered or is given up.

use super::text::{bounded, millis, time};
use super::{Ledger, LedgerError, SuspensionId};
use crate::address::Address;
use crate::address::AddressError;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::time::SystemTime;

/// A pending suspension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Its number.
    pub id: SuspensionId,
    /// Whom the platform is to stop mailing.
    pub address: Address,
    /// The configured domain of the platform.
    pub platform: String,
    /// When it was decided.
    pub created: SystemTime,
    /// How often it was tried.
    pub attempts: u32,
    /// Why.
    pub cause: Cause,
}

/// Why an address is suspended: the bounce that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `hard`, `soft` (the threshold was exceeded), `complaint` or `manual`.
    pub bounce_type: String,
    /// A word of [`crate::diagnosis::Reason`], or the type again.
    pub reason: String,
    /// The enhanced status code.
    pub status: Option<String>,
    /// What the remote system said.
    pub diagnostic: Option<String>,
    /// The returned mail's message id, with angle brackets.
    pub message_id: Option<String>,
}

/// What became of an attempt to tell a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The platform answered and need not be asked again.
    Delivered {
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        answer: String,
    },
    /// It is to be tried again.
    Retry {
        /// When.
        at: SystemTime,
        /// What went wrong.
        error: String,
    },
    /// It is given up; a person may try it again.
    Failed {
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// The beginning of the body, or what went wrong.
        answer: String,
    },
}

/// What opening a suspension came to.
pub(super) enum Opened {
    New(SuspensionId),
    Pending(SuspensionId),
}

/// Makes a suspension that is due at `due`, unless one is pending for this address and platform.
pub(super) fn open(
    tx: &Transaction,
    address: &Address,
    platform: &str,
    cause: &Cause,
    now: SystemTime,
    due: SystemTime,
) -> rusqlite::Result<Opened> {
    let key = address.key();
    let pending = tx
        .prepare_cached(
            "SELECT id FROM suspensions WHERE address_key = ? AND domain = ? AND state = 'pending'",
        )?
        .query_row(params![key, platform], |row| row.get(0))
        .optional()?;
    if let Some(id) = pending {
        return Ok(Opened::Pending(SuspensionId(id)));
    }
    tx.prepare_cached(
        "INSERT INTO suspensions
             (bounced_address, address_key, domain, created, due, type, reason, status, diagnostic, message_id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        address.as_str(),
        key,
        platform,
        millis(now),
        millis(due),
        cause.bounce_type,
        cause.reason,
        cause.status,
        cause.diagnostic.as_deref().map(bounded),
        cause.message_id.as_deref().map(bounded),
    ])?;
    Ok(Opened::New(SuspensionId(tx.last_insert_rowid())))
}

/// Notes in the prototype's table that an address is dead, to be completed with the platform's answer.
pub(super) fn note_permanent(
    tx: &Transaction,
    address: &Address,
    platform: &str,
    reason: &str,
    suspension: SuspensionId,
    now: SystemTime,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO permanent_bounces (ts, bounced_address, domain, address_key, reason, suspension)
         VALUES (datetime(? / 1000, 'unixepoch'), ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        millis(now),
        address.as_str(),
        platform,
        address.key(),
        reason,
        suspension.0,
    ])?;
    Ok(())
}

impl Ledger {
    /// The pending suspensions of a platform that are due, the longest due first, at most `limit`. One that is on its way to the
    /// platform is among them until it is settled.
    pub fn due(
        &self,
        platform: &str,
        now: SystemTime,
        limit: usize,
    ) -> Result<Vec<Suspension>, LedgerError> {
        let rows: Vec<Result<Suspension, NoAddress>> = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, bounced_address, domain, created, attempts, type, reason, status, diagnostic, message_id
                     FROM suspensions WHERE domain = ? AND due <= ? AND state = 'pending'
                     ORDER BY due, id LIMIT ?",
                )?
                .query_map(params![platform, millis(now), limit], suspension)?
                .collect()
        })?;
        let mut due = Vec::with_capacity(rows.len());
        let mut broken = Vec::new();
        for row in rows {
            match row {
                Ok(suspension) => due.push(suspension),
                Err(NoAddress(id, error)) => {
                    let answer = format!("not posted: {error}");
                    broken.push((
                        id,
                        Settlement::Failed {
                            status: None,
                            answer,
                        },
                    ));
                }
            }
        }
        // A row that someone wrote by hand holds up no other.
        if !broken.is_empty() {
            self.settle(&broken, now)?;
        }
        Ok(due)
    }

    /// How many suspensions are pending, by platform.
    pub fn pending(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT domain, count(*) FROM suspensions WHERE state = 'pending' GROUP BY domain",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
                .collect()
        })
    }

    /// Records what became of attempts, in one transaction.
    pub fn settle(
        &self,
        settlements: &[(SuspensionId, Settlement)],
        now: SystemTime,
    ) -> Result<(), LedgerError> {
        self.write(|tx| {
            for (id, settlement) in settlements {
                settle(tx, *id, settlement, millis(now))?;
            }
            Ok(())
        })
    }
}

fn settle(
    tx: &Transaction,
    SuspensionId(id): SuspensionId,
    settlement: &Settlement,
    now: i64,
) -> rusqlite::Result<()> {
    let (state, status, answer) = match settlement {
        Settlement::Retry { at, error } => {
            tx.prepare_cached(
                "UPDATE suspensions SET due = ?2, attempts = attempts + 1, status_code = NULL, answer = ?3
                 WHERE id = ?1 AND state = 'pending'",
            )?
            .execute(params![id, millis(*at), bounded(error)])?;
            return Ok(());
        }
        Settlement::Delivered { status, answer } => ("delivered", Some(*status), answer),
        Settlement::Failed { status, answer } => ("failed", *status, answer),
    };
    tx.prepare_cached(
        "UPDATE suspensions
         SET state = ?2, settled = ?3, attempts = attempts + 1, status_code = ?4, answer = ?5
         WHERE id = ?1 AND state = 'pending'",
    )?
    .execute(params![id, state, now, status, bounded(answer)])?;
    tx.prepare_cached("UPDATE permanent_bounces SET status_code = ?2 WHERE suspension = ?1")?
        .execute(params![id, status])?;
    Ok(())
}

/// Deletes a few delivered suspensions that were settled before `before`.
pub(super) fn prune(tx: &Transaction, before: i64, most: usize) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "DELETE FROM suspensions WHERE id IN
             (SELECT id FROM suspensions WHERE state = 'delivered' AND settled < ? LIMIT ?)",
    )?
    .execute(params![before, most])?;
    Ok(())
}

/// A row whose `bounced_address` is none.
pub(super) struct NoAddress(SuspensionId, AddressError);

/// Reads a row of the whole table.
pub(super) fn suspension(row: &Row) -> rusqlite::Result<Result<Suspension, NoAddress>> {
    let id = SuspensionId(row.get("id")?);
    let address: String = row.get("bounced_address")?;
    let address = match address.parse() {
        Ok(address) => address,
        Err(error) => return Ok(Err(NoAddress(id, error))),
    };
    Ok(Ok(Suspension {
        id,
        address,
        platform: row.get("domain")?,
        created: time(row.get("created")?),
        attempts: row.get("attempts")?,
        cause: Cause {
            bounce_type: row.get("type")?,
            reason: row.get("reason")?,
            status: row.get("status")?,
            diagnostic: row.get("diagnostic")?,
            message_id: row.get("message_id")?,
        },
    }))
}
