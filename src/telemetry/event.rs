//! What happened, as values: what those who do the work say of it. How that is put is known to the readers of events alone.

use crate::address::Address;
use crate::ledger::{Entry, LedgerError, Recorded, SuspensionId};
use std::fmt::Display;
use std::time::Duration;

/// What happened.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// A mail was recorded.
    Recorded {
        entry: &'a Entry,
        recorded: &'a Recorded,
        /// How many soft bounces an address may have.
        threshold: u32,
    },
    /// Mails can't be recorded. Said once, as all faults that last.
    RecordingFails { fault: &'a LedgerError },
    /// Mails can be recorded again, after so long.
    RecordingWorks { after: Duration },
    /// So many mails were given back, as they could not be recorded before the end.
    GivenBack { mails: usize },
    /// The mails behind suspensions can't be kept.
    ArchiveUnusable { fault: &'a anyhow::Error },
    /// The archive is too slow to keep the mails behind the suspensions of so many bounces.
    ArchiveTooSlow { mails: usize },
    /// The mail behind the suspension of an address was not kept.
    NotKept {
        address: &'a Address,
        fault: &'a anyhow::Error,
    },
    /// A mail that suspends so many addresses is kept for some of them.
    KeptForSome { addresses: usize, most: usize },
    /// Mails went from quarantine before their age, as it is full.
    QuarantineFull {
        deleted: usize,
        most: u32,
        most_bytes: &'a dyn Display,
    },
    /// From now on the oldest of the history goes before its age, as it is full. Said once.
    HistoryFull { most_bytes: &'a dyn Display },
    /// The task is gone that tells the ledger which mails will not come again.
    ForgettingEnded,

    /// A platform was told of an address, or it was tried.
    Told {
        domain: &'a str,
        suspension: SuspensionId,
        address: &'a Address,
        /// What came of it.
        telling: Telling,
        /// What the platform answered, or why it did not, fit to be shown: `200 / {"processd_email": "a@b.example"}`.
        said: &'a str,
    },
    /// A platform can't be told: an outage begins.
    OutageBegins { domain: &'a str, why: &'a str },
    /// A platform still can't be told, after so long.
    OutageLasts {
        domain: &'a str,
        why: &'a str,
        lasted: Duration,
    },
    /// A platform works again, and what had to wait is worked off: so many suspensions.
    OutageOver {
        domain: &'a str,
        lasted: Duration,
        late: u64,
    },
    /// So many requests have no answer yet when the service ends.
    Unanswered { domain: &'a str, requests: usize },
    /// A platform's suspensions can't be read from the ledger.
    SuspensionsUnreadable {
        domain: &'a str,
        fault: &'a LedgerError,
    },
    /// They can again.
    SuspensionsReadable { domain: &'a str },
    /// A platform that is not configured has so many pending suspensions.
    NotConfigured { domain: &'a str, pending: u64 },
    /// What platforms answered can't be recorded.
    AnswersUnrecordable { fault: &'a LedgerError },
    /// It can again.
    AnswersRecordable,
    /// That this process still works on its suspensions can't be recorded.
    ClaimsUnrenewable { fault: &'a LedgerError },

    /// Mails are taken from a queue at a broker, in which so many wait; if it was away before, for how long.
    MailsTaken {
        queue: &'a str,
        broker: &'a dyn Display,
        waiting: u32,
        after: Option<Duration>,
    },
    /// No mails can be taken from a broker: said once, and once for each way in which it refuses us.
    BrokerFails { why: &'a str },
    /// It was tried again, in vain.
    BrokerStillFails { why: &'a str },
    /// There was no queue; it was declared.
    QueueDeclared { queue: &'a str },
    /// A queue loses mails by itself.
    QueueLoses {
        queue: &'a str,
        vhost: &'a str,
        /// In what way.
        loss: Loss<'a>,
    },
    /// A mail in a queue was delivered so often before, and not acknowledged.
    QueueRedelivers {
        queue: &'a str,
        vhost: &'a str,
        times: i64,
    },
    /// Some mails of a queue were not recorded before the end.
    NotRecordedInTime { queue: &'a str },
    /// Mail is taken by SMTP.
    Listening { at: &'a dyn Display },
    /// A mail of an SMTP client could not be recorded, or not in the time for which it waited; the client keeps it.
    ClientKeeps {
        client: &'a dyn Display,
        waited: Option<Duration>,
    },
    /// A mail could not be read from a file or from standard input.
    Unreadable { fault: &'a anyhow::Error },
}

/// In what way a queue loses mails by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss<'a> {
    /// With a restart of the broker.
    NotDurable,
    /// When nobody takes mails from it.
    AutoDelete,
    /// A mail that was delivered so often, as an argument of the queue says, or the broker by itself.
    Deliveries { limit: &'a str, is_set: bool },
    /// Beyond what an argument says, such as `x-message-ttl`.
    Drops { argument: &'a str, value: &'a str },
}

/// What came of telling a platform of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// The platform knows now.
    Delivered,
    /// The platform does not know the address: there is nothing to stop.
    NothingToStop,
    /// It passes: it is tried again after so long.
    Later(Duration),
    /// It passes, and is the outage's, which is spoken of instead.
    InOutage,
    /// It did not pass for too long.
    GivenUp,
    /// The platform is not asked, as no URL may hold the address.
    Unsendable,
    /// The platform will never take it.
    Refused,
}
