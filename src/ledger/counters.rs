//! The soft bounces of each (address, platform) since its last suspension.
//!
//! `times` lists when they happened, so that those older than `temporary_window` can be left out. Where the counter is larger than
//! the list (counts of the prototype, or more than [`LISTED`]), the others are taken to be as old as the oldest listed one.

use super::text::millis;
use crate::address::Address;
use crate::config::Handler;
use rusqlite::{OptionalExtension, Transaction, params};
use std::time::SystemTime;

/// The most times that are listed for one address.
const LISTED: usize = 1_000;

/// What one more soft bounce makes of a counter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// So many, which may be.
    Within(u32),
    /// So many, which is more than the threshold; the counter was reset.
    Exceeded(u32),
}

/// What one more soft bounce would make of a counter.
struct Next {
    /// How many there are then.
    count: u32,
    /// When they happened, as far as that is listed.
    times: Vec<i64>,
}

/// Whether one more soft bounce would exceed the threshold; nothing is changed.
pub(super) fn would_exceed(
    tx: &Transaction,
    address: &Address,
    platform: &str,
    handler: &Handler,
    now: SystemTime,
) -> rusqlite::Result<bool> {
    let next = next(tx, &address.key(), platform, handler, now)?;
    Ok(next.count > handler.temporary_threshold)
}

/// Counts one soft bounce of an address. The threshold is what may be: 3 lets the fourth exceed it.
pub(super) fn count(
    tx: &Transaction,
    address: &Address,
    platform: &str,
    handler: &Handler,
    now: SystemTime,
) -> rusqlite::Result<Count> {
    let key = address.key();
    let Next { count, times } = next(tx, &key, platform, handler, now)?;
    if count > handler.temporary_threshold {
        tx.prepare_cached("DELETE FROM temporary_bounces WHERE address_key = ? AND domain = ?")?
            .execute(params![key, platform])?;
        return Ok(Count::Exceeded(count));
    }
    let from = times.len().saturating_sub(LISTED);
    let times = serde_json::to_string(&times[from..]).unwrap_or_default();
    tx.prepare_cached(
        "INSERT INTO temporary_bounces (bounced_address, domain, counter, address_key, times)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (address_key, domain)
         DO UPDATE SET bounced_address = ?1, counter = ?3, times = ?5",
    )?
    .execute(params![address.as_str(), platform, count, key, times])?;
    Ok(Count::Within(count))
}

/// Reads a counter, and adds one to it.
fn next(
    tx: &Transaction,
    key: &str,
    platform: &str,
    handler: &Handler,
    now: SystemTime,
) -> rusqlite::Result<Next> {
    let row: Option<(i64, Option<String>)> = tx
        .prepare_cached(
            "SELECT coalesce(CAST(counter AS INTEGER), 0), times
             FROM temporary_bounces WHERE address_key = ? AND domain = ?",
        )?
        .query_row(params![key, platform], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (earlier, times) = row.unwrap_or_default();
    let mut times: Vec<i64> = times
        .and_then(|times| serde_json::from_str(&times).ok())
        .unwrap_or_default();
    // The counter is what counts: operators set it by hand.
    let earlier = usize::try_from(earlier).unwrap_or(0);
    times.drain(..times.len().saturating_sub(earlier));
    let mut unlisted = earlier - times.len();
    if let Some(window) = handler.temporary_window {
        let start = now.checked_sub(window.0).map_or(0, millis);
        if times.first().is_none_or(|oldest| *oldest < start) {
            unlisted = 0;
        }
        times.retain(|at| *at >= start);
    }
    times.push(millis(now));
    let count = u32::try_from(unlisted.saturating_add(times.len())).unwrap_or(u32::MAX);
    Ok(Next { count, times })
}
