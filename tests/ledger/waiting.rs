//! Who waits for whom: neither does a commit wait for readers, nor a reader for a commit, nor async code for either.

use super::*;
use bouncedemails::ledger::{ErrorKind, LedgerError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Less than a locked database is waited for.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Runs `meanwhile` while a batch waits for another process that holds the database locked.
fn while_a_commit_waits(meanwhile: impl FnOnce(&Ledger)) {
    let mut bench = Bench::new();
    let ledger = bench.open();
    bench.bounce(&ledger, "known@example.com", Reason::MailboxFull);
    let entry = bench.entry("dead@example.com", Reason::UserUnknown);
    let other = bench.sql();
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    std::thread::scope(|scope| {
        let batch = std::slice::from_ref(&entry);
        let waiting = scope.spawn(|| ledger.record(batch, &bench.handler, bench.now));
        let began = Instant::now();
        meanwhile(&ledger);
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        assert!(!waiting.is_finished());
        other.execute_batch("ROLLBACK").expect("freed");
        waiting.join().expect("no panic").expect("recorded");
    });
}

#[test]
fn a_reader_does_not_wait_for_a_commit() {
    while_a_commit_waits(|ledger| {
        for _ in 0..20 {
            let known = ledger.known("known@", 10).expect("the lookup");
            assert_eq!(known.counters.len(), 1);
        }
    });
}

#[test]
fn whoever_forgets_does_not_wait_for_a_commit() {
    while_a_commit_waits(|ledger| ledger.forget(&[bouncedemails::mail::Ticket(1)]));
}

#[test]
fn a_commit_does_not_wait_for_readers() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let many = "WITH RECURSIVE numbers (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < 300000)
        INSERT INTO bounces (at, bounced_address, address_key, domain, type, reason, evidence, source, action, position)
        SELECT 2000000000000, 'a', 'someone.of.them@example.com', 'd', 'hard', 'userunknown', 'e', 's', 'note', value FROM numbers";
    bench.sql().execute(many, []).expect("inserted");
    let scan = || {
        let began = Instant::now();
        ledger.known("nobody", 10).expect("the lookup");
        began.elapsed()
    };
    let alone = scan().max(scan());
    let entries: Vec<Entry> = (0..10)
        .map(|number| bench.entry(&format!("{number}@example.com"), Reason::Blocked))
        .collect();
    let ended = AtomicBool::new(false);
    let (first, begun) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let _ = first.send(());
                scan();
            }
        });
        begun.recv().expect("a scan");
        let began = Instant::now();
        for entry in &entries {
            bench.record(&ledger, std::slice::from_ref(entry));
        }
        let time = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        // Behind readers, each commit would wait for about one of them.
        println!("ten commits beside scans of {alone:?} took {time:?}");
        assert!(time < 5 * alone, "{time:?} beside scans of {alone:?}");
    });
}

#[tokio::test]
async fn async_code_goes_on_while_its_verb_waits() {
    let bench = Bench::new();
    let ledger = bench.open();
    let other = bench.sql();
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let (now, began) = (bench.now, Instant::now());
    let settling = ledger.on_writer(move |ledger| ledger.settle(&[], now));
    let elsewhere = async {
        let known = ledger.on_reader(|ledger| ledger.known("x", 1)).await;
        known.expect("the lookup");
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        ledger.hurry();
    };
    let (settled, ()) = tokio::join!(settling, elsewhere);
    assert_eq!(settled.expect_err("it is locked").kind, ErrorKind::Busy);
}

#[tokio::test]
async fn a_verb_that_panics_is_an_error_and_the_next_one_works() {
    let bench = Bench::new();
    let ledger = bench.open();
    let answer: Result<(), LedgerError> = ledger.on_writer(|_| panic!("on purpose")).await;
    assert_eq!(answer.expect_err("it panicked").kind, ErrorKind::Other);
    assert_eq!(ledger.on_writer(Ledger::pending).await, Ok(Vec::new()));
}
