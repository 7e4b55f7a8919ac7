//! swaks, the SMTP tester: each reply code and text.

use super::service::{Service, hard_bounce};
use crate::support::{TempDir, output_of, temp_dir};
use std::process::Command;

/// swaks against the service; returns its transcript.
fn swaks(service: &Service, arguments: &[&str]) -> String {
    let output = Command::new("swaks")
        .args(["--server", "127.0.0.1", "--port", &service.port.to_string()])
        .args(["--helo", "client.test", "--from", "<>"])
        .args(arguments)
        .output()
        .expect("swaks is installed");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A file with a hard bounce for this address.
fn mail_file(folder: &TempDir, address: &str) -> String {
    let file = folder.path().join("mail");
    std::fs::write(&file, hard_bounce(address)).expect("the folder is ours");
    format!("@{}", file.display())
}

#[track_caller]
fn shows(transcript: &str, lines: &[&str]) {
    for line in lines {
        assert!(transcript.contains(line), "no {line:?} in:\n{transcript}");
    }
}

#[test]
fn plain_and_pipelined() {
    let service = Service::start();
    let folder = temp_dir();
    for (number, option) in ["--quit-after=QUIT", "--pipeline"].iter().enumerate() {
        let address = format!("gone{number}@somewhere.test");
        let data = mail_file(&folder, &address);
        let arguments = ["--to", "no-reply@mydomain.de", "--data", &data, option];
        let arguments = if number == 0 {
            &arguments[..4]
        } else {
            &arguments[..]
        };
        let transcript = swaks(&service, arguments);
        shows(
            &transcript,
            &[
                "<-  250 2.1.0 Sender ok",
                "<-  250 2.1.5 Recipient ok",
                "<-  250 2.0.0 Recorded",
                "<-  221 2.0.0 Bye",
            ],
        );
    }
    let posts = service.platform.wait_for_posts(2);
    assert!(
        posts.contains(&"/emails/gone1%40somewhere.test/suspend".to_owned()),
        "{posts:?}"
    );
}

#[test]
fn eight_bits_and_utf8_addresses() {
    let service = Service::start();
    let folder = temp_dir();
    let data = mail_file(&folder, "grün@somewhere.test");
    let transcript = swaks(&service, &["--to", "no-reply@mydomain.de", "--data", &data]);
    shows(&transcript, &["<-  250 2.0.0 Recorded"]);
    let posts = service.platform.wait_for_posts(1);
    assert_eq!(posts, ["/emails/gr%C3%BCn%40somewhere.test/suspend"]);
    let transcript = swaks(
        &service,
        &["--to", "grün@mydomain.de", "--quit-after", "RCPT"],
    );
    shows(
        &transcript,
        &["<** 553 5.6.7 An address that is not ASCII needs MAIL with SMTPUTF8"],
    );
}

#[test]
fn refusals() {
    let service = Service::with(&["max_message_size: 64kB"]);
    let folder = temp_dir();
    let data = mail_file(&folder, &format!("{}@somewhere.test", "x".repeat(70_000)));
    let transcript = swaks(&service, &["--to", "no-reply@mydomain.de", "--data", &data]);
    shows(
        &transcript,
        &[
            "<-  250-SIZE 64000",
            "<** 552 5.3.4 Larger than smtp.max_message_size allows",
        ],
    );
    let transcript = swaks(&service, &["--to", "somebody@elsewhere.test"]);
    shows(
        &transcript,
        &["<** 550 5.7.1 Not an address of a configured platform"],
    );
    // The sender of a bounce is nobody: if a mail server drops it now, only our log shows why.
    service
        .daemon
        .wait_for("was told: 552 5.3.4 Larger than smtp.max_message_size allows (to: DATA)");
    service
        .daemon
        .wait_for("platform (to: RCPT TO:<somebody@elsewhere.test>)");
    assert!(service.platform.posts().is_empty());
}

#[test]
fn a_client_from_another_network() {
    let service = Service::with(&["allow: [192.0.2.0/24, \"2001:db8::1\"]"]);
    let transcript = swaks(&service, &["--to", "no-reply@mydomain.de"]);
    shows(
        &transcript,
        &["<** 554 5.7.1 Your address is in no network of smtp.allow"],
    );
    service
        .daemon
        .wait_for("was sent off: 554 5.7.1 Your address is in no network of smtp.allow");
}

#[test]
fn starttls() {
    let folder = temp_dir();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    output_of(
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=mx.test", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate),
        b"",
    );
    let service = Service::with(&[
        &format!(
            "tls: {{certificate: {}, key: {}}}",
            certificate.display(),
            key.display()
        ),
        "require_tls: true",
    ]);
    let data = mail_file(&folder, "gone@somewhere.test");
    let transcript = swaks(&service, &["--to", "no-reply@mydomain.de", "--data", &data]);
    shows(&transcript, &["<** 530 5.7.0 STARTTLS first"]);
    let transcript = swaks(
        &service,
        &["--to", "no-reply@mydomain.de", "--data", &data, "--tls"],
    );
    shows(
        &transcript,
        &[
            "<-  220 2.0.0 Ready to start TLS",
            "TLS peer DN=\"/CN=mx.test\"",
            "<~  250 2.0.0 Recorded",
        ],
    );
    service.platform.wait_for_posts(1);
}

#[test]
fn the_script_sends_the_test_mail() {
    let service = Service::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/send_message_to_smtp.sh");
    let port = service.port.to_string();
    let said = output_of(
        Command::new(script).args(["--host", "127.0.0.1", "--port", &port]),
        b"",
    );
    assert!(said.contains("250 2.0.0 Recorded"), "{said}");
    let posts = service.platform.wait_for_posts(1);
    assert_eq!(posts, ["/emails/evil-address%40some-provider.com/suspend"]);
}
