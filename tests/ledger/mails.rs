//! Every mail leaves a row, so that "what came today, and what was done about it" can be asked.

use super::*;
use bouncedemails::ledger::MailRow;
use bouncedemails::report::Kind;

/// A mail of which nothing but a note is kept.
fn ignored(kind: Kind, raw: &str, repeat: Repeat) -> Entry {
    let mail = mail(raw.as_bytes(), repeat);
    let mut report = report::parse(raw.as_bytes());
    report.kind = kind;
    Entry {
        mail,
        report: Some(report),
        decision: Decision::Ignore {
            platform: Some(PLATFORM.to_owned()),
            why: format!("{kind}: header 'Auto-Submitted'"),
        },
    }
}

fn summary(rows: &[MailRow]) -> Vec<(&str, &str)> {
    rows.iter()
        .map(|row| (row.kind.as_str(), row.decision.as_str()))
        .collect()
}

#[test]
fn a_bounce_behind_a_forward_is_found_by_both_addresses() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let mut entry = bench.entry("list@example.com", Reason::UserUnknown);
    let Decision::Act { rulings, .. } = &mut entry.decision else {
        panic!("nothing is done");
    };
    let mut finding = Finding::clone(rulings[0].finding.as_ref().expect("a finding"));
    finding.recipient.final_recipient = Some("Member@example.net".parse().expect("an address"));
    rulings[0].finding = Some(Arc::new(finding));
    bench.record(&ledger, &[entry]);
    for part in ["LIST@", "MEMBER@"] {
        let known = ledger.known(part, 10).expect("the lookup");
        let [bounce] = known.bounces.as_slice() else {
            panic!("{part}: {known:?}");
        };
        let both = (bounce.address.as_str(), bounce.final_recipient.as_str());
        assert_eq!(both, ("list@example.com", "Member@example.net"));
    }
}

#[test]
fn whatever_came_is_found_with_what_was_decided_and_why() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let begin = bench.now;
    let mut bounce = bench.entry("dead@example.com", Reason::UserUnknown);
    bounce.report.as_mut().expect("a report").kind = Kind::Bounce;
    bench.record(&ledger, &[bounce]);
    bench.now += DAY;
    let head = "From: Anna <anna@example.com>\nSubject: gone fishing\nMessage-ID: <7@example.com>\n\nback soon\n";
    for kind in [
        Kind::AutoReply,
        Kind::Feedback,
        Kind::DeliveryNotice,
        Kind::None,
    ] {
        bench.record(&ledger, &[ignored(kind, head, Repeat::No)]);
    }
    let stray = bench.stray(Unhandled::Unreadable, b"odd");
    bench.record(&ledger, &[stray]);
    let mut poison = bench.stray(
        Unhandled::Poison("it ended the process twice".to_owned()),
        b"evil",
    );
    poison.report = None;
    bench.record(&ledger, &[poison]);

    let today = ledger.mails(bench.now, 100).expect("the lookup");
    assert_eq!(
        summary(&today),
        [
            ("unread", "quarantine"),
            ("none", "quarantine"),
            ("none", "ignore"),
            ("delivery-notice", "ignore"),
            ("feedback", "ignore"),
            ("auto-reply", "ignore"),
        ]
    );
    let vacation = &today[5];
    assert_eq!(vacation.from, "anna@example.com (Anna)");
    assert_eq!(vacation.subject, "gone fishing");
    assert_eq!(vacation.message_id, "<7@example.com>");
    assert_eq!(vacation.platform, PLATFORM);
    assert_eq!(vacation.source, "queue bouncedemails");
    assert_eq!(vacation.evidence, "auto-reply: header 'Auto-Submitted'");
    assert_eq!(vacation.at, bench.now);
    assert_eq!(today[0].evidence, "unparsed: it ended the process twice");
    assert_eq!(ledger.mails(bench.now, 2).expect("the lookup"), today[..2]);

    let all = ledger.mails(begin, 100).expect("the lookup");
    assert_eq!(summary(&all[6..]), [("bounce", "act")]);
    let decided = ledger.bounces_of(all[6].id).expect("the lookup");
    assert_eq!(decided.len(), 1);
    assert_eq!(decided[0].address, "dead@example.com");
    assert_eq!(ledger.bounces_of(vacation.id), Ok(Vec::new()));
}

#[test]
fn a_repeat_of_a_recorded_mail_is_no_other_mail() {
    let bench = Bench::new();
    let ledger = bench.open();
    bench.record(&ledger, &[ignored(Kind::AutoReply, "A", Repeat::No)]);
    for _ in 0..3 {
        let again = bench.record(&ledger, &[ignored(Kind::AutoReply, "A", Repeat::Possible)]);
        assert_eq!(again[0].outcome, Outcome::Duplicate);
    }
    assert_eq!(ledger.mails(bench.now, 100).expect("the lookup").len(), 1);
}

#[test]
fn the_row_of_a_mail_in_quarantine_is_known_there_and_another_comes_when_it_is_requeued() {
    let mut bench = Bench::new();
    let ledger = bench.open();
    let stray = bench.stray(Unhandled::Unreadable, b"odd");
    bench.record(&ledger, &[stray]);
    assert_eq!(count(&bench, "SELECT mail FROM quarantine"), 1);
    let mut again = bench.entry("dead@example.com", Reason::UserUnknown);
    again.mail = Mail::new(Source::Quarantine(1), again.mail.raw().to_vec());
    bench.record(&ledger, &[again]);
    let rows = ledger.mails(bench.now, 100).expect("the lookup");
    let sources: Vec<&str> = rows.iter().map(|row| row.source.as_str()).collect();
    assert_eq!(sources, ["quarantine, number 1", "queue bouncedemails"]);
}

#[test]
fn the_texts_of_a_mail_are_stored_bounded() {
    let bench = Bench::new();
    let ledger = bench.open();
    let evil = "ä".repeat(30_000);
    let mut entry = ignored(Kind::None, "Subject: x\n\n", Repeat::No);
    let envelope = &mut entry.report.as_mut().expect("a report").envelope;
    envelope.from = Some(evil.clone());
    envelope.subject = Some(evil.clone());
    envelope.message_id = Some(evil.clone());
    entry.mail = Mail::new(Source::File(evil.clone()), entry.mail.raw().to_vec());
    entry.decision = Decision::Ignore {
        platform: None,
        why: evil,
    };
    bench.record(&ledger, &[entry]);
    let row = ledger.mails(bench.now, 1).expect("the lookup").remove(0);
    for text in [
        &row.from,
        &row.subject,
        &row.message_id,
        &row.source,
        &row.evidence,
    ] {
        assert!((490..=502).contains(&text.len()), "{} bytes", text.len());
        assert!(text.trim_end_matches('>').ends_with('…'), "{text}");
    }
}
