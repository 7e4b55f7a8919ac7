//! One batch of mails in one transaction: all of it is on disk afterwards, or nothing.

use super::counters::{self, Count};
use super::history::{Bounce, History};
use super::quarantine::{self, Packed};
use super::suspensions::{self, Cause, Opened};
use super::text::millis;
use super::{Effect, Entry, Ledger, LedgerError, Outcome, Recorded, attempts, handled, prune};
use crate::address::Address;
use crate::config::Handler;
use crate::mail::{Repeat, Source};
use crate::policy::{self, Action, Decision, Ruling, Unhandled};
use crate::report::Recipient;
use rusqlite::Transaction;
use std::time::SystemTime;

impl Ledger {
    /// Records a batch in one transaction. When this returns, all of it is on disk.
    ///
    /// # Errors
    /// As for every transaction: then nothing of the batch was kept.
    pub fn record(
        &self,
        entries: &[Entry],
        handler: &Handler,
        now: SystemTime,
    ) -> Result<Vec<Recorded>, LedgerError> {
        // Compressed before the database is locked.
        let may_be_quarantined = |entry: &Entry| match &entry.decision {
            Decision::Quarantine { .. } => true,
            Decision::Act { rulings, .. } => may_be_held(entry, rulings, handler),
            Decision::Ignore { .. } => false,
        };
        let pack = |entry: &Entry| may_be_quarantined(entry).then(|| Packed::of(entry));
        let packed: Vec<Option<Packed>> = entries.iter().map(pack).collect();
        let (recorded, pruned) = self.write_and_forget(|tx| {
            let mut batch = Batch {
                tx,
                history: History::open(tx, now)?,
                handler,
                now,
            };
            let recorded: Vec<Recorded> = entries
                .iter()
                .zip(&packed)
                .map(|(entry, packed)| batch.record(entry, packed.as_ref()))
                .collect::<rusqlite::Result<_>>()?;
            attempts::survived(tx, entries)?;
            let pruned = prune::prune(tx, handler, prune::most(entries), now)?;
            Ok((recorded, pruned))
        })?;
        pruned.say(handler, self.history_said());
        Ok(recorded)
    }
}

/// A batch that is being recorded.
struct Batch<'a> {
    tx: &'a Transaction<'a>,
    history: History<'a>,
    handler: &'a Handler,
    now: SystemTime,
}

impl Batch<'_> {
    fn record(&mut self, entry: &Entry, packed: Option<&Packed>) -> rusqlite::Result<Recorded> {
        let (tx, now) = (self.tx, self.now);
        // The row of the mail is there already: another one would make of a broken connection a flood of mails.
        if entry.mail.repeat == Repeat::Possible
            && let Some(ticket) = handled::renew(tx, entry, millis(now))?
        {
            let outcome = Outcome::Duplicate;
            return Ok(Recorded { ticket, outcome });
        }
        let ticket = handled::note(tx, entry, millis(now))?;
        if let Source::Quarantine(id) = *entry.mail.source() {
            quarantine::delete(tx, id)?;
        }
        let source = entry.mail.source().to_string();
        if let Some(why) = self.brake(entry)? {
            let said = why.to_string();
            let mail = self.history.mail(entry, &source, Some(&why))?;
            let id = quarantine::put(tx, entry, mail, &said, packed, now)?;
            let outcome = Outcome::Held { id, why };
            return Ok(Recorded { ticket, outcome });
        }
        let mail = self.history.mail(entry, &source, None)?;
        let outcome = match &entry.decision {
            Decision::Act { platform, rulings } => {
                let mut effects = Vec::with_capacity(rulings.len());
                for ruling in rulings {
                    let recipient = recipient(entry, ruling);
                    let cause = cause(entry, ruling, recipient);
                    let effect = self.act(platform, ruling, &cause)?;
                    let bounce = Bounce {
                        mail: Some(mail),
                        address: &ruling.address,
                        platform,
                        cause: &cause,
                        reply_code: recipient.and_then(|recipient| recipient.reply_code),
                        evidence: &ruling.why,
                        source: &source,
                    };
                    self.history.bounce(&bounce, effect)?;
                    effects.push(effect);
                }
                Outcome::Acted(effects)
            }
            Decision::Ignore { .. } => Outcome::Ignored,
            Decision::Quarantine { why } => {
                let why = why.to_string();
                Outcome::Quarantined(quarantine::put(tx, entry, mail, &why, packed, now)?)
            }
        };
        Ok(Recorded { ticket, outcome })
    }

    /// Why a mail is held whose counters and hard failures together would suspend more addresses than one mail may.
    fn brake(&self, entry: &Entry) -> rusqlite::Result<Option<Unhandled>> {
        let Decision::Act { platform, rulings } = &entry.decision else {
            return Ok(None);
        };
        if !may_be_held(entry, rulings, self.handler) {
            return Ok(None);
        }
        let mut suspensions = 0;
        for Ruling {
            address, action, ..
        } in rulings
        {
            suspensions += usize::from(match action {
                Action::Ignore => false,
                Action::Suspend => true,
                Action::Count => {
                    counters::would_exceed(self.tx, address, platform, self.handler, self.now)?
                }
            });
        }
        Ok(policy::braked(
            suspensions,
            entry.mail.released,
            self.handler,
        ))
    }

    fn act(&self, platform: &str, ruling: &Ruling, cause: &Cause) -> rusqlite::Result<Effect> {
        let (tx, now, address) = (self.tx, self.now, &ruling.address);
        let suspend = |counted| suspend(tx, address, platform, cause, counted, now);
        match ruling.action {
            Action::Ignore => Ok(Effect::Noted),
            Action::Suspend => suspend(None),
            Action::Count => match counters::count(tx, address, platform, self.handler, now)? {
                Count::Within(count) => Ok(Effect::Counted(count)),
                Count::Exceeded(count) => suspend(Some(count)),
            },
        }
    }
}

/// Whether a mail names enough addresses for the brake, should all of them be suspended.
fn may_be_held(entry: &Entry, rulings: &[Ruling], handler: &Handler) -> bool {
    policy::braked(rulings.len(), entry.mail.released, handler).is_some()
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
