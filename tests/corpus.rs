//! Labelled mails and replies of real receivers beside the project (`../shared`), scored as the tools there do. Without that folder
//! the tests say so and pass: its mails are not ours to ship.

use bouncedemails::address::Address;
use bouncedemails::diagnosis::BounceType;
use bouncedemails::policy::{Known, Policy};
use bouncedemails::verdict::{Knowledge, Verdict};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What must be said of one mail.
#[derive(Deserialize)]
struct Label {
    file: String,
    /// Any of these.
    kind: Vec<String>,
    /// These addresses, and no others
    recipients: Vec<Expected>,
    /// but these, which may be named or not.
    may: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    address: String,
    /// Any of these; `delayed` counts as soft.
    r#type: Vec<String>,
    /// Any of these; empty where no label says it.
    reason: Vec<String>,
}

/// Hits of a number of chances.
#[derive(Default, Clone, Copy)]
struct Figure {
    hits: usize,
    of: usize,
}

impl Figure {
    fn add(&mut self, hit: bool) {
        self.hits += usize::from(hit);
        self.of += 1;
    }

    fn percent(self) -> f64 {
        100.0 * self.hits as f64 / self.of.max(1) as f64
    }
}

#[derive(Default)]
struct Score {
    kind: Figure,
    recipients: Figure,
    hard_soft: Figure,
    reason: Figure,
    wrongly_hard: usize,
    misses: Vec<String>,
}

/// Type and reason by lower-case address.
type Got = BTreeMap<String, (&'static str, &'static str)>;

