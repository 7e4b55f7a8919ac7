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
        if let Some(clues) = clues.as_ref().filter(|clues| !clues.is_empty()) {
            let first = report.original.receivers.first();
            let first = first.filter(|_| recipients.len() == 1);
            for recipient in &mut recipients {
                put_right(recipient, first, clues);
            }
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

/// Puts right whom we mailed, where that is proven of another address than of the one that the words of the report name: of the one that
/// failed in the end, or of the `first` one that took the returned mail, where only one failed.
fn put_right(recipient: &mut Recipient, first: Option<&Address>, clues: &Clues<'_>) {
    let is_proven = |address: &Address| clues.about(address).standing == Standing::Proven;
    if is_proven(&recipient.address) {
        return;
    }
    let mut others = recipient.final_recipient.iter().chain(first);
    let Some(mailed) = others.find(|address| is_proven(address)).cloned() else {
        return;
    };
    let end = recipient.final_recipient.take();
    let named = std::mem::replace(&mut recipient.address, mailed);
    let end = end.unwrap_or(named);
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
