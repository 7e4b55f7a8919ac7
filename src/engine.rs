//! The loop: take what is waiting, diagnose it in parallel, decide, record everything in one transaction, confirm.
//!
//! It knows neither where mails come from nor how platforms are told. A mail is confirmed only after the commit that
//! holds it.

mod poison;

pub use poison::{InFlight, Mark};

use crate::archive::Archive;
use crate::backoff::Backoff;
use crate::config::Handler;
use crate::diagnosis::{self, Rules};
use crate::ledger::{Effect, Entry, Ledger, LedgerError, Outcome, Recorded};
use crate::mail::{Delivery, Mail, Receipt};
use crate::policy::{self, Action, Decision, Known, Ruling, Unhandled};
use crate::printable::Printable;
use crate::report;
use crate::telemetry::{Blocks, announce};
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// The most mails that one transaction takes: beyond some hundreds a larger one gains nothing, but makes each mail wait longer.
const MOST_AT_ONCE: usize = 512;

/// How long a storage fault is waited out before the next try.
const STORAGE_WAIT: Backoff = Backoff {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(5),
};

/// What the loop works with.
pub struct Engine {
    /// The platforms, and how bounces are counted.
    pub handler: Arc<Handler>,
    /// What is known of the words of mail systems.
    pub rules: Arc<Rules>,
    /// Where everything is recorded.
    pub ledger: Ledger,
    /// Which mails are being read at this moment, for the next process to know should one of them end this one.
    pub in_flight: InFlight,
    /// Where the mails of permanent failures are kept, if they are.
    pub archive: Option<Archive>,
    /// Notified when there are new suspensions.
    pub wake_up: Arc<Notify>,
    /// Where the log block of each mail goes.
    pub blocks: Blocks,
    /// Whether mails can be recorded, as far as was tried: false from a storage fault until it is over.
    pub recording: watch::Sender<bool>,
    /// Once cancelled, a storage fault is not waited out: the mails are given back.
    pub shutdown: CancellationToken,
}

impl Engine {
    /// Handles deliveries until every sender of the inbox is gone. Blocks: to be run on a thread of its own; `runtime` is
    /// only slept on.
    pub fn run(self, mut inbox: mpsc::Receiver<Delivery>, runtime: &Handle) {
        report::prepare();
        let mut waiting = Vec::with_capacity(MOST_AT_ONCE);
        while inbox.blocking_recv_many(&mut waiting, MOST_AT_ONCE) > 0 {
            let (entries, receipts): (Vec<Entry>, Vec<Receipt>) = waiting
                .par_drain(..)
                .map(|delivery| (self.examine(delivery.mail), delivery.receipt))
                .unzip();
            // Given up: the receipts are dropped, which gives the mails back.
            let Some(recorded) = self.record(&entries, runtime) else {
                continue;
            };
            self.wake_up.notify_waiters();
            self.archive(&entries, &recorded);
            for (receipt, recorded) in receipts.into_iter().zip(recorded) {
                receipt.confirm(recorded.ticket);
            }
        }
    }

    /// Reads, diagnoses and decides; a mail that can't be read is for quarantine.
    fn examine(&self, mail: Mail) -> Entry {
        let fingerprint = mail.fingerprint();
        if self.in_flight.is_poison(&fingerprint) {
            let why = "it ended the process twice".to_owned();
            return unparsed(mail, why);
        }
        let _mark = self.in_flight.mark(&fingerprint);
        #[cfg(debug_assertions)]
        abort_if_told(&mail);
        let read = catch_unwind(AssertUnwindSafe(|| {
            let report = report::parse(mail.raw());
            let diagnoses: Vec<_> = report
                .recipients
                .iter()
                .map(|recipient| diagnosis::diagnose(recipient, &self.rules))
                .collect();
            let decision = policy::decide(&report, &diagnoses, Known::of(&mail), &self.handler);
            (report, diagnoses, decision)
        }));
        match read {
            Ok((report, diagnoses, decision)) => Entry {
                mail,
                report: Some(report),
                diagnoses,
                decision,
            },
            Err(_) => unparsed(mail, "reading it panicked".to_owned()),
        }
    }

