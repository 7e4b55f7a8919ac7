//! Event → the block of the mail that it is about.

use super::blocks::Line;
use super::event::Event;
use super::output;
use crate::ledger::{Effect, Entry, Outcome, Recorded};
use crate::policy::Decision;
use crate::printable::Printable;
use crate::trust::Proof;

/// The block of a mail shows so many recipients: thousands that one mail names are no help to a person.
const MOST_IN_BLOCK: usize = 100;

/// Begins the block of a mail that was recorded, and ends it by the answers of the platforms.
pub(super) fn show(event: &Event<'_>) {
    if !output::shows_blocks() {
        return;
    }
    match *event {
        Event::Recorded {
            entry, recorded, ..
        } => output::block(of_mail(entry, recorded)),
        Event::Told {
            suspension, said, ..
        } => output::answered(suspension, said),
        _ => {}
    }
}

/// The lines of DESIGN 9, as the prototype's operators know them.
fn of_mail(entry: &Entry, recorded: &Recorded) -> Vec<Line> {
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
