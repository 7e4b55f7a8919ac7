//! `retry`: posts suspensions again that were given up.

use super::Common;
use super::table::Table;
use crate::address::Address;
use crate::ledger::Ledger;
use crate::service::post_due;
use std::process::ExitCode;
use std::time::SystemTime;

/// Posts failed suspensions again: those of one address, or all
#[derive(clap::Args)]
#[command(after_help = "\
For when the platform refused (403, say) and was mended, or was away for longer than suspension_max_age. This command posts
them, or a running service that is faster.

Examples:
  bouncedemails retry
  bouncedemails retry --address evil-address@some-provider.com")]
pub(super) struct Args {
    /// The whole address; upper and lower case are the same
    #[arg(long, alias = "bounced_address", alias = "bounced-address")]
    address: Option<Address>,
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let handler = common.load()?.config.handler;
    let ledger = Ledger::open(&handler.dbfile)?;
    let platforms: Vec<&str> = handler.domains.keys().map(String::as_str).collect();
    let again = ledger.retry(args.address.as_ref(), &platforms, SystemTime::now())?;
    if again.is_empty() {
        println!("There is no failed suspension of a configured platform.");
        return Ok(ExitCode::SUCCESS);
    }
    super::runtime()?.block_on(post_due(&handler))?;
    let told = ledger.told(&again)?;
    let delivered = told.iter().filter(|told| told.state == "delivered").count();
    let rows = told.into_iter().map(|told| {
        let answer = match told.attempts {
            0 => "none yet: the running service posts it".to_owned(),
            _ => told.answer,
        };
        [told.address, told.platform, told.state, answer]
    });
    let table = Table::new(
        "Suspensions",
        ["ADDRESS", "PLATFORM", "STATE", "ANSWER"],
        rows,
    );
    print!("{table}");
    println!(
        "{} tried again, {delivered} of them delivered by now.",
        again.len()
    );
    Ok(ExitCode::SUCCESS)
}
