//! Every mail that came in, and every bounce that something was decided on: for explanation and undo.
//!
//! Each row of `mails` and `bounces` has a `position`: the bytes of history that were written up to its end, in both tables together.
//! So the size of the history is the distance between the newest and the oldest row, and need not be summed up.

use super::suspensions::Cause;
use super::text::{bounded, millis};
use super::{Effect, Entry};
use crate::address::Address;
use crate::config::Handler;
use crate::policy::{Decision, Unhandled};
use crate::trust::{Evidence, Proof};
use rusqlite::{OptionalExtension, Transaction, params};
use std::borrow::Cow;
use std::time::SystemTime;

/// What a row takes beside its texts: numbers, times, its places in indexes.
const ROW: usize = 100;

/// A bounce, or what stands for one.
pub(super) struct Bounce<'a> {
    /// The row of its mail; none if there was no mail.
    pub mail: Option<i64>,
    pub address: &'a Address,
    /// Who failed in the end, if the mail was passed on.
    pub final_recipient: Option<&'a Address>,
    pub platform: &'a str,
    pub cause: &'a Cause,
    pub reply_code: Option<u16>,
    /// What proves it; none of what a person asked for.
    pub proof: Option<&'a Proof>,
    /// The sentence that says why.
    pub evidence: &'a str,
    /// Where it came from, for people.
    pub source: &'a str,
}

/// The history as one transaction writes it.
pub(super) struct History<'a> {
    tx: &'a Transaction<'a>,
    now: i64,
    position: i64,
}

impl<'a> History<'a> {
    pub fn open(tx: &'a Transaction<'a>, now: SystemTime) -> rusqlite::Result<History<'a>> {
        Ok(History {
            tx,
            now: millis(now),
            position: end(tx)?,
        })
    }

    /// Notes a mail, which may be `held` by the brake instead of acted on; returns its row.
    pub fn mail(
        &mut self,
        entry: &Entry,
        source: &str,
        held: Option<&Unhandled>,
    ) -> rusqlite::Result<i64> {
        let report = entry.report.as_ref();
        let kind = report.map_or_else(|| "unread".to_owned(), |report| report.kind.to_string());
        let (decision, platform, evidence) = match (&entry.decision, held) {
            (Decision::Act { platform, .. }, Some(why)) => {
                let evidence = Cow::Owned(why.to_string());
                ("quarantine", Some(platform.as_str()), evidence)
            }
            (Decision::Act { platform, .. }, None) => {
                let evidence = report.map_or("", |report| report.evidence.as_str());
                ("act", Some(platform.as_str()), Cow::Borrowed(evidence))
            }
            (Decision::Ignore { platform, why }, _) => {
                ("ignore", platform.as_deref(), Cow::Borrowed(why.as_str()))
            }
            (Decision::Quarantine { why }, _) => ("quarantine", None, Cow::Owned(why.to_string())),
        };
        let envelope = report.map(|report| &report.envelope);
        let source = bounded(source);
        let from = envelope.and_then(|e| e.from.as_deref()).map(bounded);
        let subject = envelope.and_then(|e| e.subject.as_deref()).map(bounded);
        let message_id = envelope.and_then(|e| e.message_id.as_deref()).map(bounded);
        let evidence = bounded(&evidence);
        let texts = [&from, &subject, &message_id].into_iter().flatten();
        let texts = texts.chain([&source, &evidence]).map(|text| text.len());
        self.advance(texts.sum());
        self.tx
            .prepare_cached(
                "INSERT INTO mails (at, source, kind, domain, mail_from, subject, message_id, decision, evidence, position)
                 VALUES (?, ?, ?, ?, ?, ?, '<' || ? || '>', ?, ?, ?)",
            )?
            .execute(params![
                self.now,
                source,
                kind,
                platform,
                from,
                subject,
                message_id,
                decision,
                evidence,
                self.position,
            ])?;
        Ok(self.tx.last_insert_rowid())
    }

    /// Notes what a bounce led to.
    pub fn bounce(&mut self, bounce: &Bounce, effect: Effect) -> rusqlite::Result<()> {
        let cause = bounce.cause;
        let (action, counter, suspension) = match effect {
            Effect::Suspending { id, counted } => ("suspend", counted, Some(id.0)),
            Effect::Joined(id) => ("join", None, Some(id.0)),
            Effect::Counted(count) => ("count", Some(count), None),
            Effect::Noted | Effect::Spent => ("note", None, None),
        };
        let (address, key) = (bounce.address.as_str(), bounce.address.key());
        let diagnostic = cause.diagnostic.as_deref().map(bounded);
        let message_id = cause.message_id.as_deref().map(bounded);
        let (evidence, source) = (bounded(bounce.evidence), bounded(bounce.source));
        let sentence = bounce.proof.map(|proof| bounded(&proof.sentence));
        let texts = [&diagnostic, &message_id, &sentence].into_iter().flatten();
        let texts = texts.chain([&evidence, &source]).map(|text| text.len());
        let end = bounce.final_recipient.map(Address::as_str);
        let addresses = address.len() + key.len() + end.map_or(0, str::len);
        self.advance(texts.sum::<usize>() + addresses);
        self.tx
            .prepare_cached(
                "INSERT INTO bounces
                     (at, mail, bounced_address, address_key, domain, type, reason, status, reply_code, diagnostic,
                      message_id, evidence, source, action, counter, suspension, position,
                      final_recipient, proof, proof_by, proof_sentence)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                self.now,
                bounce.mail,
                address,
                key,
                bounce.platform,
                cause.bounce_type,
                cause.reason,
                cause.status,
                bounce.reply_code,
                diagnostic,
                message_id,
                evidence,
                source,
                action,
                counter,
                suspension,
                self.position,
                end,
                bounce.proof.map(|proof| proof.standing.word()),
                bounce.proof.and_then(|proof| proof.by).map(Evidence::word),
                sentence,
            ])?;
        Ok(())
    }

    fn advance(&mut self, texts: usize) {
        let row = i64::try_from(ROW + texts).unwrap_or(i64::MAX);
        self.position = self.position.saturating_add(row);
    }
}

