//! What is too old or too much goes, a little with each batch, so that no transaction takes long.

use super::text::millis;
use super::{handled, history, quarantine, spent, suspensions};
use crate::config::Handler;
use crate::policy::Decision;
use rusqlite::Transaction;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;
use tracing::warn;

/// What went before its age, to be said once the transaction is committed.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// How many mails went from quarantine because it is full.
    pub quarantined: usize,
    /// Whether some of the history went because it is full.
    pub history: bool,
}

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

impl Pruned {
    /// Says what people may miss. `history_said`: whether it was said before that the history is full.
    pub fn say(&self, handler: &Handler, history_said: &AtomicBool) {
        if self.quarantined > 0 {
            warn!(
                "The quarantine is full (at most {} mails, {}): the {} oldest were deleted.",
                handler.quarantine_max_count, handler.quarantine_max_size, self.quarantined
            );
        }
        if self.history && !history_said.swap(true, Ordering::Relaxed) {
            warn!(
                "The history is full (handler.history_max_size: {}): from now on the oldest of it goes before it is as old as \
                 history_max_age says.",
                handler.history_max_size
            );
        }
    }
}
