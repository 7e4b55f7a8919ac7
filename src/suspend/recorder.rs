//! Writes what came of attempts to the ledger, for all platforms together: many in one transaction.

use crate::ledger::{Ledger, Settlement, SuspensionId};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// The most that one transaction takes.
const MOST_AT_ONCE: usize = 512;

/// How long a storage fault is waited out before the next try.
const WAIT: Duration = Duration::from_secs(1);

/// An attempt that was made.
pub struct Attempt {
    /// Which suspension.
    pub id: SuspensionId,
    /// What came of it.
    pub settlement: Settlement,
    /// Is told the number once the ledger holds it.
    pub done: mpsc::UnboundedSender<SuspensionId>,
}

/// Records attempts until every sender is gone. A storage fault is waited out; when told to stop meanwhile, the rest is dropped:
/// those suspensions stay pending and are posted once more.
pub async fn run(
    ledger: Ledger,
    mut attempts: mpsc::UnboundedReceiver<Attempt>,
    shutdown: CancellationToken,
) {
    let mut waiting = Vec::with_capacity(MOST_AT_ONCE);
    while attempts.recv_many(&mut waiting, MOST_AT_ONCE).await > 0 {
        let (settlements, done): (Vec<_>, Vec<_>) = waiting
            .drain(..)
            .map(|attempt| ((attempt.id, attempt.settlement), (attempt.id, attempt.done)))
            .unzip();
        if settle(&ledger, settlements, &shutdown).await {
            for (id, done) in done {
                // A worker that is gone no longer wants to know.
                let _ = done.send(id);
            }
        }
    }
}

/// Returns whether the ledger holds them.
async fn settle(
    ledger: &Ledger,
    settlements: Vec<(SuspensionId, Settlement)>,
    shutdown: &CancellationToken,
) -> bool {
    let settlements = std::sync::Arc::new(settlements);
    let mut faulty = false;
    loop {
        let (of_task, batch) = (ledger.clone(), settlements.clone());
        let settled =
            tokio::task::spawn_blocking(move || of_task.settle(&batch, SystemTime::now())).await;
        let fault = match settled {
            Ok(Ok(())) => {
                if faulty {
                    info!("What the platforms answered is recorded again.");
                }
                return true;
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(panic) => panic.to_string(),
        };
        if !faulty {
            error!(
                "What the platforms answered cannot be recorded: {fault}. It is tried again until it works."
            );
            faulty = true;
        }
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = tokio::time::sleep(WAIT) => {}
        }
    }
}
