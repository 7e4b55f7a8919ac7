//! `classify`: what the service would say of a mail, and why. It reads mails and nothing else, and changes nothing.

mod for_people;
mod unknown;

use super::Common;
use crate::config::Handler;
use crate::engine::KeyRing;
use crate::intake::files;
use crate::policy::Known;
use crate::printable::Printable;
use crate::verdict::{Knowledge, Verdict};
use anyhow::Context;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Says of each mail what it is, who failed and why; with --config, what this service would do. No side effect
#[derive(clap::Args)]
#[command(after_help = "\
Without --config no configuration is looked for: what is said holds for every service with default settings. With it, the platform, the
rules and the policy are those of the configuration; counters are not looked at.
A folder is read with all that is below it; mboxes and Maildirs are taken apart. Exit status 1 where something could not be read.

Examples:
  bouncedemails classify bounce.eml
  bouncedemails --config config.yml classify bounce.eml             what this service would do
  bouncedemails classify --rules my-rules.toml bounces/             what rules of your own would change
  bouncedemails classify --unknown ~no-reply/Maildir >> my-rules.toml  what no rule knows, as rules to be completed
  bouncedemails --config config.yml classify --unknown --ledger     the same of all that the service remembers
  bouncedemails classify --json ~no-reply/Maildir | jq 'select(.kind == \"bounce\")'")]
pub(super) struct Args {
    /// One JSON object a line for each mail
    #[arg(long)]
    json: bool,
    /// Only the words that no rule knows, by their shape, the most frequent first: as rules to copy into a file of your own
    #[arg(long, conflicts_with = "json")]
    unknown: bool,
    /// With --unknown: of the bounces that the service remembers, not of mails
    #[arg(long, requires = "unknown", conflicts_with = "paths")]
    ledger: bool,
    /// Rules that go in front of those of the program, in place of the configuration's `handler.rules`
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Mails, mboxes, Maildirs, or folders of them; `-` is standard input
    #[arg(value_name = "FILE|DIR", default_value = "-")]
    paths: Vec<PathBuf>,
}

/// Mails are taken in batches of at most so many, or so many bytes: as many as keep every core busy, in bounded memory.
const BATCH: usize = 1_000;
const BATCH_BYTES: usize = 32 * 1024 * 1024;

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let handler = match common.config {
        Some(_) => Some(common.read()?.config.handler),
        None => None,
    };
    let knowledge = match (&args.rules, &handler) {
        (Some(file), _) => Knowledge {
            rules: super::rules(file)?,
            secrets: handler
                .as_ref()
                .map_or_else(BTreeMap::new, Handler::secrets),
        },
        (None, Some(handler)) => super::knowledge(handler)?,
        (None, None) => Knowledge::builtin(),
    };
    if args.unknown {
        return unknown::run(args, common, &knowledge);
    }
    // What DNS was seen to have is not looked at: the database is the service's.
    let keys = handler.as_ref().map(|handler| {
        let resolver = handler.dns.resolver();
        KeyRing::new(handler.keys(), &[], resolver, None)
    });
    let configured = handler.map(|handler| handler.policy());
    let policy = configured.clone().unwrap_or_default();
    let render = |name: &str, raw: &[u8]| {
        let verdict = match &keys {
            Some(keys) => keys.judged(raw, Known::default(), &knowledge, &policy),
            None => Verdict::of(raw, Known::default(), &knowledge, &policy),
        };
        match args.json {
            true => Ok(verdict.json_line(name, configured.as_ref())?),
            false => Ok(for_people::render(name, &verdict, configured.as_ref())),
        }
    };
    let mut out = anstream::stdout().lock();
    let mut progress = Progress::new();
    let mut exit = ExitCode::SUCCESS;
    let mut mails = args.paths.iter().flat_map(|path| mails(path));
    loop {
        let batch = next_batch(&mut mails);
        if batch.is_empty() {
            break;
        }
        let rendered: Vec<anyhow::Result<String>> = batch
            .into_par_iter()
            .map(|mail| mail.and_then(|(name, raw)| render(&name, &raw)))
            .collect();
        progress.add(rendered.len());
        for text in rendered {
            match text {
                Ok(text) => out.write_all(text.as_bytes()).context("standard output")?,
                Err(error) => {
                    progress.clear();
                    let error = format!("{error:#}");
                    eprintln!("bouncedemails: {}", Printable(&error));
                    exit = ExitCode::FAILURE;
                }
            }
        }
    }
    progress.clear();
    out.flush().context("standard output")?;
    Ok(exit)
}

/// The mails of a path as it was typed.
fn mails(path: &Path) -> Box<dyn Iterator<Item = files::Result>> {
    match path.as_os_str() == "-" {
        true => Box::new(files::read(BufReader::new(io::stdin()), "-")),
        false => Box::new(files::mails(path)),
    }
}

fn next_batch(mails: &mut impl Iterator<Item = files::Result>) -> Vec<files::Result> {
    let mut bytes = 0;
    let mut batch = Vec::new();
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        let Some(mail) = mails.next() else { break };
        bytes += mail.as_ref().map_or(0, |(_, raw)| raw.len());
        batch.push(mail);
    }
    batch
}

/// How many mails are done, on standard error: where that is a terminal and the verdicts go elsewhere.
struct Progress {
    shown: bool,
    done: usize,
}

impl Progress {
    fn new() -> Self {
        let shown = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Progress { shown, done: 0 }
    }

    fn add(&mut self, mails: usize) {
        self.done += mails;
        if self.shown {
            eprint!("\r{} mails", self.done);
        }
    }

    /// Makes room for other words on the line.
    fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
