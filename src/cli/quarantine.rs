//! `quarantine`: mails that could not be handled: to look at, to handle again, to throw away.

use super::table::Table;
use super::{Common, take_all};
use crate::config::Handler;
use crate::ledger::{Ledger, Quarantined};
use crate::mail::{Mail, Source};
use crate::printable::Printable;
use anyhow::Context;
use clap::Subcommand;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Shows, requeues and deletes mails that could not be handled
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bouncedemails quarantine list
  bouncedemails quarantine show 7
  bouncedemails quarantine show 7 > mail.eml
  bouncedemails quarantine requeue --all       after rules or domains were changed
  bouncedemails quarantine requeue --release 7 suspends all whom a held mail names (brake_per_mail)
  bouncedemails quarantine delete 7 8")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Lists what is there, the oldest first
    List,
    /// Shows a mail; its bytes as they came, if the output is no terminal
    Show {
        /// Its number
        id: i64,
    },
    /// Takes mails through the whole pipeline again; what can't be handled still gets a new number
    Requeue {
        /// Their numbers
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<i64>,
        /// Every one that is there now
        #[arg(long)]
        all: bool,
        /// Acts on mails that were held because they would suspend more addresses than one mail may; look at each of them before
        #[arg(long, conflicts_with = "all")]
        release: bool,
    },
    /// Deletes mails for good
    Delete {
        /// Their numbers
        #[arg(required = true)]
        ids: Vec<i64>,
    },
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let handler = common.load()?.config.handler;
    let ledger = Ledger::open(&handler.dbfile)?;
    match &args.action {
        Action::List => list(&ledger)?,
        Action::Show { id } => show(&ledger, *id)?,
        Action::Requeue { ids, all, release } => {
            let ids = match all {
                true => ledger.quarantined()?.iter().map(|mail| mail.id).collect(),
                false => ids.clone(),
            };
            requeue(handler, &ledger, &ids, *release)?;
        }
        Action::Delete { ids } => {
            for id in ids {
                anyhow::ensure!(ledger.delete_quarantined(*id)?, "{}", missing(*id));
                println!("{id} deleted.");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(ledger: &Ledger) -> anyhow::Result<()> {
    let rows = ledger.quarantined()?.into_iter().map(|mail| {
        let at = humantime::format_rfc3339_seconds(mail.at).to_string();
        [
            mail.id.to_string(),
            at,
            mail.why,
            mail.source,
            mail.from,
            mail.subject,
        ]
    });
    let columns = ["ID", "TIME", "WHY", "CAME BY", "FROM", "SUBJECT"];
    let table = Table::new("Quarantine", columns, rows).to_string();
    let text = match table.as_str() {
        "" => "The quarantine is empty.\n",
        table => table,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn show(ledger: &Ledger, id: i64) -> anyhow::Result<()> {
    let (mail, raw) = find(ledger, id)?;
    let mut out = std::io::stdout().lock();
    if !out.is_terminal() {
        out.write_all(&raw)?;
        return Ok(());
    }
    let at = humantime::format_rfc3339_seconds(mail.at);
    let (why, source) = (Printable(&mail.why), Printable(&mail.source));
    writeln!(
        out,
        "Number:   {id}\nTime:     {at}\nWhy:      {why}\nCame by:  {source}\n"
    )?;
    // Control characters of a hostile mail would take over the terminal.
    for line in String::from_utf8_lossy(&raw).lines() {
        writeln!(out, "{}", Printable(line))?;
    }
    Ok(())
}

/// Each mail leaves the quarantine in the commit that records it.
fn requeue(handler: Handler, ledger: &Ledger, ids: &[i64], release: bool) -> anyhow::Result<()> {
    for id in ids {
        find(ledger, *id)?;
    }
    let mails = ids.iter().map(|id| {
        let (mail, raw) = find(ledger, *id)?;
        let mut mail = Mail::new(Source::Quarantine(*id), raw).to(mail.envelope_recipients);
        mail.released = release;
        Ok(mail)
    });
    let tally = take_all(handler, mails)?;
    println!(
        "{} mails taken through the pipeline again.",
        tally.recorded()
    );
    anyhow::ensure!(
        tally.returned() == 0,
        "{} mails could not be recorded; see above",
        tally.returned()
    );
    Ok(())
}

fn find(ledger: &Ledger, id: i64) -> anyhow::Result<(Quarantined, Vec<u8>)> {
    ledger.quarantined_mail(id)?.with_context(|| missing(id))
}

fn missing(id: i64) -> String {
    format!("there is no {id} in quarantine; see: bouncedemails quarantine list")
}
