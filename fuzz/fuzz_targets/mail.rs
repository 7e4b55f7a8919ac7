//! Any bytes as a mail: it is read without a panic and in proportion to its size, and what is said of it keeps its promises.

#![no_main]

#[path = "../cost.rs"]
mod cost;

use bouncedemails::cli::verdict::Verdict;
use bouncedemails::diagnosis::Rules;
use bouncedemails::report::{self, Kind, limits::MAX_RECIPIENTS};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    report::prepare();
    Rules::builtin()
});

fuzz_target!(|raw: &[u8]| {
    let rules = &*RULES;
    let verdict = cost::bounded(raw.len(), || Verdict::of(raw, rules));
    let report = &verdict.report;
    assert!(report.kind == Kind::Bounce || report.recipients.is_empty());
    assert!(report.kind == Kind::Feedback || report.complainants.is_empty());
    assert!(report.recipients.len() <= MAX_RECIPIENTS);
    let line = verdict.json_line("fuzz").expect("a verdict has a JSON form");
    let line = line.strip_suffix('\n').expect("a line has an end");
    assert!(!line.contains(char::is_control));
});
