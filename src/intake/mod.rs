//! How mail arrives: a [`Mail`], and the [`Receipt`] by which whoever handed it in learns that it is safe.
//!
//! An intake never looks into a mail. It hands a [`Delivery`] to the engine through a bounded channel, so that a slow disk
//! slows the intake down instead of filling the memory.

pub mod amqp;
pub mod files;
pub mod smtp;

use crate::address::Address;
use crate::memory::MemoryBudget;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// How much memory mails may take from their arrival until they are recorded, in bytes; more where a single one may be that large.
const MEMORY: usize = 64 * 1024 * 1024;

/// The memory for the mails of all intakes together; `largest` is what one of them may have, in bytes.
pub fn memory(largest: usize) -> MemoryBudget {
    MemoryBudget::new(MEMORY.max(largest.saturating_mul(4)))
}

/// One mail as it came in.
#[derive(Debug)]
pub struct Mail {
    /// The bytes, unchanged.
    pub raw: Vec<u8>,
    /// Where it came from, for people.
    pub source: Source,
    /// The SMTP envelope recipients, where the intake knows them.
    pub envelope_recipients: Vec<Address>,
    /// What its giver calls it, where it says so: two mails that are equal to the byte are told apart by it.
    pub id: Option<String>,
    /// Whether this very mail may have been handed in before.
    pub repeat: Repeat,
    /// The connection that it came by.
    pub session: Session,
}

/// Tells connections apart, also those of earlier processes. Within one, equal mails are different mails: a giver repeats itself only
/// after it has lost a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session(pub i64);

impl Session {
    /// A session unlike every other, and greater than those that began before it in this process.
    pub fn begin() -> Session {
        static LAST: AtomicI64 = AtomicI64::new(0);
        // Nanoseconds since 1970 fit until 2262, and go on from where another process was.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(i64::MAX);
        let last = LAST.fetch_max(now, Ordering::Relaxed);
        if now > last {
            return Session(now);
        }
        Session(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Where a mail came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A queue of a message broker, by name.
    Amqp(String),
    /// An SMTP or LMTP client, by address.
    Smtp(String),
    /// A file, or a mail inside of an mbox.
    File(String),
    /// Standard input.
    Stdin,
    /// The quarantine, by number: it leaves it in the commit that records it.
    Quarantine(i64),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Amqp(queue) => write!(f, "queue {queue}"),
            Source::Smtp(client) => write!(f, "SMTP client {client}"),
            Source::File(path) => write!(f, "file {path}"),
            Source::Stdin => f.write_str("standard input"),
            Source::Quarantine(id) => write!(f, "quarantine, number {id}"),
        }
    }
}

/// Whether a mail may be one that was handed in before and recorded, but whose giver does not know (DESIGN 8, "nothing twice").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It is handed in for the first time; if the same bytes came before, that was on purpose.
    No,
    /// The giver may have missed our receipt of an earlier one: an SMTP client after a lost connection.
    Possible,
}

/// A mail and the way to say what became of it.
#[derive(Debug)]
pub struct Delivery {
    /// The mail.
    pub mail: Mail,
    /// To be confirmed when the mail is committed.
    pub receipt: Receipt,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is committed to disk: the giver may forget it. The ticket is handed back to the ledger
    ///  once it is proven that the giver knows.
    Confirmed(Ticket),
    /// It was not recorded: the giver must keep it.
    Returned,
}

/// Names the ledger's note that a mail was recorded while its giver may not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub i64);

/// Tells the ledger of mails whose givers are known to know. May block.
pub type Forget = Arc<dyn Fn(&[Ticket]) + Send + Sync>;

/// The duty to answer whoever handed a mail in. Dropped unanswered, it answers [`Settled::Returned`].
pub struct Receipt(Option<Box<dyn FnOnce(Settled) + Send>>);

impl Receipt {
    /// A receipt that calls `answer` exactly once. `answer` must not block.
    pub fn new(answer: impl FnOnce(Settled) + Send + 'static) -> Receipt {
        Receipt(Some(Box::new(answer)))
    }

    /// Says that the mail is committed.
    pub fn confirm(mut self, ticket: Ticket) {
        if let Some(answer) = self.0.take() {
            answer(Settled::Confirmed(ticket));
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer(Settled::Returned);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}
