//! `classify`: what the service would say of a mail, and why.

use super::verdict::Verdict;
use crate::diagnosis::Rules;
use anyhow::Context;
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
        let verdict = Verdict::of(&raw, &rules);
        let name = file.to_string_lossy();
        let object = verdict.to_json(&name);
        if args.json {
            serde_json::to_writer(&mut out, &object)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", serde_json::to_string_pretty(&object)?)?;
        }
    }
    Ok(())
}
