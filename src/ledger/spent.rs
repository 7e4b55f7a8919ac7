//! Which mails of ours have proven a failure already: each proves one of each address, or one captured bounce could be sent again and
//! again.
//!
//! A row holds no address and no text: the hash of both, which is all that has to be found again.

use super::text::millis;
use crate::address::Address;
use crate::trust::Proof;
use rusqlite::{Transaction, params};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};

/// Longer than a mail of ours proves anything ([`MAX_AGE`](crate::trust::MAX_AGE)), with a day for clocks at either end.
const KEPT: Duration = Duration::from_secs(16 * 24 * 60 * 60);

/// Uses a proof up; whether all of it was there to be used.
pub(super) fn spend(
    tx: &Transaction,
    proof: &Proof,
    address: &Address,
    now: SystemTime,
) -> rusqlite::Result<bool> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO spent (mark, at) VALUES (?, ?) ON CONFLICT (mark) DO NOTHING",
    )?;
    let mut unspent = true;
    // All of them, also behind one that was spent: next time the others may come without it.
    for mark in &proof.spends {
        let hash = Sha256::new()
            .chain_update(mark)
            .chain_update([0])
            .chain_update(address.mailbox())
            .finalize();
        unspent &= insert.execute(params![&hash[..16], millis(now)])? == 1;
    }
    Ok(unspent)
}

/// Deletes at most `most` rows that are too old to be asked for.
pub(super) fn prune(tx: &Transaction, most: usize, now: SystemTime) -> rusqlite::Result<()> {
    let before = now.checked_sub(KEPT).map_or(0, millis);
    tx.prepare_cached(
        "DELETE FROM spent WHERE mark IN (SELECT mark FROM spent WHERE at < ? ORDER BY at LIMIT ?)",
    )?
    .execute(params![before, most])?;
    Ok(())
}
