//! What reading a bounce costs, beside what mail-parser alone costs for the same mails.
//!
//! `cargo bench --bench report [FOLDER...]`; without folders it reads `tests/fixtures` and, where it is there, `../shared/corpus`.

use bouncedemails::diagnosis::diagnose;
use bouncedemails::policy::{Known, Policy};
use bouncedemails::report;
use bouncedemails::trust::Secret;
use bouncedemails::verdict::{Knowledge, Verdict};
use mail_parser::MessageParser;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often each mail is read.
const ROUNDS: usize = 100;

fn main() {
    let mut folders: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .map(PathBuf::from)
        .collect();
    if folders.is_empty() {
        folders = vec!["tests/fixtures".into(), "../shared/corpus".into()];
    }
    let mut mails = Vec::new();
    for folder in &folders {
        collect(folder, &mut mails);
    }
    let bytes: usize = mails.iter().map(Vec::len).sum();
    println!(
        "{} mails, mean {} bytes",
        mails.len(),
        bytes / mails.len().max(1)
    );

    // A platform that makes tokens, so that proofs are looked for in every mail.
    let mut knowledge = Knowledge::builtin();
    let secret = Secret::new("a secret of the bench").expect("it is long enough");
    knowledge
        .secrets
        .insert("openhpi.example".to_owned(), vec![secret]);
    let policy = Policy {
        platforms: ["openhpi.example"].into_iter().collect(),
        ..Policy::default()
    };
    let no_reply = ["no-reply@openhpi.example".parse().expect("an address")];
    let known = Known {
        envelope_recipients: &no_reply,
        ..Known::default()
    };
    let parser = MessageParser::default();
    let whole = best(&mails, |mail| {
        black_box(parser.parse(mail));
    });
    let read = best(&mails, |mail| {
        black_box(report::parse(mail));
    });
    let diagnosed = best(&mails, |mail| {
        let report = report::parse(mail);
        for recipient in &report.recipients {
            black_box(diagnose(recipient, &knowledge.rules));
        }
    });
    let judged = best(&mails, |mail| {
        black_box(Verdict::of(mail, known, &knowledge, &policy));
    });
    for (name, time) in [
        ("mail-parser", whole),
        ("report::parse", read),
        ("and diagnosis", diagnosed),
        ("the verdict", judged),
    ] {
        let each = time.as_secs_f64() / mails.len().max(1) as f64;
        println!(
            "{name:<15} {:>8.1} µs a mail  {:>5.2} x mail-parser",
            each * 1e6,
            time.as_secs_f64() / whole.as_secs_f64()
        );
    }
}

/// The sum of each mail's quickest round: what else runs on the machine disturbs few of them.
fn best(mails: &[Vec<u8>], read: impl Fn(&[u8])) -> Duration {
    let quickest = |mail: &Vec<u8>| {
        let round = || {
            let start = Instant::now();
            read(mail);
            start.elapsed()
        };
        (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
    };
    mails.iter().map(quickest).sum()
}

/// Every mail below a folder.
fn collect(folder: &Path, mails: &mut Vec<Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_mail = path
            .extension()
            .is_some_and(|ext| ext == "eml" || ext == "txt");
        if path.is_dir() {
            collect(&path, mails);
        } else if is_mail {
            mails.extend(std::fs::read(&path));
        }
    }
}
