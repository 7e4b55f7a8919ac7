//! What is known of addresses, for people to read.

use super::text::{millis, time};
use super::{Ledger, LedgerError, SuspensionId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use std::time::SystemTime;

/// All that is known of the addresses that a search found. Texts come from mails and platforms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Their counters.
    pub counters: Vec<Counter>,
    /// Their permanent bounces, the newest last.
    pub permanent: Vec<Permanent>,
    /// Their suspensions, the newest last.
    pub suspensions: Vec<Told>,
    /// Their history, the newest last.
    pub bounces: Vec<Bounce>,
}

/// A row of `temporary_bounces`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// As it was last written.
    pub address: String,
    /// The configured domain of the platform.
    pub platform: String,
    /// How many soft bounces count.
    pub counter: String,
}

/// A row of `permanent_bounces`. The prototype's can hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permanent {
    /// When, as it is stored (UTC).
    pub at: String,
    /// Whom it is about.
    pub address: String,
    /// The configured domain of the platform.
    pub platform: String,
    /// What the platform answered; empty before it did.
    pub status_code: String,
    /// Why; empty in rows of the prototype.
    pub reason: String,
}

/// A row of `suspensions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When it was decided.
    pub created: SystemTime,
    /// Whom it is about.
    pub address: String,
    /// The configured domain of the platform.
    pub platform: String,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How often the platform was asked.
    pub attempts: u32,
    /// When it is tried next; none unless it is pending.
    pub due: Option<SystemTime>,
    /// What the platform answered last, or why it did not.
    pub answer: String,
}

/// A row of `bounces`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// When it was recorded.
    pub at: SystemTime,
    /// Whom it is about.
    pub address: String,
    /// Who failed in the end, where the mail was passed on; else empty.
    pub final_recipient: String,
    /// The configured domain of the platform.
    pub platform: String,
    /// What was done: `suspend`, `join` (one was pending), `count` or `note`.
    pub action: String,
    /// Where the counter stood then.
    pub counter: Option<u32>,
    /// The sentence that says why.
    pub evidence: String,
    /// What the remote system said.
    pub diagnostic: String,
    /// The returned mail's message id.
    pub message_id: String,
    /// Where the mail came from.
    pub source: String,
    /// `proven`, `unproven` or `contradicted`; empty where nobody looked.
    pub proof: String,
    /// By what: a word of [`crate::trust::Evidence`], or empty.
    pub proof_by: String,
    /// Why, for people.
    pub proof_sentence: String,
}

/// A row of `mails`: a mail that came in, and what was decided. Its texts are hostile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRow {
    /// Its number.
    pub id: i64,
    /// When it was recorded.
    pub at: SystemTime,
    /// Where it came from.
    pub source: String,
    /// A word of [`crate::report::Kind`], or `unread`.
    pub kind: String,
    /// The configured domain of the platform; empty if it belongs to none.
    pub platform: String,
    /// Its `From`.
    pub from: String,
    /// Its `Subject`.
    pub subject: String,
    /// Its `Message-ID`.
    pub message_id: String,
    /// What was done about it: `act` (see [`Ledger::bounces_of`]), `ignore` or `quarantine`.
    pub decision: String,
    /// Why.
    pub evidence: String,
}

/// What was said of failures in the same words and codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// One of the addresses that it was said of.
    pub address: String,
    /// The words.
    pub diagnostic: String,
    /// The enhanced status code; empty where there was none.
    pub status: String,
    /// The reply code.
    pub reply_code: Option<u16>,
    /// How often.
    pub times: u64,
}

impl Ledger {
    /// What was said of all failures that are remembered, the most frequent first, at most `most` texts.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn said(&self, most: usize) -> Result<Vec<Said>, LedgerError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT min(bounced_address), diagnostic, coalesce(status, ''), reply_code, count(*) FROM bounces
                     WHERE diagnostic IS NOT NULL GROUP BY diagnostic, status, reply_code ORDER BY count(*) DESC LIMIT ?",
                )?
                .query_map([most], |row| {
                    Ok(Said {
                        address: row.get(0)?,
                        diagnostic: row.get(1)?,
                        status: row.get(2)?,
                        reply_code: row.get(3)?,
                        times: row.get(4)?,
                    })
                })?
                .collect()
        })
    }

    /// The mails that came in since `since`, the newest first, at most `most`.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn mails(&self, since: SystemTime, most: usize) -> Result<Vec<MailRow>, LedgerError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, at, source, kind, domain, mail_from, subject, message_id, decision, evidence FROM mails
                     WHERE at >= ? ORDER BY at DESC, id DESC LIMIT ?",
                )?
                .query_map(params![millis(since), most], mail)?
                .collect()
        })
    }

    /// What was decided on the addresses that a mail named, in their order. `mail` is [`MailRow::id`].
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn bounces_of(&self, mail: i64) -> Result<Vec<Bounce>, LedgerError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT at, bounced_address, final_recipient, domain, action, counter, evidence, diagnostic, message_id, source,
                     proof, proof_by, proof_sentence
                     FROM bounces WHERE mail = ? ORDER BY id",
                )?
                .query_map([mail], bounce)?
                .collect()
        })
    }

    /// All that is known of addresses that contain `part` (compared case-insensitively); of each kind the newest `most` rows.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn known(&self, part: &str, most: usize) -> Result<Known, LedgerError> {
        let part = part.to_lowercase();
        self.read(|connection| {
            Ok(Known {
                counters: select(connection, COUNTERS, &part, most, counter)?,
                permanent: select(connection, PERMANENT, &part, most, permanent)?,
                suspensions: select(connection, SUSPENSIONS, &part, most, told)?,
                bounces: select(connection, BOUNCES, &part, most, bounce)?,
            })
        })
    }

    /// How these suspensions stand.
    ///
    /// # Errors
    /// If the database can't be read, or one of them is not there.
    pub fn told(&self, ids: &[SuspensionId]) -> Result<Vec<Told>, LedgerError> {
        self.read(|connection| {
            let mut select = connection.prepare(
                "SELECT created, bounced_address, domain, state, attempts, due, answer FROM suspensions
                 WHERE id = ?",
            )?;
            ids.iter()
                .map(|id| select.query_row([id.0], told))
                .collect()
        })
    }
}

