//! `classify`: what the service would say of a mail, and why.

use crate::diagnosis::{self, BounceType, Diagnosis, Fault, Reason, Rules};
use crate::report::{self, Action, Address, Kind, Original, Recipient, Report};
use anyhow::Context;
use serde::Serialize;
use std::io::{Read, Write};
use std::path::PathBuf;

/// Says of each mail what it is, who failed and why; no configuration, no side effect
#[derive(clap::Args)]
pub(super) struct Args {
    /// One JSON object a line for each mail
    #[arg(long)]
    json: bool,
    /// The mails; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let rules = Rules::builtin();
    let mut out = std::io::stdout().lock();
    for file in &args.files {
        let raw = if file.as_os_str() == "-" {
            let mut raw = Vec::new();
            std::io::stdin().read_to_end(&mut raw)?;
            raw
        } else {
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?
        };
        let report = report::parse(&raw);
        let diagnoses: Vec<Diagnosis> = report
            .recipients
            .iter()
            .map(|r| diagnosis::diagnose(r, &rules))
            .collect();
        let name = file.to_string_lossy();
        let line = MailLine::new(&name, &report, &diagnoses);
        if args.json {
            serde_json::to_writer(&mut out, &line)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", serde_json::to_string_pretty(&line)?)?;
        }
    }
    Ok(())
}

/// One mail as `--json` prints it (DESIGN 7).
#[derive(Serialize)]
struct MailLine<'a> {
    file: &'a str,
    kind: Kind,
    platform_address: Option<&'a Address>,
    recipients: Vec<RecipientLine<'a>>,
    original: &'a Original,
}

#[derive(Serialize)]
struct RecipientLine<'a> {
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

impl<'a> MailLine<'a> {
    fn new(file: &'a str, report: &'a Report, diagnoses: &'a [Diagnosis]) -> Self {
        MailLine {
            file,
            kind: report.kind,
            platform_address: report.envelope.to.first(),
            recipients: report
                .recipients
                .iter()
                .zip(diagnoses)
                .map(|(recipient, diagnosis)| RecipientLine::new(recipient, diagnosis))
                .collect(),
            original: &report.original,
        }
    }
}

impl<'a> RecipientLine<'a> {
    fn new(recipient: &'a Recipient, diagnosis: &'a Diagnosis) -> Self {
        RecipientLine {
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
