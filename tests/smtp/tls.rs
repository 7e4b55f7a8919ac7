//! STARTTLS with a real client (openssl s_client), and what is refused around it.

use crate::server::{Client, Server};
use bouncedemails::smtp::{Settings, Tls, TlsFiles};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Makes a certificate for this name.
fn certificate(folder: &Path, name: &str) -> TlsFiles {
    let files = TlsFiles {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-days", "2", "-subj", &format!("/CN={name}")])
        .arg("-keyout")
        .arg(&files.key)
        .arg("-out")
        .arg(&files.certificate)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
    files
}

fn with_tls(folder: &TempDir) -> impl FnOnce(&mut Settings) {
    let files = certificate(folder.path(), "first.test");
    move |settings| settings.tls = Some(Tls::load(&files).unwrap())
}

/// What `openssl s_client` shows of a session in which these lines are said.
fn s_client(server: &Server, lines: &str) -> String {
    let mut child = Command::new("openssl")
        .args([
            "s_client",
            "-starttls",
            "smtp",
            "-crlf",
            "-ign_eof",
            "-connect",
        ])
        .arg(server.address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_mail_comes_by_tls() {
    let folder = TempDir::new().unwrap();
    let server = Server::with(with_tls(&folder));
    let hello = server.connect().asks("EHLO x", "250 STARTTLS");
    assert!(hello.contains("250-LIMITS RCPTMAX=100\n"), "{hello}");
    let shown = s_client(
        &server,
        "EHLO x\nMAIL FROM:<>\nRCPT TO:<a@openhpi.de>\nDATA\nsecret\n.\nQUIT\n",
    );
    assert!(
        shown.contains("CN=first.test") || shown.contains("CN = first.test"),
        "{shown}"
    );
    assert!(shown.contains("250 2.0.0 Taken"), "{shown}");
    assert_eq!(server.mailbox.contents(), ["secret\r\n"]);
    // Pipelined QUIT, orderly end: TLS changes nothing about the proof.
    server.mailbox.wait_for_known(0);
}

#[test]
fn after_tls_everything_begins_anew_and_starttls_is_not_offered() {
    let folder = TempDir::new().unwrap();
    let server = Server::with(with_tls(&folder));
    let shown = s_client(&server, "MAIL FROM:<>\nSTARTTLS\nEHLO x\nQUIT\n");
    assert!(shown.contains("503 5.5.1 Say hello first"), "{shown}");
    assert!(shown.contains("503 5.5.1 TLS is on already"), "{shown}");
    assert!(shown.contains("250 LIMITS RCPTMAX=100"), "{shown}");
}

#[test]
fn the_certificate_is_read_again_when_it_changes() {
    let folder = TempDir::new().unwrap();
    let server = Server::with(with_tls(&folder));
    assert!(s_client(&server, "QUIT\n").contains("first.test"));
    let second = certificate(folder.path(), "second.test");
    assert!(s_client(&server, "QUIT\n").contains("second.test"));
    // Half of a replacement: the key does not belong to the certificate, so the last good pair is used.
    let good_key = std::fs::read(&second.key).unwrap();
    let other = TempDir::new().unwrap();
    std::fs::copy(certificate(other.path(), "third.test").key, &second.key).unwrap();
    assert!(s_client(&server, "QUIT\n").contains("second.test"));
    std::fs::write(&second.key, "rubbish").unwrap();
    assert!(s_client(&server, "QUIT\n").contains("second.test"));
    std::fs::write(&second.key, good_key).unwrap();
    assert!(s_client(&server, "QUIT\n").contains("second.test"));
}

#[test]
fn plain_text_behind_starttls_is_not_taken_as_if_it_had_come_by_tls() {
    let folder = TempDir::new().unwrap();
    let server = Server::with(with_tls(&folder));
    let mut client = server.hello();
    client.send("STARTTLS\r\nMAIL FROM:<injected@b.de>\r\n");
    client.expect("501 5.5.4 Wait for the answer");
    client.expect("250 2.1.0 ");
    client.asks("STARTTLS x", "501 ");
    // A client that goes on in plain text breaks the handshake.
    client.asks("STARTTLS", "220 ");
    client.send("MAIL FROM:<injected@b.de>\r\n");
    client.rest_of_any_kind();
}

#[test]
fn required_tls() {
    let folder = TempDir::new().unwrap();
    let tls = with_tls(&folder);
    let server = Server::with(|settings| {
        tls(settings);
        settings.require_tls = true;
    });
    let mut client: Client = server.hello();
    client.asks("NOOP", "250 ");
    client.asks("MAIL FROM:<>", "530 5.7.0 STARTTLS first");
    client.asks("VRFY x", "530 5.7.0 ");
    client.send("BDAT 6 LAST\r\nQUIT\r\n");
    client.expect("530 5.7.0 ");
    client.asks("QUIT", "221 ");
    let shown = s_client(
        &server,
        "EHLO x\nMAIL FROM:<>\nRCPT TO:<a@openhpi.de>\nDATA\nsecret\n.\nQUIT\n",
    );
    assert!(shown.contains("250 2.0.0 Taken"), "{shown}");
}

#[test]
fn faults_of_the_files_are_named() {
    let folder = TempDir::new().unwrap();
    let good = certificate(folder.path(), "x.test");
    let fault = |files: &TlsFiles| Tls::load(files).unwrap_err().to_string();
    let missing = TlsFiles {
        certificate: "/nowhere/cert.pem".into(),
        ..good.clone()
    };
    let fault_of_missing = fault(&missing);
    assert!(
        fault_of_missing.starts_with("/nowhere/cert.pem cannot be read by this user (No such file"),
        "{fault_of_missing}"
    );
    let swapped = TlsFiles {
        certificate: good.certificate.clone(),
        key: good.certificate.clone(),
    };
    let fault_of_swapped = fault(&swapped);
    assert!(
        fault_of_swapped.contains("holds no PRIVATE KEY block"),
        "{fault_of_swapped}"
    );
}