// `instr`, not `LIKE`: `_` and `%` are ordinary characters of addresses.
const COUNTERS: &str = "SELECT bounced_address, domain, counter FROM temporary_bounces
    WHERE instr(address_key, ?1) ORDER BY rowid DESC LIMIT ?2";
const PERMANENT: &str =
    "SELECT ts, bounced_address, domain, status_code, reason FROM permanent_bounces
    WHERE instr(address_key, ?1) ORDER BY rowid DESC LIMIT ?2";
const SUSPENSIONS: &str =
    "SELECT created, bounced_address, domain, state, attempts, due, answer FROM suspensions
    WHERE instr(address_key, ?1) ORDER BY id DESC LIMIT ?2";
const BOUNCES: &str =
    "SELECT at, bounced_address, final_recipient, domain, action, counter, evidence, diagnostic, message_id, source,
                     proof, proof_by, proof_sentence
    FROM bounces WHERE instr(address_key, ?1) OR instr(lower(final_recipient), ?1) ORDER BY id DESC LIMIT ?2";

/// The newest rows, the newest last.
fn select<T>(
    connection: &Connection,
    query: &str,
    part: &str,
    most: usize,
    read: fn(&Row) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut rows: Vec<T> = connection
        .prepare(query)?
        .query_map(params![part, most], read)?
        .collect::<rusqlite::Result<_>>()?;
    rows.reverse();
    Ok(rows)
}

fn counter(row: &Row) -> rusqlite::Result<Counter> {
    Ok(Counter {
        address: text(row, "bounced_address")?,
        platform: text(row, "domain")?,
        counter: text(row, "counter")?,
    })
}

fn permanent(row: &Row) -> rusqlite::Result<Permanent> {
    Ok(Permanent {
        at: text(row, "ts")?,
        address: text(row, "bounced_address")?,
        platform: text(row, "domain")?,
        status_code: text(row, "status_code")?,
        reason: text(row, "reason")?,
    })
}

fn told(row: &Row) -> rusqlite::Result<Told> {
    let state = text(row, "state")?;
    let due = (state == "pending").then(|| row.get("due")).transpose()?;
    Ok(Told {
        created: time(row.get("created")?),
        address: text(row, "bounced_address")?,
        platform: text(row, "domain")?,
        state,
        attempts: row.get("attempts")?,
        due: due.map(time),
        answer: text(row, "answer")?,
    })
}

fn mail(row: &Row) -> rusqlite::Result<MailRow> {
    Ok(MailRow {
        id: row.get("id")?,
        at: time(row.get("at")?),
        source: text(row, "source")?,
        kind: text(row, "kind")?,
        platform: text(row, "domain")?,
        from: text(row, "mail_from")?,
        subject: text(row, "subject")?,
        message_id: text(row, "message_id")?,
        decision: text(row, "decision")?,
        evidence: text(row, "evidence")?,
    })
}

fn bounce(row: &Row) -> rusqlite::Result<Bounce> {
    Ok(Bounce {
        at: time(row.get("at")?),
        address: text(row, "bounced_address")?,
        final_recipient: text(row, "final_recipient")?,
        platform: text(row, "domain")?,
        action: text(row, "action")?,
        counter: row.get("counter")?,
        evidence: text(row, "evidence")?,
        diagnostic: text(row, "diagnostic")?,
        message_id: text(row, "message_id")?,
        source: text(row, "source")?,
        proof: text(row, "proof")?,
        proof_by: text(row, "proof_by")?,
        proof_sentence: text(row, "proof_sentence")?,
    })
}

/// A column as text, whatever it holds; empty for NULL.
fn text(row: &Row, column: &str) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    })
}
