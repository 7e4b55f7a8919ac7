//! `token`: what a platform puts into a mail, so that what comes back can be proven.

use super::Common;
use crate::address::Address;
use crate::trust::{Day, Secret};
use anyhow::Context;
use std::process::ExitCode;
use std::time::SystemTime;

/// Makes the token of a mail to an address, of today, by which its bounce can be proven
#[derive(clap::Args)]
#[command(after_help = "\
It is made with the first of the platform's token_secrets. Put it into the mail's header (X-Bounce-Token: TOKEN), or into the return path
(no-reply+TOKEN@your-domain), where it proves what returns nothing of the mail, too. README.md has ten lines each of Ruby, Python and PHP
that make the same.

Example: bouncedemails token --address someone@example.com --domain openhpi.de")]
pub(super) struct Args {
    /// The whole address that the mail goes to, as in its To
    #[arg(long, value_name = "A")]
    address: Address,
    /// The platform, by its configured domain
    #[arg(long, value_name = "D")]
    domain: String,
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let handler = common.read()?.config.handler;
    let (domain, platform) = super::platform(&handler, &args.domain)?;
    let secrets = &platform.proving.tokens;
    let secret: &Secret = secrets.first().with_context(|| {
        format!("{domain} has no secret to make tokens with; add `token_secrets:`, see config.template.yml")
    })?;
    let today = Day::of(SystemTime::now());
    println!("{}", secret.token(&args.address, domain, today));
    Ok(ExitCode::SUCCESS)
}