impl Score {
    fn add(&mut self, label: &Label, kind: &str, got: &Got) {
        let mut miss = |what: String| self.misses.push(format!("{}: {what}", label.file));
        let kind_is_right = label.kind.iter().any(|k| k == kind);
        self.kind.add(kind_is_right);
        if !kind_is_right {
            miss(format!("kind {kind}, expected {:?}", label.kind));
        }
        let must: BTreeSet<&str> = label
            .recipients
            .iter()
            .map(|e| e.address.as_str())
            .collect();
        let may: BTreeSet<&str> = label.may.iter().map(|e| e.address.as_str()).collect();
        if !must.is_empty() {
            let found: BTreeSet<&str> = got.keys().map(String::as_str).collect();
            let exact =
                must.is_subset(&found) && found.iter().all(|a| must.contains(a) || may.contains(a));
            self.recipients.add(exact);
            if !exact {
                miss(format!("named {found:?}, expected {must:?}"));
            }
        }
        for expected in &label.recipients {
            let (bounce_type, reason) = got.get(&expected.address).copied().unwrap_or_default();
            let type_is_right = expected.r#type.iter().any(|t| t == bounce_type);
            self.hard_soft.add(type_is_right);
            let reason_is_right = expected.reason.iter().any(|r| r == reason);
            if !expected.reason.is_empty() {
                self.reason.add(reason_is_right);
            }
            if !type_is_right || !(reason_is_right || expected.reason.is_empty()) {
                let Expected {
                    address,
                    r#type,
                    reason: reasons,
                } = expected;
                miss(format!(
                    "{address}: {bounce_type} {reason}, expected {type:?} {reasons:?}"
                ));
            }
        }
        for (address, (bounce_type, _)) in got {
            let accepted = label
                .recipients
                .iter()
                .chain(&label.may)
                .find(|e| e.address == *address);
            let may_be_hard = accepted.is_some_and(|e| e.r#type.iter().any(|t| t == "hard"));
            if *bounce_type == "hard" && !may_be_hard {
                self.wrongly_hard += 1;
                miss(format!("{address}: WRONGLY HARD"));
            }
        }
    }
}

/// The labels name who failed in the end; where that is another than the mailed address, which is judged (DESIGN 5), they
/// mean the same.
fn got(verdict: &Verdict, label: &Label) -> Got {
    let is_labelled = |address: &&Address| {
        let labels = || label.recipients.iter().chain(&label.may);
        labels().any(|expected| expected.address == address.key())
    };
    verdict
        .findings
        .iter()
        .map(|finding| {
            let recipient = &finding.recipient;
            let end = recipient.final_recipient.as_ref().filter(is_labelled);
            let named = end.unwrap_or(&recipient.address);
            let diagnosis = &finding.diagnosis;
            let bounce_type = match diagnosis.bounce_type {
                BounceType::Delayed => BounceType::Soft,
                other => other,
            };
            let said = (bounce_type.word(), diagnosis.reason.word());
            (named.key(), said)
        })
        .collect()
}

/// The least that must be right of labelled mails, in percent.
struct Least {
    kind: f64,
    recipients: f64,
    hard_soft: f64,
    reason: f64,
}

#[test]
fn the_corpus_is_read_as_labelled() {
    let least = Least {
        kind: 99.5,
        recipients: 99.5,
        hard_soft: 99.0,
        reason: 97.0,
    };
    are_read_as_labelled("corpus", "corpus", &least);
}

#[test]
fn what_people_reported_is_read_as_labelled() {
    let least = Least {
        kind: 98.0,
        recipients: 98.0,
        hard_soft: 96.0,
        reason: 96.0,
    };
    are_read_as_labelled("truth/reports", "truth", &least);
}

/// The mails that `golden.jsonl` in a folder labels; their names are relative to `root`. Nobody may be wrongly hard.
fn are_read_as_labelled(folder: &str, root: &str, least: &Least) {
    let (Some(labels), Some(root)) = (shared(&format!("{folder}/golden.jsonl")), shared(root))
    else {
        return;
    };
    let labels: Vec<Label> = fs::read_to_string(labels)
        .expect("the labels")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a label"))
        .collect();
    let (knowledge, policy) = (Knowledge::builtin(), Policy::default());
    let verdicts: Vec<Verdict> = labels
        .par_iter()
        .map(|label| {
            let raw = fs::read(root.join(&label.file)).expect(&label.file);
            Verdict::of(&raw, Known::default(), &knowledge, &policy)
        })
        .collect();
    let mut score = Score::default();
    for (label, verdict) in labels.iter().zip(&verdicts) {
        score.add(
            label,
            &verdict.report.kind.to_string(),
            &got(verdict, label),
        );
    }
    let mut too_low = Vec::new();
    for (name, figure, least) in [
        ("kind", score.kind, least.kind),
        ("recipients", score.recipients, least.recipients),
        ("hard/soft", score.hard_soft, least.hard_soft),
        ("reason", score.reason, least.reason),
    ] {
        let percent = figure.percent();
        println!(
            "{name:<13} {:>5} of {:<5} {percent:6.2} %",
            figure.hits, figure.of
        );
        if percent < least {
            too_low.push(format!("{name} is {percent:.2} %, not {least} %"));
        }
    }
    println!("wrongly hard  {:>5}", score.wrongly_hard);
    if score.wrongly_hard > 0 {
        too_low.push(format!("{} wrongly hard", score.wrongly_hard));
    }
    let misses = score.misses.join("\n");
    assert!(too_low.is_empty(), "{too_low:?}:\n{misses}");
}

/// A file or folder beside the project; where it is missing, the test says so and passes.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(path);
    let found = path.exists().then(|| path.clone());
    if found.is_none() {
        println!("skipped: there is no {}", path.display());
    }
    found
}

/// Replies of real receivers, as `../shared/tools/score-replies` makes bounces of them.
#[test]
fn replies_of_real_receivers_are_read_as_meant() {
    let (Some(replies), Some(tool)) = (shared("truth/replies.tsv"), shared("tools/score-replies"))
    else {
        return;
    };
    let run = Command::new(tool)
        .arg(replies)
        .env("BIN", env!("CARGO_BIN_EXE_bouncedemails"))
        .output();
    let run = run.expect("the tool runs");
    let said = String::from_utf8_lossy(&run.stdout);
    let total = said
        .lines()
        .find(|line| line.starts_with("both "))
        .expect("a line of both forms");
    println!("{total}");
    let figure = |name: &str| -> f64 {
        let (_, behind) = total.split_once(name).expect(name);
        let digits = behind
            .trim_start()
            .split([' ', ','])
            .next()
            .unwrap_or_default();
        digits.parse().expect(name)
    };
    assert!(
        figure("hard/soft right") >= 99.0 && figure("reason right") >= 94.0,
        "{said}"
    );
    assert!(
        figure("wrongly hard") == 0.0 && figure("missed dead") <= 3.0,
        "{said}"
    );
    assert!(figure("wrongly counted") <= 2.0, "{said}");
}
