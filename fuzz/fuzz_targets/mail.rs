//! Any bytes as a mail: it is read without a panic and in proportion to its size, and what is said of it keeps its promises.

#![no_main]

#[path = "../cost.rs"]
mod cost;

use bouncedemails::policy::{Known, Policy};
use bouncedemails::report::{self, Kind, limits::MAX_RECIPIENTS};
use bouncedemails::verdict::{Knowledge, Verdict};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KNOWLEDGE: LazyLock<Knowledge> = LazyLock::new(|| {
    report::prepare();
    Knowledge::builtin()
});

fuzz_target!(|raw: &[u8]| {
    let (knowledge, policy) = (&*KNOWLEDGE, Policy::default());
    let verdict = cost::bounded(raw.len(), || {
        Verdict::of(raw, Known::default(), knowledge, &policy)
    });
    let report = &verdict.report;
    assert!(report.kind == Kind::Bounce || verdict.findings.is_empty());
    assert!(report.kind == Kind::Feedback || report.complainants.is_empty());
    assert!(verdict.findings.len() <= MAX_RECIPIENTS);
    let line = verdict.json_line("fuzz", Some(&policy)).expect("a verdict has a JSON form");
    let line = line.strip_suffix('\n').expect("a line has an end");
    assert!(!line.contains(char::is_control));
});
