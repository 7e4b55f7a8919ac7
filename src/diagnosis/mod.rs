//! Words and codes of one failure → [`Diagnosis`]: why it failed, hard or soft, and on what evidence.
//!
//! Pure. Knowledge is data: `rules.toml`, read by [`rules`]. Codes are hints, words decide (DESIGN 4).

mod bit_set;
mod codes;
mod facts;
pub mod reason;
mod rule_file;
pub mod rules;
mod words;

pub use reason::{BounceType, Fault, Reason};
pub use rules::{RuleError, Rules};
pub use words::MAX_DIAGNOSTIC;

use crate::report::{Action, Recipient};

/// Why one recipient failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Why.
    pub reason: Reason,
    /// For good, for now, or not yet at all.
    pub bounce_type: BounceType,
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
    let (reason, evidence) = rules.reason(recipient);
    let bounce_type = match recipient.action {
        Action::Delayed => BounceType::Delayed,
        _ if is_passing(reason, recipient) => BounceType::Soft,
        _ => reason.bounce_type(),
    };
    Diagnosis {
        reason,
        bounce_type,
        evidence,
    }
}

/// What is wrong with a domain comes from DNS, and may be a passing fault: it is not for good where the reporter itself
/// calls it temporary.
fn is_passing(reason: Reason, recipient: &Recipient) -> bool {
    let of_domain = matches!(reason, Reason::HostUnknown | Reason::NotAccept);
    of_domain && recipient.status.is_some_and(|status| status.class == 4)
}
