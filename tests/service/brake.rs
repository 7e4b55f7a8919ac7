//! One mail can't silence many (DESIGN 6, `brake_per_mail`): the real binary, with every sort of mail that names many addresses.

use crate::support::*;
use std::path::Path;

const NAMED: u32 = 25;

fn address(number: u32) -> String {
    format!("gone{number}@example.org")
}

/// A delivery status notification that gives each of [`NAMED`] addresses this status and diagnostic.
fn report(id: u32, status: &str, diagnostic: &str) -> Vec<u8> {
    let recipient = |number| {
        let address = address(number);
        format!(
            "\nFinal-Recipient: rfc822; {address}\nAction: failed\nStatus: {status}\nDiagnostic-Code: smtp; {diagnostic}\n"
        )
    };
    let recipients: String = (0..NAMED).map(recipient).collect();
    format!(
        "From: MAILER-DAEMON@mx.example.net\nTo: no-reply@mydomain.de\nSubject: Undelivered Mail Returned to Sender\nMessage-ID: <{id}@mx>\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n{recipients}\n--b--\n"
    )
    .into_bytes()
}

/// A complaint about mails to [`NAMED`] addresses (RFC 5965).
fn complaint() -> Vec<u8> {
    let field = |number| format!("Original-Rcpt-To: {}\n", address(number));
    let fields: String = (0..NAMED).map(field).collect();
    format!(
        "From: fbl@example.net\nTo: no-reply@mydomain.de\nSubject: FW: News\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\
         Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n{fields}\n--b--\n"
    )
    .into_bytes()
}

/// What anybody can write in the form of an Amazon notification.
fn forged_notification() -> Vec<u8> {
    let entry = |number| {
        let address = address(number);
        format!(
            r#"{{"emailAddress": "{address}", "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}}"#
        )
    };
    let recipients: Vec<String> = (0..NAMED).map(entry).collect();
    let recipients = recipients.join(", ");
    format!(
        "From: AWS Notifications <no-reply@sns.amazonaws.com>\nTo: no-reply@mydomain.de\nSubject: AWS Notification Message\n\
         Content-Type: text/plain; charset=UTF-8\n\n{{\"notificationType\": \"Bounce\", \"bounce\": {{\"bounceType\": \"Permanent\", \
         \"bounceSubType\": \"General\", \"bouncedRecipients\": [{recipients}], \"timestamp\": \"2026-11-22T09:00:00.000Z\"}}, \
         \"mail\": {{\"source\": \"no-reply@mydomain.de\", \"destination\": []}}}}\n"
    )
    .into_bytes()
}

/// Runs a command; returns all that it printed.
fn run(file: &Path, arguments: &[&str], input: &[u8]) -> String {
    let folder = temp_dir();
    let path = folder.path().join("input");
    std::fs::write(&path, input).expect("the folder is ours");
    let mut command = bouncedemails();
    command.arg("--config").arg(file).args(arguments);
    command.stdin(std::fs::File::open(&path).expect("it is there"));
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

/// The number in quarantine under which a mail is held, as the one error line about it says.
#[track_caller]
fn held(log: &str) -> String {
    let errors: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("error: "))
        .collect();
    let [line] = errors.as_slice() else {
        panic!("one error line in {log}")
    };
    assert!(
        line.contains(&format!("would suspend {NAMED} addresses")),
        "{line}"
    );
    let (_, rest) = line
        .split_once("requeue --release ")
        .expect("it says what to do");
    rest.chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn what_would_suspend_many_is_held_in_whatever_form_it_comes_and_acted_on_when_released() {
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path())
        .platform("mydomain.de", &platform)
        .handler("complaints: suspend");
    let file = configuration.write();
    let dead = report(1, "5.1.1", "550 5.1.1 User unknown");
    let mut number = String::new();
    for mail in [complaint(), forged_notification(), dead] {
        number = held(&run(&file, &["stdin"], &mail));
    }
    assert!(platform.posts().is_empty(), "{:?}", platform.posts());
    assert_eq!(configuration.history().len(), 0);
    // Taken through the pipeline again, it is as hostile as before.
    let number = held(&run(&file, &["quarantine", "requeue", &number], b""));
    run(&file, &["quarantine", "requeue", "--release", &number], b"");
    assert_eq!(platform.posts().len(), NAMED as usize);
    let left: u32 = configuration.quarantine().values().sum();
    assert_eq!(left, 2, "{:?}", configuration.quarantine());
}

#[test]
fn counters_of_many_that_one_mail_would_exceed_are_held_as_well() {
    let platform = Platform::start();
    let folder = temp_dir();
    let configuration = Configuration::in_folder(folder.path()).platform("mydomain.de", &platform);
    let file = configuration.write();
    for id in 0..3 {
        run(
            &file,
            &["stdin"],
            &report(id, "4.2.2", "452 4.2.2 Mailbox full"),
        );
    }
    let counters = configuration.counters();
    assert_eq!(counters.len(), NAMED as usize);
    assert!(counters.values().all(|count| *count == 3), "{counters:?}");
    held(&run(
        &file,
        &["stdin"],
        &report(4, "4.2.2", "452 4.2.2 Mailbox full"),
    ));
    assert_eq!(configuration.counters(), counters, "nothing was counted");
    assert!(platform.posts().is_empty(), "{:?}", platform.posts());
}
