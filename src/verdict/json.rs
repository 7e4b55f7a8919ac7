//! A verdict in the form of `classify --json` (DESIGN 8).

use super::Verdict;
use crate::address::Address;
use crate::diagnosis::{BounceType, Fault, Reason};
use crate::policy::{Action as Deed, Decision, Finding, Policy, Ruling};
use crate::printable::is_harmful;
use crate::report::{Action, Kind, Original};
use crate::smtp_reply::Command;
use crate::trust::{Evidence, Proof, Standing};
use serde::Serialize;
use std::collections::HashMap;
use std::io;

impl Verdict {
    /// The line that `classify --json` prints, with its end. `file` is its name for the mail; of proof and decision it speaks
    /// where it is told by which policy they were made.
    ///
    /// # Errors
    /// Never, as far as is known: every value in it has a form in JSON.
    pub fn json_line(&self, file: &str, decided: Option<&Policy>) -> serde_json::Result<String> {
        let mut line = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut line, EscapeHarmful);
        self.to_json(file, decided).serialize(&mut serializer)?;
        line.push(b'\n');
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// The object of [`json_line`](Verdict::json_line).
    pub fn to_json<'a>(
        &'a self,
        file: &'a str,
        decided: Option<&'a Policy>,
    ) -> impl Serialize + 'a {
        let deeds = decided.map(|policy| Deeds::of(&self.decision, policy));
        let recipients = self.findings.iter();
        let complainants = self.report.complainants.iter();
        MailObject {
            file,
            kind: self.report.kind,
            platform_address: self.report.envelope.to.first(),
            service: decided.map(|_| Service::of(&self.decision)),
            recipients: recipients
                .map(|finding| RecipientObject::of(finding, deeds.as_ref()))
                .collect(),
            complainants: complainants
                .filter_map(|address| {
                    let decision = deeds.as_ref()?.on(address);
                    Some(ComplainantObject { address, decision })
                })
                .collect(),
            original: &self.report.original,
        }
    }
}

/// What is done about each address.
struct Deeds<'a> {
    decision: &'a Decision,
    by_address: HashMap<String, &'a Ruling>,
    policy: &'a Policy,
}

impl<'a> Deeds<'a> {
    fn of(decision: &'a Decision, policy: &'a Policy) -> Deeds<'a> {
        Deeds {
            decision,
            by_address: decision.by_address(),
            policy,
        }
    }

    fn on(&self, address: &Address) -> &'static str {
        let ruling = self.by_address.get(&address.key());
        match (ruling.map(|ruling| ruling.action), self.decision) {
            (Some(action), _) if self.policy.suspends_at_once(action) => "suspend",
            (Some(Deed::Suspend | Deed::Count), _) => "count",
            (None, Decision::Quarantine { .. }) => "quarantine",
            (Some(Deed::Ignore) | None, _) => "ignore",
        }
    }
}

#[derive(Serialize)]
struct MailObject<'a> {
    file: &'a str,
    kind: Kind,
    platform_address: Option<&'a Address>,
    #[serde(flatten)]
    service: Option<Service<'a>>,
    recipients: Vec<RecipientObject<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    complainants: Vec<ComplainantObject<'a>>,
    original: &'a Original,
}

/// What the service makes of the mail as a whole, in the words of the ledger's table `mails`.
#[derive(Serialize)]
struct Service<'a> {
    platform: Option<&'a str>,
    decision: &'static str,
    why: Option<String>,
}

impl<'a> Service<'a> {
    fn of(decision: &'a Decision) -> Service<'a> {
        match decision {
            Decision::Act { platform, .. } => Service {
                platform: Some(platform),
                decision: "act",
                why: None,
            },
            Decision::Ignore { platform, why } => Service {
                platform: platform.as_deref(),
                decision: "ignore",
                why: Some(why.clone()),
            },
            Decision::Quarantine { why } => Service {
                platform: None,
                decision: "quarantine",
                why: Some(why.to_string()),
            },
        }
    }
}

#[derive(Serialize)]
struct RecipientObject<'a> {
    address: &'a Address,
    final_recipient: Option<&'a Address>,
    r#type: BounceType,
    reason: Reason,
    fault: Fault,
    action: Action,
    status: Option<String>,
    reply_code: Option<u16>,
    diagnostic: Option<&'a str>,
    command: Option<Command>,
    reporting_mta: Option<&'a str>,
    remote_mta: Option<&'a str>,
    evidence: &'a str,
    #[serde(flatten)]
    proof: Option<ProofObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
}

/// What is said of a proof.
#[derive(Serialize)]
struct ProofObject<'a> {
    proof: Standing,
    proof_by: Option<Evidence>,
    proof_sentence: &'a str,
}

impl<'a> ProofObject<'a> {
    fn of(proof: &'a Proof) -> ProofObject<'a> {
        ProofObject {
            proof: proof.standing,
            proof_by: proof.by,
            proof_sentence: &proof.sentence,
        }
    }
}

impl<'a> RecipientObject<'a> {
    fn of(finding: &'a Finding, deeds: Option<&Deeds<'_>>) -> RecipientObject<'a> {
        let Finding {
            recipient,
            diagnosis,
            proof,
        } = finding;
        RecipientObject {
            address: &recipient.address,
            final_recipient: recipient.final_recipient.as_ref(),
            r#type: diagnosis.bounce_type,
            reason: diagnosis.reason,
            fault: diagnosis.fault(),
            action: recipient.action,
            status: diagnosis.status.map(|status| status.to_string()),
            reply_code: recipient.reply_code,
            diagnostic: recipient.diagnostic.as_deref(),
            command: recipient.command,
            reporting_mta: recipient.reporting_mta.as_deref(),
            remote_mta: recipient.remote_mta.as_deref(),
            evidence: &diagnosis.evidence,
            proof: deeds.map(|_| ProofObject::of(proof)),
            decision: deeds.map(|deeds| deeds.on(&recipient.address)),
        }
    }
}

/// Somebody who complained: what is done about it is there with the decision only.
#[derive(Serialize)]
struct ComplainantObject<'a> {
    address: &'a Address,
    decision: &'static str,
}

/// JSON in one line that also a terminal may be shown: JSON alone would let some control characters through.
struct EscapeHarmful;

impl serde_json::ser::Formatter for EscapeHarmful {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut clean = 0;
        // All of them lie in the basic plane: four digits hold them.
        for (at, character) in fragment.char_indices().filter(|(_, c)| is_harmful(*c)) {
            writer.write_all(&fragment.as_bytes()[clean..at])?;
            write!(writer, "\\u{:04x}", u32::from(character))?;
            clean = at + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[clean..])
    }
}