/// The position of the newest row; 0 if there is none.
fn end(tx: &Transaction) -> rusqlite::Result<i64> {
    tx.prepare_cached(
        "SELECT max(coalesce((SELECT position FROM mails WHERE id = (SELECT max(id) FROM mails)), 0),
                    coalesce((SELECT position FROM bounces WHERE id = (SELECT max(id) FROM bounces)), 0))",
    )?
    .query_row([], |row| row.get(0))
}

/// Deletes the oldest rows that are from before `before` or beyond the size that the history may have: of each table at most `most`.
/// Whether some went for the size.
pub(super) fn prune(
    tx: &Transaction,
    handler: &Handler,
    before: i64,
    most: usize,
) -> rusqlite::Result<bool> {
    let largest = i64::try_from(handler.history_max_size.as_u64()).unwrap_or(i64::MAX);
    let beyond = end(tx)?.saturating_sub(largest);
    // Most often nothing is to go: then the look at the oldest row is all.
    let is_due = |oldest: Option<(i64, i64)>| {
        oldest.is_some_and(|(at, position)| at < before || position <= beyond)
    };
    let mut for_size = false;
    let oldest = tx
        .prepare_cached("SELECT at, position FROM mails WHERE id = (SELECT min(id) FROM mails)")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if is_due(oldest) {
        for_size |= oldest.is_some_and(|(at, _)| at >= before);
        tx.prepare_cached(
            "DELETE FROM mails
             WHERE id < (SELECT min(id) FROM mails) + ?3 AND (at < ?1 OR position <= ?2)",
        )?
        .execute(params![before, beyond, most])?;
    }
    let oldest = tx
        .prepare_cached(
            "SELECT at, position FROM bounces WHERE id = (SELECT min(id) FROM bounces)",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if is_due(oldest) {
        for_size |= oldest.is_some_and(|(at, _)| at >= before);
        tx.prepare_cached(
            "DELETE FROM bounces
             WHERE id < (SELECT min(id) FROM bounces) + ?3 AND (at < ?1 OR position <= ?2)",
        )?
        .execute(params![before, beyond, most])?;
    }
    Ok(for_size)
}
