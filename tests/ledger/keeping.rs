//! What is kept for people: history, quarantine, and for how long.

use super::*;
use bouncedemails::ledger::{ByHand, Claimant, Settlement, SuspensionId};
use bytesize::ByteSize;

#[test]
fn the_history_explains_each_decision() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    bench.bounce(&ledger, "Full@example.com", Reason::MailboxFull);
    bench.bounce(&ledger, "full@example.com", Reason::UserUnknown);
    bench.bounce(&ledger, "other@example.com", Reason::UserUnknown);
    let known = ledger.known("FULL@", 100).expect("the lookup");
    assert_eq!(known.counters.len(), 1);
    assert_eq!(known.permanent.len(), 1);
    assert_eq!(known.suspensions.len(), 1);
    assert_eq!(known.suspensions[0].state, "pending");
    let [soft, hard] = known.bounces.as_slice() else {
        panic!("{:?}", known.bounces);
    };
    assert_eq!((soft.action.as_str(), soft.counter), ("count", Some(1)));
    assert_eq!((hard.action.as_str(), hard.counter), ("suspend", None));
    assert_eq!(
        hard.evidence,
        "hard, userunknown: rule 'no such user' in Diagnostic-Code"
    );
    assert_eq!(hard.diagnostic, "550 5.1.1 no such user");
    assert_eq!(hard.message_id, "<1@openhpi.de>");
    assert_eq!(hard.source, "queue bouncedemails");
    assert_eq!(hard.at, bench.now);
}

#[test]
fn wildcards_and_quotes_in_a_search_are_ordinary_characters() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for address in [
        "a_b@example.com",
        "axb@example.com",
        "a%b@example.com",
        "o'brien@example.com",
    ] {
        bench.bounce(&ledger, address, Reason::MailboxFull);
    }
    let found = |part: &str| -> Vec<String> {
        let known = ledger.known(part, 100).expect("the lookup");
        known
            .counters
            .into_iter()
            .map(|counter| counter.address)
            .collect()
    };
    assert_eq!(found("a_b"), ["a_b@example.com"]);
    assert_eq!(found("%"), ["a%b@example.com"]);
    assert_eq!(found("O'B"), ["o'brien@example.com"]);
    assert_eq!(found("' OR 1=1 --"), [""; 0]);
    assert_eq!(found("*"), [""; 0]);
}

#[test]
fn hostile_texts_are_stored_bounded() {
    let bench = Bench::new();
    let ledger = bench.open();
    let mut hostile = entry(b"x", "dead@example.com", Reason::UserUnknown, Repeat::No);
    let evil = "'); DROP TABLE bounces; --\0\u{1b}[2Jä".repeat(10_000);
    let report = hostile.report.as_mut().expect("a report");
    report.original.message_id = Some(evil.clone());
    if let Decision::Act { rulings, .. } = &mut hostile.decision {
        let mut finding = Finding::clone(rulings[0].finding.as_ref().expect("a finding"));
        finding.recipient.diagnostic = Some(evil.as_str().into());
        rulings[0].finding = Some(Arc::new(finding));
        rulings[0].why.clone_from(&evil);
    }
    bench.record(&ledger, &[hostile]);
    let bounce = ledger
        .known("dead@", 10)
        .expect("the lookup")
        .bounces
        .remove(0);
    for text in [&bounce.diagnostic, &bounce.evidence, &bounce.message_id] {
        assert!((490..=500).contains(&text.len()), "{} bytes", text.len());
        let kept = text.strip_suffix('…').expect("marked as cut");
        assert!(evil.starts_with(kept));
    }
}

