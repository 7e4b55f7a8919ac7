//! `reset`: clears the counter of an address that works again.

use super::Common;
use crate::address::Address;
use crate::ledger::Ledger;
use std::process::ExitCode;

/// Clears the temporary bounces of an address
#[derive(clap::Args)]
#[command(after_help = "\
Suspensions are not taken back: that is done at the platform.

Example: bouncedemails reset --address full@some-provider.com --domain openhpi.de")]
pub(super) struct Args {
    /// The whole address; upper and lower case are the same
    #[arg(long, alias = "bounced_address", alias = "bounced-address")]
    address: Address,
    /// Only for this platform
    #[arg(long)]
    domain: Option<String>,
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let handler = common.load()?.config.handler;
    let domain = args.domain.as_deref().map(str::to_lowercase);
    let address = &args.address;
    let cleared = Ledger::open(&handler.dbfile)?.reset(address, domain.as_deref())?;
    for reset in &cleared {
        println!(
            "{address} had {} temporary bounces at {}; now none.",
            reset.counter, reset.platform
        );
    }
    if cleared.is_empty() {
        println!("{address} has no temporary bounces.");
    }
    Ok(ExitCode::SUCCESS)
}
