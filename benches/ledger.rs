//! How many mails a second are recorded in batches, beside what SQLite alone takes in rows of the same width.
//!
//! `cargo bench --bench ledger`

use bouncedemails::config::{self, Handler};
use bouncedemails::diagnosis::{Diagnosis, Reason};
use bouncedemails::ledger::{Entry, Ledger};
use bouncedemails::mail::{Mail, Session, Source, Ticket};
use bouncedemails::policy::{Action, Decision, Finding, Ruling};
use bouncedemails::report::{self, Recipient};
use bouncedemails::trust::Proof;
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const MAILS: usize = 50_000;

fn main() {
    for batch in [1, 100, 512] {
        let mails = match batch {
            1 => 2_000,
            _ => MAILS,
        };
        let rate = |time: Duration| mails as f64 / time.as_secs_f64();
        let bare = rate(bare_inserts(mails, batch));
        let soft = rate(recorded(mails, batch, Action::Count));
        let hard = rate(recorded(mails, batch, Action::Suspend));
        println!(
            "batches of {batch}: bare inserts {bare:.0}/s, soft bounces {soft:.0}/s ({:.2}), hard bounces {hard:.0}/s ({:.2})",
            soft / bare,
            hard / bare
        );
    }
}

/// One row for each mail, into a table without index.
fn bare_inserts(mails: usize, batch: usize) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sql = Connection::open(folder.path().join("bare.db")).expect("a database");
    sql.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE bare (id INTEGER PRIMARY KEY, at INTEGER, address TEXT, platform TEXT, diagnostic TEXT);",
    )
    .expect("a table");
    let addresses: Vec<String> = (0..mails).map(address).collect();
    let begin = Instant::now();
    for addresses in addresses.chunks(batch) {
        let tx = sql.transaction().expect("a transaction");
        for address in addresses {
            tx.prepare_cached(
                "INSERT INTO bare (at, address, platform, diagnostic) VALUES (?, ?, ?, ?)",
            )
            .and_then(|mut insert| insert.execute(params![0, address, "openhpi.de", DIAGNOSTIC]))
            .expect("a row");
        }
        tx.commit().expect("committed");
    }
    begin.elapsed()
}

/// The ledger's whole work: history, counter or suspension, ticket; and the tickets of earlier batches forgotten.
fn recorded(mails: usize, batch: usize, action: Action) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let handler = handler(folder.path());
    let ledger = Ledger::open(&handler.dbfile).expect("a database");
    let session = Session::begin();
    let entries: Vec<Entry> = (0..mails)
        .map(|number| entry(number, action, session))
        .collect();
    let begin = Instant::now();
    let mut known: Vec<Ticket> = Vec::new();
    for entries in entries.chunks(batch) {
        ledger.forget(&known);
        let recorded = ledger
            .record(entries, &handler, SystemTime::now())
            .expect("recorded");
        known = recorded.iter().map(|recorded| recorded.ticket).collect();
    }
    begin.elapsed()
}

const DIAGNOSTIC: &str = "550 5.1.1 <gone@example.org>: Recipient address rejected: User unknown";

fn address(number: usize) -> String {
    format!("someone.{number}@example.org")
}

fn entry(number: usize, action: Action, session: Session) -> Entry {
    let raw = format!("Subject: bounce {number}\n\n").into_bytes();
    let report = report::parse(&raw);
    let address: bouncedemails::address::Address = address(number).parse().expect("an address");
    let reason = match action {
        Action::Suspend => Reason::UserUnknown,
        _ => Reason::MailboxFull,
    };
    let finding = Finding {
        recipient: Recipient {
            status: "5.1.1".parse().ok(),
            reply_code: Some(550),
            diagnostic: Some(DIAGNOSTIC.into()),
            ..Recipient::new(address.clone(), "Final-Recipient")
        },
        diagnosis: Diagnosis {
            reason,
            bounce_type: reason.bounce_type(),
            status: "5.1.1".parse().ok(),
            evidence: "rule 'user unknown' in Diagnostic-Code".to_owned(),
        },
        proof: Proof::UNPROVEN,
    };
    let mut mail = Mail::new(Source::Amqp("bouncedemails".to_owned()), raw);
    mail.session = session;
    Entry {
        mail,
        report: Some(report),
        decision: Decision::Act {
            platform: "openhpi.de".to_owned(),
            rulings: vec![Ruling {
                proof: Proof::UNPROVEN,
                address,
                finding: Some(Arc::new(finding)),
                action,
                why: format!("{reason}: rule 'user unknown' in Diagnostic-Code"),
            }],
        },
    }
}

fn handler(folder: &Path) -> Handler {
    let file = folder.join("config.yml");
    let text = format!(
        "production:\n  handler:\n    dbfile: {}/bench.db\n    domains:\n      openhpi.de:\n        base_url: http://127.0.0.1:1/{{address}}\n",
        folder.display()
    );
    std::fs::write(&file, text).expect("written");
    let loaded = config::load(Some(&file), "production").expect("a configuration");
    loaded.config.handler
}
