//! The threshold and the window.

use super::*;
use bouncedemails::ledger::Effect;

fn counted(count: u32) -> Outcome {
    Outcome::Acted(vec![Effect::Counted(count)])
}

/// How many soft bounces led to the suspension.
fn suspended_after(outcome: &Outcome) -> Option<u32> {
    match outcome {
        Outcome::Acted(effects) => match effects.as_slice() {
            [Effect::Suspending { counted, .. }] => *counted,
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn with_a_threshold_of_three_the_fourth_soft_bounce_suspends_and_resets() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for count in 1..=3 {
        let outcome = bench.bounce(&ledger, "full@example.com", Reason::MailboxFull);
        assert_eq!(outcome, counted(count));
    }
    assert_eq!(bench.pending(&ledger), 0);
    let fourth = bench.bounce(&ledger, "full@example.com", Reason::MailboxFull);
    assert_eq!(suspended_after(&fourth), Some(4));
    let due = due(&ledger, PLATFORM, bench.now, 10).expect("due");
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].address.as_str(), "full@example.com");
    assert_eq!(due[0].cause.bounce_type, "soft");
    assert_eq!(due[0].cause.reason, "mailboxfull");
    let fifth = bench.bounce(&ledger, "full@example.com", Reason::MailboxFull);
    assert_eq!(fifth, counted(1));
}

#[test]
fn the_threshold_is_exact_within_one_batch() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let batch: Vec<Entry> = (0..9)
        .map(|_| bench.entry("full@example.com", Reason::MailboxFull))
        .collect();
    let recorded = bench.record(&ledger, &batch);
    let outcomes: Vec<&Outcome> = recorded.iter().map(|recorded| &recorded.outcome).collect();
    assert_eq!(suspended_after(outcomes[3]), Some(4));
    let Outcome::Acted(eighth) = outcomes[7] else {
        panic!("{:?}", outcomes[7]);
    };
    assert!(matches!(eighth[0], Effect::Joined(_)), "{eighth:?}");
    assert_eq!(*outcomes[8], counted(1));
    assert_eq!(due(&ledger, PLATFORM, bench.now, 10).expect("due").len(), 1);
}

#[test]
fn a_threshold_of_zero_suspends_at_the_first() {
    let mut bench = Bench::new();
    bench.handler.temporary_threshold = 0;
    let ledger = bench.open();
    let first = bench.bounce(&ledger, "full@example.com", Reason::MailboxFull);
    assert_eq!(suspended_after(&first), Some(1));
}

#[test]
fn addresses_are_counted_whatever_their_case_and_apart_for_each_platform() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for (count, address) in [
        (1, "Jörg.Ä@Example.com"),
        (2, "jörg.ä@example.com"),
        (3, "JÖRG.Ä@EXAMPLE.COM"),
    ] {
        let outcome = bench.bounce(&ledger, address, Reason::MailboxFull);
        assert_eq!(outcome, counted(count), "{address}");
    }
    let mut elsewhere = bench.entry("jörg.ä@example.com", Reason::MailboxFull);
    if let Decision::Act { platform, .. } = &mut elsewhere.decision {
        *platform = "opensap.info".to_owned();
    }
    assert_eq!(bench.record(&ledger, &[elsewhere])[0].outcome, counted(1));
}

#[test]
fn sender_faults_are_recorded_and_not_counted() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for _ in 0..9 {
        let mut entry = bench.entry("fine@example.com", Reason::Blocked);
        if let Decision::Act { rulings, .. } = &mut entry.decision {
            rulings[0].action = Action::Ignore;
        }
        let outcome = bench.record(&ledger, &[entry]).remove(0).outcome;
        assert_eq!(outcome, Outcome::Acted(vec![Effect::Noted]));
    }
    assert_eq!(bench.pending(&ledger), 0);
    let noted: u32 = bench
        .sql()
        .query_row(
            "SELECT count(*) FROM bounces WHERE reason = 'blocked' AND action = 'note'",
            [],
            |row| row.get(0),
        )
        .expect("the history");
    assert_eq!(noted, 9);
}

#[test]
fn soft_bounces_older_than_the_window_no_longer_count() {
    let mut bench = Bench::new();
    bench.handler.temporary_window = Some(days(30));
    let ledger = bench.open();
    let mut bounce = |after: u32| {
        bench.now += after * DAY;
        bench.bounce(&ledger, "full@example.com", Reason::MailboxFull)
    };
    assert_eq!(bounce(0), counted(1));
    assert_eq!(bounce(10), counted(2));
    assert_eq!(bounce(10), counted(3));
    // 31 days after the first: that one is left out.
    assert_eq!(bounce(11), counted(3));
    assert_eq!(suspended_after(&bounce(1)), Some(4));
}

#[test]
fn a_window_that_is_set_later_knows_the_times_of_earlier_bounces() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for _ in 0..2 {
        bench.bounce(&ledger, "full@example.com", Reason::MailboxFull);
        bench.now += 20 * DAY;
    }
    bench.handler.temporary_window = Some(days(30));
    let third = bench.bounce(&ledger, "full@example.com", Reason::MailboxFull);
    assert_eq!(third, counted(2));
}

#[test]
fn a_counter_that_an_operator_sets_by_hand_is_the_counter() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for _ in 0..3 {
        bench.bounce(&ledger, "full@example.com", Reason::MailboxFull);
    }
    let set = bench
        .sql()
        .execute("UPDATE temporary_bounces SET counter = 0", []);
    assert_eq!(set, Ok(1));
    let next = bench.bounce(&ledger, "full@example.com", Reason::MailboxFull);
    assert_eq!(next, counted(1));
}
