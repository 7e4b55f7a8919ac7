//! Bytes of a mail → all that is to be said of it: who failed, why, what proves it, and what is done about it.
//!
//! Pure, and the one way from bytes to a decision: the engine, `classify` and every test take it.

mod json;

use crate::address::Address;
use crate::diagnosis::{self, Rules};
use crate::policy::{self, Complaint, Complaints, Decision, Finding, Known, Policy};
use crate::report::limits::MAX_RECIPIENTS;
use crate::report::{self, Kind, Recipient, Report};
use crate::trust::{self, Clues, Proof, Secret, Standing};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What is known of mail systems and their words, and of our own mail.
#[derive(Debug)]
pub struct Knowledge {
    /// What words and codes mean.
    pub rules: Rules,
    /// The secrets that each platform makes tokens with.
    pub secrets: BTreeMap<String, Vec<Secret>>,
}

impl Knowledge {
    /// What comes with the program.
    pub fn builtin() -> Knowledge {
        Knowledge {
            rules: Rules::builtin(),
            secrets: BTreeMap::new(),
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
        let platform = policy::platform_of(&report, known, policy);
        let clues = platform.map(|platform| {
            let secrets = knowledge.secrets.get(platform);
            let known = trust::Known {
                platform,
                raw,
                envelope_recipients: known.envelope_recipients,
                keys: known.keys,
                secrets: secrets.map_or(&[], Vec::as_slice),
                today: known.today,
            };
            Clues::find(&report, known)
        });
        let proof = |mailed: &Address| {
            let clues = clues.as_ref();
            clues.map_or(Proof::UNPROVEN, |clues| clues.about(mailed))
        };
        let mut recipients = std::mem::take(&mut report.recipients);
        if let ([only], Some(first)) = (&mut recipients[..], report.original.receivers.first()) {
            put_right(only, first, proof);
        }
        let findings: Vec<Arc<Finding>> = recipients
            .into_iter()
            .map(|recipient| {
                let diagnosis = diagnosis::diagnose(&recipient, &knowledge.rules);
                Arc::new(Finding {
                    proof: proof(&recipient.address),
                    recipient,
                    diagnosis,
                })
            })
            .collect();
        let complaints = complaints(&report, policy, proof);
        let decision = policy::decide(&report, &findings, &complaints, known, policy);
        Verdict {
            report,
            findings,
            decision,
        }
    }
}

/// Puts right whom we mailed, where that is not proven of the address that the words of the report name, but of the `first` one that took
/// the returned mail.
fn put_right(recipient: &mut Recipient, first: &Address, proof: impl Fn(&Address) -> Proof) {
    let is_proven = |address: &Address| proof(address).standing == Standing::Proven;
    if first.is_same_mailbox(&recipient.address)
        || !is_proven(first)
        || is_proven(&recipient.address)
    {
        return;
    }
    let named = std::mem::replace(&mut recipient.address, first.clone());
    let end = recipient.final_recipient.take().unwrap_or(named);
    recipient.final_recipient = Some(end).filter(|end| !end.is_same_mailbox(&recipient.address));
}

/// One for each address that complained, where complaints lead to something.
fn complaints(
    report: &Report,
    policy: &Policy,
    proof: impl Fn(&Address) -> Proof,
) -> Vec<Complaint> {
    if report.kind != Kind::Feedback || policy.complaints == Complaints::Ignore {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let first = |address: &&Address| seen.insert(address.key());
    let complainants = report.complainants.iter().filter(first);
    complainants
        .take(MAX_RECIPIENTS)
        .map(|address| Complaint {
            address: address.clone(),
            proof: proof(address),
        })
        .collect()
}
