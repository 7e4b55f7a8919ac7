//! What comes in: a [`Mail`], and the [`Receipt`] by which the peer that handed it in learns that it is safe.
//!
//! The peer is a broker, an SMTP client, or the person who gives files to a command.

use crate::address::Address;
use crate::policy::Known;
use crate::report::limits::MAX_READ;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// One mail as it came in. What makes it this mail and no other is set when it is made, and does not change. Clones
/// share its bytes.
#[derive(Debug, Clone)]
pub struct Mail {
    raw: Bytes,
    source: Source,
    envelope_recipients: Vec<Address>,
    id: Option<String>,
    fingerprint: OnceLock<Fingerprint>,
    packed: OnceLock<Bytes>,
    /// Whether this very mail may have been handed in before.
    pub repeat: Repeat,
    /// The connection that it came by.
    pub session: Session,
    /// A person has looked at it in quarantine and says that it is to be acted on, however many addresses it names.
    pub released: bool,
}

impl Mail {
    /// A mail that is handed in on purpose, by a session of its own.
    pub fn new(source: Source, raw: impl Into<Bytes>) -> Mail {
        Mail {
            raw: raw.into(),
            source,
            envelope_recipients: Vec::new(),
            id: None,
            fingerprint: OnceLock::new(),
            packed: OnceLock::new(),
            repeat: Repeat::No,
            session: Session::begin(),
            released: false,
        }
    }

    /// With the SMTP envelope recipients, where the intake knows them.
    #[must_use]
    pub fn to(mut self, envelope_recipients: Vec<Address>) -> Mail {
        self.envelope_recipients = envelope_recipients;
        self.fingerprint = OnceLock::new();
        self
    }

    /// With what whoever handed it in calls it: two mails that are equal to the byte are told apart by it.
    #[must_use]
    pub fn named(mut self, id: Option<String>) -> Mail {
        self.id = id;
        self.fingerprint = OnceLock::new();
        self
    }

    /// The bytes, unchanged.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Where it came from, for people.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The SMTP envelope recipients, as far as they are known.
    pub fn envelope_recipients(&self) -> &[Address] {
        &self.envelope_recipients
    }

    /// What its giver knows of it beside its bytes.
    pub fn known(&self) -> Known<'_> {
        Known {
            envelope_recipients: &self.envelope_recipients,
            released: self.released,
            ..Known::default()
        }
    }

    /// What whoever handed it in calls it.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Tells this mail from others: equal for the same bytes handed in by the same kind of source. Made once, when it
    /// is first asked for.
    pub fn fingerprint(&self) -> Fingerprint {
        *self.fingerprint.get_or_init(|| Fingerprint::of(self))
    }

    /// The bytes that are read of a mail ([`MAX_READ`]), compressed by gzip, as they are kept. Made once, when it is first asked for:
    /// of the largest mail in a tenth of a second.
    pub fn packed(&self) -> &[u8] {
        self.packed.get_or_init(|| {
            let read = &self.raw[..self.raw.len().min(MAX_READ)];
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing into memory does not fail.
            let packed = packer.write_all(read).and_then(|()| packer.finish());
            packed.unwrap_or_default().into()
        })
    }
}

/// SHA-256 of a mail's bytes, its envelope recipients, its name and the kind of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    fn of(mail: &Mail) -> Fingerprint {
        let kind = match mail.source {
            Source::Amqp(_) => b'a',
            Source::Smtp(_) => b's',
            Source::File(_) => b'f',
            Source::Stdin => b'i',
            Source::Quarantine(_) => b'q',
        };
        let mut hash = Sha256::new();
        hash.update([kind]);
        for recipient in &mail.envelope_recipients {
            hash.update(recipient.as_str());
            hash.update([0]);
        }
        hash.update([0]);
        hash.update(mail.id.as_deref().unwrap_or_default());
        hash.update([0]);
        hash.update(&mail.raw);
        Fingerprint(hash.finalize().into())
    }
}

/// Tells connections apart, also those of earlier processes. Equal mails of one connection are different mails: a peer
/// brings a mail again only after it has lost the connection by which it brought it first.
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

/// Whether a mail may be one that was handed in before and recorded while its peer never learned that (DESIGN 9,
/// "nothing twice").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It is handed in for the first time; if the same bytes came before, that was on purpose.
    No,
    /// The peer may have missed our receipt of an earlier one: an SMTP client after a lost connection.
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
    /// It is committed to disk: the peer may forget it. The ticket goes back to the ledger once the peer has shown that
    /// it knows, as an SMTP client does by its next command.
    Confirmed(Ticket),
    /// It was not recorded: the peer must keep it.
    Returned,
}

/// Names the row by which the ledger would know a mail again, kept as long as the peer may not know that the mail is
/// recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub i64);

/// Has the ledger delete the rows of mails that their peers won't bring again. Does not wait for the database.
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
