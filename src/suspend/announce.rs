//! One line of the log for what came of telling a platform about one address.

use super::answer::Meaning;
use crate::ledger::Suspension;
use crate::printable::Printable;
use std::time::SystemTime;
use tracing::{debug, error, info, warn};

/// Logs an outcome. `said` is fit to be shown; `again` says when it is tried again, if it passes. During an `outage` it is the outage
/// that is talked about, not each suspension that was tried.
pub fn announce(
    domain: &str,
    suspension: &Suspension,
    meaning: Meaning,
    said: &str,
    again: Option<SystemTime>,
    outage: bool,
) {
    let address = Printable(suspension.address.as_str());
    match (meaning, again) {
        (Meaning::Delivered, _) => {
            info!(%address, domain, "{address} is suspended at {domain}: {said}");
        }
        (Meaning::NothingToStop, _) => {
            info!(%address, domain, "{address} is not known at {domain}, so there is nothing to stop: {said}");
        }
        (Meaning::Passing(_), Some(_)) if outage => {
            debug!(%address, domain, "{address} could not be suspended at {domain} yet: {said}");
        }
        (Meaning::Passing(_), Some(again)) => {
            let wait = again.duration_since(SystemTime::now()).unwrap_or_default();
            let wait = wait.as_secs();
            warn!(%address, domain, "{address} could not be suspended at {domain} yet, next try in {wait} s: {said}");
        }
        (Meaning::Passing(_), None) => {
            error!(
                %address,
                domain,
                "{address} could not be suspended at {domain} for too long and is given up (bouncedemails retry tries once more): {said}"
            );
        }
        (Meaning::Refused, _) => {
            error!(
                %address,
                domain,
                "{address} is not suspended, {domain} refuses it (once mended there: bouncedemails retry): {said}"
            );
        }
    }
}
