//! Mails that are made to cost time or memory end in bounded time and memory, and what could be read of them is still said.
//!
//! The real binary reads them; its memory is what the system says it had at most (VmHWM).

mod growth;
mod places;
#[path = "../support/mod.rs"]
mod support;
mod trust;

use bouncedemails::report::{self, Limit, limits::MAX_RECIPIENTS};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Generous: it holds for a debug build on a busy machine.
const MOST_TIME: Duration = Duration::from_secs(30);
/// Beside the mail itself, in kB.
const MOST_MEMORY: u64 = 128 * 1024;

const HEAD: &str = "From: MAILER-DAEMON@mail.example.org\nTo: no-reply@mydomain.de\n\
    Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n";
const REPORT: &str = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
    --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.org\n";
const RECIPIENT: &str =
    "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n";

struct Outcome {
    json: Value,
    people: String,
}

/// Lets the program classify a mail, and holds it to the bounds.
fn classify(name: &str, mail: &[u8]) -> Outcome {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("mail.eml");
    fs::write(&file, mail).expect("a file");
    let mut outputs = Vec::new();
    for form in [Some("--json"), None] {
        let started = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bouncedemails"))
            .arg("classify")
            .args(form)
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut out = child.stdout.take().expect("its output");
        let reader = thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).map(|_| text)
        });
        let mut memory = 0;
        let status = loop {
            memory = peak_memory(child.id()).unwrap_or(memory);
            if let Some(status) = child.try_wait().expect("its status") {
                break status;
            }
            thread::yield_now();
        };
        let time = started.elapsed();
        let mail_size = mail.len() as u64 / 1024;
        println!("{name}: {time:?}, {memory} kB with a mail of {mail_size} kB");
        assert!(status.success(), "{name}: {status}");
        assert!(time < MOST_TIME, "{name}: took {time:?}");
        assert!(
            memory > 0 && memory < MOST_MEMORY + mail_size,
            "{name}: {memory} kB"
        );
        outputs.push(reader.join().expect("a reader").expect("UTF-8"));
    }
    Outcome {
        json: serde_json::from_str(&outputs[0]).expect("one JSON object"),
        people: outputs.remove(1),
    }
}

/// In kB; none when the process has ended.
fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn addresses(json: &Value) -> Vec<&str> {
    let recipients = json["recipients"].as_array().expect("a list");
    recipients
        .iter()
        .map(|recipient| recipient["address"].as_str().expect("an address"))
        .collect()
}

#[test]
fn fifty_megabytes_of_text() {
    let line = "A line of a returned mail that goes on and on with bob@example.org in it.\n";
    let mail = format!(
        "{HEAD}{REPORT}\nFinal-Recipient: rfc822; anna@example.org\n{RECIPIENT}\n\
         --b\nContent-Type: message/rfc822\n\nSubject: big\n\n{}",
        line.repeat(50 * 1024 * 1024 / line.len())
    );
    let outcome = classify("50 MB", mail.as_bytes());
    assert_eq!(addresses(&outcome.json), ["anna@example.org"]);
    assert!(outcome.people.contains("the mail is too large"));
}

#[test]
fn fifty_megabytes_without_a_line_end() {
    let mail = format!(
        "{HEAD}\n{}",
        "bob@example.org,".repeat(50 * 1024 * 1024 / 16)
    );
    let outcome = classify("50 MB in a line", mail.as_bytes());
    assert!(addresses(&outcome.json).is_empty());
}

#[test]
fn ten_thousand_nested_parts() {
    let mut mail = format!("{HEAD}Content-Type: multipart/mixed; boundary=b0\n\n");
    for depth in 0..10_000 {
        mail += &format!(
            "--b{depth}\nContent-Type: multipart/mixed; boundary=b{}\n\n",
            depth + 1
        );
    }
    let outcome = classify("nested multipart", mail.as_bytes());
    assert!(addresses(&outcome.json).is_empty());
    assert!(
        outcome
            .people
            .contains("too many or too deeply nested parts")
    );
}

#[test]
fn ten_thousand_nested_mails() {
    let nested = "Content-Type: message/rfc822\n\n".repeat(10_000);
    let outcome = classify("nested mails", format!("{HEAD}{nested}").as_bytes());
    assert!(addresses(&outcome.json).is_empty());
}

