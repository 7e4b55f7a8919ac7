//! Event → its lines of the log. The wording that operators know and grep for stands here and in the files below.

mod queue;
mod recorded;

use super::event::{Event, Telling};
use crate::address::Address;
use crate::printable::Printable;
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// Logs an event.
pub(super) fn say(event: &Event<'_>) {
    match *event {
        Event::Recorded {
            entry,
            recorded,
            threshold,
        } => recorded::say(entry, recorded, threshold),
        Event::RecordingFails { fault } => {
            error!("{fault}. Mails wait where they are; it is tried again until it works.");
        }
        Event::RecordingWorks { after } => {
            let seconds = after.as_secs();
            info!("The database works again after {seconds} s; nothing was lost.");
        }
        Event::GivenBack { mails } => {
            warn!("{mails} mails could not be recorded and are given back.");
        }
        Event::ArchiveUnusable { fault } => warn!(
            "handler.permanent_bounced_emails_path: {fault:#}; the mails behind suspensions will not be kept. Give the folder to this user; \
             under systemd ReadWritePaths= allows one outside of /var/lib/bouncedemails."
        ),
        Event::ArchiveTooSlow { mails } => error!(
            "The archive is too slow: the mails behind the suspensions of {mails} bounces are not kept."
        ),
        Event::NotKept { address, fault } => {
            let address = Printable(address.as_str());
            error!(%address, "The mail behind the suspension of {address} could not be kept: {fault:#}");
        }
        Event::KeptForSome { addresses, most } => error!(
            "A mail that suspends {addresses} addresses is kept for the first {most} of them."
        ),
        Event::QuarantineFull {
            deleted,
            most,
            most_bytes,
        } => warn!(
            "The quarantine is full (at most {most} mails, {most_bytes}): the {deleted} oldest were deleted."
        ),
        Event::HistoryFull { most_bytes } => warn!(
            "The history is full (handler.history_max_size: {most_bytes}): from now on the oldest of it goes before it is as old as \
             history_max_age says."
        ),
        Event::ForgettingEnded => error!(
            "Forgetting tickets failed: mails that come again after this may be taken for repeats."
        ),
        Event::Told {
            domain,
            address,
            telling,
            said,
            ..
        } => told(domain, address, telling, said),
        Event::OutageBegins { domain, why } => warn!(
            domain,
            "{domain} cannot be told: {}. Its suspensions wait; one is tried now and then, and the others follow when it works.",
            Printable(why)
        ),
        Event::OutageLasts {
            domain,
            why,
            lasted,
        } => warn!(
            domain,
            "{domain} still cannot be told, for {} now: {}.",
            words(lasted),
            Printable(why)
        ),
        Event::OutageOver {
            domain,
            lasted,
            late,
        } => info!(
            domain,
            late,
            "{domain} works again after {}; suspensions delivered late: {late}.",
            words(lasted)
        ),
        Event::Unanswered { domain, requests } => warn!(
            domain,
            "{domain} has not answered {requests} requests yet; they are posted again at the next start."
        ),
        Event::SuspensionsUnreadable { domain, fault } => error!(
            "The suspensions of {domain} cannot be read: {fault}. It is tried again until it works."
        ),
        Event::SuspensionsReadable { domain } => {
            info!("The suspensions of {domain} can be read again.");
        }
        Event::NotConfigured { domain, pending } => warn!(
            domain,
            "{domain} is not configured, and has pending suspensions: {pending}. They are kept, and posted once it is configured again."
        ),
        Event::AnswersUnrecordable { fault } => error!(
            "What the platforms answered cannot be recorded: {fault}. It is tried again until it works."
        ),
        Event::AnswersRecordable => info!("What the platforms answered is recorded again."),
        Event::ClaimsUnrenewable { fault } => {
            debug!("The claims of this process cannot be renewed: {fault}");
        }
        Event::MailsTaken {
            queue,
            broker,
            waiting,
            after: None,
        } => info!("Taking mails from the queue {queue} at {broker}; {waiting} are waiting."),
        Event::MailsTaken {
            queue,
            broker,
            waiting,
            after: Some(after),
        } => {
            let seconds = after.as_secs();
            info!(
                "The broker is back after {seconds} s: taking mails from the queue {queue} at {broker} again; {waiting} are waiting."
            );
        }
        Event::BrokerFails { why } => warn!("{why}. Trying again until it works."),
        Event::BrokerStillFails { why } => debug!("{why}. Still trying."),
        Event::QueueDeclared { queue } => {
            info!("The broker had no queue {queue}; it was declared, durable.");
        }
        Event::QueueLoses { queue, vhost, loss } => queue::loses(queue, vhost, loss),
        Event::QueueRedelivers {
            queue,
            vhost,
            times,
        } => queue::redelivers(queue, vhost, times),
        Event::NotRecordedInTime { queue } => {
            warn!("Some mails were not recorded in time and go back to the queue {queue}.");
        }
        Event::Listening { at } => info!("Mail is taken at {at}."),
        Event::ClientKeeps {
            client,
            waited: None,
        } => warn!("A mail of SMTP client {client} could not be recorded; it keeps it."),
        Event::ClientKeeps {
            client,
            waited: Some(waited),
        } => {
            let seconds = waited.as_secs();
            warn!(
                "A mail of SMTP client {client} is not recorded after {seconds} s; the client keeps it."
            );
        }
        Event::Unreadable { fault } => error!("{fault:#}"),
    }
}

/// The line for what came of telling a platform of an address.
fn told(domain: &str, address: &Address, telling: Telling, said: &str) {
    let address = Printable(address.as_str());
    match telling {
        Telling::Delivered => {
            info!(%address, domain, "{address} is suspended at {domain}: {said}");
        }
        Telling::NothingToStop => {
            info!(%address, domain, "{address} is not known at {domain}, so there is nothing to stop: {said}");
        }
        Telling::InOutage => {
            debug!(%address, domain, "{address} could not be suspended at {domain} yet: {said}");
        }
        Telling::Later(wait) => {
            let wait = wait.as_secs();
            warn!(%address, domain, "{address} could not be suspended at {domain} yet, next try in {wait} s: {said}");
        }
        Telling::GivenUp => error!(
            %address,
            domain,
            "{address} could not be suspended at {domain} for too long and is given up (bouncedemails retry tries once more): {said}"
        ),
        Telling::Unsendable => {
            error!(%address, domain, "{address} is not suspended at {domain}: {said}");
        }
        Telling::Refused => error!(
            %address,
            domain,
            "{address} is not suspended, {domain} refuses it (once mended there: bouncedemails retry): {said}"
        ),
    }
}

fn words(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}
