//! How mail arrives: over a message broker, by SMTP, from files.
//!
//! An intake never looks into a mail. It hands a [`Delivery`](crate::mail::Delivery) to the engine through a bounded channel, so that
//! a slow disk slows the intake down instead of filling the memory.

pub mod amqp;
pub mod files;
pub mod smtp;

use crate::memory::MemoryBudget;

/// How much memory mails may take from their arrival until they are recorded, in bytes; more where a single one may be that large.
const MEMORY: usize = 64 * 1024 * 1024;

/// The memory for the mails of all intakes together; `largest` is what one of them may have, in bytes.
pub fn memory(largest: usize) -> MemoryBudget {
    MemoryBudget::new(MEMORY.max(largest.saturating_mul(4)))
}
