//! What is remembered: one SQLite database with counters, permanent bounces, pending suspensions, history and quarantine. Every mail
//! leaves a row.
//!
//! The only place that speaks SQL. It decides nothing but whether a counter exceeds its threshold. It has no clock: times
//! are handed in.
//!
//! - `store`: the connections, one that writes and one that reads: opening them, transactions, getting over faults; `thread`: for
//!   callers that must not block
//! - `schema`: the tables; `prototype`: taking over the prototype's
//! - `record`: one batch of mails in one transaction
//! - `counters`, `suspensions`, `quarantine`, `handled`, `attempts`: one table each; `history`: mails and bounces
//! - `dkim_keys`: the keys of our domains
//! - `spent`: what proves nothing any more, as it has proven something
//! - `prune`: what is too old goes, a little at a time
//! - `lookup`, `manual`: what people ask for and do by command

mod attempts;
mod counters;
mod dkim_keys;
mod error;
mod handled;
mod history;
mod lookup;
mod manual;
mod prototype;
mod prune;
mod quarantine;
mod record;
mod schema;
mod spent;
mod store;
mod suspensions;
mod text;
mod thread;

pub use dkim_keys::DkimKey;
pub use error::{ErrorKind, LedgerError};
pub use lookup::{Bounce, Counter, Known, MailRow, Permanent, Said, Told};
pub use manual::{ByHand, Reset};
pub use quarantine::Quarantined;
pub use store::Ledger;
pub use suspensions::{Cause, Claimant, LONGEST_WAIT, Settlement, Suspension};

use crate::mail::{Mail, Ticket};
use crate::policy::{Decision, Unhandled};
use crate::report::Report;

/// One mail with all that was found out about it, to be recorded.
#[derive(Debug)]
pub struct Entry {
    /// The mail.
    pub mail: Mail,
    /// What it says, but for its recipients, of whom `decision` speaks; none if it was not parsed.
    pub report: Option<Report>,
    /// What is done about it.
    pub decision: Decision,
}

/// Names a row of `suspensions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SuspensionId(pub i64);

/// What went before its age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many mails went from quarantine because it is full.
    pub quarantined: usize,
    /// Whether some of the history went because it is full.
    pub history: bool,
}

/// What recording one mail led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// To be handed back to the ledger when the peer that handed the mail in is known to know.
    pub ticket: Ticket,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was recorded before and the peer did not know: nothing was changed.
    Duplicate,
    /// One effect for each ruling of [`Decision::Act`], in their order.
    Acted(Vec<Effect>),
    /// Nothing was to be done.
    Ignored,
    /// It lies in quarantine under this number.
    Quarantined(i64),
    /// It lies in quarantine, as its counters would have suspended more addresses than one mail may; nothing was counted.
    Held {
        /// Its number there.
        id: i64,
        /// The brake that holds it.
        why: Unhandled,
    },
}

/// What a ruling led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A new suspension is pending; `counted` holds the occurrences if it is because the threshold was exceeded.
    Suspending {
        /// Its number.
        id: SuspensionId,
        /// How many soft bounces led to it; none for a hard one.
        counted: Option<u32>,
    },
    /// A suspension of this address was pending already.
    Joined(SuspensionId),
    /// The counter stands at this many.
    Counted(u32),
    /// Only recorded.
    Noted,
    /// Only recorded: the mail of ours that proves it has proven an earlier failure of this address.
    Spent,
}
