//! Words and codes of one failure → [`Diagnosis`]: why it failed, hard or soft, and on what evidence.
//!
//! Pure. Knowledge is data: `rules.toml`, read by [`rules`]. Codes are hints, words decide (DESIGN 4).

mod codes;
mod facts;
mod normalise;
pub mod reason;
mod rule;
mod rule_file;
pub mod rules;

pub use normalise::MAX_DIAGNOSTIC;
pub use reason::{BounceType, Fault, Reason};
pub use rule::RuleError;
pub use rules::Rules;

use crate::report::{Action, Recipient};
use crate::smtp_reply::Status;
use facts::Facts;

/// Why one recipient failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Why.
    pub reason: Reason,
    /// For good, for now, or not yet at all.
    pub bounce_type: BounceType,
    /// The status that prevailed: of what the reply and the report's Status field say.
    pub status: Option<Status>,
    /// On what words or code, and where they stand: `rule 'no such user' in Diagnostic-Code`.
    pub evidence: String,
}

impl Diagnosis {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.reason.fault()
    }
}

/// Says why a recipient failed.
pub fn diagnose(recipient: &Recipient, rules: &Rules) -> Diagnosis {
    let facts = Facts::of(recipient);
    let (reason, why) = reason(&facts, rules);
    let bounce_type = match recipient.action {
        Action::Delayed => BounceType::Delayed,
        _ if is_passing(reason, [recipient.status, facts.status]) => BounceType::Soft,
        _ => reason.bounce_type(),
    };
    Diagnosis {
        reason,
        bounce_type,
        status: facts.status,
        evidence: format!("{why} in {}", recipient.source),
    }
}

/// The reason, and what it was taken from.
fn reason(facts: &Facts<'_>, rules: &Rules) -> (Reason, String) {
    match rules.decide(facts) {
        Some(rule) if facts.contradictory && rule.goes_by_codes() && rule.is_hard() => (
            Reason::OnHold,
            "the codes contradict each other, and no rule knows the words".to_owned(),
        ),
        Some(rule) => (rule.reason, format!("rule '{}'", rule.name)),
        None if !facts.words.is_empty() => (Reason::OnHold, "no rule knows the words".to_owned()),
        None => (Reason::Undefined, "there are no words to go by".to_owned()),
    }
}

/// What is wrong with a domain comes from DNS, and may be a passing fault: it is not for good where one of the statuses
/// calls it temporary.
fn is_passing(reason: Reason, statuses: [Option<Status>; 2]) -> bool {
    let of_domain = matches!(reason, Reason::HostUnknown | Reason::NotAccept);
    of_domain && statuses.iter().flatten().any(|status| status.class == 4)
}
