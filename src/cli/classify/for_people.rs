//! A verdict in a few aligned lines. Colours are always in it: the stream takes them out where nobody would see them.

use crate::diagnosis::BounceType;
use crate::policy::{self, Action, Decision, Finding, Policy};
use crate::printable::Printable;
use crate::report::Kind;
use crate::verdict::Verdict;
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

const LABEL: Style = Style::new().dimmed();
const NAME: Style = Style::new().bold();

/// Longer words of a mail system are cut: the start says it.
const MOST_WORDS: usize = 600;

/// What is said of a mail, with an empty line at the end. Where a service is configured, what it would do; else what every
/// service would do by default.
pub(super) fn render(file: &str, verdict: &Verdict, configured: Option<&Policy>) -> String {
    let mut text = String::new();
    let report = &verdict.report;
    let kind = report.kind;
    // Writing to a String can't fail.
    let _ = writeln!(text, "{NAME}{}{NAME:#}: {kind}", Printable(file));
    let rulings = verdict.decision.by_address();
    for finding in &verdict.findings {
        one_finding(&mut text, finding);
        if let Some(policy) = configured {
            line(&mut text, "proof", &finding.proof.to_string());
            if let Some(ruling) = rulings.get(&finding.recipient.address.key()) {
                line(&mut text, "service", &deed(ruling.action, Some(policy)));
            }
        } else {
            let (action, _) = policy::weigh(finding, &Policy::default());
            line(&mut text, "service", &deed(action, None));
        }
    }
    if verdict.findings.is_empty() {
        line(&mut text, "evidence", &report.evidence);
    }
    match configured {
        Some(policy) => as_a_whole(&mut text, verdict, policy),
        None if verdict.findings.is_empty() => line(&mut text, "service", without_recipients(kind)),
        None => {}
    }
    for limit in &report.limits {
        line(&mut text, "limit", &limit.to_string());
    }
    text.push('\n');
    text
}

fn one_finding(text: &mut String, finding: &Finding) {
    let Finding {
        recipient,
        diagnosis,
        ..
    } = finding;
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
}

/// What the configured service makes of the mail as a whole.
fn as_a_whole(text: &mut String, verdict: &Verdict, policy: &Policy) {
    match &verdict.decision {
        Decision::Act { platform, rulings } => {
            // A complaint has no findings to stand below.
            for ruling in rulings.iter().filter(|ruling| ruling.finding.is_none()) {
                let deed = deed(ruling.action, Some(policy));
                line(text, "service", &format!("{deed} {}", ruling.address));
                line(text, "proof", &ruling.proof.to_string());
            }
            line(text, "platform", platform);
        }
        Decision::Ignore { platform, why } => {
            line(
                text,
                "service",
                &format!("would record it and do nothing: {why}"),
            );
            let platform = platform.as_deref().unwrap_or("none that is configured");
            line(text, "platform", platform);
        }
        Decision::Quarantine { why } => {
            line(text, "service", &format!("would quarantine it: {why}"));
        }
    }
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

/// What a service would do: the configured one, or any that has the default settings.
fn deed(action: Action, configured: Option<&Policy>) -> String {
    match (action, configured) {
        (Action::Suspend, _) => "would suspend the address at once".to_owned(),
        (Action::Count, Some(policy)) => {
            let threshold = policy.counting.threshold;
            format!(
                "would count it, and suspend the address when the count exceeds {threshold} (temporary_threshold)"
            )
        }
        (Action::Count, None) => {
            "would count it, and suspend the address when the count exceeds the threshold"
                .to_owned()
        }
        (Action::Ignore, _) => "would record it and not count it".to_owned(),
    }
}

fn without_recipients(kind: Kind) -> &'static str {
    match kind {
        Kind::Bounce => "would quarantine it: it names no address",
        Kind::Feedback | Kind::AutoReply | Kind::DeliveryNotice | Kind::None => {
            "would record it and do nothing"
        }
    }
}
