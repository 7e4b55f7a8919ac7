//! Any text as what was said of a recipient: a reason is found without a panic, and hard is only what may be hard.

#![no_main]

use bouncedemails::diagnosis::{BounceType, Fault, Rules, diagnose};
use bouncedemails::report::{Action, Recipient};
use bouncedemails::smtp_reply;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::builtin);

fuzz_target!(|text: &str| {
    // The first line is taken for the names of the servers.
    let (servers, words) = text.split_once('\n').unwrap_or(("", text));
    let (reporting, remote) = servers.split_once(' ').unwrap_or((servers, ""));
    let recipient = Recipient {
        status: smtp_reply::status(words),
        reply_code: smtp_reply::reply_code(words),
        command: smtp_reply::command(words),
        diagnostic: Some(smtp_reply::one_line(words).into()),
        reporting_mta: Some(reporting.into()),
        remote_mta: Some(remote.into()),
        ..Recipient::new("user@example.org".parse().expect("an address"), "fuzz")
    };
    let diagnosis = diagnose(&recipient, &RULES);
    assert!(!diagnosis.evidence.is_empty());
    assert!(diagnosis.bounce_type != BounceType::Hard || diagnosis.fault() == Fault::Recipient);
    let delayed = Recipient {
        action: Action::Delayed,
        ..recipient
    };
    assert_eq!(diagnose(&delayed, &RULES).bounce_type, BounceType::Delayed);
});
