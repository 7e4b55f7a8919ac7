//! Bytes of a mail → all that is to be said of it: who failed, why, what proves it, and what is done about it.
//!
//! Pure, and the one way from bytes to a decision: the engine, `classify` and every test take it.

mod json;

use crate::diagnosis::{self, Rules};
use crate::policy::{self, Decision, Finding, Known, Policy};
use crate::report::{self, Report};
use crate::trust::Proof;
use std::sync::Arc;

/// What is known of mail systems and their words.
#[derive(Debug)]
pub struct Knowledge {
    /// What their words and codes mean.
    pub rules: Rules,
}

impl Knowledge {
    /// What comes with the program.
    pub fn builtin() -> Knowledge {
        Knowledge {
            rules: Rules::builtin(),
        }
    }
}

/// A mail that was read, and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the mail says. Its recipients were moved into `findings`.
    pub report: Report,
    /// Every failed recipient with its diagnosis and its proof, in the report's order.
    pub findings: Vec<Arc<Finding>>,
    /// What is done about it.
    pub decision: Decision,
}

impl Verdict {
    /// Reads a mail and decides about it. Never fails: what can't be read is a decision, too.
    pub fn of(raw: &[u8], known: Known<'_>, knowledge: &Knowledge, policy: &Policy) -> Verdict {
        let mut report = report::parse(raw);
        let findings: Vec<Arc<Finding>> = std::mem::take(&mut report.recipients)
            .into_iter()
            .map(|recipient| {
                let diagnosis = diagnosis::diagnose(&recipient, &knowledge.rules);
                Arc::new(Finding {
                    recipient,
                    diagnosis,
                    proof: Proof::UNPROVEN,
                })
            })
            .collect();
        let decision = policy::decide(&report, &findings, known, policy);
        Verdict {
            report,
            findings,
            decision,
        }
    }
}
