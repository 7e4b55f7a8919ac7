//! Nothing twice: repeats of recorded mails.

use super::*;
use bouncedemails::ledger::Effect;

fn soft(raw: &str, repeat: Repeat) -> Entry {
    entry(
        raw.as_bytes(),
        "full@example.com",
        Reason::MailboxFull,
        repeat,
    )
}

fn count(recorded: &Recorded) -> Option<u32> {
    match &recorded.outcome {
        Outcome::Acted(effects) => match effects[0] {
            Effect::Counted(count) => Some(count),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_repeat_of_a_mail_whose_peer_does_not_know_changes_nothing() {
    let bench = Bench::new();
    let ledger = bench.open();
    bench.record(&ledger, &[soft("A", Repeat::No)]);
    drop(ledger);
    let ledger = bench.open();
    for _ in 0..3 {
        let again = bench.record(&ledger, &[soft("A", Repeat::Possible)]);
        assert_eq!(again[0].outcome, Outcome::Duplicate);
    }
    assert_eq!(
        count(&bench.record(&ledger, &[soft("B", Repeat::Possible)])[0]),
        Some(2)
    );
}

#[test]
fn the_same_mail_on_purpose_counts_again() {
    let bench = Bench::new();
    let ledger = bench.open();
    for expected in 1..=3 {
        let recorded = bench.record(&ledger, &[soft("A", Repeat::No)]);
        assert_eq!(count(&recorded[0]), Some(expected));
    }
}

#[test]
fn a_forgotten_mail_counts_again_even_as_a_possible_repeat() {
    let bench = Bench::new();
    let ledger = bench.open();
    let first = bench.record(&ledger, &[soft("A", Repeat::No)]);
    ledger.forget(&[first[0].ticket]);
    let second = bench.record(&ledger, &[soft("A", Repeat::Possible)]);
    assert_eq!(count(&second[0]), Some(2));
}

#[test]
fn what_was_forgotten_stays_forgotten_when_the_process_ends_at_once() {
    let bench = Bench::new();
    let ledger = bench.open();
    let first = bench.record(&ledger, &[soft("A", Repeat::No)]);
    ledger.forget(&[first[0].ticket]);
    drop(ledger);
    assert_eq!(tickets(&bench), 0);
}

/// How many mails are noted whose peers may not know.
fn tickets(bench: &Bench) -> u32 {
    bench
        .sql()
        .query_row("SELECT count(*) FROM handled", [], |row| row.get(0))
        .expect("the table")
}

#[test]
fn what_was_forgotten_can_be_written_without_another_mail() {
    let bench = Bench::new();
    let ledger = bench.open();
    let mails: Vec<_> = (0..5_000).map(|_| soft("A", Repeat::No)).collect();
    let recorded = bench.record(&ledger, &mails);
    let known: Vec<_> = recorded.iter().map(|recorded| recorded.ticket).collect();
    ledger.forget(&known[1..]);
    assert_eq!(tickets(&bench), 5_000);
    ledger.write_forgotten().expect("written");
    assert_eq!(tickets(&bench), 1);
}

#[test]
fn two_equal_mails_have_two_repeats_and_no_third() {
    let bench = Bench::new();
    let ledger = bench.open();
    bench.record(&ledger, &[soft("A", Repeat::No), soft("A", Repeat::No)]);
    let session = Session::begin();
    let again = || {
        let mut entry = soft("A", Repeat::Possible);
        entry.mail.session = session;
        bench.record(&ledger, &[entry]).remove(0)
    };
    assert_eq!(again().outcome, Outcome::Duplicate);
    assert_eq!(again().outcome, Outcome::Duplicate);
    assert_eq!(count(&again()), Some(3));
}

#[test]
fn the_same_bytes_from_another_kind_of_source_are_another_mail() {
    let bench = Bench::new();
    let ledger = bench.open();
    bench.record(&ledger, &[soft("A", Repeat::No)]);
    let mut other = soft("A", Repeat::Possible);
    other.mail = Mail::new(
        Source::Smtp("192.0.2.1".to_owned()),
        other.mail.raw().to_vec(),
    );
    other.mail.repeat = Repeat::Possible;
    assert_eq!(count(&bench.record(&ledger, &[other])[0]), Some(2));
}

#[test]
fn a_peer_that_never_comes_back_is_forgotten_in_the_end() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    bench.record(&ledger, &[soft("A", Repeat::No)]);
    bench.now += 31 * DAY;
    bench.record(&ledger, &[soft("B", Repeat::No)]);
    assert_eq!(
        count(&bench.record(&ledger, &[soft("A", Repeat::Possible)])[0]),
        Some(3)
    );
}
