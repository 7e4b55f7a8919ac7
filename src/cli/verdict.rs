//! What is said of one mail: its report and the diagnosis of each recipient, in the form of `classify --json` (DESIGN 7).
//!
//! No input or output: a mail's bytes go in, a value comes out.

use crate::address::Address;
use crate::diagnosis::{self, BounceType, Diagnosis, Fault, Reason, Rules};
use crate::printable::is_harmful;
use crate::report::{self, Action, Kind, Original, Recipient, Report};
use serde::Serialize;
use std::io;

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

    /// The line that `classify --json` prints, with its end; `file` is its name for the mail.
    pub fn json_line(&self, file: &str) -> serde_json::Result<String> {
        let mut line = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut line, EscapeHarmful);
        self.to_json(file).serialize(&mut serializer)?;
        line.push(b'\n');
        Ok(String::from_utf8_lossy(&line).into_owned())
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
    final_recipient: Option<&'a Address>,
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
            final_recipient: recipient.final_recipient.as_ref(),
            r#type: diagnosis.bounce_type,
            reason: diagnosis.reason,
            fault: diagnosis.fault(),
            action: recipient.action,
            status: diagnosis.status.map(|status| status.to_string()),
            reply_code: recipient.reply_code,
            diagnostic: recipient.diagnostic.as_deref(),
            reporting_mta: recipient.reporting_mta.as_deref(),
            remote_mta: recipient.remote_mta.as_deref(),
            evidence: &diagnosis.evidence,
        }
    }
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
