//! Words and codes of one failure → [`Diagnosis`]: why it failed, hard or soft, and on what evidence.
//!
//! Pure. Knowledge is data, in the folder `rules`, read by [`rules`]. Codes are hints, words decide (DESIGN 4).

mod codes;
mod concepts;
mod facts;
mod index;
mod normalise;
pub mod reason;
mod rule;
mod rule_file;
pub mod rules;
mod unknown;

pub use normalise::MAX_DIAGNOSTIC;
pub use reason::{BounceType, Fault, Reason};
pub use rule::RuleError;
pub use rules::Rules;
pub use unknown::Unknown;

use crate::report::{Action, Recipient};
use crate::smtp_reply::{Command, Status};
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
        _ if is_passing(reason, recipient, &facts) => BounceType::Soft,
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
    let doubt = |why: &str| (Reason::OnHold, why.to_owned());
    match rules.decide(facts) {
        Some(rule) if rule.is_hard() && facts.contradictory && rule.goes_by_codes() => {
            doubt("the codes contradict each other, and no rule knows the words")
        }
        // nullmailer gives the first recipient's reply to all.
        Some(rule) if rule.is_hard() && facts.words.about_stranger => {
            doubt("the words are about another address")
        }
        Some(rule) => (rule.reason, format!("rule '{}'", rule.name)),
        None if facts.command == Some(Command::Mail) => {
            (Reason::Rejected, "refused at MAIL FROM".to_owned())
        }
        None if facts.is_before_recipient() => {
            let why = "refused before a recipient was named";
            (Reason::Blocked, why.to_owned())
        }
        None if facts.is_silent() => (Reason::Undefined, "there are no words to go by".to_owned()),
        None => doubt("no rule knows the words"),
    }
}

/// Whether what would be for good is not: the reply code says so, or without one the status. A mailbox that was unknown as
/// often as the reporter tried is unknown, if the status says so, too. What is wrong with a domain comes from DNS, and may be
/// a passing fault where one of the statuses calls it temporary.
fn is_passing(reason: Reason, recipient: &Recipient, facts: &Facts<'_>) -> bool {
    let of_domain = matches!(reason, Reason::HostUnknown | Reason::NotAccept);
    let is_temporary = |status: Option<Status>| status.is_some_and(|status| status.class == 4);
    let is_unknown = facts
        .status
        .is_some_and(|status| (status.subject, status.detail) == (1, 1));
    match facts.code {
        _ if of_domain && is_temporary(recipient.status) => true,
        _ if is_unknown => false,
        Some(code) => code < 500,
        None => is_temporary(facts.status),
    }
}
