//! `set-permanent-bounced-address`: suspends an address by hand.

use super::Common;
use crate::address::Address;
use crate::ledger::{ByHand, Claimant, Ledger, Settlement};
use crate::suspend::{self, Schedule};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// For so long the suspension is this command's alone: longer than any platform may take to answer.
const LEASE: Duration = Duration::from_secs(120);

/// Tells a platform to stop mailing an address, and says what it answered
#[derive(clap::Args)]
#[command(after_help = "\
Example: bouncedemails set-permanent-bounced-address --bounced-address evil-address@some-provider.com --domain openhpi.de")]
pub(super) struct Args {
    /// The whole address
    #[arg(long, alias = "bounced_address", value_name = "A")]
    bounced_address: Address,
    /// The platform, by its configured domain
    #[arg(long, value_name = "D")]
    domain: String,
}

pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let handler = common.load()?.config.handler;
    let address = &args.bounced_address;
    let (domain, platform) = super::platform(&handler, &args.domain)?;
    let ledger = Ledger::open(&handler.dbfile)?;
    let command = "set-permanent-bounced-address";
    let claim = (Claimant::new(), LEASE);
    let made = ledger.suspend_by_hand(address, domain, command, claim, SystemTime::now())?;
    let suspension = match made {
        ByHand::Claimed(suspension) => suspension,
        ByHand::Elsewhere(_) => {
            println!(
                "{domain} is being told about {address} by another process at this moment: see find-address"
            );
            return Ok(ExitCode::SUCCESS);
        }
    };
    let told =
        super::runtime()?.block_on(suspend::tell(platform, &suspension, Schedule::default()))?;
    ledger.settle(
        &[(suspension.id, told.settlement.clone())],
        SystemTime::now(),
    )?;
    println!(
        "Domain:    {domain}\nPermanent: {address}\nResponse:  {}",
        told.response
    );
    Ok(match told.settlement {
        Settlement::Delivered { .. } => ExitCode::SUCCESS,
        Settlement::Retry { .. } | Settlement::Released => {
            println!(
                "It stays pending: the running service tries again, or the next command that takes mails."
            );
            ExitCode::FAILURE
        }
        Settlement::Failed { .. } => {
            println!(
                "It is given up; once the platform is mended: bouncedemails retry --address {address}"
            );
            ExitCode::FAILURE
        }
    })
}
