//! `classify --unknown`: what no rule knows, as rules to be completed.

use super::{Args, Common, mails, next_batch};
use crate::diagnosis::{Rules, Unknown};
use crate::ledger::Ledger;
use crate::policy::{Known, Policy};
use crate::printable::Printable;
use crate::report::Recipient;
use crate::verdict::{Knowledge, Verdict};
use anyhow::Context;
use rayon::prelude::*;
use std::io::Write;
use std::process::ExitCode;

/// The most texts that are taken from the ledger, the most frequent ones.
const MOST_TEXTS: usize = 100_000;

pub(super) fn run(args: &Args, common: &Common, knowledge: &Knowledge) -> anyhow::Result<ExitCode> {
    let mut exit = ExitCode::SUCCESS;
    let unknown = match args.ledger {
        true => of_ledger(common, &knowledge.rules)?,
        false => of_mails(args, knowledge, &mut exit),
    };
    let mut out = anstream::stdout().lock();
    out.write_all(unknown.to_rules().as_bytes())
        .and_then(|()| out.flush())
        .context("standard output")?;
    Ok(exit)
}

fn of_mails(args: &Args, knowledge: &Knowledge, exit: &mut ExitCode) -> Unknown {
    let mut unknown = Unknown::default();
    let mut mails = args.paths.iter().flat_map(|path| mails(path));
    let policy = Policy::default();
    loop {
        let batch = next_batch(&mut mails);
        if batch.is_empty() {
            return unknown;
        }
        let read: Vec<_> = batch
            .into_par_iter()
            .map(|mail| {
                mail.map(|(_, raw)| Verdict::of(&raw, Known::default(), knowledge, &policy))
            })
            .collect();
        for verdict in read {
            match verdict {
                Ok(verdict) => {
                    for finding in &verdict.findings {
                        unknown.add(&finding.recipient, 1, &knowledge.rules);
                    }
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    eprintln!("bouncedemails: {}", Printable(&error));
                    *exit = ExitCode::FAILURE;
                }
            }
        }
    }
}

/// Of what the ledger remembers: words and codes, but not at which command they were said.
fn of_ledger(common: &Common, rules: &Rules) -> anyhow::Result<Unknown> {
    let handler = common.load()?.config.handler;
    let mut unknown = Unknown::default();
    for said in Ledger::open(&handler.dbfile)?.said(MOST_TEXTS)? {
        let Ok(address) = said.address.parse() else {
            continue;
        };
        let recipient = Recipient {
            diagnostic: Some(said.diagnostic.into()),
            status: said.status.parse().ok(),
            reply_code: said.reply_code,
            ..Recipient::new(address, "the ledger")
        };
        unknown.add(&recipient, said.times, rules);
    }
    Ok(unknown)
}
