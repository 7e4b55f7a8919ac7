//! From a hard bounce to the platform's answer.

use super::*;
use bouncedemails::ledger::{Effect, Settlement, SuspensionId};

fn effect(outcome: Outcome) -> Effect {
    match outcome {
        Outcome::Acted(effects) => effects[0],
        other => panic!("nothing was done: {other:?}"),
    }
}

fn suspended(outcome: Outcome) -> SuspensionId {
    match effect(outcome) {
        Effect::Suspending { id, counted: None } => id,
        other => panic!("no hard suspension: {other:?}"),
    }
}

fn delivered() -> Settlement {
    Settlement::Delivered {
        status: 200,
        answer: "{}".to_owned(),
    }
}

#[test]
fn one_suspension_is_pending_at_a_time_and_a_new_bounce_after_it_makes_a_new_one() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let first = suspended(bench.bounce(&ledger, "Dead@example.com", Reason::UserUnknown));
    let second = bench.bounce(&ledger, "dead@example.com", Reason::HostUnknown);
    assert_eq!(effect(second), Effect::Joined(first));
    assert_eq!(ledger.due(PLATFORM, bench.now, 10).expect("due").len(), 1);
    ledger
        .settle(&[(first, delivered())], bench.now)
        .expect("settled");
    assert_eq!(bench.pending(&ledger), 0);
    let third = suspended(bench.bounce(&ledger, "dead@example.com", Reason::UserUnknown));
    assert_ne!(third, first);
}

#[test]
fn the_prototypes_table_gets_a_row_a_mail_with_the_platforms_answer() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let id = suspended(bench.bounce(&ledger, "Dead@example.com", Reason::UserUnknown));
    bench.bounce(&ledger, "Dead@example.com", Reason::UserUnknown);
    ledger
        .settle(&[(id, delivered())], bench.now)
        .expect("settled");
    let sql = bench.sql();
    let mut select = sql
        .prepare("SELECT ts, bounced_address, domain, status_code FROM permanent_bounces")
        .expect("the prototype's columns");
    let rows: Vec<(String, String, String, u16)> = select
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .and_then(Iterator::collect)
        .expect("the rows");
    let row = (
        "2026-11-18 11:06:40".to_owned(),
        "Dead@example.com".to_owned(),
        PLATFORM.to_owned(),
        200,
    );
    assert_eq!(rows, [row.clone(), row]);
}

#[test]
fn a_retry_is_due_later_and_knows_its_attempts() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let id = suspended(bench.bounce(&ledger, "dead@example.com", Reason::UserUnknown));
    let at = bench.now + DAY;
    let error = "503 / down".to_owned();
    ledger
        .settle(&[(id, Settlement::Retry { at, error })], bench.now)
        .expect("settled");
    assert_eq!(ledger.due(PLATFORM, bench.now, 10), Ok(Vec::new()));
    let just_before = at - Duration::from_millis(1);
    assert_eq!(ledger.due(PLATFORM, just_before, 10), Ok(Vec::new()));
    let due = ledger.due(PLATFORM, at, 10).expect("due");
    assert_eq!(
        (due[0].id, due[0].attempts, due[0].created),
        (id, 1, bench.now)
    );
    assert_eq!(due[0].cause.status.as_deref(), Some("5.1.1"));
    assert_eq!(
        due[0].cause.diagnostic.as_deref(),
        Some("550 5.1.1 no such user")
    );
    assert_eq!(due[0].cause.message_id.as_deref(), Some("<1@openhpi.de>"));
}

#[test]
fn pending_suspensions_outlive_the_process_and_belong_to_their_platform() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for number in 0..5 {
        bench.bounce(
            &ledger,
            &format!("dead{number}@example.com"),
            Reason::UserUnknown,
        );
    }
    drop(ledger);
    let ledger = bench.open();
    assert_eq!(ledger.due(PLATFORM, bench.now, 3).expect("due").len(), 3);
    assert_eq!(ledger.due(PLATFORM, bench.now, 10).expect("due").len(), 5);
    assert_eq!(ledger.due("opensap.info", bench.now, 10), Ok(Vec::new()));
}

#[test]
fn a_failed_suspension_is_no_longer_due() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let id = suspended(bench.bounce(&ledger, "dead@example.com", Reason::UserUnknown));
    let failed = Settlement::Failed {
        status: Some(403),
        answer: "n".repeat(5_000),
    };
    ledger.settle(&[(id, failed)], bench.now).expect("settled");
    assert_eq!(bench.pending(&ledger), 0);
    let (state, length): (String, usize) = bench
        .sql()
        .query_row(
            "SELECT state, octet_length(answer) FROM suspensions",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("the row");
    assert_eq!((state.as_str(), length), ("failed", 500));
}