#[test]
fn history_and_delivered_suspensions_go_after_their_time_and_duties_stay() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let settle = |id, settlement: Settlement, now| {
        ledger
            .settle(&[(SuspensionId(id), settlement)], now)
            .expect("settled");
    };
    for address in [
        "delivered@example.com",
        "failed@example.com",
        "pending@example.com",
    ] {
        bench.bounce(&ledger, address, Reason::UserUnknown);
    }
    settle(
        1,
        Settlement::Delivered {
            status: 200,
            answer: String::new(),
        },
        bench.now,
    );
    settle(
        2,
        Settlement::Failed {
            status: Some(403),
            answer: String::new(),
        },
        bench.now,
    );
    bench.now += 89 * DAY;
    bench.bounce(&ledger, "later@example.com", Reason::MailboxFull);
    assert_eq!(count(&bench, "SELECT count(*) FROM bounces"), 4);
    bench.now += 2 * DAY;
    bench.bounce(&ledger, "later@example.com", Reason::MailboxFull);
    assert_eq!(count(&bench, "SELECT count(*) FROM bounces"), 2);
    assert_eq!(
        count(
            &bench,
            "SELECT count(*) FROM suspensions WHERE state = 'delivered'"
        ),
        0
    );
    assert_eq!(count(&bench, "SELECT count(*) FROM suspensions"), 2);
    assert_eq!(count(&bench, "SELECT count(*) FROM permanent_bounces"), 3);
}

#[test]
fn a_mail_in_quarantine_is_shown_as_it_came() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let raw = b"From: a@example.com\r\nSubject: \xff\x00 odd\r\n\r\nbody";
    let stray = bench.stray(Unhandled::UnknownPlatform("x@example.org".to_owned()), raw);
    let Outcome::Quarantined(id) = bench.record(&ledger, &[stray]).remove(0).outcome else {
        panic!("not in quarantine");
    };
    let (mail, shown) = ledger
        .quarantined_mail(id)
        .expect("the lookup")
        .expect("the mail");
    assert_eq!(shown, raw);
    assert_eq!(
        mail.why,
        "no configured platform: it came back to x@example.org"
    );
    assert_eq!(mail.source, "queue bouncedemails");
    assert_eq!(ledger.quarantined(), Ok(vec![mail]));
    assert_eq!(ledger.delete_quarantined(id), Ok(true));
    assert_eq!(ledger.delete_quarantined(id), Ok(false));
    assert_eq!(ledger.quarantined_mail(id), Ok(None));
}

#[test]
fn a_requeued_mail_leaves_the_quarantine_in_the_commit_that_records_it() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let stray = bench.stray(Unhandled::Unreadable, b"odd");
    bench.record(&ledger, &[stray]);
    let mut again = bench.entry("dead@example.com", Reason::UserUnknown);
    again.mail = Mail::new(Source::Quarantine(1), again.mail.raw().to_vec());
    bench.record(&ledger, &[again]);
    assert_eq!(ledger.quarantined(), Ok(Vec::new()));
    assert_eq!(due(&ledger, PLATFORM, bench.now, 10).expect("due").len(), 1);
}

#[test]
fn the_quarantine_is_capped_by_count_size_and_age_and_the_oldest_goes_first() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let put = |bench: &mut Bench, number: u32| -> Vec<i64> {
        // Random bytes do not compress.
        let mut seed = u64::from(number) + 1;
        let raw: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        })
        .take(10_000)
        .collect();
        let stray = bench.stray(Unhandled::Unreadable, &raw);
        bench.record(&ledger, &[stray]);
        let left = ledger.quarantined().expect("the lookup");
        left.iter().map(|mail| mail.id).collect()
    };
    bench.handler.quarantine_max_count = 3;
    for number in 1..=4 {
        put(&mut bench, number);
    }
    assert_eq!(put(&mut bench, 5), [3, 4, 5]);
    bench.handler.quarantine_max_size = ByteSize::kb(25);
    assert_eq!(put(&mut bench, 6), [5, 6]);
    assert_eq!(ledger.delete_quarantined(5), Ok(true));
    bench.now += 91 * DAY;
    assert_eq!(put(&mut bench, 7), [7]);
    let total = "SELECT mails FROM quarantine_total";
    assert_eq!(count(&bench, total), 1);
}

#[test]
fn a_mail_beyond_what_is_read_is_kept_as_far_as_it_is_read() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let raw = vec![b'x'; 9 * 1024 * 1024];
    let stray = bench.stray(Unhandled::Unreadable, &raw);
    bench.record(&ledger, &[stray]);
    let (_, kept) = ledger
        .quarantined_mail(1)
        .expect("the lookup")
        .expect("the mail");
    assert_eq!(kept.len(), bouncedemails::report::limits::MAX_READ);
}

