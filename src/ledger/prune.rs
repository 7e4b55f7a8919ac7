//! What is too old goes, a little with each batch, so that no transaction takes long.

use super::text::millis;
use super::{handled, history, quarantine, suspensions};
use crate::config::Handler;
use rusqlite::Transaction;
use std::time::SystemTime;

/// Deletes some of what is too old. `batch` is the number of mails in this transaction: twice as many rows may go as came.
pub(super) fn prune(
    tx: &Transaction,
    handler: &Handler,
    batch: usize,
    now: SystemTime,
) -> rusqlite::Result<()> {
    let most = 100 + 2 * batch;
    let history = now.checked_sub(handler.history_max_age.0).map_or(0, millis);
    history::prune(tx, history, most)?;
    suspensions::prune(tx, history, most)?;
    handled::prune(tx, millis(now), most)?;
    quarantine::prune(tx, handler, most, now)
}
