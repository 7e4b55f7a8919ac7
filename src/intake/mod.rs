//! How mail arrives: over a message broker, by SMTP, from files.
//!
//! An intake never looks into a mail. It hands a [`Delivery`] to the engine through a bounded
//! channel, so that a slow disk slows the intake down instead of filling the memory.

mod acknowledged;
pub mod amqp;
pub mod feed;
pub mod files;
pub mod smtp;

pub use acknowledged::Acknowledged;

use crate::mail::Delivery;
use crate::memory::MemoryBudget;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What every intake is given.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Where mails go.
    pub inbox: mpsc::Sender<Delivery>,
    /// To be told of peers that know that their mail is recorded.
    pub acknowledged: Acknowledged,
    /// Whether mails can be recorded, as far as is known.
    pub recording: watch::Receiver<bool>,
    /// For the mails of all intakes together.
    pub memory: MemoryBudget,
    /// Tells it to end: it gives back what it did not hand over, and waits, for some seconds, for the receipts of what
    /// it did.
    pub shutdown: CancellationToken,
}

/// How much memory mails may take from their arrival until they are recorded, in bytes; more where a single one may be
/// that large.
const MEMORY: usize = 64 * 1024 * 1024;

/// The memory for the mails of all intakes together; `largest` is what one of them may have, in bytes.
pub fn memory(largest: usize) -> MemoryBudget {
    MemoryBudget::new(MEMORY.max(largest.saturating_mul(4)))
}
