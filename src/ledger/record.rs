//! One batch of mails in one transaction: all of it is on disk afterwards, or nothing.

use super::counters::{self, Count};
use super::history::Bounce;
use super::quarantine::{self, Packed};
use super::suspensions::{self, Cause, Opened};
use super::text::millis;
use super::{
    Effect, Entry, Ledger, LedgerError, Outcome, Recorded, handled, history, in_flight, prune,
};
use crate::address::Address;
use crate::config::Handler;
use crate::intake::{Repeat, Source};
use crate::policy::{Action, Decision, Ruling};
use crate::report::Recipient;
use rusqlite::Transaction;
use std::time::SystemTime;

impl Ledger {
    /// Records a batch in one transaction. When this returns, all of it is on disk; on an error, nothing is.
    pub fn record(
        &self,
        entries: &[Entry],
        handler: &Handler,
        now: SystemTime,
    ) -> Result<Vec<Recorded>, LedgerError> {
        // Compressed before the database is locked.
        let packed: Vec<Option<Packed>> = entries.iter().map(Packed::of).collect();
        let mut store = self.store();
        let going = store.going();
        let recorded = store.write(|tx| {
            handled::forget(tx, going.iter().copied())?;
            let mut recorded = Vec::with_capacity(entries.len());
            for (entry, packed) in entries.iter().zip(&packed) {
                recorded.push(one(tx, entry, packed.as_ref(), handler, now)?);
            }
            in_flight::survived(tx, entries)?;
            prune::prune(tx, handler, entries.len(), now)?;
            Ok(recorded)
        })?;
        store.forgotten.drain(..going.len());
        Ok(recorded)
    }
}

/// Records one mail.
fn one(
    tx: &Transaction,
    entry: &Entry,
    packed: Option<&Packed>,
    handler: &Handler,
    now: SystemTime,
) -> rusqlite::Result<Recorded> {
    if entry.mail.repeat == Repeat::Possible
        && let Some(ticket) = handled::renew(tx, entry, millis(now))?
    {
        let outcome = Outcome::Duplicate;
        return Ok(Recorded { ticket, outcome });
    }
    let ticket = handled::note(tx, entry, millis(now))?;
    if let Source::Quarantine(id) = entry.mail.source {
        quarantine::delete(tx, id)?;
    }
    let outcome = match &entry.decision {
        Decision::Act { platform, rulings } => {
            let effects = rulings
                .iter()
                .map(|ruling| act(tx, entry, platform, ruling, handler, now));
            Outcome::Acted(effects.collect::<rusqlite::Result<_>>()?)
        }
        Decision::Ignore { .. } => Outcome::Ignored,
        Decision::Quarantine { why } => {
            let why = why.to_string();
            Outcome::Quarantined(quarantine::put(tx, entry, &why, packed, now)?)
        }
    };
    Ok(Recorded { ticket, outcome })
}

fn act(
    tx: &Transaction,
    entry: &Entry,
    platform: &str,
    ruling: &Ruling,
    handler: &Handler,
    now: SystemTime,
) -> rusqlite::Result<Effect> {
    let address = &ruling.address;
    let recipient = recipient(entry, ruling);
    let cause = cause(entry, ruling, recipient);
    let suspend = |counted| suspend(tx, address, platform, &cause, counted, now);
    let effect = match ruling.action {
        Action::Ignore => Effect::Noted,
        Action::Suspend => suspend(None)?,
        Action::Count => match counters::count(tx, address, platform, handler, now)? {
            Count::Within(count) => Effect::Counted(count),
            Count::Exceeded(count) => suspend(Some(count))?,
        },
    };
    let bounce = Bounce {
        address,
        platform,
        cause: &cause,
        reply_code: recipient.and_then(|recipient| recipient.reply_code),
        evidence: &ruling.why,
        source: &entry.mail.source.to_string(),
    };
    history::note(tx, &bounce, effect, now)?;
    Ok(effect)
}

fn suspend(
    tx: &Transaction,
    address: &Address,
    platform: &str,
    cause: &Cause,
    counted: Option<u32>,
    now: SystemTime,
) -> rusqlite::Result<Effect> {
    let (id, effect) = match suspensions::open(tx, address, platform, cause, now, now)? {
        Opened::New(id) => (id, Effect::Suspending { id, counted }),
        Opened::Pending(id) => (id, Effect::Joined(id)),
    };
    suspensions::note_permanent(tx, address, platform, &cause.reason, id, now)?;
    Ok(effect)
}

/// The recipient of the report that a ruling is about; none for a complaint.
fn recipient<'a>(entry: &'a Entry, ruling: &Ruling) -> Option<&'a Recipient> {
    entry.report.as_ref()?.recipients.get(ruling.diagnosis?)
}

/// Why a ruling was made, as it is stored.
fn cause(entry: &Entry, ruling: &Ruling, recipient: Option<&Recipient>) -> Cause {
    let diagnosis = ruling.diagnosis.and_then(|at| entry.diagnoses.get(at));
    let report = entry.report.as_ref();
    let complaint = || "complaint".to_owned();
    Cause {
        bounce_type: diagnosis.map_or_else(complaint, |d| d.bounce_type.to_string()),
        reason: diagnosis.map_or_else(complaint, |d| d.reason.to_string()),
        status: diagnosis
            .and_then(|d| d.status)
            .map(|status| status.to_string()),
        diagnostic: recipient.and_then(|r| r.diagnostic.as_deref().map(str::to_owned)),
        message_id: report.and_then(|report| report.original.message_id.clone()),
    }
}
