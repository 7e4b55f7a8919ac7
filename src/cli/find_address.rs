//! `find-address`: all that is known of an address, and why.

use super::Common;
use super::table::Table;
use crate::address::Address;
use crate::archive::Archive;
use crate::ledger::{Known, Ledger};
use crate::printable::Printable;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

/// The most rows of one kind that are shown.
const MOST: usize = 1_000;

/// Shows permanent and temporary bounces of matching addresses, what the platforms answered, and why it was decided
#[derive(clap::Args)]
#[command(after_help = "\
Upper and lower case are the same. The newest is last; of each kind at most 1,000 rows are shown.

Examples:
  bouncedemails find-address --address evil-address@some-provider.com
  bouncedemails find-address --address @some-provider.com")]
pub(super) struct Args {
    /// The address, or a part of it
    #[arg(long, value_name = "PART")]
    address: String,
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let handler = common.load()?.config.handler;
    let known = Ledger::open(&handler.dbfile)?.known(&args.address, MOST)?;
    let mut text = shown(&known, handler.temporary_threshold);
    if let Some(path) = &handler.permanent_bounced_emails_path {
        text += &archived(&known, &Archive::new(path));
    }
    if text.is_empty() {
        let part = Printable(&args.address);
        text = format!("Nothing is known of an address that contains {part}.\n");
    }
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn shown(known: &Known, threshold: u32) -> String {
    let permanent = Table::new(
        "Permanent bounces",
        ["TIME", "ADDRESS", "PLATFORM", "ANSWER", "REASON"],
        known.permanent.iter().cloned().map(|row| {
            [
                row.at,
                row.address,
                row.platform,
                row.status_code,
                row.reason,
            ]
        }),
    );
    let temporary = Table::new(
        "Temporary bounces",
        ["COUNT", "ALLOWED", "ADDRESS", "PLATFORM"],
        known.counters.iter().cloned().map(|row| {
            [
                row.counter,
                threshold.to_string(),
                row.address,
                row.platform,
            ]
        }),
    );
    let suspensions = Table::new(
        "Suspensions",
        [
            "DECIDED", "ADDRESS", "PLATFORM", "STATE", "TRIED", "NEXT", "ANSWER",
        ],
        known.suspensions.iter().cloned().map(|row| {
            let next = row.due.map(time).unwrap_or_default();
            let tried = row.attempts.to_string();
            [
                time(row.created),
                row.address,
                row.platform,
                row.state,
                tried,
                next,
                row.answer,
            ]
        }),
    );
    let history = Table::new(
        "History",
        [
            "TIME", "ADDRESS", "FINAL", "PLATFORM", "DONE", "WHY", "PROOF", "SAID", "MESSAGE",
            "FROM",
        ],
        known.bounces.iter().cloned().map(|row| {
            let done = match row.counter {
                Some(count) => format!("{} ({count})", row.action),
                None => row.action,
            };
            let proof = match (row.proof_by.as_str(), row.proof_sentence) {
                ("", sentence) if sentence.is_empty() => row.proof,
                ("", sentence) => format!("{}: {sentence}", row.proof),
                (by, sentence) => format!("{} by {by}: {sentence}", row.proof),
            };
            [
                time(row.at),
                row.address,
                row.final_recipient,
                row.platform,
                done,
                row.evidence,
                proof,
                row.diagnostic,
                row.message_id,
                row.source,
            ]
        }),
    );
    format!("{permanent}{temporary}{suspensions}{history}")
}

/// The files of the archive that hold mails of these addresses.
fn archived(known: &Known, archive: &Archive) -> String {
    let of_suspensions = known.suspensions.iter().map(|row| &row.address);
    let of_permanent = known.permanent.iter().map(|row| &row.address);
    let files: BTreeSet<_> = of_suspensions
        .chain(of_permanent)
        .filter_map(|address| address.parse::<Address>().ok())
        .map(|address| archive.file(&address))
        .filter(|file| file.exists())
        .collect();
    let mut text = String::new();
    for file in files {
        let file = file.to_string_lossy();
        // Writing into a text does not fail.
        let _ = writeln!(text, "Archived mail: {}", Printable(&file));
    }
    text
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
