//! One recorded mail → its block and its outcome lines.

use super::blocks::Line;
use super::output;
use crate::ledger::{Effect, Entry, Outcome, Recorded};
use crate::policy::{Decision, Ruling, Unhandled};
use crate::printable::Printable;
use crate::trust::Proof;
use tracing::{debug, error, info, warn};

/// The block of a mail shows so many recipients: thousands that one mail names are no help to a person.
const MOST_IN_BLOCK: usize = 100;

/// Logs what became of a mail: its block (DESIGN 9), which waits for the platform's answers, and one line for each outcome.
/// `threshold` is the number of soft bounces that an address may have.
pub fn announce(entry: &Entry, recorded: &Recorded, threshold: u32) {
    if output::shows_blocks() {
        output::block(block(entry, recorded));
    }
    let source = entry.mail.source().to_string();
    let source = Printable(&source);
    for limit in entry.report.iter().flat_map(|report| &report.limits) {
        warn!("A limit was hit by a mail from {source}: {limit}.");
    }
    match (&recorded.outcome, &entry.decision) {
        (Outcome::Duplicate, _) => {
            info!("A mail from {source} was recorded before; nothing is counted twice.")
        }
        (
            Outcome::Quarantined(id),
            Decision::Quarantine {
                why: why @ Unhandled::Brake { .. },
            },
        )
        | (Outcome::Held { id, why }, _) => held(*id, why, &source),
        (Outcome::Quarantined(id), Decision::Quarantine { why }) => {
            let why = why.to_string();
            warn!(
                quarantine = id,
                "Quarantined as {id}: {} (from {source}); see: bouncedemails quarantine show {id}",
                Printable(&why)
            );
        }
        (Outcome::Acted(effects), Decision::Act { platform, rulings }) => {
            for (ruling, effect) in rulings.iter().zip(effects) {
                outcome(entry, platform, ruling, effect, threshold);
            }
        }
        (_, Decision::Ignore { why, .. }) => {
            info!("Nothing to do: {} (from {source})", Printable(why))
        }
        (outcome, decision) => debug!("{decision:?} led to {outcome:?}"),
    }
}

/// The line for a mail that the brake holds.
fn held(id: i64, why: &Unhandled, source: &Printable<'_>) {
    error!(
        quarantine = id,
        "Held in quarantine as {id}: {why} (from {source}). Nobody was suspended. Look at it: bouncedemails quarantine show {id}; if it is right: \
         bouncedemails quarantine requeue --release {id}; else: bouncedemails quarantine delete {id}"
    );
}

/// The line for one recipient.
fn outcome(entry: &Entry, platform: &str, ruling: &Ruling, effect: &Effect, threshold: u32) {
    let address = Printable(ruling.address.as_str());
    let why = Printable(&ruling.why);
    let what = match effect {
        Effect::Suspending { counted: None, .. } => "is to be suspended".to_owned(),
        Effect::Suspending {
            counted: Some(count),
            ..
        } => format!("is to be suspended after {count} soft bounces"),
        Effect::Joined(_) => "is being suspended already".to_owned(),
        Effect::Counted(count) => format!("has {count} of {threshold} soft bounces allowed"),
        Effect::Noted => "is noted, not counted".to_owned(),
        Effect::Spent => "is noted, not counted, as its proof was used before,".to_owned(),
    };
    let finding = ruling.finding.as_ref();
    let reason = finding.map_or("complaint", |finding| finding.diagnosis.reason.word());
    let message_id = entry
        .report
        .as_ref()
        .and_then(|r| r.original.message_id.as_deref());
    let message_id = Printable(message_id.unwrap_or_default()).to_string();
    info!(
        address = %address,
        domain = platform,
        source = %Printable(&entry.mail.source().to_string()),
        reason,
        message_id,
        proof = %ruling.proof.standing,
        "{address} {what} at {platform}: {why}"
    );
}

/// The lines of DESIGN 9, as the prototype's operators know them.
fn block(entry: &Entry, recorded: &Recorded) -> Vec<Line> {
    let mut lines = Vec::with_capacity(8);
    let mut line = |text: String, awaits| lines.push(Line { text, awaits });
    line(
        "------------- INCOMING MESSAGE -------------".to_owned(),
        None,
    );
    if let Some(report) = &entry.report {
        let envelope = &report.envelope;
        for (name, value) in [
            ("From:     ", &envelope.from),
            ("Subject:  ", &envelope.subject),
            ("To:       ", &envelope.to_text),
        ] {
            let value = Printable(value.as_deref().unwrap_or_default());
            line(format!("{name} {value}"), None);
        }
    }
    match &entry.decision {
        Decision::Act { platform, .. } => line(format!("Domain:    {platform}"), None),
        Decision::Ignore { platform, .. } => {
            let platform = platform.as_deref().unwrap_or("none that is configured");
            line(format!("Domain:    {platform}"), None);
        }
        Decision::Quarantine { .. } => {}
    }
    match (&recorded.outcome, &entry.decision) {
        (Outcome::Acted(effects), Decision::Act { rulings, .. }) => {
            for (ruling, effect) in rulings.iter().zip(effects).take(MOST_IN_BLOCK) {
                let (word, awaits) = match effect {
                    Effect::Suspending { id, .. } => ("Permanent:", Some(*id)),
                    Effect::Joined(_) => ("Permanent:", None),
                    Effect::Counted(_) => ("Temporary:", None),
                    Effect::Noted | Effect::Spent => ("Noted:    ", None),
                };
                line(
                    format!("{word} {}", Printable(ruling.address.as_str())),
                    awaits,
                );
                let finding = ruling.finding.as_ref();
                if let Some(end) =
                    finding.and_then(|finding| finding.recipient.final_recipient.as_ref())
                {
                    line(format!("Final:     {}", Printable(end.as_str())), None);
                }
                let proof = match effect {
                    Effect::Spent => Proof::SPENT.to_string(),
                    _ => ruling.proof.to_string(),
                };
                line(format!("Proof:     {}", Printable(&proof)), None);
                if let Effect::Joined(_) = effect {
                    line(
                        "Response:  none yet; a suspension is pending already".to_owned(),
                        None,
                    );
                }
            }
            let more = effects.len().saturating_sub(MOST_IN_BLOCK);
            if more > 0 {
                line(format!("And:       {more} more"), None);
            }
        }
        (Outcome::Duplicate, _) => line("Duplicate: recorded before".to_owned(), None),
        (Outcome::Held { why, .. }, _) => line(format!("Unhandled: {why}"), None),
        (_, Decision::Ignore { why, .. }) => line(format!("Ignored:   {}", Printable(why)), None),
        (_, Decision::Quarantine { why }) => {
            let why = why.to_string();
            line(format!("Unhandled: {}", Printable(&why)), None);
        }
        _ => {}
    }
    lines
}
