//! Every bounce that something was decided on, for explanation and undo.

use super::Effect;
use super::suspensions::Cause;
use super::text::{bounded, millis};
use crate::address::Address;
use rusqlite::{OptionalExtension, Transaction, params};
use std::time::SystemTime;

/// A bounce, or what stands for one.
pub(super) struct Bounce<'a> {
    pub address: &'a Address,
    pub platform: &'a str,
    pub cause: &'a Cause,
    pub reply_code: Option<u16>,
    /// The sentence that says why.
    pub evidence: &'a str,
    /// Where it came from, for people.
    pub source: &'a str,
}

/// Notes what a bounce led to.
pub(super) fn note(
    tx: &Transaction,
    bounce: &Bounce,
    effect: Effect,
    now: SystemTime,
) -> rusqlite::Result<()> {
    let cause = bounce.cause;
    let (action, counter, suspension) = match effect {
        Effect::Suspending { id, counted } => ("suspend", counted, Some(id.0)),
        Effect::Joined(id) => ("join", None, Some(id.0)),
        Effect::Counted(count) => ("count", Some(count), None),
        Effect::Noted => ("note", None, None),
    };
    tx.prepare_cached(
        "INSERT INTO bounces
             (at, bounced_address, address_key, domain, type, reason, status, reply_code, diagnostic, message_id,
              evidence, source, action, counter, suspension)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        millis(now),
        bounce.address.as_str(),
        bounce.address.key(),
        bounce.platform,
        cause.bounce_type,
        cause.reason,
        cause.status,
        bounce.reply_code,
        cause.diagnostic.as_deref().map(bounded),
        cause.message_id.as_deref().map(bounded),
        bounded(bounce.evidence),
        bounded(bounce.source),
        action,
        counter,
        suspension,
    ])?;
    Ok(())
}

/// Deletes a few of the oldest rows, if they are from before `before`.
pub(super) fn prune(tx: &Transaction, before: i64, most: usize) -> rusqlite::Result<()> {
    let oldest: Option<i64> = tx
        .prepare_cached("SELECT at FROM bounces ORDER BY id LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if oldest.is_some_and(|oldest| oldest < before) {
        tx.prepare_cached(
            "DELETE FROM bounces
             WHERE at < ?1 AND id IN (SELECT id FROM bounces ORDER BY id LIMIT ?2)",
        )?
        .execute(params![before, most])?;
    }
    Ok(())
}
