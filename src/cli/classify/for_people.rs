//! A verdict in a few aligned lines. Colours are always in it: the stream takes them out where nobody would see them.

use crate::cli::verdict::Verdict;
use crate::diagnosis::{BounceType, Diagnosis};
use crate::policy::{self, Action};
use crate::printable::Printable;
use crate::report::{Kind, Recipient};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

const LABEL: Style = Style::new().dimmed();
const NAME: Style = Style::new().bold();

/// Longer words of a mail system are cut: the start says it.
const MOST_WORDS: usize = 600;

/// What is said of a mail, with an empty line at the end.
pub(super) fn render(file: &str, verdict: &Verdict) -> String {
    let mut text = String::new();
    let report = &verdict.report;
    let kind = report.kind;
    // Writing to a String can't fail.
    let _ = writeln!(text, "{NAME}{}{NAME:#}: {kind}", Printable(file));
    for (recipient, diagnosis) in verdict.recipients() {
        one_recipient(&mut text, recipient, diagnosis);
    }
    if verdict.report.recipients.is_empty() {
        line(&mut text, "evidence", &report.evidence);
        line(&mut text, "service", without_recipients(kind));
    }
    for limit in &report.limits {
        line(&mut text, "limit", &limit.to_string());
    }
    text.push('\n');
    text
}

fn one_recipient(text: &mut String, recipient: &Recipient, diagnosis: &Diagnosis) {
    let style = colour(diagnosis.bounce_type);
    let _ = writeln!(
        text,
        "  {NAME}{}{NAME:#}  {style}{}{style:#}, {}: {}",
        Printable(recipient.address.as_str()),
        diagnosis.bounce_type,
        diagnosis.reason,
        diagnosis.reason.says(),
    );
    if let Some(end) = &recipient.final_recipient {
        line(text, "final", end.as_str());
    }
    line(
        text,
        "words",
        recipient.diagnostic.as_deref().unwrap_or("(none)"),
    );
    line(text, "evidence", &diagnosis.evidence);
    let (action, _) = policy::weigh(recipient, diagnosis, false);
    line(text, "service", deed(action));
}

fn line(text: &mut String, label: &str, words: &str) {
    let end = words.floor_char_boundary(MOST_WORDS);
    let dots = if end < words.len() { "…" } else { "" };
    let _ = writeln!(
        text,
        "    {LABEL}{label:<8}{LABEL:#}  {}{dots}",
        Printable(&words[..end])
    );
}

fn colour(bounce_type: BounceType) -> Style {
    let colour = match bounce_type {
        BounceType::Hard => AnsiColor::Red,
        BounceType::Soft => AnsiColor::Yellow,
        BounceType::Delayed => AnsiColor::Cyan,
    };
    colour.on_default().bold()
}

/// What the service would do with its default settings.
fn deed(action: Action) -> &'static str {
    match action {
        Action::Suspend => "would suspend the address at once",
        Action::Count => {
            "would count it, and suspend the address when the count exceeds the threshold"
        }
        Action::Ignore => "would record it and not count it",
    }
}

fn without_recipients(kind: Kind) -> &'static str {
    match kind {
        Kind::Bounce => "would quarantine it: it names no address",
        Kind::Feedback | Kind::AutoReply | Kind::DeliveryNotice | Kind::None => {
            "would log it and do nothing"
        }
    }
}
