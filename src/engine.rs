//! The loop: take what is waiting, read it in parallel, record everything that was read in one transaction, confirm.
//!
//! It knows neither where mails come from nor how platforms are told. A mail is confirmed only after the commit that
//! holds it. Mails are recorded in the order in which reading them ended.
//!
//! - `reading`: the threads that read
//! - `processor`: how long a thread has been at work
//! - `keys`: what our domains sign with, asked of DNS
//! - `load`: what mails cost: so that neither memory nor a transaction grows with what they say

mod keys;
mod load;
mod poison;
mod processor;
mod reading;

pub use keys::KeyRing;
pub use poison::{InFlight, Mark};

use crate::address::Address;
use crate::archive::{Archive, Keeper, Kept};
use crate::backoff::Backoff;
use crate::config::Handler;
use crate::ledger::{Effect, Entry, Ledger, LedgerError, Outcome, Recorded};
use crate::mail::{Delivery, Mail, Receipt};
use crate::policy::{Action, Decision, Policy, Ruling, Unhandled};
use crate::report;
use crate::telemetry::{Contradictions, announce};
use crate::verdict::Knowledge;
use load::Load;
use reading::{Reader, Readers};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// The most that one transaction takes: beyond that a larger one gains nothing, but makes each mail wait longer.
const MOST_AT_ONCE: Load = Load {
    mails: 512,
    bytes: 16 * 1024 * 1024,
    rows: 2_000,
};

/// How long a storage fault is waited out before the next try.
const STORAGE_WAIT: Backoff = Backoff {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(5),
};

/// What the loop works with.
pub struct Engine {
    /// The platforms, and how bounces are counted.
    pub handler: Arc<Handler>,
    /// What is known of mail systems and their words.
    pub knowledge: Arc<Knowledge>,
    /// What our domains sign with.
    pub keys: Arc<KeyRing>,
    /// Where everything is recorded.
    pub ledger: Ledger,
    /// Which mails are being read at this moment, for the next process to know should one of them end this one.
    pub in_flight: Arc<InFlight>,
    /// Where the mails of permanent failures are kept, if they are.
    pub archive: Option<Archive>,
    /// Notified when there are new suspensions.
    pub wake_up: Arc<Notify>,
    /// Whether mails can be recorded, as far as was tried: false from a storage fault until it is over.
    pub recording: watch::Sender<bool>,
    /// Once cancelled, a storage fault is not waited out: the mails are given back.
    pub shutdown: CancellationToken,
    /// Once cancelled, mails that are not read yet are given back, too.
    pub time_is_up: CancellationToken,
}

impl Engine {
    /// Handles deliveries until every sender of the inbox is gone. Blocks: to be run on a thread of its own; `runtime` is
    /// only slept on.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn run(self, inbox: mpsc::Receiver<Delivery>, runtime: &Handle) -> std::io::Result<()> {
        report::prepare();
        let judge = Judge {
            policy: self.handler.policy(),
            knowledge: self.knowledge.clone(),
            keys: self.keys.clone(),
            in_flight: Arc::downgrade(&self.in_flight),
        };
        let readers = Readers::start(inbox, Box::new(judge), self.time_is_up.clone())?;
        let keeper = self.archive.clone().map(Keeper::start).transpose()?;
        let mut contradictions = Contradictions::default();
        while let Some(batch) = readers.next_batch(MOST_AT_ONCE) {
            let (entries, receipts): (Vec<Entry>, Vec<Receipt>) = batch
                .into_iter()
                .map(|read| (read.entry, read.receipt))
                .unzip();
            let load = entries.iter().map(Load::of).sum();
            // Given up: the receipts are dropped, which gives the mails back.
            if let Some(recorded) = self.record(&entries, runtime) {
                self.wake_up.notify_waiters();
                contradictions.look_at(&entries, Instant::now());
                confirm(entries, receipts, recorded, keeper.as_ref());
            }
            readers.forget(load);
        }
        Ok(())
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
            announce(entry, recorded, self.handler.temporary_threshold);
        }
        Ok(recorded)
    }
}

/// Confirms mails that are recorded. Those that the archive keeps are confirmed by it, and after all others.
fn confirm(
    entries: Vec<Entry>,
    receipts: Vec<Receipt>,
    recorded: Vec<Recorded>,
    keeper: Option<&Keeper>,
) {
    let mut to_keep = Vec::new();
    for ((entry, receipt), recorded) in entries.into_iter().zip(receipts).zip(recorded) {
        let ticket = recorded.ticket;
        let addresses: Vec<Address> = match keeper {
            Some(_) => suspended(&entry, &recorded).cloned().collect(),
            None => Vec::new(),
        };
        match addresses.is_empty() {
            true => receipt.confirm(ticket),
            false => to_keep.push(Kept {
                mail: entry.mail,
                addresses,
                receipt,
                ticket,
            }),
        }
    }
    if let Some(keeper) = keeper {
        keeper.keep(to_keep);
    }
}

/// Reads, diagnoses and decides.
struct Judge {
    policy: Policy,
    knowledge: Arc<Knowledge>,
    keys: Arc<KeyRing>,
    /// The engine's: a thread that never ends is not to keep it.
    in_flight: Weak<InFlight>,
}

impl Reader for Judge {
    fn read(&self, mail: Mail) -> Entry {
        let fingerprint = mail.fingerprint();
        let in_flight = self.in_flight.upgrade();
        if in_flight
            .as_ref()
            .is_some_and(|it| it.is_poison(&fingerprint))
        {
            let why = "it ended the process twice".to_owned();
            return unparsed(mail, why);
        }
        let _mark = in_flight.as_ref().map(|it| it.mark(&fingerprint));
        #[cfg(debug_assertions)]
        fail_if_told(&mail);
        let read = catch_unwind(AssertUnwindSafe(|| {
            self.keys
                .judged(mail.raw(), mail.known(), &self.knowledge, &self.policy)
        }));
        let entry = match read {
            Ok(verdict) => Entry {
                mail,
                report: Some(verdict.report),
                decision: verdict.decision,
            },
            Err(_) => unparsed(mail, "reading it panicked".to_owned()),
        };
        if entry.may_be_quarantined(self.policy.brake_per_mail) {
            // Here, in parallel: whoever records it has all others to record.
            entry.mail.packed();
        }
        entry
    }

    fn too_slow(&self, mail: Mail) -> Entry {
        unparsed(mail, "reading it takes too long".to_owned())
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
        decision: Decision::Quarantine {
            why: Unhandled::Poison(why),
        },
    }
}

/// For tests, which run a debug build; a release build does not have it. A mail that holds the text of `BOUNCEDEMAILS_ABORT_ON` ends the
/// process as a fault beneath Rust would (a stack overflow, say); with that of `BOUNCEDEMAILS_SPIN_ON`, reading it never ends.
#[cfg(debug_assertions)]
fn fail_if_told(mail: &Mail) {
    let holds_text_of = |variable| {
        let text = std::env::var_os(variable);
        text.is_some_and(|text| memchr::memmem::find(mail.raw(), text.as_encoded_bytes()).is_some())
    };
    if holds_text_of("BOUNCEDEMAILS_ABORT_ON") {
        std::process::abort();
    }
    while holds_text_of("BOUNCEDEMAILS_SPIN_ON") {}
}
