//! `smtp:` and its keys: what may be left out or empty, what is shown, and each fault.

use super::{Dir, assert_refused};
use std::fs;

/// The configuration with this section instead of `amqp:`, on line 11.
fn with_smtp(lines: &[&str]) -> Dir {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    Dir::with(move |text, _| {
        let (handler, _) = text.split_once("  amqp:").unwrap();
        format!("{handler}  smtp:\n{lines}")
    })
}

#[test]
fn the_smtp_server_of_the_template_is_good() {
    let template = include_str!("../../config.template.yml");
    let section = template.split_once("  # smtp:\n").unwrap().1;
    let lines: Vec<String> = section
        .lines()
        .map_while(|line| line.strip_prefix("  #   "))
        .map(str::to_owned)
        .filter(|line| !line.trim_start().starts_with("tls:") && !line.contains(".pem"))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let output = with_smtp(&lines).check();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let written = String::from_utf8(output.stdout).unwrap();
    // What stands there are the defaults.
    let unwritten = String::from_utf8(with_smtp(&["protocol: smtp"]).check().stdout).unwrap();
    let listens = |text: &str| {
        text.lines()
            .find(|line| line.contains("listens on"))
            .map(str::to_owned)
    };
    assert_eq!(listens(&written), listens(&unwritten));
    assert!(
        written.contains(
            "0.0.0.0:2525 (ESMTP), for loopback and private networks, 200 clients at a time, mails of 10.0 MB at most"
        ),
        "{written}"
    );
}

/// What `check-config` says of the SMTP server.
#[track_caller]
fn shown(smtp: &[&str]) -> String {
    let output = with_smtp(smtp).check();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{smtp:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("listens on"));
    line.unwrap().trim_start().to_owned()
}

#[test]
fn a_key_with_nothing_behind_it_has_its_default() {
    let default = shown(&["protocol: smtp"]);
    for nothing in [
        "# every key is commented out",
        "listen:",
        "protocol: ~",
        "allow:",
        "max_connections: null",
        "max_message_size:",
        "require_tls:",
    ] {
        assert_eq!(shown(&[nothing]), default, "{nothing}");
    }
}

#[test]
fn a_section_that_needs_keys_and_has_none() {
    // Whoever writes `tls:` wants TLS, whoever writes `amqp:` a broker: to go on without would be noticed too late.
    with_smtp(&["protocol: smtp", "tls:", "  # certificate: /etc/cert.pem", "require_tls: false"])
        .is_refused(
            "config.yml:13: production.smtp.tls: needs two PEM files, `certificate:` and `key:`; write both, or leave `tls:` out",
        );
    Dir::with(|text, _| text.split_once("    url: amqp").unwrap().0.to_owned() + "  smtp:\n")
        .is_refused("config.yml:11: production.amqp: missing field `url`");
}

#[test]
fn a_configuration_that_takes_mail_from_nowhere_is_refused_as_run_refuses_it() {
    let dir = Dir::with(|text, _| text.split_once("  amqp:").unwrap().0.to_owned());
    for command in ["check-config", "run"] {
        assert_refused(
            &dir.command(&[command]).output().unwrap(),
            "config.yml:1: production: there is no place to take mails from; add `amqp:` or `smtp:`, see config.template.yml",
        );
    }
}