#[test]
fn a_hundred_thousand_parts_before_the_report() {
    let mail = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=b\n\n{}",
        "--b\nContent-Type: text/plain\n\nbob@example.org\n".repeat(100_000)
    );
    let outcome = classify("sibling parts", mail.as_bytes());
    assert!(
        outcome
            .people
            .contains("too many or too deeply nested parts")
    );
}

#[test]
fn a_hundred_thousand_recipients() {
    let mut mail = format!("{HEAD}{REPORT}");
    for number in 0..100_000 {
        mail += &format!("\nFinal-Recipient: rfc822; user{number}@example.org\n{RECIPIENT}");
    }
    let outcome = classify("100,000 recipients", mail.as_bytes());
    let found = addresses(&outcome.json);
    assert_eq!(found.len(), MAX_RECIPIENTS);
    assert_eq!(found[0], "user0@example.org");
    assert!(outcome.people.contains("too many recipients"));
}

#[test]
fn ten_megabytes_of_header() {
    let size = 10 * 1024 * 1024;
    let one_field = format!("X-Long: {}\n", "a b ".repeat(size / 4));
    let folded_field = format!("X-Folded:{}\n", "\n bob@example.org,".repeat(size / 18));
    let many_fields = "X-Field: bob@example.org\n".repeat(size / 25);
    let addresses_in_to = format!("To: {}\n", "bob@example.org, ".repeat(size / 17));
    let encoded_words = format!("Subject: {}\n", "=?utf-8?q?a?= ".repeat(size / 14));
    for (name, header) in [
        ("one field", one_field),
        ("a folded field", folded_field),
        ("many fields", many_fields),
        ("many addresses", addresses_in_to),
        ("many encoded words", encoded_words),
    ] {
        let mail = format!("{HEAD}{header}\nbody\n");
        let outcome = classify(name, mail.as_bytes());
        assert!(addresses(&outcome.json).is_empty(), "{name}");
        // One that has no line end within what is read of a mail is left out with all of its line.
        let said = ["too long a header", "the mail is too large"];
        assert!(
            said.iter().any(|limit| outcome.people.contains(limit)),
            "{name}"
        );
    }
}

/// What one mail says once must not be kept once for each recipient that it names.
#[test]
fn what_is_said_of_many_is_kept_once() {
    let long = "mx.example.org.".repeat(20_000);
    let recipients: String = (0..10_000)
        .map(|number| format!("\nFinal-Recipient: rfc822; u{number}@example.org\nStatus: 5.1.1\n"))
        .collect();
    let reporting_mta = format!(
        "{HEAD}{}",
        REPORT.replace("mail.example.org", &long) + &recipients
    );
    let names: String = (0..10_000)
        .map(|number| format!("<u{number}@example.org>\n"))
        .collect();
    let words = "We could not deliver your mail to any of them. ".repeat(80);
    let above = format!("{HEAD}\nThis is the mail system at host a.example.\n\n{words}\n{names}");
    let below =
        format!("{HEAD}\nThis is the mail system at host a.example.\n\n{names}    {words}\n");
    let listed: Vec<String> = (0..10_000)
        .map(|number| format!("{{\"emailAddress\":\"u{number}@example.org\"}}"))
        .collect();
    let notification = |mta: &str| {
        format!(
            "{HEAD}\n{{\"notificationType\":\"Bounce\",\"bounce\":{{\"bounceType\":\"{mta}\",\"reportingMTA\":\"{mta}\",\
             \"bouncedRecipients\":[{}]}}}}\n",
            listed.join(",")
        )
    };
    for (name, mail) in [
        ("a long Reporting-MTA", reporting_mta),
        ("words above a list", above),
        ("words below a list", below),
        ("a notification", notification(&long[..50_000])),
    ] {
        let report = report::parse(mail.as_bytes());
        assert_eq!(report.recipients.len(), 10_000, "{name}");
        let mut texts: HashMap<*const u8, usize> = HashMap::new();
        for recipient in &report.recipients {
            let words = recipient.diagnostic.as_ref();
            let hosts = [&recipient.reporting_mta, &recipient.remote_mta];
            let shared = hosts.into_iter().flatten().chain(words);
            texts.extend(shared.map(|text| (text.as_ptr(), text.len())));
        }
        let kept: usize = texts.values().sum();
        assert!((1..=10_000).contains(&kept), "{name}: {kept} bytes");
    }
}

