//! A configuration that can't be used: one line with file, line and key that says what to write instead, and exit status 78.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder with a configuration in it.
struct Dir(TempDir);

impl Dir {
    /// The configuration of DESIGN 6, with `edit` done to its text.
    fn with(edit: impl FnOnce(String, &Path) -> String) -> Dir {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "\
production:
  handler:
    dbfile: {}/bounced_emails.db
    temporary_threshold: 3
    domains:
      openhpi.de:
        base_url: https://open.hpi.de/emails/{{address}}/suspend
      opensap.info:
        url_resolver: xikolo
        base_url: https://open.sap.com/api
  amqp:
    url: amqp://user:geheim@localhost/bouncedemails
    queue: bouncedemails
",
            dir.path().display()
        );
        fs::write(dir.path().join("config.yml"), edit(text, dir.path())).unwrap();
        Dir(dir)
    }

    fn replacing(from: &'static str, to: &'static str) -> Dir {
        Dir::with(|text, _| {
            assert!(text.contains(from), "{from} is to be replaced");
            text.replacen(from, to, 1)
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bouncedemails"));
        command.args(arguments).current_dir(self.0.path());
        command
    }

    fn check(&self) -> Output {
        self.command(&["check-config"]).output().unwrap()
    }

    /// Asserts that the configuration is refused with this one line.
    #[track_caller]
    fn is_refused(&self, line: &str) {
        assert_refused(&self.check(), line);
    }
}

#[track_caller]
fn assert_refused(output: &Output, line: &str) {
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("bouncedemails: {line}\n")
    );
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_good_one_is_shown_with_its_secrets_masked() {
    let output = Dir::with(|text, _| text).check();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        shown.starts_with("config.yml, environment production: fine\n"),
        "{shown}"
    );
    assert!(
        shown.contains("amqp://user:***@localhost:5672/bouncedemails"),
        "{shown}"
    );
    assert!(
        shown.contains("openhpi.de: POST https://open.hpi.de/emails/{address}/suspend"),
        "{shown}"
    );
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn the_template_is_good_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.template.yml"))
        .unwrap()
        .replace("/var/lib/bouncedemails", dir.path().to_str().unwrap())
        .replace("/etc/bouncedemails", dir.path().to_str().unwrap());
    // The files that it names.
    let authority = rcgen::generate_simple_self_signed(["platform.example".to_owned()]).unwrap();
    fs::write(dir.path().join("ca.pem"), authority.cert.pem()).unwrap();
    fs::write(
        dir.path().join("rules.toml"),
        "[[rule]]\nname = 'gone'\nreason = 'userunknown'\nwords = ['gone fishing for good']\n",
    )
    .unwrap();
    // Every optional key that is commented out is good, too.
    let uncommented: String = template
        .lines()
        .map(|line| match line.trim_start().strip_prefix("# ") {
            Some(key)
                if key.contains(": ")
                    && key.starts_with(|c: char| c.is_ascii_lowercase())
                    && !key.contains(". ") =>
            {
                line.replacen("# ", "", 1) + "\n"
            }
            _ => line.to_owned() + "\n",
        })
        .collect();
    for text in [template, uncommented] {
        fs::write(dir.path().join("config.yml"), &text).unwrap();
        let output = Dir(tempfile::tempdir().unwrap())
            .command(&["--config"])
            .arg(dir.path().join("config.yml"))
            .arg("check-config")
            .env("RABBITMQ_PASSWORD", "geheim")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{text}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn wrong_yaml() {
    Dir::replacing("queue: ", "queue: : ")
        .is_refused("config.yml:13: mapping values are not allowed in this context");
}

#[test]
fn an_unknown_key() {
    Dir::replacing("queue: bouncedemails", "queue: bouncedemails\n    prefetsch: 5").is_refused(
        "config.yml:14: production.amqp: unknown field `prefetsch`, expected one of `url`, `queue`, `prefetch`",
    );
}

#[test]
fn a_missing_environment() {
    Dir::replacing("production:", "staging:").is_refused(
        "config.yml: there is no environment `production`; it has staging: choose one with --env NAME, or add `production:`",
    );
}

#[test]
fn another_environment_can_be_chosen_and_faults_in_the_others_harm_nobody() {
    let dir = Dir::with(|text, _| {
        let good = text.replacen("production:", "staging:", 1);
        format!("production: {{handler: none of your business}}\n{good}")
    });
    let output = dir
        .command(&["--env", "staging", "check-config"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_base_url_without_address() {
    Dir::replacing("emails/{address}/suspend", "emails/suspend").is_refused(
        "config.yml:7: production.handler.domains.openhpi.de: `base_url` must hold {address}, for example \
         https://open.hpi.de/emails/{address}/suspend (it is https://open.hpi.de/emails/suspend)",
    );
}

#[test]
fn a_base_url_that_would_put_the_address_in_unencoded() {
    Dir::replacing("emails/{address}/suspend", "emails/{+address}/suspend").is_refused(
        "config.yml:7: production.handler.domains.openhpi.de: `base_url` must hold {address}, which is percent-encoded, not \
         {+address} or {#address} (it is https://open.hpi.de/emails/{+address}/suspend)",
    );
}

#[test]
fn a_domain_that_stands_there_twice_in_two_spellings() {
    for (first, second) in [
        ("bücher.de", "xn--bcher-kva.de"),
        ("openhpi.de", "OpenHPI.de."),
    ] {
        let dir = Dir::with(|text, _| {
            text.replace("openhpi.de:", &format!("{first}:"))
                .replace("opensap.info:", &format!("{second}:"))
        });
        dir.is_refused(&format!(
            "config.yml:8: production.handler.domains: `{second}` stands there twice, first as `{first}`; leave one of them out"
        ));
    }
}

#[test]
fn a_domain_that_is_none() {
    Dir::replacing("openhpi.de:", "xn--ü.de:")
        .is_refused("config.yml:6: production.handler.domains: `xn--ü.de` is no domain name");
}

#[test]
fn a_domain_is_shown_as_mails_have_it_and_as_people_know_it() {
    let output = Dir::replacing("openhpi.de:", "Bücher.de:").check();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("  platform    xn--bcher-kva.de (bücher.de): POST https://open.hpi.de/"),
        "{shown}"
    );
}

#[test]
fn a_negative_threshold() {
    Dir::replacing("temporary_threshold: 3", "temporary_threshold: -1").is_refused(
        "config.yml:4: production.handler.temporary_threshold: -1 is below zero; write a whole number of 0 or more, for example 3",
    );
}

#[test]
fn a_threshold_in_words() {
    Dir::replacing("temporary_threshold: 3", "temporary_threshold: three").is_refused(
        "config.yml:4: production.handler.temporary_threshold: invalid type: string \"three\", expected a whole number of 0 or \
         more, for example 3",
    );
}

#[test]
fn a_database_in_a_folder_that_does_not_exist() {
    let dir = Dir::with(|text, path| text.replace(&path.display().to_string(), "/nowhere/at/all"));
    dir.is_refused(
        "config.yml:3: production.handler.dbfile: the folder /nowhere/at/all does not exist; make it (install -d -o \
         bouncedemails /nowhere/at/all), or write another path",
    );
}

#[test]
fn a_database_in_a_folder_that_this_user_cannot_write() {
    let dir = Dir::with(|text, path| {
        text.replace(
            &path.display().to_string(),
            &path.join("data").display().to_string(),
        )
    });
    let data = dir.0.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(dir.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = dir.command(&["check-config"]);
    // Root may write everywhere; so let nobody (65534 on Debian) look, by a copy of the program where nobody may go.
    if rustix::process::geteuid().is_root() {
        let program = dir.0.path().join("program");
        fs::copy(env!("CARGO_BIN_EXE_bouncedemails"), &program).unwrap();
        command = Command::new(program);
        command
            .arg("check-config")
            .current_dir(dir.0.path())
            .uid(65534)
            .gid(65534);
    }
    assert_refused(
        &command.output().unwrap(),
        &format!(
            "config.yml:3: production.handler.dbfile: {} cannot be read and written by this user (Permission denied (os error 13)); \
             mend its owner, or write another path",
            data.display()
        ),
    );
}

#[test]
fn a_bad_amqp_url_without_its_password_in_the_message() {
    Dir::replacing("amqp://user", "ampq://user").is_refused(
        "config.yml:12: production.amqp.url: Invalid AMQP scheme: ampq; write amqp://USER:PASSWORD@HOST/VHOST, with %2f for the \
         vhost /, and other special characters percent-encoded, too",
    );
}

#[test]
fn a_variable_that_is_not_set() {
    Dir::replacing("geheim", "${NO_SUCH_VARIABLE}").is_refused(
        "config.yml:12: production.amqp.url: the environment variable NO_SUCH_VARIABLE is not set; set it, or write ${file:PATH}",
    );
}

#[test]
fn secrets_come_from_the_environment_or_a_file() {
    let dir = Dir::with(|text, path| {
        fs::write(path.join("secret"), "from-file\n").unwrap();
        text.replace(
            "user:geheim",
            &format!("${{WHO}}:${{file:{}}}", path.join("secret").display()),
        )
    });
    let output = dir
        .command(&["check-config"])
        .env("WHO", "from-environment")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("amqp://from-environment:***@localhost"),
        "{shown}"
    );
}

#[test]
fn no_configuration_at_all() {
    let dir = Dir(tempfile::tempdir().unwrap());
    let output = dir
        .command(&["--config", "there.yml", "check-config"])
        .output()
        .unwrap();
    assert_refused(
        &output,
        "there.yml: cannot be read: No such file or directory (os error 2)",
    );
}

#[test]
fn the_prototypes_file_works_unchanged() {
    // As the Python prototype's README shows it: only `handler` and `amqp`, `%2f` and all.
    let dir = Dir::with(|_, path| {
        format!(
            "\
production:
  handler:
    dbfile: {0}/bounced_emails.db
    permanent_bounced_emails_path: {0}/bounced_emails
    temporary_threshold: 5
    domains:
      mydomain.de:
        base_url: http://localhost:7001/emails/{{address}}/suspend
      other.de:
        url_resolver: xikolo
        base_url: http://localhost:7001/
  amqp:
    url: amqp://guest:guest@localhost:5672/%2f
    queue: bouncedemails
",
            path.display()
        )
    });
    let output = dir.check();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("5 soft bounces"));
}

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
    let template = include_str!("../config.template.yml");
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
