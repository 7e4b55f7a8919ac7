//! From a hard bounce to the platform's answer.

use super::*;
use bouncedemails::ledger::{Claimant, Effect, LONGEST_WAIT, Settlement, SuspensionId};

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
    assert_eq!(due(&ledger, PLATFORM, bench.now, 10).expect("due").len(), 1);
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
    let at = bench.now + LONGEST_WAIT;
    let error = "503 / down".to_owned();
    ledger
        .settle(&[(id, Settlement::Retry { at, error })], bench.now)
        .expect("settled");
    assert_eq!(due(&ledger, PLATFORM, bench.now, 10), Ok(Vec::new()));
    let just_before = at - Duration::from_millis(1);
    assert_eq!(due(&ledger, PLATFORM, just_before, 10), Ok(Vec::new()));
    let due = due(&ledger, PLATFORM, at, 10).expect("due");
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
    assert_eq!(due(&ledger, PLATFORM, bench.now, 3).expect("due").len(), 3);
    assert_eq!(due(&ledger, PLATFORM, bench.now, 10).expect("due").len(), 5);
    assert_eq!(due(&ledger, "opensap.info", bench.now, 10), Ok(Vec::new()));
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

const LEASE: Duration = Duration::from_secs(15);

fn claim(ledger: &Ledger, claimant: Claimant, now: SystemTime) -> Vec<SuspensionId> {
    let claimed = ledger.claim(PLATFORM, claimant, 10, LEASE, now);
    claimed
        .expect("the ledger works")
        .iter()
        .map(|suspension| suspension.id)
        .collect()
}

#[test]
fn what_is_claimed_is_nobody_elses_until_the_lease_ends_or_it_is_settled() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let first = suspended(bench.bounce(&ledger, "a@example.com", Reason::UserUnknown));
    let second = suspended(bench.bounce(&ledger, "b@example.com", Reason::UserUnknown));
    let (alice, bob) = (Claimant::new(), Claimant::new());
    assert_eq!(claim(&ledger, alice, bench.now), [first, second]);
    for claimant in [alice, bob] {
        assert_eq!(claim(&ledger, claimant, bench.now), []);
    }
    ledger
        .settle(&[(first, Settlement::Released)], bench.now)
        .expect("settled");
    assert_eq!(claim(&ledger, bob, bench.now), [first]);
    bench.now += LEASE - Duration::from_millis(1);
    assert_eq!(claim(&ledger, bob, bench.now), []);
    ledger.renew(alice, LEASE, bench.now).expect("renewed");
    bench.now += Duration::from_millis(1);
    // Bob's ends, Alice's was renewed. She gets back nothing of what is in her hand.
    assert_eq!(claim(&ledger, bob, bench.now), []);
    bench.now += LEASE;
    assert_eq!(claim(&ledger, alice, bench.now), [first]);
    assert_eq!(claim(&ledger, bob, bench.now), [second]);
    let told = ledger.told(&[first, second]).expect("the lookup");
    assert!(told.iter().all(|told| told.attempts == 0), "{told:?}");
    // Whoever posted it first has posted it.
    ledger
        .settle(&[(first, delivered()), (second, delivered())], bench.now)
        .expect("settled");
    bench.now += 1000 * DAY;
    for claimant in [alice, bob, Claimant::new()] {
        assert_eq!(claim(&ledger, claimant, bench.now), []);
    }
}

#[test]
fn processes_that_claim_at_the_same_time_share_what_is_due() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for number in 0..300 {
        let address = format!("dead{number}@example.com");
        bench.bounce(&ledger, &address, Reason::UserUnknown);
    }
    let now = bench.now;
    let mut claimed: Vec<SuspensionId> = std::thread::scope(|scope| {
        let processes: Vec<_> = (0..4)
            .map(|_| {
                let ledger = bench.open();
                scope.spawn(move || {
                    let claimant = Claimant::new();
                    let batches = std::iter::repeat_with(|| claim(&ledger, claimant, now));
                    batches
                        .take_while(|batch| !batch.is_empty())
                        .flatten()
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let each = processes.into_iter();
        each.flat_map(|process| process.join().expect("it claims"))
            .collect()
    });
    assert_eq!(claimed.len(), 300);
    claimed.sort();
    claimed.dedup();
    assert_eq!(claimed.len(), 300);
}

/// A wait or a claim that was written while the clock was ahead.
#[test]
fn what_nobody_meant_to_wait_for_so_long_is_due() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let waiting = suspended(bench.bounce(&ledger, "a@example.com", Reason::UserUnknown));
    let claimed = suspended(bench.bounce(&ledger, "b@example.com", Reason::UserUnknown));
    let ahead = bench.now + 3652 * DAY;
    let dead = Claimant::new();
    assert_eq!(claim(&ledger, dead, ahead), [waiting, claimed]);
    let retry = Settlement::Retry {
        at: ahead + LONGEST_WAIT,
        error: "503".to_owned(),
    };
    ledger.settle(&[(waiting, retry)], ahead).expect("settled");
    let living = Claimant::new();
    assert_eq!(claim(&ledger, living, ahead), []);
    assert_eq!(claim(&ledger, living, bench.now), [claimed, waiting]);
}
