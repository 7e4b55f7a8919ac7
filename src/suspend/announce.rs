//! One line of the log for what came of telling a platform about one address.

use super::answer::Outcome;
use crate::ledger::Suspension;
use crate::printable::Printable;
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// Logs an outcome. `said` is fit to be shown; `wait` says for how long it waits for the next attempt, if it passes. During an `outage` it is the outage
/// that is talked about, not each suspension that was tried.
pub fn announce(
    domain: &str,
    suspension: &Suspension,
    outcome: Outcome,
    said: &str,
    wait: Option<Duration>,
    outage: bool,
) {
    let address = Printable(suspension.address.as_str());
    match (outcome, wait) {
        (Outcome::Delivered, _) => {
            info!(%address, domain, "{address} is suspended at {domain}: {said}");
        }
        (Outcome::NothingToStop, _) => {
            info!(%address, domain, "{address} is not known at {domain}, so there is nothing to stop: {said}");
        }
        (Outcome::Passing(_), Some(_)) if outage => {
            debug!(%address, domain, "{address} could not be suspended at {domain} yet: {said}");
        }
        (Outcome::Passing(_), Some(wait)) => {
            let wait = wait.as_secs();
            warn!(%address, domain, "{address} could not be suspended at {domain} yet, next try in {wait} s: {said}");
        }
        (Outcome::Passing(_), None) => {
            error!(
                %address,
                domain,
                "{address} could not be suspended at {domain} for too long and is given up (bouncedemails retry tries once more): {said}"
            );
        }
        (Outcome::Unsendable, _) => {
            error!(%address, domain, "{address} is not suspended at {domain}: {said}");
        }
        (Outcome::Refused, _) => {
            error!(
                %address,
                domain,
                "{address} is not suspended, {domain} refuses it (once mended there: bouncedemails retry): {said}"
            );
        }
    }
}