/// Nobody is asked to suspend more than [`MAX_RECIPIENTS`], whatever the form in which a mail names them, and it is said.
#[test]
fn too_many_are_cut_by_every_way_in() {
    let each = |count: usize, of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<String>();
    let more = MAX_RECIPIENTS + 10;
    let fields = format!(
        "{HEAD}{REPORT}{}",
        each(more, &|n| format!(
            "\nFinal-Recipient: rfc822; u{n}@example.org\n{RECIPIENT}"
        ))
    );
    let lines = format!(
        "{HEAD}\nThis is the mail system at host a.example.\n\n{}",
        each(more, &|n| format!(
            "<u{n}@example.org>: 550 5.1.1 no such user\n"
        ))
    );
    let header = format!(
        "{HEAD}X-Failed-Recipients: {}\n\nA message that you sent could not be delivered to all of its recipients.\n",
        each(more, &|n| format!("u{n}@e.io, "))
    );
    let members = format!(
        "{}\nYour mail to the following recipients could not be delivered because they are not accepting mail from s@x.example:\n\n{}",
        HEAD.replace("mail.example.org", "aol.com"),
        each(more, &|n| format!("    name{n}\n"))
    );
    let dialogue = format!(
        "{HEAD}\n   ----- Transcript of session follows -----\n{}",
        each(more, &|n| format!(
            ">>> RCPT To:<u{n}@example.org>\n<<< 550 5.1.1 no such user\n"
        ))
    );
    let amazon = |kind: &str, holder: &str, list: &str| {
        format!(
            "{HEAD}\n{{\"notificationType\":\"{kind}\",\"{holder}\":{{\"{list}\":[{{\"emailAddress\":\"x@e.io\"}}{}]}}}}\n",
            each(more, &|n| format!(",{{\"emailAddress\":\"u{n}@e.io\"}}"))
        )
    };
    let complaint = format!(
        "{HEAD}Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n\
         --b\nContent-Type: message/feedback-report\n\n{}\n--b--\n",
        each(more, &|n| format!("Original-Rcpt-To: u{n}@example.org\n"))
    );
    for (name, mail) in [
        ("fields", fields),
        ("lines", lines),
        ("X-Failed-Recipients", header),
        ("AOL", members),
        ("dialogue", dialogue),
        (
            "Amazon's bounce",
            amazon("Bounce", "bounce", "bouncedRecipients"),
        ),
        (
            "Amazon's delay",
            amazon("DeliveryDelay", "deliveryDelay", "delayedRecipients"),
        ),
        (
            "Amazon's complaint",
            amazon("Complaint", "complaint", "complainedRecipients"),
        ),
        ("complaint", complaint),
    ] {
        let report = report::parse(mail.as_bytes());
        let named = report.recipients.len() + report.complainants.len();
        assert_eq!(named, MAX_RECIPIENTS, "{name}: {}", report.evidence);
        assert_eq!(report.limits, [Limit::Recipients], "{name}");
    }
}

/// A field that names a host or a mail has the bytes of one; what people read has those of a line.
#[test]
fn long_fields_are_cut_between_characters() {
    let long = "ü".repeat(10_000);
    let fields = format!(
        "Final-Recipient: rfc822; anna@example.org\nStatus: 5.1.1\nRemote-MTA: dns; {long}\n\
         Diagnostic-Code: smtp; 550 {long}\nX-PowerMTA-BounceCategory: {long}\n"
    );
    let headers = format!("From: {long}\nTo: {long}\nSubject: {long}\nMessage-ID: <{long}>\n");
    let mail = format!(
        "{headers}{}\n{fields}\n--b\nContent-Type: message/rfc822\n\n{headers}\n",
        REPORT.replace("mail.example.org", &long)
    );
    let report = report::parse(mail.as_bytes());
    let recipient = &report.recipients[0];
    let (envelope, original) = (&report.envelope, &report.original);
    let bounds = [
        ("Reporting-MTA", recipient.reporting_mta.as_deref(), 255),
        ("Remote-MTA", recipient.remote_mta.as_deref(), 255),
        ("diagnostic", recipient.diagnostic.as_deref(), 4_256),
        ("From", envelope.from.as_deref(), 998),
        ("To", envelope.to_text.as_deref(), 998),
        ("Subject", envelope.subject.as_deref(), 998),
        ("Message-ID", envelope.message_id.as_deref(), 255),
        ("original Subject", original.subject.as_deref(), 998),
        ("original Message-ID", original.message_id.as_deref(), 255),
    ];
    for (name, text, most) in bounds {
        let length = text.map_or(0, str::len);
        assert!(length > most - 10 && length <= most, "{name} has {length}");
    }
}
