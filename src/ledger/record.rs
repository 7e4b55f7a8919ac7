//! One batch of mails in one transaction: all of it is on disk afterwards, or nothing.

use super::counters::{self, Count};
use super::history::{Bounce, History};
use super::quarantine;
use super::suspensions::{self, Cause, Opened};
use super::text::millis;
use super::{
    Effect, Entry, Ledger, LedgerError, Outcome, Recorded, attempts, handled, prune, spent,
};
use crate::address::Address;
use crate::config::Handler;
use crate::mail::{Repeat, Source};
use crate::policy::{self, Action, Decision, Ruling, Unhandled};
use crate::trust::Proof;
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
        // Before the database is locked, where that was not done by whoever read them.
        let kept = entries
            .iter()
            .filter(|entry| entry.may_be_quarantined(handler.brake_per_mail));
        kept.for_each(|entry| _ = entry.mail.packed());
        let (recorded, pruned) = self.write_and_forget(|tx| {
            let mut batch = Batch {
                tx,
                history: History::open(tx, now)?,
                handler,
                now,
            };
            let recorded: Vec<Recorded> = entries
                .iter()
                .map(|entry| batch.record(entry))
                .collect::<rusqlite::Result<_>>()?;
            attempts::survived(tx, entries)?;
            let pruned = prune::prune(tx, handler, prune::most(entries), now)?;
            Ok((recorded, pruned))
        })?;
        pruned.say(handler, self.history_said());
        Ok(recorded)
    }
}

impl Entry {
    /// Whether recording it may put it into quarantine: then [`Mail::packed`](crate::mail::Mail::packed) is needed.
    pub fn may_be_quarantined(&self, brake_per_mail: u32) -> bool {
        match &self.decision {
            Decision::Quarantine { .. } => true,
            Decision::Act { rulings, .. } => may_be_held(self, rulings, brake_per_mail),
            Decision::Ignore { .. } => false,
        }
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
    fn record(&mut self, entry: &Entry) -> rusqlite::Result<Recorded> {
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
            let id = quarantine::put(tx, entry, mail, &said, now)?;
            let outcome = Outcome::Held { id, why };
            return Ok(Recorded { ticket, outcome });
        }
        let mail = self.history.mail(entry, &source, None)?;
        let outcome = match &entry.decision {
            Decision::Act { platform, rulings } => {
                let mut effects = Vec::with_capacity(rulings.len());
                for ruling in rulings {
                    let finding = ruling.finding.as_ref();
                    let cause = cause(entry, ruling);
                    let effect = self.act(platform, ruling, &cause)?;
                    let spent = Proof::SPENT;
                    let proof = match effect {
                        Effect::Spent => &spent,
                        _ => &ruling.proof,
                    };
                    let bounce = Bounce {
                        mail: Some(mail),
                        address: &ruling.address,
                        final_recipient: finding
                            .and_then(|finding| finding.recipient.final_recipient.as_ref()),
                        platform,
                        cause: &cause,
                        reply_code: finding.and_then(|finding| finding.recipient.reply_code),
                        proof: Some(proof),
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
                Outcome::Quarantined(quarantine::put(tx, entry, mail, &why, now)?)
            }
        };
        Ok(Recorded { ticket, outcome })
    }

    /// Why a mail is held whose counters and hard failures together would suspend more addresses than one mail may.
    fn brake(&self, entry: &Entry) -> rusqlite::Result<Option<Unhandled>> {
        let Decision::Act { platform, rulings } = &entry.decision else {
            return Ok(None);
        };
        if !may_be_held(entry, rulings, self.handler.brake_per_mail) {
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
            self.handler.brake_per_mail,
        ))
    }

    fn act(&self, platform: &str, ruling: &Ruling, cause: &Cause) -> rusqlite::Result<Effect> {
        let (tx, now, address) = (self.tx, self.now, &ruling.address);
        let is_acted_on = ruling.action != Action::Ignore;
        if is_acted_on
            && self.handler.requires_proof(platform)
            && !spent::spend(tx, &ruling.proof, address, now)?
        {
            return Ok(Effect::Spent);
        }
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
fn may_be_held(entry: &Entry, rulings: &[Ruling], brake_per_mail: u32) -> bool {
    policy::braked(rulings.len(), entry.mail.released, brake_per_mail).is_some()
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

/// Why a ruling was made, as it is stored.
fn cause(entry: &Entry, ruling: &Ruling) -> Cause {
    let original = entry.report.as_ref().map(|report| &report.original);
    let message_id = original.and_then(|original| original.message_id.clone());
    let Some(finding) = &ruling.finding else {
        return Cause {
            bounce_type: "complaint".to_owned(),
            reason: "complaint".to_owned(),
            status: None,
            diagnostic: None,
            message_id,
        };
    };
    let diagnosis = &finding.diagnosis;
    Cause {
        bounce_type: diagnosis.bounce_type.to_string(),
        reason: diagnosis.reason.to_string(),
        status: diagnosis.status.map(|status| status.to_string()),
        diagnostic: finding.recipient.diagnostic.as_deref().map(str::to_owned),
        message_id,
    }
}
