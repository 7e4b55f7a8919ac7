//! What is recorded, counted, posted and remembered, on a real database in a temporary folder. Times are handed in, so they are moved
//! instead of waited for.

mod archive;
mod counting;
mod faults;
mod in_flight;
mod keeping;
mod mails;
mod once;
mod prototype;
mod pruning;
mod queries;
#[path = "../support/small_disk.rs"]
mod small_disk;
mod suspending;
mod waiting;

use bouncedemails::address::Address;
use bouncedemails::config::{Handler, Period};
use bouncedemails::diagnosis::{BounceType, Diagnosis, Reason};
use bouncedemails::ledger::{Claimant, Entry, Ledger, LedgerError, Outcome, Recorded, Suspension};
use bouncedemails::mail::{Fingerprint, Mail, Repeat, Session, Source};
use bouncedemails::policy::{Action, Decision, Finding, Ruling, Unhandled};
use bouncedemails::report::{self, Recipient};
use bouncedemails::trust::Proof;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const PLATFORM: &str = "openhpi.de";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A database in a folder of its own, and a clock that stands still.
struct Bench {
    folder: TempDir,
    handler: Handler,
    now: SystemTime,
    mails: u64,
}

/// What anybody may claim at `now`; it stays due.
fn due(
    ledger: &Ledger,
    platform: &str,
    now: SystemTime,
    most: usize,
) -> Result<Vec<Suspension>, LedgerError> {
    ledger.claim(platform, Claimant::new(), most, Duration::ZERO, now)
}

impl Bench {
    fn new() -> Bench {
        let folder = TempDir::new().expect("a temporary folder");
        let handler = handler(&folder.path().join("bounced_emails.db"));
        Bench {
            folder,
            handler,
            now: UNIX_EPOCH + Duration::from_secs(1_795_000_000),
            mails: 0,
        }
    }

    fn file(&self) -> PathBuf {
        self.handler.dbfile.clone()
    }

    fn open(&self) -> Ledger {
        Ledger::open(&self.file()).expect("the database opens")
    }

    /// How many suspensions are pending, whenever they are due.
    fn pending(&self, ledger: &Ledger) -> usize {
        let late = self.now + 1000 * DAY;
        due(ledger, PLATFORM, late, 10).expect("due").len()
    }

    /// The database as an operator's own queries see it.
    fn sql(&self) -> Connection {
        Connection::open(self.file()).expect("the database opens for queries")
    }

    fn record(&self, ledger: &Ledger, entries: &[Entry]) -> Vec<Recorded> {
        let recorded = ledger.record(entries, &self.handler, self.now);
        recorded.expect("the mails are recorded")
    }

    /// Records one bounce of one address and says what it led to.
    fn bounce(&mut self, ledger: &Ledger, address: &str, reason: Reason) -> Outcome {
        let entry = self.entry(address, reason);
        self.record(ledger, &[entry]).remove(0).outcome
    }

    /// A bounce of one address, unlike any other.
    fn entry(&mut self, address: &str, reason: Reason) -> Entry {
        self.mails += 1;
        let raw = format!("Subject: bounce {}\n\nof {address}\n", self.mails);
        entry(raw.as_bytes(), address, reason, Repeat::No)
    }

    /// A mail that names so many addresses, each with these words, all of them recorded and no more.
    fn of_many(&mut self, recipients: usize, diagnostic: &str) -> Entry {
        let mut entry = self.entry("x@example.com", Reason::Blocked);
        let Decision::Act { rulings, .. } = &mut entry.decision else {
            panic!("nothing is done");
        };
        let ruling = rulings.remove(0);
        let finding = ruling.finding.expect("a finding");
        for number in 0..recipients {
            let address = format!("{number}.{}@example.com", self.mails);
            let address: Address = address.parse().expect("an address");
            let mut finding = Finding::clone(&finding);
            finding.recipient.address = address.clone();
            finding.recipient.diagnostic = Some(diagnostic.into());
            rulings.push(Ruling {
                proof: Proof::UNPROVEN,
                address,
                finding: Some(Arc::new(finding)),
                action: Action::Ignore,
                why: format!("{}: {diagnostic}", ruling.why),
            });
        }
        entry
    }

    /// A mail for quarantine.
    fn stray(&mut self, why: Unhandled, raw: &[u8]) -> Entry {
        let mail = mail(raw, Repeat::No);
        Entry {
            mail,
            report: Some(report::parse(raw)),
            decision: Decision::Quarantine { why },
        }
    }
}

/// A configuration as it is read from a file: with every default.
fn handler(dbfile: &std::path::Path) -> Handler {
    let folder = dbfile.parent().expect("a folder");
    let file = folder.join("config.yml");
    let text = format!(
        "production:\n  handler:\n    dbfile: {}\n    domains:\n      {PLATFORM}:\n        base_url: http://127.0.0.1:1/{{address}}\n",
        dbfile.display()
    );
    std::fs::write(&file, text).expect("the configuration is written");
    let loaded = bouncedemails::config::load(Some(&file), "production");
    loaded.expect("the configuration is read").config.handler
}

fn mail(raw: &[u8], repeat: Repeat) -> Mail {
    let mut mail = Mail::new(Source::Amqp("bouncedemails".to_owned()), raw.to_vec());
    mail.repeat = repeat;
    mail
}

/// A bounce of one address, as the engine would hand it in.
fn entry(raw: &[u8], address: &str, reason: Reason, repeat: Repeat) -> Entry {
    let mail = mail(raw, repeat);
    let address: Address = address.parse().expect("an address");
    let mut report = report::parse(raw);
    report.original.message_id = Some("<1@openhpi.de>".to_owned());
    let recipient = Recipient {
        status: "5.1.1".parse().ok(),
        reply_code: Some(550),
        diagnostic: Some("550 5.1.1 no such user".into()),
        ..Recipient::new(address.clone(), "Final-Recipient")
    };
    let diagnosis = Diagnosis {
        reason,
        bounce_type: reason.bounce_type(),
        status: recipient.status,
        evidence: "rule 'no such user' in Diagnostic-Code".to_owned(),
    };
    let action = match diagnosis.bounce_type {
        BounceType::Hard => Action::Suspend,
        BounceType::Soft => Action::Count,
        BounceType::Delayed => Action::Ignore,
    };
    let why = format!(
        "{}, {reason}: {}",
        diagnosis.bounce_type, diagnosis.evidence
    );
    let finding = Finding {
        recipient,
        diagnosis,
        proof: Proof::UNPROVEN,
    };
    let ruling = Ruling {
        proof: Proof::UNPROVEN,
        address,
        finding: Some(Arc::new(finding)),
        action,
        why,
    };
    Entry {
        mail,
        report: Some(report),
        decision: Decision::Act {
            platform: PLATFORM.to_owned(),
            rulings: vec![ruling],
        },
    }
}

/// The one number that a query of an operator finds.
fn count(bench: &Bench, query: &str) -> u32 {
    bench
        .sql()
        .query_row(query, [], |row| row.get(0))
        .expect(query)
}

fn days(count: u32) -> Period {
    Period(count * DAY)
}
