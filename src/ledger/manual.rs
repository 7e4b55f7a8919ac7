//! What a person does to suspensions and counters by command.

use super::history::{Bounce, History};
use super::suspensions::{self, Cause, Claimant, Opened, Suspension};
use super::text::millis;
use super::{Effect, Ledger, LedgerError, SuspensionId};
use crate::address::Address;
use rusqlite::params;
use std::time::{Duration, SystemTime};

/// The type and reason of a suspension that a person asked for.
const MANUAL: &str = "manual";

/// What became of a suspension that a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// It is the caller's to post.
    Claimed(Suspension),
    /// Somebody else is posting it at this moment.
    Elsewhere(SuspensionId),
}

/// What resetting cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// The configured domain of the platform.
    pub platform: String,
    /// Where the counter stood.
    pub counter: i64,
}

impl Ledger {
    /// Makes a suspension that a person asked for, or finds the one that is pending, and claims it, so that the caller can post it and
    /// [`Ledger::settle`] it. It stays with whoever has claimed it before. Whatever becomes of the caller, it is due again after `lease`.
    ///
    /// # Errors
    /// As for every transaction.
    pub fn suspend_by_hand(
        &self,
        address: &Address,
        platform: &str,
        command: &str,
        (claimant, lease): (Claimant, Duration),
        now: SystemTime,
    ) -> Result<ByHand, LedgerError> {
        let cause = Cause {
            bounce_type: MANUAL.to_owned(),
            reason: MANUAL.to_owned(),
            status: None,
            diagnostic: None,
            message_id: None,
        };
        self.write(|tx| {
            let (id, effect) = match suspensions::open(tx, address, platform, &cause, now, now)? {
                Opened::New(id) => (id, Effect::Suspending { id, counted: None }),
                Opened::Pending(id) => (id, Effect::Joined(id)),
            };
            suspensions::note_permanent(tx, address, platform, MANUAL, id, now)?;
            let bounce = Bounce {
                mail: None,
                address,
                final_recipient: None,
                platform,
                cause: &cause,
                reply_code: None,
                proof: None,
                evidence: "asked for by a person",
                source: command,
            };
            History::open(tx, now)?.bounce(&bounce, effect)?;
            if suspensions::is_claimed(tx, id, now)? {
                return Ok(ByHand::Elsewhere(id));
            }
            suspensions::take(tx, id, claimant, now + lease)?;
            Ok(ByHand::Claimed(Suspension {
                id,
                address: address.clone(),
                platform: platform.to_owned(),
                created: now,
                attempts: 0,
                cause: cause.clone(),
            }))
        })
    }

    /// Makes failed suspensions pending again, as if decided `now`: those of one address (compared case-insensitively), or all, of these
    /// platforms. Of several for the same address and platform the last is taken, and none where one is pending.
    ///
    /// # Errors
    /// As for every transaction.
    pub fn retry(
        &self,
        address: Option<&Address>,
        platforms: &[&str],
        now: SystemTime,
    ) -> Result<Vec<SuspensionId>, LedgerError> {
        self.write(|tx| {
            let mut again = tx.prepare(
                "UPDATE suspensions
                 SET state = 'pending', created = ?1, due = ?1, attempts = 0, settled = NULL
                 WHERE id IN (
                     SELECT max(id) FROM suspensions
                     WHERE state = 'failed' AND domain = ?2 AND (?3 IS NULL OR address_key = ?3)
                     GROUP BY address_key
                 ) AND NOT EXISTS (
                     SELECT 1 FROM suspensions pending
                     WHERE pending.state = 'pending'
                         AND pending.address_key = suspensions.address_key AND pending.domain = suspensions.domain
                 ) RETURNING id",
            )?;
            let mut ids = Vec::new();
            for platform in platforms {
                let rows = again.query_map(
                    params![millis(now), platform, address.map(Address::key)],
                    |row| row.get(0).map(SuspensionId),
                )?;
                for id in rows {
                    ids.push(id?);
                }
            }
            Ok(ids)
        })
    }

    /// Clears the counters of an address (compared case-insensitively), of one platform or of all.
    ///
    /// # Errors
    /// As for every transaction.
    pub fn reset(
        &self,
        address: &Address,
        platform: Option<&str>,
    ) -> Result<Vec<Reset>, LedgerError> {
        self.write(|tx| {
            tx.prepare(
                "DELETE FROM temporary_bounces WHERE address_key = ?1 AND (?2 IS NULL OR domain = ?2)
                 RETURNING domain, coalesce(CAST(counter AS INTEGER), 0)",
            )?
            .query_map(params![address.key(), platform], |row| {
                Ok(Reset {
                    platform: row.get(0)?,
                    counter: row.get(1)?,
                })
            })?
            .collect()
        })
    }
}