    /// Records a batch, waiting out storage faults; none when told to stop meanwhile.
    fn record(&self, entries: &[Entry], runtime: &Handle) -> Option<Vec<Recorded>> {
        let mut fault: Option<Instant> = None;
        let mut tries = 0;
        loop {
            match self.try_record(entries) {
                Ok(recorded) => {
                    if let Some(since) = fault {
                        let seconds = since.elapsed().as_secs();
                        self.recording.send_replace(true);
                        info!("The database works again after {seconds} s; nothing was lost.");
                    }
                    return Some(recorded);
                }
                Err(problem) => {
                    if fault.is_none() {
                        // Before it is said: whoever reads that may rely on it.
                        self.recording.send_replace(false);
                        error!(
                            "{problem}. Mails wait where they are; it is tried again until it works."
                        );
                        fault = Some(Instant::now());
                    }
                    tries += 1;
                    let wait = STORAGE_WAIT.wait(tries, fastrand::f64());
                    let stopped = runtime.block_on(async {
                        tokio::time::timeout(wait, self.shutdown.cancelled())
                            .await
                            .is_ok()
                    });
                    if stopped {
                        let count = entries.len();
                        warn!("{count} mails could not be recorded and are given back.");
                        return None;
                    }
                }
            }
        }
    }

    fn try_record(&self, entries: &[Entry]) -> Result<Vec<Recorded>, LedgerError> {
        let recorded = self
            .ledger
            .record(entries, &self.handler, SystemTime::now())?;
        for (entry, recorded) in entries.iter().zip(&recorded) {
            announce(
                &self.blocks,
                entry,
                recorded,
                self.handler.temporary_threshold,
            );
        }
        Ok(recorded)
    }

    /// Keeps the mails behind suspensions. A mail that can't be kept delays no suspension.
    fn archive(&self, entries: &[Entry], recorded: &[Recorded]) {
        let Some(archive) = &self.archive else {
            return;
        };
        let mails: Vec<_> = entries
            .iter()
            .zip(recorded)
            .flat_map(|(entry, recorded)| {
                suspended(entry, recorded).map(|address| (address, entry.mail.raw()))
            })
            .collect();
        for (address, error) in archive.keep(&mails) {
            let address = Printable(address.as_str());
            error!(%address, "The mail behind the suspension of {address} could not be kept: {error:#}");
        }
    }
}

/// The addresses that a mail led to the suspension of. Of a duplicate those that are hard: the process may have ended between the commit
/// and the archive.
fn suspended<'a>(
    entry: &'a Entry,
    recorded: &'a Recorded,
) -> impl Iterator<Item = &'a crate::address::Address> {
    let rulings = match &entry.decision {
        Decision::Act { rulings, .. } => rulings.as_slice(),
        _ => &[],
    };
    let is_suspended = |(at, ruling): (usize, &Ruling)| match &recorded.outcome {
        Outcome::Acted(effects) => matches!(
            effects.get(at),
            Some(Effect::Suspending { .. } | Effect::Joined(_))
        ),
        Outcome::Duplicate => ruling.action == Action::Suspend,
        Outcome::Ignored | Outcome::Quarantined(_) | Outcome::Held { .. } => false,
    };
    rulings
        .iter()
        .enumerate()
        .filter(move |(at, ruling)| is_suspended((*at, ruling)))
        .map(|(_, ruling)| &ruling.address)
}

fn unparsed(mail: Mail, why: String) -> Entry {
    Entry {
        mail,
        report: None,
        diagnoses: Vec::new(),
        decision: Decision::Quarantine {
            why: Unhandled::Poison(why),
        },
    }
}

/// Ends the process as a fault beneath Rust would (a stack overflow, say) when the mail holds the text of `BOUNCEDEMAILS_ABORT_ON`: for tests,
/// which run a debug build. A release build does not have it.
#[cfg(debug_assertions)]
fn abort_if_told(mail: &Mail) {
    if let Some(text) = std::env::var_os("BOUNCEDEMAILS_ABORT_ON")
        && memchr::memmem::find(mail.raw(), text.as_encoded_bytes()).is_some()
    {
        std::process::abort();
    }
}
