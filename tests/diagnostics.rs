//! What words mean: every line of `diagnostics.txt` gets the reason that stands in front of it.

use bouncedemails::diagnosis::{BounceType, Rules, diagnose};
use bouncedemails::report::Recipient;
use bouncedemails::smtp_reply;

/// A recipient of whom no more is known than one diagnostic, and who said it.
fn recipient(receiver: &str, diagnostic: &str) -> Recipient {
    let diagnostic = smtp_reply::one_line(diagnostic);
    Recipient {
        status: smtp_reply::status(&diagnostic),
        reply_code: smtp_reply::reply_code(&diagnostic),
        command: smtp_reply::command(&diagnostic),
        diagnostic: Some(diagnostic.into()),
        remote_mta: (receiver != "-").then(|| receiver.into()),
        ..Recipient::new("a@example.com".parse().unwrap(), "Diagnostic-Code")
    }
}

#[test]
fn every_diagnostic_has_its_reason() {
    let rules = Rules::builtin();
    let mut wrong = Vec::new();
    for line in include_str!("diagnostics.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut parts = line.splitn(3, ' ');
        let mut next = || parts.next().expect("a line is: reason receiver words");
        let (reason, receiver, words) = (next(), next(), next());
        let found = diagnose(&recipient(receiver, words), &rules);
        if found.reason.word() != reason {
            wrong.push(format!(
                "{line}\n    is {}: {}",
                found.reason, found.evidence
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} lines:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The reply prevails over the Status field; codes that contradict each other are believed only where words are known.
#[test]
fn one_precedence_of_codes() {
    use BounceType::{Hard, Soft};
    let rules = Rules::builtin();
    for (field, diagnostic, bounce_type, shown) in [
        ("5.1.1", "550 5.1.1 zorgle blat", Hard, "5.1.1"),
        ("5.0.0", "550 5.1.1 zorgle blat", Hard, "5.1.1"),
        ("5.1.1", "550 5.0.0 zorgle blat", Hard, "5.1.1"),
        ("5.1.0", "550 5.1.1 zorgle blat", Hard, "5.1.1"),
        ("5.7.1", "550 5.1.1 zorgle blat", Soft, "5.1.1"),
        ("5.1.1", "550 5.7.1 zorgle blat", Soft, "5.7.1"),
        ("5.1.1", "550 5.2.1 zorgle blat", Soft, "5.2.1"),
        ("5.1.1", "450 zorgle blat", Soft, "5.1.1"),
        ("4.4.7", "550 5.1.1 zorgle blat", Soft, "5.1.1"),
        ("5.7.1", "550 5.1.1 no such user", Hard, "5.1.1"),
    ] {
        let mut recipient = recipient("-", diagnostic);
        recipient.status = field.parse().ok();
        let found = diagnose(&recipient, &rules);
        let said = (found.bounce_type, found.status);
        assert_eq!(
            said,
            (bounce_type, shown.parse().ok()),
            "{field}: {diagnostic}: {found:?}"
        );
    }
}

#[test]
fn cut_and_damaged_diagnostics_are_survived() {
    let rules = Rules::builtin();
    for (number, line) in include_str!("diagnostics.txt").lines().enumerate() {
        let cut = line.floor_char_boundary(number * 7 % line.len().max(1));
        let (front, end) = line.split_at(cut);
        for words in [front, end, &format!("{front}\0ｘ\u{202e}@<{end}")] {
            let found = diagnose(&recipient("-", words), &rules);
            assert!(found.evidence.ends_with("in Diagnostic-Code"));
        }
    }
}

/// Anything quadratic would take minutes here.
#[test]
fn long_texts_take_linear_time() {
    let rules = Rules::builtin();
    for part in [
        "550-5.1.1 ",
        "5.1.1.",
        "@",
        "<@>",
        " ",
        "5",
        "550 550-",
        "user unknown ",
        "after RCPT ",
        "ｘ",
        "\n550 ",
    ] {
        let words = part.repeat(500_000 / part.len());
        diagnose(&recipient(&words, &words), &rules);
    }
}
