//! What is said of one mail: its report and the diagnosis of each recipient, in the form of `classify --json` (DESIGN 7).
//!
//! No input or output: a mail's bytes go in, a value comes out.

use crate::diagnosis::{self, BounceType, Diagnosis, Fault, Reason, Rules};
use crate::report::{self, Action, Address, Kind, Original, Recipient, Report};
use serde::Serialize;

/// A mail that was read and diagnosed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the mail says.
    pub report: Report,
    /// Why each recipient of the report failed, in the report's order.
    pub diagnoses: Vec<Diagnosis>,
}

impl Verdict {
    /// Reads and diagnoses a mail.
    pub fn of(raw: &[u8], rules: &Rules) -> Verdict {
        let report = report::parse(raw);
        let diagnoses = report
            .recipients
            .iter()
            .map(|recipient| diagnosis::diagnose(recipient, rules))
            .collect();
        Verdict { report, diagnoses }
    }

    /// Each recipient with its diagnosis.
    pub fn recipients(&self) -> impl Iterator<Item = (&Recipient, &Diagnosis)> {
        self.report.recipients.iter().zip(&self.diagnoses)
    }

    /// The object that `classify --json` prints; `file` is its name for the mail.
    pub fn to_json<'a>(&'a self, file: &'a str) -> impl Serialize + 'a {
        MailObject {
            file,
            kind: self.report.kind,
            platform_address: self.report.envelope.to.first(),
            recipients: self
                .recipients()
                .map(|(recipient, diagnosis)| RecipientObject::new(recipient, diagnosis))
                .collect(),
            original: &self.report.original,
        }
    }
}

#[derive(Serialize)]
struct MailObject<'a> {
    file: &'a str,
    kind: Kind,
    platform_address: Option<&'a Address>,
    recipients: Vec<RecipientObject<'a>>,
    original: &'a Original,
}

#[derive(Serialize)]
struct RecipientObject<'a> {
    address: &'a Address,
    r#type: BounceType,
    reason: Reason,
    fault: Fault,
    action: Action,
    status: Option<String>,
    reply_code: Option<u16>,
    diagnostic: Option<&'a str>,
    reporting_mta: Option<&'a str>,
    remote_mta: Option<&'a str>,
    evidence: &'a str,
}

impl<'a> RecipientObject<'a> {
    fn new(recipient: &'a Recipient, diagnosis: &'a Diagnosis) -> Self {
        RecipientObject {
            address: &recipient.address,
            r#type: diagnosis.bounce_type,
            reason: diagnosis.reason,
            fault: diagnosis.fault(),
            action: recipient.action,
            status: recipient.status.map(|status| status.to_string()),
            reply_code: recipient.reply_code,
            diagnostic: recipient.diagnostic.as_deref(),
            reporting_mta: recipient.reporting_mta.as_deref(),
            remote_mta: recipient.remote_mta.as_deref(),
            evidence: &diagnosis.evidence,
        }
    }
}
