//! What is remembered: one SQLite database with counters, permanent bounces, pending suspensions, history and quarantine.
//!
//! The only place that speaks SQL. It decides nothing but whether a counter exceeds its threshold.

use crate::diagnosis::Diagnosis;
use crate::intake::{Mail, Ticket};
use crate::policy::Decision;
use crate::report::Report;

/// One mail with all that was found out about it, to be recorded.
#[derive(Debug)]
pub struct Entry {
    /// The mail.
    pub mail: Mail,
    /// Tells this mail from others: equal for the same bytes handed in by the same kind of source.
    pub fingerprint: Fingerprint,
    /// What it says; none if it was not parsed.
    pub report: Option<Report>,
    /// One for each recipient of the report.
    pub diagnoses: Vec<Diagnosis>,
    /// What is done about it.
    pub decision: Decision,
}

/// SHA-256 of a mail's bytes and envelope recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// Names a row of `suspensions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SuspensionId(pub i64);

/// What recording one mail led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// To be handed back to the ledger when the giver is known to know.
    pub ticket: Ticket,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was recorded before and its giver did not know: nothing was changed.
    Duplicate,
    /// One effect for each ruling of [`Decision::Act`], in their order.
    Acted(Vec<Effect>),
    /// Nothing was to be done.
    Ignored,
    /// It lies in quarantine under this number.
    Quarantined(i64),
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
}
