//! What is too old or too much goes, a little with each batch, so that no transaction takes long.

use super::text::millis;
use super::{Pruned, handled, history, quarantine, spent, suspensions};
use crate::config::Handler;
use crate::policy::Decision;
use rusqlite::Transaction;
use std::time::SystemTime;

/// How many rows of each table may go in a transaction that wrote these entries: twice as many as came, so that what is too much
/// becomes less, and some in any case.
pub(super) fn most(entries: &[super::Entry]) -> usize {
    let rows = entries.iter().map(|entry| match &entry.decision {
        Decision::Act { rulings, .. } => 1 + rulings.len(),
        Decision::Ignore { .. } | Decision::Quarantine { .. } => 1,
    });
    100 + 2 * rows.sum::<usize>()
}

/// Deletes some of what is too old or too much: of each table at most `most` rows.
pub(super) fn prune(
    tx: &Transaction,
    handler: &Handler,
    most: usize,
    now: SystemTime,
) -> rusqlite::Result<Pruned> {
    let before = now.checked_sub(handler.history_max_age.0).map_or(0, millis);
    suspensions::prune(tx, before, most)?;
    handled::prune(tx, millis(now), most)?;
    spent::prune(tx, most, now)?;
    Ok(Pruned {
        history: history::prune(tx, handler, before, most)?,
        quarantined: quarantine::prune(tx, handler, most, now)?,
    })
}
