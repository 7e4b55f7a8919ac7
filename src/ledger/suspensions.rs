//! The duty to tell a platform about an address: pending until the platform has answered or is given up.

use super::text::{bounded, millis, time};
use super::{Ledger, LedgerError, SuspensionId};
use crate::address::Address;
use crate::address::AddressError;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::time::{Duration, SystemTime};

/// No suspension waits longer for its next attempt, and no claim for its end. A row that says otherwise was written while the clock was
/// wrong, and is due.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// By so much two processes may read the clock apart.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Who claims suspensions: a number that no other process has, nor the next one that is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claimant(i64);

impl Claimant {
    /// A new one, by chance.
    #[expect(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Claimant {
        Claimant(fastrand::i64(..))
    }
}

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
    /// It was claimed and not tried: it is due again at once.
    Released,
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
    /// Claims pending suspensions of a platform that are due, the longest due first, at most `most`. Nobody else gets them until
    /// `lease` has passed; [`Ledger::renew`] begins it anew, [`Ledger::settle`] ends the claim. A claim whose process has died is due
    /// again when its lease ends, whoever asks.
    ///
    /// # Errors
    /// As for every transaction. Then nothing is claimed.
    pub fn claim(
        &self,
        platform: &str,
        claimant: Claimant,
        most: usize,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Suspension>, LedgerError> {
        let is_due = |connection: &Connection| {
            due(connection, platform, claimant, now, 1).map(|due| !due.is_empty())
        };
        // Most looks find nothing: they must wait for nobody who writes, and sync no disk.
        if !self.read(is_due)? {
            return Ok(Vec::new());
        }
        self.write(|tx| {
            let mut claimed = Vec::new();
            for row in due(tx, platform, claimant, now, most)? {
                match row {
                    Ok(suspension) => {
                        take(tx, suspension.id, claimant, now + lease)?;
                        claimed.push(suspension);
                    }
                    // A row that someone wrote by hand holds up no other.
                    Err(NoAddress(id, error)) => {
                        let answer = format!("not posted: {error}");
                        let failed = Settlement::Failed {
                            status: None,
                            answer,
                        };
                        settle(tx, id, &failed, now)?;
                    }
                }
            }
            Ok(claimed)
        })
    }

    /// Lets all claims of `claimant` end only when `lease` has passed from `now`.
    ///
    /// # Errors
    /// As for every transaction.
    pub fn renew(
        &self,
        claimant: Claimant,
        lease: Duration,
        now: SystemTime,
    ) -> Result<(), LedgerError> {
        let has_claims = self.read(|connection| {
            connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM suspensions WHERE claimant = ?)")?
                .query_row([claimant.0], |row| row.get::<_, bool>(0))
        })?;
        if !has_claims {
            return Ok(());
        }
        self.write(|tx| {
            tx.prepare_cached("UPDATE suspensions SET due = ?2 WHERE claimant = ?1")?
                .execute(params![claimant.0, millis(now + lease)])?;
            Ok(())
        })
    }

    /// How many suspensions are pending, by platform.
    ///
    /// # Errors
    /// When the database can't be read.
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

    /// Records what became of claimed suspensions, and ends the claims, in one transaction. What was settled already stays as it is.
    ///
    /// # Errors
    /// As for every transaction.
    pub fn settle(
        &self,
        settlements: &[(SuspensionId, Settlement)],
        now: SystemTime,
    ) -> Result<(), LedgerError> {
        self.write(|tx| {
            for (id, settlement) in settlements {
                settle(tx, *id, settlement, now)?;
            }
            Ok(())
        })
    }
}

fn settle(
    tx: &Transaction,
    SuspensionId(id): SuspensionId,
    settlement: &Settlement,
    now: SystemTime,
) -> rusqlite::Result<()> {
    let (state, status, answer) = match settlement {
        Settlement::Released => {
            tx.prepare_cached(
                "UPDATE suspensions SET claimant = NULL, due = ?2 WHERE id = ?1 AND state = 'pending'",
            )?
            .execute(params![id, millis(now)])?;
            return Ok(());
        }
        Settlement::Retry { at, error } => {
            tx.prepare_cached(
                "UPDATE suspensions
                 SET claimant = NULL, due = ?2, attempts = attempts + 1, status_code = NULL, answer = ?3
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
         SET claimant = NULL, state = ?2, settled = ?3, attempts = attempts + 1, status_code = ?4, answer = ?5
         WHERE id = ?1 AND state = 'pending'",
    )?
    .execute(params![id, state, millis(now), status, bounded(answer)])?;
    tx.prepare_cached("UPDATE permanent_bounces SET status_code = ?2 WHERE suspension = ?1")?
        .execute(params![id, status])?;
    Ok(())
}

/// The pending suspensions of a platform that are due and not in the hand of `claimant`, the longest due first.
fn due(
    connection: &Connection,
    platform: &str,
    claimant: Claimant,
    now: SystemTime,
    most: usize,
) -> rusqlite::Result<Vec<Result<Suspension, NoAddress>>> {
    // Two ranges of one index, so that those that wait are not looked at one by one.
    let ranges = [
        (PAST, millis(now)),
        (BEYOND, millis(now + LONGEST_WAIT + TOLERANCE)),
    ];
    let mut found = Vec::new();
    for (query, bound) in ranges {
        let left = most - found.len();
        let mut statement = connection.prepare_cached(query)?;
        let rows = statement.query_map(params![platform, bound, claimant.0, left], suspension)?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

/// Those that may have waited long enough.
const PAST: &str = "SELECT id, bounced_address, domain, created, attempts, type, reason, status, diagnostic, message_id
    FROM suspensions WHERE domain = ?1 AND due <= ?2 AND state = 'pending' AND claimant IS NOT ?3
    ORDER BY due, id LIMIT ?4";

/// Those that nobody meant to wait for so long.
const BEYOND: &str = "SELECT id, bounced_address, domain, created, attempts, type, reason, status, diagnostic, message_id
    FROM suspensions WHERE domain = ?1 AND due > ?2 AND state = 'pending' AND claimant IS NOT ?3
    ORDER BY due, id LIMIT ?4";

/// Whether somebody has claimed a suspension, and the lease has not ended.
pub(super) fn is_claimed(
    tx: &Transaction,
    SuspensionId(id): SuspensionId,
    now: SystemTime,
) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT claimant IS NOT NULL AND due > ?2 AND due <= ?3 FROM suspensions WHERE id = ?1",
    )?
    .query_row(
        params![id, millis(now), millis(now + LONGEST_WAIT + TOLERANCE)],
        |row| row.get(0),
    )
}

/// Gives a suspension to a claimant.
pub(super) fn take(
    tx: &Transaction,
    SuspensionId(id): SuspensionId,
    claimant: Claimant,
    until: SystemTime,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE suspensions SET claimant = ?2, due = ?3 WHERE id = ?1")?
        .execute(params![id, claimant.0, millis(until)])?;
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
