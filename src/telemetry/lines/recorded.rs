//! One recorded mail → its outcome lines.

use crate::ledger::{Effect, Entry, Outcome, Recorded};
use crate::policy::{Decision, Ruling, Unhandled};
use crate::printable::Printable;
use tracing::{debug, error, info, warn};

/// Logs what became of a mail: one line for each outcome. `threshold` is the number of soft bounces that an address may have.
pub(super) fn say(entry: &Entry, recorded: &Recorded, threshold: u32) {
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