#[test]
fn the_smtp_server_is_shown_for_whom_it_is() {
    for (lines, line) in [
        (
            &["allow: [10.0.0.0/8, '::1']", "protocol: LMTP"][..],
            "0.0.0.0:2525 (LMTP), for 10.0.0.0/8, ::1/128, 200 clients at a time, mails of 10.0 MB at most",
        ),
        (
            &[
                "allow: 192.0.2.0/24",
                "protocol: Smtp",
                "max_connections: 10000",
            ],
            "0.0.0.0:2525 (ESMTP), for 192.0.2.0/24, 10000 clients at a time, mails of 10.0 MB at most",
        ),
        (
            &["listen: unix:/run/x.sock", "max_message_size: 64kB"],
            "unix:/run/x.sock (ESMTP), for 200 clients at a time, mails of 64.0 kB at most",
        ),
    ] {
        assert_eq!(shown(lines), line);
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_blamed_on_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let pair = || rcgen::generate_simple_self_signed(["x.test".to_owned()]).unwrap();
    let (good, other) = (pair(), pair());
    fs::write(path("cert.pem"), good.cert.pem()).unwrap();
    fs::write(path("key.pem"), good.signing_key.serialize_pem()).unwrap();
    fs::write(path("other.pem"), other.signing_key.serialize_pem()).unwrap();
    fs::write(path("empty.pem"), "").unwrap();
    let tls = |certificate: &str, key: &str| {
        with_smtp(&[
            "tls:",
            &format!("  certificate: {}", path(certificate)),
            &format!("  key: {}", path(key)),
        ])
    };
    assert_eq!(tls("cert.pem", "key.pem").check().status.code(), Some(0));
    for file in ["empty.pem", "key.pem"] {
        tls(file, "key.pem").is_refused(&format!(
            "config.yml:13: production.smtp.tls.certificate: {} holds no CERTIFICATE block; it must be a PEM file with `-----BEGIN CERTIFICATE-----`",
            path(file)
        ));
    }
    tls("cert.pem", "cert.pem").is_refused(&format!(
        "config.yml:14: production.smtp.tls.key: {} holds no PRIVATE KEY block; it must be a PEM file with `-----BEGIN PRIVATE KEY-----`, without a passphrase",
        path("cert.pem")
    ));
    let mismatch = tls("cert.pem", "other.pem");
    for command in ["check-config", "run"] {
        assert_refused(
            &mismatch.command(&[command]).output().unwrap(),
            &format!(
                "config.yml:12: production.smtp.tls: {} and {} can't be used: keys may not be consistent: KeyMismatch; name a certificate chain and the key that belongs to it",
                path("cert.pem"),
                path("other.pem")
            ),
        );
    }
}

#[test]
fn faults_of_the_smtp_server() {
    let refused = |lines: &[&str], line: &str| with_smtp(lines).is_refused(line);
    refused(
        &["listen: 2525"],
        "config.yml:12: production.smtp.listen: 2525 is no address and port; write for example 0.0.0.0:2525, [::1]:2525 or unix:/run/bouncedemails/lmtp.sock",
    );
    refused(
        &["protocol: smtp", "allow: [10.0.0.0/33]"],
        "config.yml:13: production.smtp.allow[0]: 10.0.0.0/33 is no network; write for example 192.0.2.0/24 or 2001:db8::1",
    );
    refused(
        &["max_message_size: much"],
        "config.yml:12: production.smtp.max_message_size: much is no size; write it as 10MB, 512kB or 10485760",
    );
    refused(
        &["max_connections: 0"],
        "config.yml:12: production.smtp.max_connections: 0 is no number of clients; write one from 1 to 10000",
    );
    refused(
        &["max_connections: many"],
        "config.yml:12: production.smtp.max_connections: many is no number of clients; write one from 1 to 10000",
    );
    refused(
        &["max_connections: 5000000000000000000"],
        "config.yml:12: production.smtp.max_connections: 5000000000000000000 is no number of clients; write one from 1 to 10000",
    );
    refused(
        &["max_message_size: 63kB"],
        "config.yml:12: production.smtp.max_message_size: 63kB is less than a bounce may need; write at least 64.0 kB, for example 10MB",
    );
    refused(
        &["listen: [::1]:2525"],
        "config.yml:12: production.smtp.listen: invalid type: sequence, expected a text (in quotes, where YAML takes it for something else)",
    );
    refused(
        &["listen: '[localhost]:2525'"],
        "config.yml:12: production.smtp.listen: [localhost]:2525 is no address and port; write for example 0.0.0.0:2525, [::1]:2525 or unix:/run/bouncedemails/lmtp.sock",
    );
    refused(
        &["protocol: esmtp"],
        "config.yml:12: production.smtp.protocol: esmtp is not spoken here; write smtp or lmtp",
    );
    refused(
        &["allow: []"],
        "config.yml:12: production.smtp.allow: an empty list lets nobody in; write networks, for example [127.0.0.0/8, 192.0.2.0/24], or leave `smtp:` out",
    );
    refused(
        &["allow: nobody"],
        "config.yml:12: production.smtp.allow: nobody is no network; write for example 192.0.2.0/24 or 2001:db8::1",
    );
    refused(
        &["tls: {certificate: /nowhere/cert.pem, key: /nowhere/key.pem}"],
        "config.yml:12: production.smtp.tls.certificate: /nowhere/cert.pem cannot be read by this user (No such file or directory (os error 2)); write the path of a PEM file, and mend its owner",
    );
    refused(
        &["protocol: smtp", "require_tls: true"],
        "config.yml:13: production: `require_tls` of `smtp:` needs `tls:`; write certificate and key below that, or require_tls: false",
    );
    refused(
        &["listen: 0.0.0.0:2525", "timeout: 5"],
        "config.yml:13: production.smtp: unknown field `timeout`, expected one of `listen`, `protocol`, `allow`, `max_connections`, `max_message_size`, `tls`, `require_tls`",
    );
}
