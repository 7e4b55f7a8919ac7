//! Writes what came of claims to the ledger, for all platforms together: many in one transaction.

use super::claim::Settled;
use super::clock::Clock;
use crate::ledger::{Claimant, Ledger};
use crate::telemetry::{Event, emit};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The most that one transaction takes.
const MOST_AT_ONCE: usize = 512;

/// How long a storage fault is waited out before the next try.
const WAIT: Duration = Duration::from_secs(1);

/// What writes for this process.
#[derive(Clone)]
pub struct Recorder {
    pub ledger: Ledger,
    pub clock: Clock,
    /// Who claims in this process.
    pub claimant: Claimant,
    /// For how long each claim is renewed.
    pub lease: Duration,
}

impl Recorder {
    /// Records settlements until every sender is gone. A storage fault is waited out; when told to stop meanwhile, the rest is dropped:
    /// those suspensions stay pending, and are posted once more when their claims have ended.
    pub async fn record(
        self,
        mut settled: mpsc::UnboundedReceiver<Settled>,
        shutdown: CancellationToken,
    ) {
        let mut waiting = Vec::with_capacity(MOST_AT_ONCE);
        while settled.recv_many(&mut waiting, MOST_AT_ONCE).await > 0 {
            let batch = Arc::new(std::mem::take(&mut waiting));
            self.settle(batch, &shutdown).await;
        }
    }

    async fn settle(&self, settlements: Arc<Vec<Settled>>, shutdown: &CancellationToken) {
        let mut faulty = false;
        loop {
            let (batch, now) = (settlements.clone(), self.clock.latest());
            let settled = self
                .ledger
                .on_writer(move |ledger| ledger.settle(&batch, now));
            let Err(fault) = settled.await else {
                if faulty {
                    emit(&Event::AnswersRecordable);
                }
                return;
            };
            if !faulty {
                emit(&Event::AnswersUnrecordable { fault: &fault });
                faulty = true;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(WAIT) => {}
            }
        }
    }

    /// Renews the claims of this process until told to stop, three times for each lease, so that they end soon after the process has
    /// died, and not before.
    pub async fn renew(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(self.lease / 3) => {}
            }
            let (claimant, lease, now) = (self.claimant, self.lease, self.clock.latest());
            let renewed = self
                .ledger
                .on_writer(move |ledger| ledger.renew(claimant, lease, now));
            // Those who have something to record say what is wrong with the ledger.
            if let Err(fault) = renewed.await {
                emit(&Event::ClaimsUnrenewable { fault: &fault });
            }
        }
    }
}