#[test]
fn failed_suspensions_are_retried_by_hand_one_for_each_address_and_platform() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let failed = || Settlement::Failed {
        status: Some(403),
        answer: "no".to_owned(),
    };
    for _ in 0..2 {
        bench.bounce(&ledger, "twice@example.com", Reason::UserUnknown);
        let due = due(&ledger, PLATFORM, bench.now, 10).expect("due");
        ledger
            .settle(&[(due[0].id, failed())], bench.now)
            .expect("settled");
    }
    for address in ["once@example.com", "pending@example.com"] {
        bench.bounce(&ledger, address, Reason::UserUnknown);
    }
    ledger
        .settle(
            &[(SuspensionId(3), failed()), (SuspensionId(4), failed())],
            bench.now,
        )
        .expect("settled");
    bench.bounce(&ledger, "pending@example.com", Reason::UserUnknown);
    bench.now += 30 * DAY;
    let one = "ONCE@example.com".parse().expect("an address");
    assert_eq!(
        ledger.retry(None, &["elsewhere.example"], bench.now),
        Ok(Vec::new())
    );
    assert_eq!(
        ledger.retry(Some(&one), &[PLATFORM], bench.now),
        Ok(vec![SuspensionId(3)])
    );
    assert_eq!(
        ledger.retry(None, &[PLATFORM], bench.now),
        Ok(vec![SuspensionId(2)])
    );
    let due = due(&ledger, PLATFORM, bench.now, 10).expect("due");
    let due: Vec<(i64, SystemTime)> = due.iter().map(|s| (s.id.0, s.created)).collect();
    assert_eq!(
        due,
        [(5, bench.now - 30 * DAY), (2, bench.now), (3, bench.now)]
    );
    assert_eq!(
        ledger.told(&[SuspensionId(2)]).expect("the lookup")[0].state,
        "pending"
    );
}

const LEASE: Duration = Duration::from_secs(120);

#[test]
fn a_suspension_by_hand_is_left_to_the_command_for_the_lease() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let address: Address = "dead@example.com".parse().expect("an address");
    let by_hand = |now| {
        ledger
            .suspend_by_hand(&address, PLATFORM, "command", (Claimant::new(), LEASE), now)
            .expect("made")
    };
    let ByHand::Claimed(first) = by_hand(bench.now) else {
        panic!("nobody else claims it");
    };
    assert_eq!(due(&ledger, PLATFORM, bench.now, 10), Ok(Vec::new()));
    assert_eq!(by_hand(bench.now), ByHand::Elsewhere(first.id));
    bench.now += LEASE;
    assert_eq!(
        by_hand(bench.now),
        ByHand::Claimed(Suspension {
            created: bench.now,
            ..first.clone()
        })
    );
    bench.now += LEASE;
    assert_eq!(
        due(&ledger, PLATFORM, bench.now, 10).expect("due")[0].id,
        first.id
    );
    let known = ledger.known("dead@", 10).expect("the lookup");
    assert_eq!(known.permanent.len(), 3);
    assert_eq!(known.bounces[0].source, "command");
}

#[test]
fn resetting_clears_the_counters_of_one_address() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    for _ in 0..2 {
        bench.bounce(&ledger, "Full@example.com", Reason::MailboxFull);
    }
    bench.bounce(&ledger, "other@example.com", Reason::MailboxFull);
    let full = "full@EXAMPLE.com".parse().expect("an address");
    assert_eq!(
        ledger.reset(&full, Some("elsewhere.example")),
        Ok(Vec::new())
    );
    let cleared = ledger.reset(&full, None).expect("reset");
    assert_eq!(
        (cleared[0].platform.as_str(), cleared[0].counter),
        (PLATFORM, 2)
    );
    assert_eq!(count(&bench, "SELECT count(*) FROM temporary_bounces"), 1);
}

#[test]
fn a_suspension_that_someone_wrote_by_hand_wrongly_holds_up_no_other() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    bench
        .sql()
        .execute(
            "INSERT INTO suspensions (bounced_address, address_key, domain, created, due, type, reason)
             VALUES ('no address', 'no address', ?, 0, 0, 'hard', 'userunknown')",
            [PLATFORM],
        )
        .expect("inserted");
    bench.bounce(&ledger, "dead@example.com", Reason::UserUnknown);
    let due = due(&ledger, PLATFORM, bench.now, 10).expect("due");
    assert_eq!(due.len(), 1);
    assert_eq!(
        ledger.told(&[SuspensionId(1)]).expect("the lookup")[0].state,
        "failed"
    );
}
