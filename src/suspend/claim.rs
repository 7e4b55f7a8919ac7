//! The way of one suspension: claimed in the ledger, then settled there, once, whatever happens in between.

use crate::ledger::{Settlement, Suspension, SuspensionId};
use tokio::sync::mpsc;

/// What is to be recorded of a suspension.
pub type Settled = (SuspensionId, Settlement);

/// A suspension that nobody else posts. It is settled by what came of it; dropped without that, it is given back to the ledger.
#[derive(Debug)]
#[must_use = "it is given back when it is dropped"]
pub struct Claim {
    suspension: Suspension,
    /// None once it is settled.
    recorder: Option<mpsc::UnboundedSender<Settled>>,
}

impl Claim {
    /// For a suspension that the ledger has just given to this process.
    pub fn new(suspension: Suspension, recorder: mpsc::UnboundedSender<Settled>) -> Claim {
        Claim {
            suspension,
            recorder: Some(recorder),
        }
    }

    /// What is claimed.
    pub fn suspension(&self) -> &Suspension {
        &self.suspension
    }

    /// Ends the claim: the recorder writes it down.
    pub fn settle(mut self, settlement: Settlement) {
        self.end(settlement);
    }

    fn end(&mut self, settlement: Settlement) {
        if let Some(recorder) = self.recorder.take() {
            // The recorder outlives the workers. If it died, the claim ends with its lease.
            let _ = recorder.send((self.suspension.id, settlement));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end(Settlement::Released);
    }
}
